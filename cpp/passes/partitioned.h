// Long kernels in streams: partitioned convolution (Stockham, High-speed convolution and correlation, 1966; Gardner,
// Efficient convolution without input-output delay, 1995).
//
// The kernel, zeros between dilated taps included, is cut by lag into partitions of B samples. The first, which meets
// samples as new as the output itself, is left to the direct kernels, so that nothing is delayed. The signal is cut
// into blocks of B as well; what the other partitions add to the outputs of a block depends on earlier blocks alone:
//
//     tail of block n = sum over partitions p >= 1:  second half of  H_p * W_(n - p),  W_m: blocks m - 1 and m
//
// Each window W is transformed once, each tail back once, and the products of all partitions but the first of these are
// done by and by during the block before. When is said by positions in the signal alone, so the same numbers are added
// in the same order however the signal is cut.
//
// An output's error is at most (2^-21 * log2(2 B) + 2^-24 * (B + K / B) * C) * (sum over C input channels of |w| |x| +
// |b|), with the Euclidean norms of the channel's K taps and of the samples that they reach, up to 2 B of which to
// either side count as well. The part with C is what sums of so many equal products may lose; it hardly shows with
// other data.
//
// Samples that stand out are taken out of the windows, and their products added by the definition; where too many of a
// window are NaN or infinite, all outputs that it serves are computed so. The oldest windows hold samples that not all
// outputs see: where those are much louder than what is seen, the oldest taps are left to the direct kernels.
#pragma once

#include <memory>

#include "buffer.h"
#include "layer.h"
#include "methods/fft.h"
#include "passes/history.h"
#include "passes/window_exceptions.h"

namespace conv1d {

class Partitioned {
 public:
  // For `batch` signals, whose samples below 2^-100 count as 0 where `flush` says so. Null when memory is short.
  static std::unique_ptr<Partitioned> make(const Params& params, int32_t batch, int32_t partition, bool flush);

  // The taps whose lag is less than B, as a layer of its own: the last of the whole.
  Layer& head() { return head_; }

  // Back to where all samples up to position `start` are zero. Positions count from where the first output's last tap
  // is; sample q of the history, 0 the first, lies at position q - reach.
  void reset(int64_t start);

  // To where all samples before position `known` and no others are there, those that `history` keeps.
  void resume(Layer& layer, const History& history, int64_t known);

  // Takes the weights of the layer if they changed, and redoes with them what was done ahead.
  void load(Layer& layer);

  // The position at which advance() is due, once all samples before it and all outputs before it are there.
  int64_t next() const { return (step_ + 1) * step_samples(); }
  // Does the work of one step.
  void advance(const History& history);

  // Looks at the samples of the outputs at positions [begin, end), which come next. end <= next().
  void look(const History& history, int64_t begin, int64_t end) { silence_.look(history, begin, end); }
  // Whether those are to be computed by the definition, without head and tail: they share windows with samples that
  // would spoil them.
  bool needs_definition() const { return needs_definition_; }
  // Whether the tail is without the oldest taps: some outputs do not see what is loud in their windows.
  bool lacks_oldest() const { return lacks_oldest_; }
  // Those taps as a layer of their own, the first of the whole, without bias.
  Layer& oldest() { return oldest_; }
  // Adds to `count` outputs from position `position` on, `stride` apart, of an output channel of an image. None lies
  // beyond next().
  void add_tail(int32_t image, int32_t channel, int64_t position, int32_t count, float* sums) const;

 private:
  Partitioned(const Params& params, const Params& head, const Params& oldest, int32_t batch, int32_t partition,
              bool flush);
  [[nodiscard]] bool allocate();

  int32_t step_samples() const { return partition_ / steps_; }
  int32_t input_rows() const { return batch_ * params_.in_channels; }
  float* peaks_of(int64_t window);
  int64_t block() const;
  // The windows' ring goes backwards, so that later partitions meet later slots.
  int32_t slot(int64_t window) const;
  // Takes the weights; false if it has them.
  bool pack(Layer& layer);
  // What is done ahead, from the windows on.
  void redo();
  void transform_window(const History& history, int64_t window);
  // sums (+)= the products of partitions [begin, end), for the tail of `block`.
  void multiply(int64_t block, int32_t begin, int32_t end, float* sums) const;
  void multiply_step(int64_t block, int32_t step);
  void finish_tail(int64_t block);
  // The first of the partitions whose windows have samples that not all outputs see.
  int32_t first_oldest() const { return std::max(1, partitions_ - 1); }
  bool is_spoilt(int64_t block) const;
  // Whether what only some outputs of a block see is much louder than what all of them see.
  bool has_loud_past(int64_t block);
  // The products that outliers were taken out of.
  void add_outliers(int32_t image, int32_t channel, int64_t position, int32_t count, float* sums) const;

  size_t size() const { return 2 * static_cast<size_t>(partition_); }
  size_t sum_rows() const { return static_cast<size_t>(batch_) * static_cast<size_t>(params_.out_channels); }

  Params params_;
  int32_t batch_;
  int32_t partition_;
  int32_t steps_;       // of a block
  int32_t partitions_;  // without the first
  bool flush_;
  Layer head_;
  Layer oldest_;
  uint32_t version_ = 0;  // of the weights that were loaded; 0 is none
  Fft fft_;
  Buffer<float> taps_;     // (out_channels, group_in, partitions, size): spectra
  Buffer<float> windows_;  // (batch, in_channels, partitions, size): spectra of the latest
  Buffer<float> tail_;     // (batch, out_channels, size): outputs of this block in the second half
  Buffer<float> sums_;     // the same: spectra for the next block
  int64_t step_ = 0;
  WeightView weights_{};
  float oldest_share_ = 1;  // of the norm of an output's taps: what is in the two oldest partitions, at most
  WindowExceptions exceptions_;
  Silence silence_;
  // The largest sample of the newer half of the windows, (partitions + 1, batch * in_channels), without outliers.
  Buffer<float> peaks_;
  bool needs_definition_ = false;
  bool lacks_oldest_ = false;
};

}  // namespace conv1d
