#include "methods/definition.h"

#include <algorithm>

#include "choose/direct_schedule.h"
#include "integers.h"
#include "operator/padding.h"
#include "operator/planes.h"

namespace conv1d {

bool Definition::lay_out(int32_t most) {
  const int32_t depth = layer_.group_in() * layer_.kernel_size;
  const int64_t rows = int64_t{layer_.group_in()} * phases();
  const int64_t taps = phase_taps(0);
  block_ = choose_definition_block(most, rows, taps);
  pitch_ = static_cast<size_t>(pitch_of(block_ + taps - 1));
  const double floats =
      static_cast<double>(rows) * static_cast<double>(pitch_) + kOverRead + static_cast<double>(kMostTileRows) * block_;
  if (floats > static_cast<double>(kMaxElements) || !offsets_.reserve(static_cast<size_t>(depth))) return false;
  scratch_floats_ = round_up<size_t>(static_cast<size_t>(floats), 16);
  for (int32_t c = 0, i = 0; c < layer_.group_in(); ++c) {
    for (int32_t k = 0; k < layer_.kernel_size; ++k, ++i) {
      offsets_[i] = static_cast<int32_t>(static_cast<size_t>(c * phases() + k % phases()) * pitch_) + k / phases();
    }
  }
  return true;
}

void Definition::pack(const Weights& weights) {
  panels_ = weights.forms->panels(layer_, Vectors::kAlongTime, weights.view);
  bias_ = weights.bias;
}

void Definition::copy_row(int32_t image, int32_t channel, int32_t phase, int32_t begin, int32_t count,
                          const void* input, float* row) const {
  const auto row_bytes = static_cast<size_t>(layer_.length) * static_cast<size_t>(element_bytes(layer_.dtype));
  const auto* samples = static_cast<const uint8_t*>(input) +
                        (static_cast<size_t>(image) * layer_.in_channels + static_cast<size_t>(channel)) * row_bytes;
  const int64_t first = layer_.first + int64_t{begin} * layer_.stride + int64_t{phase} * layer_.dilation;
  pick_window(layer_.padding_mode, layer_.dtype, samples, layer_.length, first,
              int64_t{layer_.stride} * layer_.phase_dilation(), count + phase_taps(phase) - 1, row);
}

void Definition::run(const Part& part, const void* input, void* output, float* scratch) const {
  const OutputView outputs = outputs_of(layer_, output);
  const int32_t lanes = layer_.phase_dilation();
  const int32_t first_oc = part.group * layer_.group_out();
  Strip strip{};
  strip.depth = layer_.group_in() * layer_.kernel_size;
  strip.offsets = offsets_.data();
  strip.input = scratch;
  strip.output = scratch + scratch_floats_ - static_cast<size_t>(kMostTileRows) * block_;
  strip.row_stride = static_cast<size_t>(block_);
  for (int32_t done = 0; done < part.count; done += block_) {
    strip.count = std::min(block_, part.count - done);
    const int32_t begin = part.begin + done * lanes;
    float* row = scratch;
    for (int32_t c = 0; c < layer_.group_in(); ++c) {
      for (int32_t phase = 0; phase < phases(); ++phase, row += pitch_) {
        copy_row(part.image, part.group * layer_.group_in() + c, phase, begin, strip.count, input, row);
      }
    }
    for_each_tile(Vectors::kAlongTime, layer_.group_out(), [&](const Tile& tile, int32_t o) {
      if (o >= part.oc_end || o + tile.rows <= part.oc_begin) return;
      strip.weights = panels_ + static_cast<size_t>(first_oc + o) * static_cast<size_t>(strip.depth);
      strip.bias = bias_ + first_oc + o;
      tile.run(strip);
      const int32_t begin_row = std::max(o, part.oc_begin);
      const int32_t end_row = std::min(o + tile.rows, part.oc_end);
      finish_rows(finish_, strip.output + static_cast<size_t>(begin_row - o) * strip.row_stride, strip.row_stride,
                  {.image = part.image,
                   .channel = first_oc + begin_row,
                   .rows = end_row - begin_row,
                   .begin = begin,
                   .count = strip.count,
                   .step = lanes},
                  outputs);
    });
  }
}

}  // namespace conv1d
