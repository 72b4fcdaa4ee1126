#include "passes/placement.h"

#include <algorithm>

namespace conv1d {
namespace {

Placement in_buffers(const Graph& graph, BufferPlan plan) {
  Placement placement{.begin = std::move(plan.buffer), .segments = {graph.steps.size()}};
  size_t end = 0;
  for (size_t& size : plan.size) {
    placement.bytes += static_cast<double>(size);
    end += size;
    size = end - size;  // where the buffer begins
  }
  for (size_t& begin : placement.begin) begin = plan.size.empty() ? 0 : plan.size[begin];
  return placement;
}

}  // namespace

Placement place_in_turn(const Graph& graph, const std::vector<size_t>& bytes) {
  return in_buffers(graph, plan_buffers(graph, bytes));
}

Placement place_gradients(const Graph& graph, const std::vector<size_t>& bytes) {
  const auto steps = static_cast<int32_t>(graph.steps.size());
  const std::vector<int32_t> uses = last_uses(graph);
  std::vector<Lifetime> lifetimes;
  for (int32_t use = steps; use >= 0; --use) {
    for (size_t value = 0; value < uses.size(); ++value) {
      if (uses[value] == use) lifetimes.push_back({value, steps - 1 - use, steps - static_cast<int32_t>(value)});
    }
  }
  return in_buffers(graph, plan_buffers(lifetimes, bytes));
}

Placement place_in_segments(const Graph& graph, const std::vector<size_t>& bytes, size_t count) {
  const size_t steps = graph.steps.size();
  const std::vector<int32_t> uses = last_uses(graph);
  Placement placement{.begin = std::vector<size_t>(bytes.size(), 0), .segments = {}};
  const auto for_each = [&](bool borders, size_t segment, const auto& f) {
    const size_t end = steps * (segment + 1) / count;
    for (size_t value = steps * segment / count + 1; value <= end; ++value) {
      if ((static_cast<size_t>(uses[value]) >= end) == borders) f(value);
    }
  };
  size_t before = 0;
  double most = 0;
  for (size_t segment = 0; segment < count; ++segment) {
    placement.segments.push_back(steps * (segment + 1) / count);
    for_each(true, segment, [&](size_t value) {
      placement.begin[value] = before;
      before += bytes[value];
      placement.bytes += static_cast<double>(bytes[value]);
    });
  }
  for (size_t segment = 0; segment < count; ++segment) {
    size_t inside = before;
    double own = 0;
    for_each(false, segment, [&](size_t value) {
      placement.begin[value] = inside;
      inside += bytes[value];
      own += static_cast<double>(bytes[value]);
    });
    most = std::max(most, own);
  }
  placement.bytes += most;
  return placement;
}

Placement place_by_segments(const Graph& graph, const std::vector<size_t>& bytes) {
  Placement best = place_in_segments(graph, bytes, 1);
  for (size_t count = 2; count <= std::min<size_t>(graph.steps.size(), 64); ++count) {
    Placement placement = place_in_segments(graph, bytes, count);
    if (placement.bytes < best.bytes) best = std::move(placement);
  }
  return best;
}

}  // namespace conv1d
