#include "passes/graph.h"

#include <algorithm>

namespace conv1d {

Graph graph_of(std::shared_ptr<Layer> layer) {
  const Params& params = layer->params();
  const DType dtype = params.dtype;
  const int32_t in_channels = params.in_channels;
  return {.steps = {{.operands = {0}, .layer = std::move(layer), .operation = nullptr}},
          .dtype = dtype,
          .in_channels = in_channels};
}

std::vector<int32_t> last_uses(const Graph& graph) {
  std::vector<int32_t> uses(graph.values(), 0);
  for (size_t i = 0; i < graph.steps.size(); ++i) {
    for (const int32_t operand : graph.steps[i].operands) uses[static_cast<size_t>(operand)] = static_cast<int32_t>(i);
  }
  uses.back() = static_cast<int32_t>(graph.steps.size());
  return uses;
}

BufferPlan plan_buffers(const std::vector<Lifetime>& lifetimes, const std::vector<size_t>& elements) {
  BufferPlan plan{.buffer = std::vector<size_t>(elements.size(), 0), .size = {}};
  std::vector<int32_t> busy_until;
  for (const auto& [value, made, last_use] : lifetimes) {
    if (elements[value] == 0) continue;
    size_t at = 0;
    while (at < plan.size.size() && busy_until[at] >= made) ++at;
    if (at == plan.size.size()) {
      plan.size.push_back(0);
      busy_until.push_back(0);
    }
    plan.size[at] = std::max(plan.size[at], elements[value]);
    busy_until[at] = last_use;
    plan.buffer[value] = at;
  }
  return plan;
}

BufferPlan plan_buffers(const Graph& graph, const std::vector<size_t>& elements) {
  const std::vector<int32_t> uses = last_uses(graph);
  std::vector<Lifetime> lifetimes(graph.values());
  for (size_t i = 0; i < graph.values(); ++i) lifetimes[i] = {i, static_cast<int32_t>(i) - 1, uses[i]};
  return plan_buffers(lifetimes, elements);
}

}  // namespace conv1d
