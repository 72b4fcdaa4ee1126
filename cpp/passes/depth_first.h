// A whole signal through all steps of a network, stretch by stretch, so that what lies between steps stays in the
// cache.
#pragma once

#include <memory>

#include "array.h"
#include "buffer.h"
#include "passes/stream.h"

namespace conv1d {

// Each thread feeds a stream of its own with a segment of the signal and, before it, as many samples as the segment's
// outputs depend on. So the bits are those of the direct kernels, wherever the segments end.
class DepthFirst {
 public:
  // Of `batch` signals of `length` samples, of which `out_length` come out, on up to `threads` threads. Null where
  // memory is short, or the graph has steps that change the number of samples, that remember, or whose kernels are so
  // long that streams transform them.
  static std::unique_ptr<DepthFirst> make(const Graph& graph, int32_t batch, int32_t length, int32_t out_length,
                                          int threads);

  int threads() const { return static_cast<int>(workers_.size()); }
  int32_t pieces() const { return batch_ * segments_; }
  // Brings what threads share up to date. Called before run(), by one thread.
  void pack();
  // Computes pieces [begin, end) of `output` (batch, out_channels, out_length) from `input` (batch, in_channels,
  // length).
  void run(int32_t begin, int32_t end, const float* input, float* output, int thread);

 private:
  struct Worker {
    std::unique_ptr<Stream> stream;
    Buffer<float> outputs;  // of a push that are not all wanted
  };

  // Outputs [begin, end) of an image.
  void run_segment(Worker* worker, const float* input, int32_t begin, int32_t end, float* output) const;

  int32_t batch_ = 0;
  int32_t in_channels_ = 0;
  int32_t out_channels_ = 0;
  int32_t length_ = 0;
  int32_t out_length_ = 0;
  int32_t segments_ = 1;      // of a signal
  int64_t warm_outputs_ = 0;  // of a stream, after which they do not depend on where it began
  Array<Worker> workers_;
};

}  // namespace conv1d
