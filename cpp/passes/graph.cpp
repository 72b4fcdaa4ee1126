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

BufferPlan plan_buffers(const std::vector<Lifetime>& lifetimes) {
  BufferPlan plan{.buffer = std::vector<size_t>(lifetimes.size(), 0), .size = {}};
  std::vector<int32_t> busy_until;
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    const auto& [made, last_use, elements] = lifetimes[i];
    if (elements == 0) continue;
    size_t at = 0;
    while (at < plan.size.size() && busy_until[at] >= made) ++at;
    if (at == plan.size.size()) {
      plan.size.push_back(0);
      busy_until.push_back(0);
    }
    plan.size[at] = std::max(plan.size[at], elements);
    busy_until[at] = last_use;
    plan.buffer[i] = at;
  }
  return plan;
}

BufferPlan plan_buffers(const Graph& graph, const std::vector<size_t>& elements) {
  const std::vector<int32_t> uses = last_uses(graph);
  std::vector<Lifetime> lifetimes(graph.values());
  for (size_t i = 0; i < graph.values(); ++i) {
    lifetimes[i] = {.made = static_cast<int32_t>(i) - 1, .last_use = uses[i], .elements = elements[i]};
  }
  return plan_buffers(lifetimes);
}

}  // namespace conv1d
