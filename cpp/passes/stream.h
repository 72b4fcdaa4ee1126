// Layers fed with a signal piece by piece, with the same outputs as if they had it whole.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "array.h"
#include "buffer.h"
#include "operations/operation.h"
#include "options/params.h"
#include "passes/graph.h"
#include "passes/history.h"
#include "passes/partitioned.h"

namespace conv1d {

class Stream {
 public:
  // A stream of `batch` signals through a network, in pieces of at most `max_chunk` samples.
  //
  // With `flush_tiny`, samples of magnitude below 2^-100 that a convolution meets count as 0.
  //
  // Fails with ERR_OPTION (a number is not an integer >= 1), ERR_UNSUPPORTED (padding that depends on the signal's
  // end), ERR_SHAPE (operands of different lengths) or ERR_OUT_OF_MEMORY.
  static std::optional<Error> create(Graph graph, double batch, double max_chunk, bool flush_tiny,
                                     std::unique_ptr<Stream>* stream);

  int32_t out_channels() const { return values_.back().channels; }

  // Input samples after an output's own position that it depends on; negative where padding runs ahead of the signal,
  // infinite where it waits for the end.
  double latency() const { return values_.back().at_end ? kEndless : in_samples(values_.back().latest); }
  // Input samples from the first to the last that an output depends on.
  double receptive_field() const {
    const Value& out = values_.back();
    return out.at_end ? kEndless : in_samples(out.latest - out.earliest) + 1;
  }

  // Outputs that a push of `samples` would give now.
  int32_t output_count(int32_t samples);

  // Takes (batch, in_channels, samples), samples <= max_chunk, and writes (batch, out_channels, output_count).
  // Allocates nothing.
  void push(const void* chunk, int32_t samples, void* output);

  // Ends the signal: how many outputs that adds. Fails where forward() of the same signal would for its padding
  // (ERR_SHAPE).
  std::optional<Error> end_count(int64_t* count);
  // Writes them, (batch, out_channels, end_count). Then only reset() is allowed.
  void end(void* output);

  // Back to before the first sample.
  void reset();

  // Whether a stream that begins later in a signal gives the later outputs, sample by sample, and always by the direct
  // kernels.
  bool is_cuttable() const;
  // Samples after which nothing depends on where the stream began, and the outputs that have come by then.
  struct WarmUp {
    int64_t samples;
    int64_t outputs;
  };
  WarmUp warm_up();
  // Elements of the most outputs of a push.
  int64_t most_outputs() const { return int64_t{batch_} * values_.back().channels * values_.back().longest; }
  // Packs the layers' weights, which streams of the same layers may then share on several threads.
  void pack();
  // push() and end() of float32, with rows `pitch` floats apart.
  void push_rows(const float* chunk, size_t chunk_pitch, int32_t samples, float* output, size_t out_pitch);
  void end_rows(float* output, size_t out_pitch);

  // Between pushes: what the stream is, how many samples it got, and the latest of each signal that it keeps. A stream
  // of the same steps and batch takes that, with pieces of any length: whatever else there is follows from it. Not for
  // a stream that has ended.
  int64_t state_words() const;
  void save(int32_t* state) const;
  // Fails with ERR_STREAM_STATE where these are not `bytes` that save() wrote of such a stream; the stream is then as
  // it was. Reads no more than state_words().
  std::optional<Error> restore(const int32_t* state, int64_t bytes);

  // Another stream of the same steps in the same state. Fails with ERR_OUT_OF_MEMORY.
  std::optional<Error> clone(std::unique_ptr<Stream>* stream) const;

  // To the middle of an endless signal that is `sample`, (batch, in_channels, 1), all the time. Writes what that gives
  // all the time, (batch, out_channels, 1). The next outputs are those at multiples of the strides, from the next
  // sample on. Fails with ERR_UNSUPPORTED (an output at the end, of what has none) or ERR_OUT_OF_MEMORY.
  std::optional<Error> settle(const void* sample, void* output);

 private:
  static constexpr double kEndless = std::numeric_limits<double>::infinity();

  // A signal that flows through the network; what came of it in one pass lies in `rows`. Times are in ticks, `ticks_`
  // to a sample of the input, so that those of upsampled signals are whole numbers too.
  struct Value {
    int32_t channels = 0;
    int32_t longest = 0;  // most samples of a pass
    // Sample t is known once the input has come to tick `first` and to one from stride * t + lead - slack to stride * t
    // + lead.
    int64_t stride = 1;
    int64_t lead = 1;
    int64_t slack = 0;
    int64_t first = 0;
    // An input of L samples makes ceil((L + surplus) / stride), if that is exact and L is long enough; an L that is a
    // multiple of all strides makes L / stride + extra.
    bool is_exact = true;
    int64_t surplus = 0;
    int64_t extra = 0;
    bool at_end = false;  // there is one sample, known at the end
    // Sample t depends on ticks [stride * t + earliest, stride * t + latest] of the input.
    int64_t earliest = 0;
    int64_t latest = 0;
    // Values of the same pace get as many samples in every pass.
    int32_t pace = 0;

    int64_t total = 0;  // samples so far
    bool ended = false;
    int32_t fresh = 0;            // samples of this pass
    const float* rows = nullptr;  // where they lie: batch * channels rows
    size_t row_stride = 0;
    int64_t forecast = 0;  // of a count that is asked for

    size_t buffer = 0;  // which one has room for the rows
    size_t pitch = 0;   // how far apart they lie there
  };

  // A step made ready. A convolution keeps a history of its operand, which begins and ends with its padding; an
  // operation keeps those of its operands where an output needs more than the samples of its own time, or they do not
  // come at the same pace. All else is read where it came up.
  struct Node {
    const Step* step = nullptr;         // of the graph
    const Computation* op = nullptr;    // of an operation, or of a transposed layer
    std::unique_ptr<Computation> made;  // that operation of a transposed layer
    bool keeps = false;
    Array<History> histories;  // of each operand
    Buffer<float> states;      // of an operation, for each image
    Buffer<float> rest;        // what they were before a sample that may not have changed them

    const History& history() const { return histories.front(); }
    History& history() { return histories.front(); }
    size_t state_pitch() const { return op->state_floats() + op->scratch_floats(); }
    // Of a convolution:
    Geometry padding{};       // pad_left, pad_right
    int64_t known_after = 0;  // samples of the operand that the left padding depends on
    int64_t padded = 0;       // samples of right padding so far
    int32_t strip = 0;
    Buffer<int32_t> offsets;            // where each channel's taps read, from an output's position on
    Buffer<int32_t> across_offsets;     // where those of a tile across groups do
    std::unique_ptr<Partitioned> tail;  // of a long kernel: the head's taps alone are then computed directly
    int64_t head_shift = 0;             // how far on in the history those begin
    Buffer<int32_t> all_offsets;        // as `offsets`, for all taps,
    Buffer<int32_t> oldest_offsets;     // and for the oldest
    Buffer<float> oldest_sums;          // what those add to a tile's rows

    [[nodiscard]] bool lay_out_tail(const Params& p, int32_t longest_strip);
  };

  Stream() = default;

  std::optional<Error> lay_out(Node* node, Value* out);
  std::optional<Error> lay_out_conv(Node* node, const Value& in, Value* out) const;
  std::optional<Error> lay_out_operation(Node* node, Value* out);
  bool keep_operands(Node* node);
  bool lay_out_rows();
  double in_samples(int64_t ticks) const { return static_cast<double>(ticks) / static_cast<double>(ticks_); }

  // Writes down what tells this stream from others.
  bool describe();

  // The position of Partitioned before which all that a node's operand has is there.
  int64_t known_positions(const Node& node) const;
  // Outputs so far of a convolution when its operand has `samples`, and `right` samples of padding follow.
  static int64_t convolved(const Node& node, int64_t samples, int64_t right);
  // Outputs so far of a step when its shortest operand has `samples`, which are all that there are if `whole`.
  static int64_t outputs_after(const Node& node, int64_t samples, bool whole);
  // Sets the `forecast` of all values to their lengths when the input has `samples`, in the `whole` or so far.
  void forecast(int64_t samples, bool whole);
  // To where the input has `samples`, with nothing kept yet.
  void skip_to(int64_t samples);
  // Input samples after which a constant one has filled all that is kept, a multiple of the strides.
  int64_t settled_samples() const;
  // settle() by as many of them, where the constant does not stay one: in upsampled signals.
  std::optional<Error> settle_by_pushing(const void* sample, void* output);

  // Makes `samples` samples the input of the next pass.
  void take(const void* chunk, int32_t samples);
  // One pass through all nodes, each of which `run` brings up to date. The output's rows lie at `output`, `out_stride`
  // apart, and are filled from `offset` on.
  void run_pass(void* output, size_t out_stride, size_t offset, void (Stream::*run)(Node*, Value*, float*));
  // Fills what the node keeps with the operands' one sample a row, and writes to `rows` what that gives.
  void settle_node(Node* node, Value* out, float* rows);
  void settle_states(Node* node, const Value& out, float* rows);
  // Appends to `rows`, `out->row_stride` apart, what the node's operands now determine.
  void run_node(Node* node, Value* out, float* rows);
  void feed_conv(Node* node, const Value& in);
  // Outputs [first, first + count) of the node's, to `rows`, `row_stride` apart.
  void convolve(Node* node, const Value& in, int64_t first, int32_t count, float* rows, size_t row_stride);
  // All fresh outputs of a long kernel, with the work ahead that became due.
  void convolve_partitioned(Node* node, const Value& in, const Value& out, float* rows);
  void run_operation(Node* node, Value* out, float* rows);
  // What an operation reads of an operand's image, from sample `begin` on where that is kept.
  Stretch stretch_of(const Node& node, size_t which, int32_t image, int64_t begin) const;
  float* state_of(Node* node, int32_t image) const {
    return node->states.data() + static_cast<size_t>(image) * node->state_pitch();
  }
  // Outputs [out.total, out.total + out.fresh) of an operation, to `rows`.
  void operate(Node* node, const Value& out, float* rows);

  const Value& operand(const Node& node, size_t which = 0) const {
    return values_[static_cast<size_t>(node.step->operands[which])];
  }
  // Calls f(value, history) for each operand that a node keeps.
  template <class F>
  void for_each_kept(Node& node, const F& f) const {
    for (size_t i = 0; i < node.histories.size(); ++i) f(operand(node, i), node.histories[i]);
  }

  float* buffer_of(const Value& value) { return buffers_[value.buffer].data(); }

  Graph graph_;
  int64_t ticks_ = 1;
  int32_t batch_ = 0;
  bool flush_tiny_ = false;
  Array<Node> nodes_;
  Array<Value> values_;
  Buffer<int32_t> description_;   // of the stream and each step, see kStreamTraits
  Array<Buffer<float>> buffers_;  // values whose times do not overlap share one
};

}  // namespace conv1d
