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
  std::shared_ptr<Layer> layer;                // of a convolution, which has one operand
  std::shared_ptr<const Operation> operation;  // where there is no layer

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

// Which buffer each value of a graph has its rows in: values whose times do not overlap share one. `elements` are the
// value's; 0 where it needs no room.
struct BufferPlan {
  std::vector<size_t> buffer;  // of each value
  std::vector<size_t> size;    // of each buffer: the most elements of its values
};
BufferPlan plan_buffers(const Graph& graph, const std::vector<size_t>& elements);

}  // namespace conv1d
