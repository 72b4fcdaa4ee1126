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

BufferPlan plan_buffers(const Graph& graph, const std::vector<size_t>& elements) {
  std::vector<size_t> last_use(graph.values(), 0);
  for (size_t i = 0; i < graph.steps.size(); ++i) {
    for (const int32_t operand : graph.steps[i].operands) last_use[static_cast<size_t>(operand)] = i;
  }
  last_use.back() = graph.steps.size();
  BufferPlan plan{.buffer = std::vector<size_t>(graph.values(), 0), .size = {}};
  std::vector<size_t> busy_until;
  for (size_t i = 0; i < graph.values(); ++i) {
    if (elements[i] == 0) continue;
    // Value i is made by step i - 1, whose operands are still in use.
    size_t at = 0;
    while (at < plan.size.size() && busy_until[at] + 1 >= i) ++at;
    if (at == plan.size.size()) {
      plan.size.push_back(0);
      busy_until.push_back(0);
    }
    plan.size[at] = std::max(plan.size[at], elements[i]);
    busy_until[at] = last_use[i];
    plan.buffer[i] = at;
  }
  return plan;
}

}  // namespace conv1d
