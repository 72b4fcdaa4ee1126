#include "passes/transposed.h"

#include <algorithm>

#include "choose/tiles.h"
#include "operator/pack.h"
#include "operator/planes.h"

namespace conv1d {
namespace {

// Samples of the operand that are worked on at once.
constexpr int32_t kBlock = 64;

}  // namespace

Transposed::Transposed(std::shared_ptr<Layer> layer)
    : Computation(layer->params().out_channels, {"ConvTranspose1d", 0}), layer_(std::move(layer)) {}

std::unique_ptr<Transposed> Transposed::make(std::shared_ptr<Layer> layer) {
  auto made = std::make_unique<Transposed>(std::move(layer));
  if (!made->offsets_.make(made->layer_->phases().size())) return nullptr;
  Buffer<int32_t>* own = made->offsets_.data();
  const size_t pitch = made->window_pitch();
  for (Layer::Phase& phase : made->layer_->phases()) {
    const Dimensions& d = phase.transposed.correlation;
    Buffer<int32_t>& offsets = *own++;
    if ((choose_vectors(d, 1) == Vectors::kAlongChannels && !phase.forms.keep_both_panels(d)) ||
        !offsets.reserve(static_cast<size_t>(d.group_in()) * static_cast<size_t>(d.kernel_size))) {
      return nullptr;
    }
    int32_t* offset = offsets.data();
    for (int32_t c = 0; c < d.group_in(); ++c) {
      for (int32_t k = 0; k < d.kernel_size; ++k) *offset++ = c * static_cast<int32_t>(pitch) + k * d.dilation;
    }
  }
  return made;
}

// Sample q meets output q * stride + k * dilation - pad_left by tap k. Outputs that padding on the right cuts off, or
// to which no tap of the last sample leads, are known to exist when more samples follow.
Timing Transposed::timing() const {
  const Params& p = params();
  const int64_t behind_end = int64_t{p.pad_right} + p.stride - 1 - p.reach() - p.output_padding;
  return {.up = p.stride, .first = p.pad_left - p.reach(), .last = p.pad_left + std::max<int64_t>(behind_end, 0)};
}

int64_t Transposed::length(int64_t samples) const {
  const Params& p = params();
  if (samples < 1) return 0;
  return (samples - 1) * p.stride - p.pad_left - p.pad_right + p.reach() + p.output_padding + 1;
}

int64_t Transposed::most_window() const { return kBlock + params().reach() / params().stride + 2; }

size_t Transposed::window_pitch() const { return static_cast<size_t>(pitch_of(most_window())); }

size_t Transposed::scratch_floats() const {
  return static_cast<size_t>(params().in_channels) * window_pitch() +
         static_cast<size_t>(kMostTileRows) * (kBlock + 1) + 4;
}

void Transposed::compute(std::span<const Stretch> operands, int64_t first, int32_t count, const OutputStretch& out,
                         float* scratch) const {
  const Params& p = params();
  float* sums = scratch + static_cast<size_t>(p.in_channels) * window_pitch() + 4;
  for (int32_t done = 0; done < count;) {
    const int64_t from = first + done;
    const auto own = static_cast<int32_t>(std::min<int64_t>(count - done, int64_t{kBlock} * p.stride));
    const int64_t begin = floor_div(from + p.pad_left - p.reach(), p.stride);
    const int64_t end = floor_div(from + own - 1 + p.pad_left, p.stride) + 1;
    copy_window(operands[0], begin, end, scratch);
    const OutputStretch to{out.rows + done, out.pitch};
    for (size_t i = 0; i < offsets_.size(); ++i) {
      compute_phase(&layer_->phases()[i], offsets_[i].data(), scratch, begin, from, own, to, sums);
    }
    if (static_cast<int32_t>(offsets_.size()) < p.stride) fill_gaps(from, own, to);
    done += own;
  }
}

void Transposed::copy_window(const Stretch& in, int64_t begin, int64_t end, float* window) const {
  const auto own_end = std::clamp<int64_t>(in.length, begin, end);
  const auto own_begin = std::clamp<int64_t>(0, begin, own_end);
  for (int32_t c = 0; c < params().in_channels; ++c, window += window_pitch()) {
    std::fill_n(window, own_begin - begin, 0.0F);
    if (own_end > own_begin) std::copy_n(in.at(c, own_begin), own_end - own_begin, window + (own_begin - begin));
    std::fill_n(window + (own_end - begin), end - own_end, 0.0F);
  }
}

void Transposed::compute_phase(Layer::Phase* phase, const int32_t* offsets, const float* window, int64_t begin,
                               int64_t first, int32_t count, const OutputStretch& out, float* sums) const {
  const Params& p = params();
  const TransposedPhase& transposed = phase->transposed;
  const Dimensions& d = transposed.correlation;
  // Outputs `own` of the phase, which lie at begin + stride * own.
  const int64_t own = -floor_div(transposed.begin - first, p.stride);
  const auto own_count = static_cast<int32_t>(floor_div(first + count - 1 - transposed.begin, p.stride) + 1 - own);
  if (own_count <= 0) return;
  const auto at = static_cast<size_t>(transposed.begin + own * p.stride - first);
  const Vectors vectors = choose_vectors(d, own_count);
  const Weights weights = layer_->weights(phase);
  const float* panels = weights.forms->panels(d, vectors, weights.view);
  Strip strip{};
  strip.offsets = offsets;
  strip.depth = d.group_in() * d.kernel_size;
  strip.count = own_count;
  strip.output = sums;
  strip.row_stride = static_cast<size_t>(own_count);
  for (int32_t group = 0; group < d.groups; ++group) {
    strip.input = window + static_cast<size_t>(group * d.group_in()) * window_pitch() +
                  (transposed.correlation.first + own - begin);
    for_each_tile(vectors, d.group_out(), [&](const Tile& tile, int32_t o) {
      const int32_t channel = group * d.group_out() + o;
      strip.weights = panels + static_cast<size_t>(channel) * static_cast<size_t>(strip.depth);
      strip.bias = weights.bias + channel;
      tile.run(strip);
      for (int32_t r = 0; r < tile.rows; ++r) {
        float* row = sums + static_cast<size_t>(r) * strip.row_stride;
        activate(layer_->finish(), channel + r, row, strip.row_stride);
        write_row(row, strip.row_stride, DType::kFloat32, out.row(channel + r), at, static_cast<size_t>(p.stride));
      }
    });
  }
}

void Transposed::fill_gaps(int64_t first, int32_t count, const OutputStretch& out) const {
  const Params& p = params();
  const float* bias = layer_->weights().bias;
  for (int32_t i = 0; i < std::min(count, p.stride); ++i) {
    const auto meets = [&](const Layer::Phase& phase) { return phase.transposed.begin == (first + i) % p.stride; };
    if (std::ranges::any_of(layer_->phases(), meets)) continue;
    for (int32_t c = 0; c < p.out_channels; ++c) {
      float value = bias[c];
      activate(layer_->finish(), c, &value, 1);
      for (int32_t t = i; t < count; t += p.stride) out.row(c)[t] = value;
    }
  }
}

}  // namespace conv1d
