#include "passes/partitioned.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

#include "choose/partition.h"
#include "integers.h"
#include "kernels/spectra_f32.h"

namespace conv1d {
namespace {

// How much larger than all that an output sees a sample may be that shares a window with it.
constexpr float kLoud = 128;

Params head_of(const Params& params, int32_t partition) {
  Params head = params;
  head.kernel_size -= first_head_tap(params, partition);
  return head;
}

// The taps whose lag is that of the two oldest partitions or more.
Params oldest_of(const Params& params, int32_t partition) {
  const int64_t partitions = params.reach() / partition;
  const int64_t least_lag = std::max<int64_t>(1, partitions - 1) * partition;
  Params oldest = params;
  oldest.kernel_size = static_cast<int32_t>((params.reach() - least_lag) / params.dilation) + 1;
  oldest.bias = false;
  return oldest;
}

}  // namespace

Partitioned::Partitioned(const Params& params, const Params& head, const Params& oldest, int32_t batch,
                         int32_t partition, bool flush)
    : params_(params),
      batch_(batch),
      partition_(partition),
      steps_(std::max(1, partition / kStepSamples)),
      partitions_(static_cast<int32_t>(params.reach() / partition)),
      flush_(flush),
      head_(head),
      oldest_(oldest) {}

std::unique_ptr<Partitioned> Partitioned::make(const Params& params, int32_t batch, int32_t partition, bool flush) {
  std::unique_ptr<Partitioned> made(new (std::nothrow) Partitioned(
      params, head_of(params, partition), oldest_of(params, partition), batch, partition, flush));
  if (made && !made->allocate()) made.reset();
  return made;
}

bool Partitioned::allocate() {
  const int64_t rows = int64_t{partitions_} * 2 * partition_;
  const int64_t pairs = int64_t{params_.out_channels} * params_.group_in();
  const int64_t inputs = int64_t{batch_} * params_.in_channels;
  const int64_t outputs = int64_t{batch_} * params_.out_channels;
  if (rows > kMaxElements / pairs || rows > kMaxElements / inputs || int64_t{2} * partition_ > kMaxElements / outputs) {
    return false;
  }
  return head_.allocate() && oldest_.allocate() && fft_.prepare(2 * partition_) &&
         taps_.reserve(static_cast<size_t>(rows * pairs)) && windows_.reserve(static_cast<size_t>(rows * inputs)) &&
         tail_.reserve(sum_rows() * size()) && sums_.reserve(sum_rows() * size()) &&
         exceptions_.allocate(partitions_, static_cast<int32_t>(inputs)) &&
         peaks_.reserve(static_cast<size_t>((partitions_ + 1) * inputs)) &&
         silence_.allocate(batch_ * params_.groups, params_.group_in(), params_.reach(), params_.dilation, partition_);
}

void Partitioned::reset(int64_t start) {
  step_ = floor_div(start, partition_) * steps_;
  for (Buffer<float>* buffer : {&windows_, &tail_, &sums_}) {
    std::memset(buffer->data(), 0, buffer->size() * sizeof(float));
  }
  exceptions_.clear();
  silence_.clear(start);
  std::fill_n(peaks_.data(), peaks_.size(), 0.0F);
  needs_definition_ = false;
  lacks_oldest_ = false;
}

int64_t Partitioned::block() const { return floor_div(step_, steps_); }

int32_t Partitioned::slot(int64_t window) const {
  return static_cast<int32_t>(partitions_ - 1 - (window - floor_div(window, partitions_) * partitions_));
}

void Partitioned::resume(Layer& layer, const History& history, int64_t known) {
  reset(known);
  silence_.clear(std::numeric_limits<int64_t>::min());
  step_ = floor_div(known, step_samples());
  for (int64_t window = block() - partitions_ - 1; window < block(); ++window) transform_window(history, window);
  pack(layer);
  redo();
}

void Partitioned::load(Layer& layer) {
  if (pack(layer)) redo();
}

void Partitioned::redo() {
  std::memset(sums_.data(), 0, sums_.size() * sizeof(float));
  for (int32_t step = 0; step < steps_; ++step) multiply_step(block(), step);
  finish_tail(block());
  for (int32_t step = 0; step < step_ - block() * steps_; ++step) multiply_step(block() + 1, step);
}

bool Partitioned::pack(Layer& layer) {
  weights_ = view_of(params_, params_.dtype, layer.weight());
  if (version_ == layer.version()) return false;
  version_ = layer.version();
  const auto bytes = static_cast<size_t>(element_bytes(params_.dtype));
  const auto taps = static_cast<size_t>(params_.kernel_size);
  const auto head_taps = static_cast<size_t>(head_.params().kernel_size);
  const size_t pairs = static_cast<size_t>(params_.out_channels) * static_cast<size_t>(params_.group_in());
  const float scale = 2.0F / static_cast<float>(size());
  std::memset(taps_.data(), 0, taps_.size() * sizeof(float));
  float* spectra = taps_.data();
  const auto* row = static_cast<const uint8_t*>(layer.weight());
  auto* head = static_cast<uint8_t*>(head_.weight());
  auto* oldest_taps = static_cast<uint8_t*>(oldest_.weight());
  const size_t oldest_size = static_cast<size_t>(oldest_.params().kernel_size) * bytes;
  oldest_share_ = 0;
  for (size_t pair = 0; pair < pairs;
       ++pair, row += taps * bytes, head += head_taps * bytes, oldest_taps += oldest_size) {
    double oldest = 0;
    double all = 0;
    for (size_t k = 0; k < taps; ++k) {
      const double w = element(params_.dtype, row, static_cast<int64_t>(k));
      all += w * w;
      if (static_cast<int32_t>(k) < oldest_.params().kernel_size) oldest += w * w;
    }
    if (all > 0) oldest_share_ = std::max(oldest_share_, static_cast<float>(std::sqrt(oldest / all)));
    for (size_t k = 0; k < taps - head_taps; ++k) {
      const int64_t lag = params_.reach() - static_cast<int64_t>(k) * params_.dilation - partition_;
      const int64_t at = lag / partition_ * 2 * partition_ + lag % partition_;
      spectra[at] = scale * element(params_.dtype, row, static_cast<int64_t>(k));
    }
    for (int32_t p = 0; p < partitions_; ++p, spectra += size()) fft_.forward(spectra);
    std::memcpy(head, row + (taps - head_taps) * bytes, head_taps * bytes);
    std::memcpy(oldest_taps, row, oldest_size);
  }
  if (params_.bias) std::memcpy(head_.bias(), layer.bias(), static_cast<size_t>(params_.out_channels) * bytes);
  head_.changed();
  oldest_.changed();
  return true;
}

void Partitioned::advance(const History& history) {
  const int64_t before = block();
  multiply_step(before + 1, static_cast<int32_t>(step_ - before * steps_));
  ++step_;
  if (block() == before) return;
  transform_window(history, before);
  finish_tail(block());
}

void Partitioned::transform_window(const History& history, int64_t window) {
  const int64_t first = params_.reach() + (window - 1) * partition_;
  float* spectra = windows_.data() + static_cast<size_t>(slot(window)) * size();
  for (int32_t row = 0; row < batch_ * params_.in_channels; ++row) {
    history.copy(row, first, static_cast<int32_t>(size()), spectra);
    exceptions_.examine(slot(window), row, spectra, size(), partition_);
    float peak = 0;
    for (size_t i = size() / 2; i < size(); ++i) peak = std::max(peak, std::fabs(spectra[i]));
    peaks_of(window)[row] = peak;
    fft_.forward(spectra);
    if (flush_) flush_tiny(spectra, size());
    spectra += static_cast<size_t>(partitions_) * size();
  }
}

void Partitioned::multiply_step(int64_t block, int32_t step) {
  const int32_t count = std::max(0, first_oldest() - 2);
  multiply(block, 2 + count * step / steps_, 2 + count * (step + 1) / steps_, sums_.data());
}

void Partitioned::multiply(int64_t block, int32_t begin, int32_t end, float* sums) const {
  const size_t channel_floats = static_cast<size_t>(partitions_) * size();
  for (int32_t row = 0; row < static_cast<int32_t>(sum_rows()); ++row, sums += size()) {
    const int32_t image = row / params_.out_channels;
    const int32_t oc = row % params_.out_channels;
    for (int32_t c = 0; c < params_.group_in(); ++c) {
      const int32_t in = image * params_.in_channels + oc / params_.group_out() * params_.group_in() + c;
      const float* windows = windows_.data() + static_cast<size_t>(in) * channel_floats;
      const float* taps = taps_.data() + (static_cast<size_t>(oc) * params_.group_in() + c) * channel_floats;
      for (int32_t p = begin; p < end;) {
        const int32_t at = slot(block - p);
        const int32_t count = std::min(end - p, partitions_ - at);
        add_products(windows + static_cast<size_t>(at) * size(), size(), taps + static_cast<size_t>(p - 1) * size(),
                     size(), count, sums, static_cast<int32_t>(size()));
        p += count;
      }
    }
  }
}

void Partitioned::finish_tail(int64_t block) {
  needs_definition_ = is_spoilt(block);
  lacks_oldest_ = has_loud_past(block);
  if (!lacks_oldest_) multiply(block, first_oldest(), partitions_ + 1, sums_.data());
  if (first_oldest() > 1) multiply(block, 1, 2, sums_.data());
  std::swap(tail_, sums_);
  for (size_t row = 0; row < sum_rows(); ++row) fft_.inverse(tail_.data() + row * size());
  std::memset(sums_.data(), 0, sums_.size() * sizeof(float));
}

float* Partitioned::peaks_of(int64_t window) {
  const int64_t ring = partitions_ + 1;
  return peaks_.data() + (window - floor_div(window, ring) * ring) * input_rows();
}

bool Partitioned::is_spoilt(int64_t block) const {
  for (int32_t p = 1; exceptions_.any() && p <= partitions_; ++p) {
    if (exceptions_.kind(slot(block - p)) == WindowExceptions::Kind::kSpoilt) return true;
  }
  return false;
}

bool Partitioned::has_loud_past(int64_t block) {
  for (int32_t row = 0; row < input_rows(); ++row) {
    const float unseen = std::max(peaks_of(block - partitions_ - 1)[row], peaks_of(block - partitions_)[row]);
    float seen = 0;
    for (int32_t p = 1; p < partitions_; ++p) seen = std::max(seen, peaks_of(block - p)[row]);
    if (unseen * oldest_share_ > kLoud * seen) return true;
  }
  return false;
}

void Partitioned::add_tail(int32_t image, int32_t channel, int64_t position, int32_t count, float* sums) const {
  const size_t row = static_cast<size_t>(image) * params_.out_channels + static_cast<size_t>(channel);
  const float* tail = tail_.data() + row * size() + partition_ + (position - block() * partition_);
  const auto stride = static_cast<size_t>(params_.stride);
  const int32_t group = image * params_.groups + channel / params_.group_out();
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    if (!silence_.at(group, position + static_cast<int64_t>(i * stride))) sums[i] += tail[i * stride];
  }
  if (exceptions_.any()) add_outliers(image, channel, position, count, sums);
}

void Partitioned::add_outliers(int32_t image, int32_t channel, int64_t position, int32_t count, float* sums) const {
  const int64_t stride = params_.stride;
  const int32_t group = channel / params_.group_out();
  const int32_t o = channel % params_.group_out();
  const int32_t first_row = image * params_.in_channels + group * params_.group_in();
  const int32_t end = lacks_oldest_ ? first_oldest() : partitions_ + 1;
  for (int32_t p = 1; p < end; ++p) {
    const int64_t window = block() - p;
    for (int32_t c = 0; c < params_.group_in(); ++c) {
      exceptions_.for_each(slot(window), first_row + c, [&](int32_t at, float value) {
        const int64_t source = (window - 1) * partition_ + at;
        // Partition p has the lags from p * B to before (p + 1) * B.
        const int64_t begin = source + int64_t{p} * partition_;
        const int64_t last = source + std::min(int64_t{p + 1} * partition_, params_.reach() + 1);
        for (int64_t i = begin > position ? (begin - position + stride - 1) / stride : 0;
             i < count && position + i * stride < last; ++i) {
          const int64_t before_last = params_.reach() - (position + i * stride - source);
          if (before_last % params_.dilation != 0) continue;
          sums[i] += weights_.at(group, o, c, before_last / params_.dilation) * value;
        }
      });
    }
  }
}

}  // namespace conv1d
