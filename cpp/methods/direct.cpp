#include "methods/direct.h"

#include <new>

#include "operator/finish.h"
#include "operator/padding.h"
#include "operator/planes.h"

namespace conv1d {
namespace {

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

std::unique_ptr<Direct> Direct::make(const Params& params, const Geometry& geometry, int threads, double* wanted) {
  std::unique_ptr<Direct> made(new (std::nothrow) Direct(params, geometry, threads));
  *wanted = sizeof(Direct);
  if (!made) return nullptr;
  made->cut_ranges();
  if (made->lay_out_block()) return made;
  *wanted = static_cast<double>(params.group_in()) * made->rows_ * made->pitch_ * sizeof(float);
  return nullptr;
}

void Direct::cut_ranges() {
  const Geometry& g = geometry_;
  int32_t inner_begin = 0;
  int32_t inner_end = 0;
  if (schedule_.direct) {
    const int32_t multiple = exact_multiple(schedule_.vectors, params_.group_out());
    const int64_t last = g.length + g.pad_left - params_.reach();
    inner_begin = std::min(g.pad_left, g.out_length);
    const auto inside = static_cast<int32_t>(std::clamp<int64_t>(last - inner_begin, 0, g.out_length - inner_begin));
    inner_end = inner_begin + inside / multiple * multiple;
  }
  ranges_ = {Range{0, inner_begin, schedule_.block, false}, Range{inner_begin, inner_end, schedule_.strip, true},
             Range{inner_end, g.out_length, schedule_.block, false}};
  pieces_of_image_ = 0;
  for (const Range& range : ranges_) pieces_of_image_ += range.pieces();
  pieces_of_image_ *= schedule_.oc_parts;
}

bool Direct::lay_out_block() {
  const auto taps = static_cast<size_t>(params_.kernel_size);
  const int32_t stride = params_.stride;
  const int32_t outputs = std::max(ranges_[0].longest(), ranges_[2].longest());
  const bool windows = schedule_.tap_windows;
  const auto reach = static_cast<int32_t>(params_.reach());

  // Taps lie dilation apart, so they meet stride / gcd(stride, dilation) phases before they come round again.
  const int32_t phases = std::min(params_.kernel_size, params_.phases());
  rows_ = windows ? params_.kernel_size : phases;
  const int32_t row_count = windows ? outputs : outputs + reach / stride;
  pitch_ = static_cast<int32_t>(pitch_of(row_count));

  const size_t depth = taps * static_cast<size_t>(params_.group_in());
  const int64_t block = int64_t{params_.group_in()} * rows_ * pitch_;
  if (block > kMaxElements) return false;
  if (!row_start_.reserve(static_cast<size_t>(rows_)) || !block_offsets_.reserve(depth) ||
      (schedule_.direct && !direct_offsets_.reserve(depth))) {
    return false;
  }
  for (int32_t row = 0; row < rows_; ++row) {
    const int32_t position = row * params_.dilation;
    row_start_[row] = windows ? position : position % stride;
  }
  for (int32_t c = 0, i = 0; c < params_.group_in(); ++c) {
    const int32_t plane = c * rows_ * pitch_;
    for (int32_t k = 0; k < params_.kernel_size; ++k, ++i) {
      const int32_t position = k * params_.dilation;
      if (schedule_.direct) direct_offsets_[i] = c * geometry_.length + position;
      block_offsets_[i] = plane + (windows ? k * pitch_ : k % phases * pitch_ + position / stride);
    }
  }

  const bool empty = outputs == 0;
  block_floats_ = empty ? 0 : round_up(static_cast<size_t>(block) + kOverRead, 16);
  const bool narrow = params_.dtype == DType::kFloat16;
  scratch_floats_ = block_floats_ + (narrow ? kMostTileRows * round_up(static_cast<size_t>(outputs), 16) : 0);
  return true;
}

void Direct::pack(Weights& weights) {
  panels_ = weights.panels(schedule_.vectors);
  bias_ = weights.wide_bias();
}

void Direct::run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const {
  Piece next = piece(begin);
  for (int32_t i = begin; i < end; ++i, advance(&next)) run_piece(next, input, output, scratch);
}

Direct::Piece Direct::piece(int32_t index) const {
  const int32_t image_group = index / pieces_of_image_;
  Piece piece{};
  piece.image = image_group / params_.groups;
  piece.group = image_group % params_.groups;
  measure(&piece);
  for (int32_t i = index % pieces_of_image_; i > 0; --i) advance(&piece);
  return piece;
}

void Direct::advance(Piece* piece) const {
  if (++piece->oc_part < schedule_.oc_parts) return;
  piece->oc_part = 0;
  piece->begin += piece->count;
  if (piece->begin == geometry_.out_length) {
    piece->begin = 0;
    if (++piece->group == params_.groups) {
      piece->group = 0;
      ++piece->image;
    }
  }
  measure(piece);
}

void Direct::measure(Piece* piece) const {
  for (const Range& range : ranges_) {
    if (piece->begin < range.end) {
      piece->count = std::min(range.step, range.end - piece->begin);
      piece->direct = range.direct;
      return;
    }
  }
}

void Direct::run_piece(const Piece& piece, const void* input, void* output, float* scratch) const {
  const Geometry& g = geometry_;
  const auto element = static_cast<size_t>(params_.element_bytes());
  const auto length = static_cast<size_t>(g.length);
  const auto out_length = static_cast<size_t>(g.out_length);
  const bool narrow = params_.dtype == DType::kFloat16;
  const size_t first_in =
      (static_cast<size_t>(piece.image) * params_.in_channels + static_cast<size_t>(piece.group) * params_.group_in()) *
      length;
  const size_t first_out = static_cast<size_t>(piece.group) * params_.group_out();

  Strip strip{};
  strip.depth = params_.group_in() * params_.kernel_size;
  strip.count = piece.count;
  if (piece.direct) {
    strip.input = static_cast<const float*>(input) + first_in + (piece.begin - g.pad_left);
    strip.offsets = direct_offsets_.data();
  } else {
    pack_block(piece, static_cast<const uint8_t*>(input) + first_in * element, scratch);
    strip.input = scratch;
    strip.offsets = block_offsets_.data();
  }

  float* wide_rows = scratch + block_floats_;
  const auto depth = static_cast<size_t>(strip.depth);
  const int32_t channels = params_.group_out();
  const int32_t parts = schedule_.oc_parts;
  for (int32_t o = 0; o < channels;) {
    const Tile& tile = choose_tile(schedule_.vectors, channels - o);
    if (int64_t{o} * parts / channels == piece.oc_part) {
      const size_t oc = first_out + o;
      const size_t at = (static_cast<size_t>(piece.image) * params_.out_channels + oc) * out_length + piece.begin;
      strip.weights = panels_ + oc * depth;
      strip.bias = bias_ + oc;
      strip.output = narrow ? wide_rows : static_cast<float*>(output) + at;
      strip.row_stride = narrow ? static_cast<size_t>(piece.count) : out_length;
      tile.run(strip);
      finish_rows(params_, strip.output, strip.row_stride, static_cast<size_t>(tile.rows),
                  static_cast<size_t>(piece.count), output, at, out_length);
    }
    o += tile.rows;
  }
}

void Direct::pack_block(const Piece& piece, const uint8_t* input, float* block) const {
  const Geometry& g = geometry_;
  const auto row_bytes = static_cast<size_t>(g.length) * params_.element_bytes();
  const int64_t first = int64_t{piece.begin} * params_.stride - g.pad_left;
  const int64_t last = int64_t{piece.count - 1} * params_.stride + (schedule_.tap_windows ? 0 : params_.reach());
  for (int32_t c = 0; c < params_.group_in(); ++c, input += row_bytes) {
    for (int32_t i = 0; i < rows_; ++i, block += pitch_) {
      const int64_t start = row_start_[i];
      const int64_t count = schedule_.tap_windows ? piece.count : (last - start) / params_.stride + 1;
      pick_window(params_.padding_mode, params_.dtype, input, g.length, first + start, params_.stride, count, block);
    }
  }
}

}  // namespace conv1d
