// A layer or a network made ready for an input's shape: prepare(shape) -> methods chosen, memory sized; run -> output.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "buffer.h"
#include "choose/algorithm.h"
#include "methods/method.h"
#include "passes/graph.h"
#include "thread_pool.h"

namespace conv1d {

// What prepare() settled on for a layer.
struct Explanation {
  const char* algorithm;
  std::string reason;    // why this one
  const char* kernel;    // that computes most output channels
  double flops;          // 2 * batch * out_channels * out_length * group_in * kernel_size
  double bytes;          // input, weight, bias and output, each once
  double scratch_bytes;  // beyond those and the packed weights, all threads
  int threads;
};

class Forward {
 public:
  explicit Forward(Graph graph) : graph_(std::move(graph)) {}

  const Graph& graph() const { return graph_; }

  // The output's length for inputs (batch, in_channels, length). Fails as prepare().
  Result<int32_t> length_after(double batch, double length) const;

  // Chooses how to run inputs (batch, in_channels, length) on up to `threads` threads. On failure (ERR_SHAPE,
  // ERR_OUT_OF_MEMORY) what was prepared before stays prepared.
  std::optional<Error> prepare(double batch, double length, int threads);

  // Valid after prepare(). The geometry and the explanation are of step 0, a layer.
  int32_t out_channels() const { return nodes_[graph_.steps.size() - 1].channels; }
  int32_t out_length() const { return nodes_[graph_.steps.size() - 1].length; }
  const Geometry& geometry() const { return nodes_[0].geometry; }
  Explanation explain() const;

  // Computes `output` (batch, channels, out_length) from `input` (batch, in_channels, length), both of the graph's
  // dtype and row-major, without allocating. The two do not overlap. Needs a prepare() that succeeded.
  void run(const void* input, void* output, ThreadPool& pool) { run_pieces(input, output, pool, 0, pieces()); }

  // The pieces that the work is cut into, after prepare(), and run() for [begin, end) of them: a run that pauses. Those
  // before `begin` have been run.
  int32_t pieces() const { return pieces_; }
  void run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end);

 private:
  // A step made ready; what it makes is (batch, channels, length).
  struct Node {
    int32_t channels = 0;
    int32_t length = 0;
    int32_t pieces = 0;
    size_t at = 0;  // of its output in values_, unless that is the caller's
    // Of a convolution:
    Geometry geometry{};
    AlgorithmChoice choice{};
    std::unique_ptr<Method> method;
  };

  // Channels and lengths of all nodes.
  std::optional<Error> measure(double batch, double length, Node* nodes) const;
  std::optional<Error> choose_method(const Step& step, int threads, Node* node);
  std::optional<Error> place_values(int32_t batch, Node* nodes);
  // Pieces that the elements of an image are cut into, and one of those computed.
  static int32_t image_pieces(const Node& node);
  void combine(const Step& step, const Node& node, const void* a, const void* b, void* out, int32_t piece) const;

  Graph graph_;
  std::unique_ptr<Node[]> nodes_;
  int32_t pieces_ = 0;
  Buffer<float> scratch_;   // of one node at a time
  Buffer<uint8_t> values_;  // of all nodes but the last, those that do not overlap in the same place
};

}  // namespace conv1d
