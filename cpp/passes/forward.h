// A layer or a network made ready for an input's shape: prepare(shape) -> methods chosen, memory sized; run -> output.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "array.h"
#include "buffer.h"
#include "methods/make_method.h"
#include "passes/depth_first.h"
#include "passes/graph.h"
#include "passes/placement.h"
#include "split_mix.h"
#include "thread_pool.h"

namespace conv1d {

// What prepare() settled on for a layer.
struct Explanation {
  const char* algorithm;
  std::string reason;    // why this one
  const char* kernel;    // that computes most output channels
  double flops;          // 2 * products of weights and samples, padding included
  double bytes;          // input, weight, bias and output, each once
  double scratch_bytes;  // beyond those and the packed weights, all threads
  int threads;
};

class Forward {
 public:
  // Which values are there after a run, besides the output: none, all, or those that lie between segments of steps and
  // those of the segment that ran last.
  enum class Keep : uint8_t { kNone, kAll, kBorders };

  explicit Forward(Graph graph, Keep keep = Keep::kNone) : graph_(std::move(graph)), keep_(keep) {}

  const Graph& graph() const { return graph_; }

  // The length of what each step makes of inputs (batch, in_channels, length). Fails as prepare().
  Result<std::vector<int32_t>> lengths_after(double batch, double length) const;

  // Chooses how to run inputs (batch, in_channels, length) on up to `threads` threads. On failure (ERR_SHAPE,
  // ERR_OUT_OF_MEMORY) what was prepared before stays prepared.
  std::optional<Error> prepare(double batch, double length, int threads);

  // Valid after prepare(). The explanation is of step 0, a layer.
  int32_t out_channels() const { return nodes_[graph_.steps.size() - 1].channels; }
  int32_t out_length() const { return nodes_[graph_.steps.size() - 1].length; }
  const Geometry& geometry(size_t step = 0) const { return nodes_[step].geometry; }  // of a layer
  Explanation explain() const;
  // Whether the signal goes through all steps stretch by stretch.
  bool goes_depth_first() const { return depth_first_ != nullptr; }

  // Computes `output` (batch, channels, out_length) from `input` (batch, in_channels, length), both of the graph's
  // dtype and row-major, without allocating. The two do not overlap. Needs a prepare() that succeeded.
  void run(const void* input, void* output, ThreadPool& pool) { run_pieces(input, output, pool, 0, pieces()); }

  // The pieces that the work is cut into, after prepare(), and run() for [begin, end) of them: a run that pauses. Those
  // before `begin` have been run.
  int32_t pieces() const { return pieces_; }
  void run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end);

  // Where values lie between the steps, given the length of what each step makes.
  Placement place(double batch, const std::vector<int32_t>& lengths) const;

  // Of a float32 graph that keeps values: where step `step` left what it made, unless that is the output, its length,
  // and the steps at which segments end, the last being all of them.
  const float* kept(size_t step) const { return reinterpret_cast<const float*>(values_.data() + nodes_[step].at); }
  int32_t length(size_t step) const { return nodes_[step].length; }
  const std::vector<size_t>& segments() const { return segments_; }
  // How to run operations that do in training what they do not do afterwards; nothing, as at first, is afterwards.
  struct Training {
    uint64_t seed;
    bool learns;  // see TrainingMode
  };
  void set_training(const std::optional<Training>& training) { training_ = training; }
  // That of a step, and its seed of a run; null where it does what it always does.
  static TrainingMode* training_mode(const Step& step) {
    return step.layer ? nullptr : step.operation->training_mode();
  }
  static uint64_t seed_of(uint64_t seed, size_t step) { return split_mix(seed, step); }
  // run() for steps [begin, end), whose operands are there.
  void run_steps(const float* input, float* output, ThreadPool& pool, size_t begin, size_t end) {
    run_pieces(input, output, pool, first_piece(begin), first_piece(end));
  }

 private:
  // A convolution: of a transposed layer, one of its phases.
  struct Part {
    Layer::Phase* phase = nullptr;
    size_t begin = 0;  // element of the output where its own begin
    ChosenMethod chosen;
  };

  // A step made ready; what it makes is (batch, channels, length).
  struct Node {
    int32_t channels = 0;
    int32_t length = 0;
    int32_t first_piece = 0;
    size_t at = 0;  // of its output in values_, unless that is the caller's
    // Of a convolution:
    Geometry geometry{};
    Array<Part> parts;
    // Of an operation, and of the outputs of a transposed layer that no tap leads to:
    int32_t pieces = 0;
    int32_t piece_length = 0;     // outputs in time
    int32_t operand_length = 0;   // samples of each operand,
    int32_t longest_stretch = 0;  // and the most of them that a piece needs
    size_t scratch_floats = 0;
  };

  int32_t length_of(int32_t value, double length, const Node* nodes) const {
    return value == 0 ? static_cast<int32_t>(length) : nodes[value - 1].length;
  }
  std::vector<int32_t> lengths_of(const Node* nodes) const;
  // Channels and lengths of all nodes.
  std::optional<Error> measure(double batch, double length, Node* nodes) const;
  int32_t first_piece(size_t step) const { return step == graph_.steps.size() ? pieces_ : nodes_[step].first_piece; }
  std::optional<Error> choose_methods(const Step& step, int threads, Node* node);
  std::optional<Error> choose_method(const Correlation& correlation, const Step& step, int threads, Part* part);
  // Goes depth first where that pays and can be.
  void choose_depth_first(int32_t batch, int32_t length, int threads, const Node* nodes);
  void cut_operation(const Step& step, int32_t batch, Node* node) const;
  std::optional<Error> place_values(int32_t batch, Node* nodes);

  // One piece of an operation. `operands` are those of the whole batch.
  void operate(const Step& step, const Node& node, std::span<const void* const> operands, void* out, float* scratch,
               int32_t piece) const;
  // A piece of what a step does in training: some of its channels.
  void train(size_t step, TrainingMode* mode, const void* operand, void* out, int32_t piece) const;
  // The outputs of an image to which no tap leads.
  void fill_gaps(const Step& step, const Node& node, void* out, int32_t image) const;

  Graph graph_;
  Keep keep_;
  std::optional<Training> training_;
  std::vector<size_t> segments_;
  std::unique_ptr<Node[]> nodes_;
  std::unique_ptr<DepthFirst> depth_first_;  // in place of the nodes' pieces, where there is one
  int32_t batch_ = 0;
  int32_t pieces_ = 0;
  Buffer<float> scratch_;   // of one node at a time
  Buffer<uint8_t> values_;  // of all nodes but the last
};

}  // namespace conv1d
