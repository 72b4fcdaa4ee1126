// A network as its user describes it; passes run it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "layer.h"
#include "operations/operation.h"

namespace conv1d {

// One step of a network: a convolution or an operation. The network's input is value 0; step i makes value i + 1 from
// earlier ones. The last is the network's output.
struct Step {
  std::vector<int32_t> operands;
  std::shared_ptr<Layer> layer;          // of a convolution, which has one operand
  std::shared_ptr<Operation> operation;  // where there is no layer
  bool sums_only = false;                // of a layer: without its activation

  Finish finish() const { return sums_only ? Finish{} : layer->finish(); }
  int32_t input() const { return operands.front(); }
  int32_t out_channels() const { return layer ? layer->params().out_channels : operation->out_channels(); }
};

// At least one step. All layers have `dtype`, and the channels that their operands have.
struct Graph {
  std::vector<Step> steps;
  DType dtype;
  int32_t in_channels;

  size_t values() const { return steps.size() + 1; }
  int32_t channels(int32_t value) const {
    return value == 0 ? in_channels : steps[static_cast<size_t>(value) - 1].out_channels();
  }
};

Graph graph_of(std::shared_ptr<Layer> layer);

// The last step that reads each value; of the output, the number of steps.
std::vector<int32_t> last_uses(const Graph& graph);

// When a value is there: from step `made` to step `last_use`, both included.
struct Lifetime {
  size_t value;
  int32_t made;
  int32_t last_use;
};

// Which buffer each value has its elements in: those whose times do not overlap share one.
struct BufferPlan {
  std::vector<size_t> buffer;  // of each value
  std::vector<size_t> size;    // of each buffer: the most elements of its values
};

// `elements` are the values', 0 where no room is needed; lifetimes come in the order in which they begin.
BufferPlan plan_buffers(const std::vector<Lifetime>& lifetimes, const std::vector<size_t>& elements);

// That of the values of a graph.
BufferPlan plan_buffers(const Graph& graph, const std::vector<size_t>& elements);

}  // namespace conv1d
