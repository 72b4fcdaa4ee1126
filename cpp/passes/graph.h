// A network as its user describes it; passes run it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "layer.h"
#include "passes/elementwise.h"

namespace conv1d {

// One operation of a network. Its input is value 0; step i makes value i + 1 from earlier ones. The last is its output.
struct Step {
  int32_t input;
  int32_t other;                 // the second operand of a sum or product; else as `input`
  std::shared_ptr<Layer> layer;  // of a convolution
  Elementwise elementwise;       // where there is no layer; of kGate the operands are the halves of the channels
  std::shared_ptr<Buffer<float>> channels = nullptr;  // what elementwise.finish points to

  // Copies the parameters of `count` channels, which elementwise.finish points to. False when memory is short.
  [[nodiscard]] bool own_channels(size_t count);
  bool is_pair() const {
    return !layer && (elementwise.kind == Elementwise::Kind::kAdd || elementwise.kind == Elementwise::Kind::kMultiply);
  }
  bool is_gate() const { return !layer && elementwise.kind == Elementwise::Kind::kGate; }
};

// At least one step. All layers have `dtype`, and the channels that their operands have.
struct Graph {
  std::vector<Step> steps;
  DType dtype;
  int32_t in_channels;

  size_t values() const { return steps.size() + 1; }
  // Channels of what a step makes of an operand that has `channels`.
  int32_t channels_after(const Step& step, int32_t channels) const;
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
