#include "methods/definition.h"

#include <algorithm>

#include "choose/kernel_table.h"
#include "operator/finish.h"
#include "operator/padding.h"
#include "operator/planes.h"

namespace conv1d {
namespace {

// Floats of packed input, if that leaves room for some outputs.
constexpr int64_t kBlockFloats = 32768;
constexpr int64_t kLeastBlock = 64;

}  // namespace

bool Definition::lay_out(int32_t most) {
  const int32_t depth = params_.group_in() * params_.kernel_size;
  const int64_t rows = int64_t{params_.group_in()} * phases();
  const int64_t taps = phase_taps(0);
  block_ = static_cast<int32_t>(
      std::min<int64_t>(most, std::max({kLeastBlock, taps / 2, kBlockFloats / rows - taps}) / 8 * 8));
  pitch_ = static_cast<size_t>(pitch_of(block_ + taps - 1));
  const double floats =
      static_cast<double>(rows) * static_cast<double>(pitch_) + kOverRead + static_cast<double>(kMostTileRows) * block_;
  if (floats > static_cast<double>(kMaxElements) || !offsets_.reserve(static_cast<size_t>(depth))) return false;
  scratch_floats_ = (static_cast<size_t>(floats) + 15) / 16 * 16;
  for (int32_t c = 0, i = 0; c < params_.group_in(); ++c) {
    for (int32_t k = 0; k < params_.kernel_size; ++k, ++i) {
      offsets_[i] = static_cast<int32_t>(static_cast<size_t>(c * phases() + k % phases()) * pitch_) + k / phases();
    }
  }
  return true;
}

void Definition::pack(Weights& weights) {
  panels_ = weights.panels(Vectors::kAlongTime);
  bias_ = weights.wide_bias();
}

void Definition::copy_row(int32_t image, int32_t channel, int32_t phase, int32_t begin, int32_t count,
                          const void* input, float* row) const {
  const auto row_bytes = static_cast<size_t>(geometry_.length) * static_cast<size_t>(params_.element_bytes());
  const auto* samples = static_cast<const uint8_t*>(input) +
                        (static_cast<size_t>(image) * params_.in_channels + static_cast<size_t>(channel)) * row_bytes;
  const int64_t first = int64_t{begin} * params_.stride + int64_t{phase} * params_.dilation - geometry_.pad_left;
  pick_window(params_.padding_mode, params_.dtype, samples, geometry_.length, first,
              int64_t{params_.stride} * params_.phase_dilation(), count + phase_taps(phase) - 1, row);
}

void Definition::run(const Part& part, const void* input, void* output, float* scratch) const {
  const int32_t lanes = params_.phase_dilation();
  const auto out_length = static_cast<size_t>(geometry_.out_length);
  const size_t first_oc = static_cast<size_t>(part.group) * static_cast<size_t>(params_.group_out());
  Strip strip{};
  strip.depth = params_.group_in() * params_.kernel_size;
  strip.offsets = offsets_.data();
  strip.input = scratch;
  strip.output = scratch + scratch_floats_ - static_cast<size_t>(kMostTileRows) * block_;
  strip.row_stride = static_cast<size_t>(block_);
  for (int32_t done = 0; done < part.count; done += block_) {
    strip.count = std::min(block_, part.count - done);
    const int32_t begin = part.begin + done * lanes;
    float* row = scratch;
    for (int32_t c = 0; c < params_.group_in(); ++c) {
      for (int32_t phase = 0; phase < phases(); ++phase, row += pitch_) {
        copy_row(part.image, part.group * params_.group_in() + c, phase, begin, strip.count, input, row);
      }
    }
    for (int32_t o = 0; o < part.oc_end;) {
      const Tile& tile = choose_tile(Vectors::kAlongTime, params_.group_out() - o);
      if (o + tile.rows > part.oc_begin) {
        strip.weights = panels_ + (first_oc + static_cast<size_t>(o)) * static_cast<size_t>(strip.depth);
        strip.bias = bias_ + first_oc + o;
        tile.run(strip);
      }
      for (int32_t oc = std::max(o, part.oc_begin); oc < std::min(o + tile.rows, part.oc_end); ++oc) {
        const size_t at = (static_cast<size_t>(part.image) * params_.out_channels + first_oc + oc) * out_length +
                          static_cast<size_t>(begin);
        write_row(params_, strip.output + static_cast<size_t>(oc - o) * strip.row_stride,
                  static_cast<size_t>(strip.count), output, at, static_cast<size_t>(lanes));
      }
      o += tile.rows;
    }
  }
}

}  // namespace conv1d
