#include "methods/direct.h"

#include <new>

#include "integers.h"
#include "operator/planes.h"

namespace conv1d {

Result<std::unique_ptr<Method>> Direct::make(const Correlation& layer, const Finish& finish, int threads) {
  std::unique_ptr<Direct> made(new (std::nothrow) Direct(layer, finish, threads));
  if (!made) return no_room(sizeof(Direct), "scratch");
  made->cut_ranges();
  if (!made->lay_out()) return no_room(static_cast<double>(made->block_.floats()) * sizeof(float), "scratch");
  return std::unique_ptr<Method>(std::move(made));
}

void Direct::cut_ranges() {
  const int32_t outputs = layer_.out_length;
  int32_t inner_begin = 0;
  int32_t inner_end = 0;
  if (schedule_.direct) {
    const int32_t multiple = exact_multiple(schedule_.vectors, layer_.group_out());
    const int64_t last = layer_.length - layer_.first - layer_.reach();
    inner_begin = static_cast<int32_t>(std::min<int64_t>(layer_.before(), outputs));
    const auto inside = static_cast<int32_t>(std::clamp<int64_t>(last - inner_begin, 0, outputs - inner_begin));
    inner_end = inner_begin + inside / multiple * multiple;
  }
  ranges_ = {Range{0, inner_begin, schedule_.block, false}, Range{inner_begin, inner_end, schedule_.strip, true},
             Range{inner_end, outputs, schedule_.block, false}};
  pieces_of_group_ = 0;
  for (const Range& range : ranges_) pieces_of_group_ += range.pieces();
  pieces_of_group_ *= schedule_.oc_parts;
}

bool Direct::lay_out() {
  const int32_t packed = std::max(ranges_[0].longest(), ranges_[2].longest());
  if (!block_.lay_out(layer_, packed, schedule_.tap_windows)) return false;
  block_floats_ = packed == 0 ? 0 : round_up<size_t>(static_cast<size_t>(block_.floats()) + kOverRead, 16);
  const int32_t longest = std::max(packed, ranges_[1].longest());
  const bool in_place = outputs_of(layer_, nullptr).in_place();
  scratch_floats_ = block_floats_ + (in_place ? 0 : kMostTileRows * round_up<size_t>(static_cast<size_t>(longest), 16));
  if (!schedule_.direct) return true;
  const auto taps = static_cast<size_t>(layer_.kernel_size);
  if (!direct_offsets_.reserve(taps * static_cast<size_t>(layer_.group_in()))) return false;
  int32_t* offset = direct_offsets_.data();
  for (int32_t c = 0; c < layer_.group_in(); ++c) {
    for (int32_t k = 0; k < layer_.kernel_size; ++k) *offset++ = c * layer_.length + k * layer_.dilation;
  }
  return true;
}

void Direct::pack(const Weights& weights) {
  panels_ = weights.forms->panels(layer_, schedule_.vectors, weights.view);
  bias_ = weights.bias;
}

// The loops of a layer, outermost first:
//
//     images, groups, stretches of time, parts of the output channels     pieces, here and in advance()
//     tiles of output channels                                            run_piece()
//     widths of a tile along time, taps                                   the kernel
//
// A piece's input is packed once, so that all of its tiles find it in the cache.
void Direct::run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const {
  Piece next = piece(begin);
  for (int32_t i = begin; i < end; ++i, advance(&next)) run_piece(next, input, output, scratch);
}

Direct::Piece Direct::piece(int32_t index) const {
  const int32_t image_group = index / pieces_of_group_;
  Piece piece{};
  piece.image = image_group / layer_.groups;
  piece.group = image_group % layer_.groups;
  measure(&piece);
  for (int32_t i = index % pieces_of_group_; i > 0; --i) advance(&piece);
  return piece;
}

void Direct::advance(Piece* piece) const {
  if (++piece->oc_part < schedule_.oc_parts) return;
  piece->oc_part = 0;
  piece->begin += piece->count;
  if (piece->begin == layer_.out_length) {
    piece->begin = 0;
    if (++piece->group == layer_.groups) {
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
  const OutputView outputs = outputs_of(layer_, output);
  const int32_t channels = layer_.group_out();
  const int32_t first_oc = piece.group * channels;
  Strip strip{};
  strip.depth = layer_.group_in() * layer_.kernel_size;
  strip.count = piece.count;
  if (piece.direct) {
    const size_t row =
        static_cast<size_t>(piece.image) * layer_.in_channels + static_cast<size_t>(piece.group) * layer_.group_in();
    strip.input = static_cast<const float*>(input) + row * layer_.length + (layer_.first + piece.begin);
    strip.offsets = direct_offsets_.data();
  } else {
    block_.pack(layer_, input, piece.image, piece.group, piece.begin, piece.count, scratch);
    strip.input = scratch;
    strip.offsets = block_.offsets();
  }
  strip.output = scratch + block_floats_;
  strip.row_stride = static_cast<size_t>(outputs.in_place() ? outputs.row : piece.count);

  const auto depth = static_cast<size_t>(strip.depth);
  for_each_tile(schedule_.vectors, channels, [&](const Tile& tile, int32_t o) {
    if (part_of(o, schedule_.oc_parts, channels) != piece.oc_part) return;
    const int32_t oc = first_oc + o;
    if (outputs.in_place()) strip.output = static_cast<float*>(output) + outputs.at(piece.image, oc, piece.begin);
    strip.weights = panels_ + static_cast<size_t>(oc) * depth;
    strip.bias = bias_ + oc;
    tile.run(strip);
    if (finish_.activation == Activation::kNone && outputs.in_place()) return;  // saves depthwise layers a call a row
    finish_rows(finish_, strip.output, strip.row_stride,
                {.image = piece.image, .channel = oc, .rows = tile.rows, .begin = piece.begin, .count = piece.count},
                outputs);
  });
}

}  // namespace conv1d
