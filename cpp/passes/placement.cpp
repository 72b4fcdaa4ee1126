#include "passes/placement.h"

#include <algorithm>

namespace conv1d {

Placement place_in_turn(const Graph& graph, const std::vector<size_t>& bytes) {
  const BufferPlan plan = plan_buffers(graph, bytes);
  std::vector<size_t> begin(plan.size.size(), 0);
  size_t end = 0;
  double total = 0;  // which may be more than can be addressed
  for (size_t i = 0; i < plan.size.size(); ++i) {
    begin[i] = end;
    end += plan.size[i];
    total += static_cast<double>(plan.size[i]);
  }
  Placement placement{.begin = std::vector<size_t>(bytes.size(), 0), .bytes = total, .segments = {graph.steps.size()}};
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] > 0) placement.begin[i] = begin[plan.buffer[i]];
  }
  return placement;
}

Placement place_all(const Graph& graph, const std::vector<size_t>& bytes) {
  Placement placement{.begin = std::vector<size_t>(bytes.size(), 0), .bytes = 0, .segments = {graph.steps.size()}};
  size_t end = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    placement.begin[i] = end;
    end += bytes[i];
    placement.bytes += static_cast<double>(bytes[i]);
  }
  return placement;
}

namespace {

// With `count` segments of about as many steps.
Placement place_in_segments(const Graph& graph, const std::vector<size_t>& bytes, const std::vector<int32_t>& uses,
                            size_t count) {
  const size_t steps = graph.steps.size();
  Placement placement{.begin = std::vector<size_t>(bytes.size(), 0), .bytes = 0, .segments = {}};
  std::vector<bool> is_border(bytes.size(), false);
  size_t borders = 0;
  for (size_t s = 0; s < count; ++s) {
    const size_t first = placement.segments.empty() ? 0 : placement.segments.back();
    const size_t end = steps * (s + 1) / count;
    placement.segments.push_back(end);
    for (size_t value = first + 1; value <= end; ++value) {
      if (static_cast<size_t>(uses[value]) < end) continue;
      is_border[value] = true;
      placement.begin[value] = borders;
      borders += bytes[value];
      placement.bytes += static_cast<double>(bytes[value]);
    }
  }
  double most = 0;
  size_t first = 0;
  for (const size_t end : placement.segments) {
    size_t inside = 0;
    double own = 0;
    for (size_t value = first + 1; value <= end; ++value) {
      if (is_border[value]) continue;
      placement.begin[value] = borders + inside;
      inside += bytes[value];
      own += static_cast<double>(bytes[value]);
    }
    most = std::max(most, own);
    first = end;
  }
  placement.bytes += most;
  return placement;
}

}  // namespace

Placement place_by_segments(const Graph& graph, const std::vector<size_t>& bytes) {
  const std::vector<int32_t> uses = last_uses(graph);
  const size_t most = std::min<size_t>(graph.steps.size(), 64);
  Placement best = place_in_segments(graph, bytes, uses, 1);
  for (size_t count = 2; count <= most; ++count) {
    Placement placement = place_in_segments(graph, bytes, uses, count);
    if (placement.bytes < best.bytes) best = std::move(placement);
  }
  return best;
}

}  // namespace conv1d
