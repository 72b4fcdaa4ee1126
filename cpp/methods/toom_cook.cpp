#include "methods/toom_cook.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <utility>

#include "methods/evenness.h"
#include "operator/padding.h"
#include "operator/planes.h"
#include "simd.h"

namespace conv1d {
namespace {

constexpr int32_t kTile = kToomOutputs;

// Elements that lie side by side. Few, mostly, so a call of memcpy would take longer.
template <class T>
void copy_run(const T* source, int32_t count, T* destination) {
  for (int32_t i = 0; i < count; ++i) destination[i] = source[i];
}

}  // namespace

ToomCook::ToomCook(const Correlation& layer, const Finish& finish, int threads)
    : layer_(layer),
      finish_(finish),
      cut_(cut_taps(layer)),
      form_(toom_form(cut_.chunk_taps)),
      schedule_(schedule_toom(layer, cut_, threads)),
      tiles_(static_cast<int32_t>((layer.out_length - 1) / (int64_t{kTile} * cut_.dilation)) + 1),
      least_taps_(std::max(2, layer.kernel_size / cut_.phases)),
      cell_(least_taps_ >= 7 * kTile ? kTile
            : least_taps_ >= 12      ? 2
                                     : 1),
      definition_(layer, finish) {}

Result<std::unique_ptr<Method>> ToomCook::make(const Correlation& layer, const Finish& finish, PackedForms* forms,
                                               int threads) {
  std::unique_ptr<ToomCook> made(new (std::nothrow) ToomCook(layer, finish, threads));
  if (!made) return no_room(sizeof(ToomCook), "scratch");
  const int64_t floats = layer.groups * made->group_floats();
  if (floats > kMaxElements || !forms->toom_cook().reserve(static_cast<size_t>(floats))) {
    return no_room(static_cast<double>(floats) * sizeof(float), "transformed weights");
  }
  if (!made->lay_out()) return no_room(static_cast<double>(made->at_.end) * sizeof(float), "scratch");
  return std::unique_ptr<Method>(std::move(made));
}

bool ToomCook::lay_out() {
  for_each_chunk(layer_, cut_, [&](int32_t, int32_t chunk, int32_t taps) {
    if (taps > 1) reach_chunks_ = std::max(reach_chunks_, chunk);
    reach_tiles_ = std::max(reach_tiles_, taps > 1 ? chunk + 1 : chunk);
  });
  const int64_t lanes = schedule_.lanes;
  const int64_t columns = lanes * schedule_.tiles;
  const int64_t point_columns = columns + lanes * reach_chunks_;
  if (point_columns + lanes * reach_tiles_ > kMaxElements) return false;
  tile_samples_ = kTile * reach_chunks_ + form_.points;
  // Transforms work on four columns at a time, and kernels read a little further.
  row_pitch_ = static_cast<size_t>(pitch_of((point_columns + 3) / 4 * 4 + lanes * reach_tiles_));
  point_pitch_ = static_cast<size_t>(pitch_of(point_columns));
  column_pitch_ = static_cast<size_t>(pitch_of(columns));

  // In float64, which no product of these sizes overflows.
  double end = 0;
  const auto place = [&](double floats) {
    const double begin = end;
    end += std::ceil(floats / 16) * 16;
    return end <= static_cast<double>(kMaxElements) ? static_cast<size_t>(begin) : 0;
  };
  const double channels = layer_.group_in();
  const double rows = std::min(schedule_.rows + kMostTileRows, layer_.group_out());
  const auto tiles = static_cast<double>(schedule_.tiles + reach_tiles_);
  const double samples = static_cast<double>(lanes) * (is_whole() ? kTile * tiles : 1);
  at_.offsets = place(static_cast<double>(cut_.depth) + cut_.single_depth);
  at_.magnitudes = place(kTile * static_cast<double>(row_pitch_));
  at_.uneven = place(static_cast<double>(columns) / sizeof(float) + 1);
  at_.line = place(samples + kSplitOverRead);
  at_.rows = place((1 + channels * cut_.single_phases()) * kTile * static_cast<double>(row_pitch_) + kOverRead);
  at_.input_points = place(channels * form_.points * cut_.point_phases * static_cast<double>(point_pitch_) + kOverRead);
  at_.product_points = place(rows * form_.points * static_cast<double>(column_pitch_));
  at_.outputs = place(rows * kTile * static_cast<double>(column_pitch_));
  at_.merged = place(outputs_of(layer_, nullptr).in_place() ? 0 : kTile * static_cast<double>(columns));
  if (!definition_.lay_out(kTile * schedule_.tiles)) return false;
  end = std::max(end, static_cast<double>(at_.line + definition_.scratch_floats()));
  at_.end = static_cast<size_t>(std::min(end, static_cast<double>(kMaxElements) + 1));
  if (at_.end > static_cast<size_t>(kMaxElements) || !zeros_.reserve(kMostTileRows)) return false;
  std::memset(zeros_.data(), 0, kMostTileRows * sizeof(float));
  return true;
}

void ToomCook::pack(const Weights& weights) {
  definition_.pack(weights);
  bias_ = weights.bias;
  panels_ = weights.forms->toom_cook().get(0, [&](float* panels) { pack_panels(weights.view, panels); });
}

// As in pack.h, a panel for each tile of output channels; those of one point follow each other, those of the single
// taps come last.
void ToomCook::pack_panels(const WeightView& weights, float* panels) const {
  const size_t point_floats = static_cast<size_t>(layer_.group_out()) * cut_.depth;
  const auto pack_row = [&](int32_t g, int32_t o, size_t tile_rows, float* panel, float* single_panel) {
    for (int32_t c = 0; c < layer_.group_in(); ++c) {
      for_each_chunk(layer_, cut_, [&](int32_t phase, int32_t chunk, int32_t count) {
        std::array<double, 5> chunk_weights{};
        std::array<double, 8> points{};
        for (int32_t k = 0; k < count; ++k) {
          chunk_weights[k] = weights.at(g, o, c, phase + cut_.phases * (kTile * chunk + k));
        }
        if (count == 1) {
          *single_panel = static_cast<float>(chunk_weights[0]);
          single_panel += tile_rows;
          return;
        }
        form_.transform_weights(chunk_weights.data(), points.data());
        for (int32_t p = 0; p < form_.points; ++p) panel[p * point_floats] = static_cast<float>(points[p]);
        panel += tile_rows;
      });
    }
  };
  for (int32_t g = 0; g < layer_.groups; ++g, panels += group_floats()) {
    float* singles = panels + form_.points * point_floats;
    for_each_tile(Vectors::kAlongTime, layer_.group_out(), [&](const Tile& tile, int32_t o) {
      for (int32_t r = 0; r < tile.rows; ++r) {
        pack_row(g, o + r, static_cast<size_t>(tile.rows), panels + static_cast<size_t>(o) * cut_.depth + r,
                 singles + static_cast<size_t>(o) * cut_.single_depth + r);
      }
    });
  }
}

ToomCook::Block ToomCook::block(int32_t index) const {
  Block block{};
  block.oc_part = index % schedule_.oc_parts;
  index /= schedule_.oc_parts;
  const int32_t lane_blocks = blocks() / tile_blocks();
  block.lane = index % lane_blocks * schedule_.lanes;
  block.lanes = std::min(schedule_.lanes, lanes() - block.lane);
  index /= lane_blocks;
  block.tile = index % tile_blocks() * schedule_.tiles;
  block.tiles = std::min(schedule_.tiles, tiles_ - block.tile);
  index /= tile_blocks();
  block.group = index % layer_.groups;
  block.image = index / layer_.groups;
  return block;
}

void ToomCook::run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const {
  for (int32_t i = begin; i < end; ++i) run_block(block(i), input, output, scratch);
}

void ToomCook::run_block(const Block& block, const void* input, void* output, float* scratch) const {
  const auto row_bytes = static_cast<size_t>(layer_.length) * static_cast<size_t>(element_bytes(layer_.dtype));
  const size_t first_in =
      static_cast<size_t>(block.image) * layer_.in_channels + static_cast<size_t>(block.group) * layer_.group_in();
  std::memset(scratch + at_.uneven, 0, static_cast<size_t>(block.columns()));
  const bool uneven = transform_input(block, static_cast<const uint8_t*>(input) + first_in * row_bytes, scratch);
  const int32_t channels = layer_.group_out();
  Rows rows{};
  Rows all{};
  for_each_tile(Vectors::kAlongTime, channels, [&](const Tile& tile, int32_t o) {
    if (part_of(o, schedule_.oc_parts, channels) == block.oc_part) {
      if (rows.count == 0) rows.first = o;
      rows.count += tile.rows;
    }
    if (rows.count >= schedule_.rows || (o + tile.rows == channels && rows.count > 0)) {
      multiply(block, rows, scratch);
      write(block, rows, output, scratch);
      if (all.count == 0) all.first = rows.first;
      all.count += rows.count;
      rows.count = 0;
    }
  });
  if (uneven) define_uneven(block, all, input, output, scratch);
}

bool ToomCook::transform_input(const Block& block, const uint8_t* input, float* scratch) const {
  const auto row_bytes = static_cast<size_t>(layer_.length) * static_cast<size_t>(element_bytes(layer_.dtype));
  auto* offsets = reinterpret_cast<int32_t*>(scratch + at_.offsets);
  int32_t* single_offsets = offsets + cut_.depth;
  float* points = scratch + at_.input_points;
  float* phase_rows = scratch + at_.rows;
  float* single_rows = phase_rows + kTile * row_pitch_;
  float* magnitudes = scratch + at_.magnitudes;
  const auto columns = static_cast<size_t>(block.tiles + reach_tiles_) * static_cast<size_t>(block.lanes);
  const bool few_rows = layer_.group_in() * cut_.point_phases <= kFewRows;
  bool uneven = false;
  std::fill_n(magnitudes, kTile * row_pitch_, 0.0F);
  int32_t point_offset = 0;
  int32_t single_offset = 0;
  for (int32_t c = 0; c < layer_.group_in(); ++c, input += row_bytes) {
    for (int32_t phase = 0; phase < cut_.phases; ++phase) {
      const bool is_single = phase >= cut_.single_begin && phase < cut_.single_end;
      float* rows = is_single ? single_rows + single_offset : phase_rows;
      split(block, input, phase, scratch, rows);
      for (int32_t chunk = 0; chunk < cut_.chunks; ++chunk) {
        const int32_t taps = chunk_taps(layer_, cut_, phase, chunk);
        if (taps == 1) *single_offsets++ = single_offset + chunk * block.lanes;
        if (taps > 1) *offsets++ = point_offset + chunk * block.lanes;
      }
      if (is_single) single_offset += static_cast<int32_t>(kTile * row_pitch_);
      if (phase >= cut_.point_phases) continue;
      const int32_t count = (block.tiles + reach_chunks_) * block.lanes;
      form_.transform_input({.rows = rows,
                             .row_stride = row_pitch_,
                             .next = block.lanes,
                             .count = count,
                             .points = points + point_offset,
                             .point_stride = point_floats(),
                             .magnitudes = magnitudes});
      point_offset += static_cast<int32_t>(point_pitch_);
      const size_t added = std::min(columns, (static_cast<size_t>(count) + 3) / 4 * 4);
      for (size_t a = 0; a < kTile; ++a) {
        const size_t row = a * row_pitch_ + added;
        add_magnitudes(rows + row, columns - added, magnitudes + row);
      }
      if (few_rows) {
        uneven = mark_uneven(block, 1, scratch) || uneven;
        std::fill_n(magnitudes, kTile * row_pitch_, 0.0F);
      }
    }
  }
  return few_rows ? uneven : mark_uneven(block, layer_.group_in() * cut_.point_phases, scratch);
}

bool ToomCook::mark_uneven(const Block& block, int32_t rows, float* scratch) const {
  const float* magnitudes = scratch + at_.magnitudes;
  auto* marks = reinterpret_cast<uint8_t*>(scratch + at_.uneven);
  const int32_t columns = block.columns();
  const float allowed = allowed_ratio(rows);
  const v128_t ratio = wasm_f32x4_splat(allowed);
  const v128_t zero = wasm_f32x4_splat(0);
  const v128_t smallest = wasm_f32x4_splat(kSmallestMagnitude);
  const v128_t largest = wasm_f32x4_splat(kLargestMagnitude);
  bool any = false;
  for (int32_t l = 0; l < columns; l += 4) {
    v128_t tile = zero;
    v128_t least = largest;
    v128_t least_sample = largest;
    for (int32_t i = 0; i < tile_samples_;) {
      const int32_t end = i + cell_;
      v128_t cell = zero;
      for (; i < std::min(end, tile_samples_); ++i) {
        const v128_t x = wasm_v128_load(magnitudes + sample_at(block, i) + l);
        cell = wasm_f32x4_max(cell, x);
        least_sample = wasm_f32x4_min(least_sample, x);
      }
      tile = wasm_f32x4_max(tile, cell);
      if (i == end) least = wasm_f32x4_min(least, cell);
    }
    const v128_t fits = wasm_v128_and(wasm_f32x4_ge(tile, smallest), wasm_f32x4_lt(tile, largest));
    const v128_t sounding = wasm_f32x4_gt(least_sample, zero);
    const v128_t even = wasm_v128_and(wasm_v128_and(fits, sounding), wasm_f32x4_lt(tile, wasm_f32x4_mul(ratio, least)));
    if (wasm_i32x4_all_true(wasm_v128_or(even, wasm_f32x4_eq(tile, zero)))) continue;
    for (int32_t i = l; i < std::min(l + 4, columns); ++i) {
      if (!is_uneven(block, i, allowed, magnitudes + i)) continue;
      marks[i] = 1;
      any = true;
    }
  }
  return any;
}

// As above for one tile, of which not all outputs may be there, nor all samples.
bool ToomCook::is_uneven(const Block& block, int32_t column, float allowed, const float* magnitudes) const {
  const int64_t begin =
      int64_t{cut_.dilation} * kTile * (block.tile + column / block.lanes) + block.lane + column % block.lanes;
  const int64_t outputs = std::min<int64_t>(kTile, (layer_.out_length - begin - 1) / cut_.dilation + 1);
  float most = 0;
  float least = kLargestMagnitude;         // of the cells
  float least_sample = kLargestMagnitude;  // but for zeros
  int32_t zeros = 0;
  bool pads = layer_.padding_mode == PaddingMode::kZeros;  // whether all zeros are of the padding
  for (int32_t i = 0; i < tile_samples_;) {
    const int32_t end = i + cell_;
    float cell = 0;
    for (; i < std::min(end, tile_samples_); ++i) {
      const float x = magnitudes[sample_at(block, i)];
      if (!(x < kLargestMagnitude)) return true;
      cell = std::max(cell, x);
      if (x > 0) {
        least_sample = std::min(least_sample, x);
        continue;
      }
      const int64_t position = (begin + int64_t{i} * cut_.dilation) * layer_.stride + layer_.first;
      ++zeros;
      pads = pads && (position < 0 || position >= layer_.length);
    }
    most = std::max(most, cell);
    if (i == end) least = std::min(least, cell);
  }
  if (zeros == tile_samples_) return false;
  if (zeros > 0) least = least_sample;
  // Nothing stands out from a few zeros that only pad.
  if (most < kSmallestMagnitude || most >= allowed * least || (zeros > 0 && (!pads || 2 * zeros > tile_samples_))) {
    return true;
  }
  const auto is_zero = [&](int32_t i) { return magnitudes[sample_at(block, i)] == 0; };
  for (int32_t a = 0; a < outputs && zeros >= least_taps_; ++a) {
    int32_t i = a;
    while (i < a + least_taps_ && is_zero(i)) ++i;
    if (i == a + least_taps_) return true;  // an output sees the padding alone
  }
  return false;
}

void ToomCook::define_uneven(const Block& block, const Rows& rows, const void* input, void* output,
                             float* scratch) const {
  const auto* marks = reinterpret_cast<const uint8_t*>(scratch + at_.uneven);
  for (int32_t lane = 0; lane < block.lanes; ++lane) {
    for (int32_t i = 0; i < block.tiles; ++i) {
      const int32_t first = i;
      while (i < block.tiles && marks[i * block.lanes + lane] != 0) ++i;
      const int64_t begin = int64_t{cut_.dilation} * kTile * (block.tile + first) + block.lane + lane;
      if (i == first || begin >= layer_.out_length) continue;
      const int64_t left = (layer_.out_length - 1 - begin) / cut_.dilation + 1;
      definition_.run({.image = block.image,
                       .group = block.group,
                       .oc_begin = rows.first,
                       .oc_end = rows.first + rows.count,
                       .begin = static_cast<int32_t>(begin),
                       .count = static_cast<int32_t>(std::min(int64_t{kTile} * (i - first), left))},
                      input, output, scratch + at_.line);
    }
  }
}

void ToomCook::split(const Block& block, const uint8_t* row, int32_t phase, float* scratch, float* rows) const {
  const int64_t stride = layer_.stride;
  const auto fetch = [&](int64_t position, int32_t count, float* destination) {
    const int64_t first = position * stride + int64_t{phase} * layer_.dilation + layer_.first;
    pick_window(layer_.padding_mode, layer_.dtype, row, layer_.length, first, stride, count, destination);
  };
  const int32_t lanes = block.lanes;
  const int32_t tiles = block.tiles + reach_tiles_;
  if (!is_whole()) {
    for (int32_t i = 0; i < tiles; ++i) {
      for (int32_t a = 0; a < kTile; ++a) {
        const int64_t position = int64_t{cut_.dilation} * (kTile * (block.tile + i) + a) + block.lane;
        fetch(position, lanes, rows + a * row_pitch_ + static_cast<size_t>(i) * lanes);
      }
    }
    return;
  }
  float* line = scratch + at_.line;
  fetch(int64_t{kTile} * lanes * block.tile, kTile * lanes * tiles, line);
  if (lanes == 1) return split_by_4(line, tiles, rows, row_pitch_);
  for (int32_t i = 0; i < tiles; ++i) {
    float* run = rows + static_cast<ptrdiff_t>(i) * lanes;
    for (int32_t a = 0; a < kTile; ++a, line += lanes, run += row_pitch_) copy_run(line, lanes, run);
  }
}

void ToomCook::multiply(const Block& block, const Rows& rows, float* scratch) const {
  const size_t first_oc = static_cast<size_t>(block.group) * layer_.group_out() + rows.first;
  const size_t plane = static_cast<size_t>(rows.count) * column_pitch_;
  const float* panels = panels_ + static_cast<size_t>(block.group) * group_floats();
  float* outputs = scratch + at_.outputs;
  float* products = scratch + at_.product_points;
  Strip strip{};
  strip.row_stride = column_pitch_;
  strip.count = block.columns();
  // One row of blocks of the products: all output channels at one point.
  const auto run_tiles = [&](const float* bias, size_t bias_step, float* output) {
    const auto depth = static_cast<size_t>(strip.depth);
    const float* first_weights = strip.weights;
    for (int32_t o = 0; o < rows.count;) {
      const Tile& tile = choose_tile(Vectors::kAlongTime, layer_.group_out() - rows.first - o);
      strip.weights = first_weights + static_cast<size_t>(rows.first + o) * depth;
      strip.bias = bias + static_cast<size_t>(o) * bias_step;
      strip.output = output + static_cast<size_t>(o) * column_pitch_;
      tile.run(strip);
      o += tile.rows;
    }
  };
  const auto channels = static_cast<size_t>(layer_.group_out());
  const size_t point_weights = channels * cut_.depth;
  strip.offsets = reinterpret_cast<int32_t*>(scratch + at_.offsets);
  strip.depth = cut_.depth;
  for (int32_t p = 0; p < form_.points; ++p) {
    strip.weights = panels + p * point_weights;
    strip.input = scratch + at_.input_points + p * point_floats();
    run_tiles(zeros_.data(), 0, products + p * plane);
  }
  strip.offsets += cut_.depth;
  strip.depth = cut_.single_depth;
  for (size_t a = 0; a < kTile; ++a) {
    strip.weights = panels + form_.points * point_weights;
    strip.input = scratch + at_.rows + (kTile + a) * row_pitch_;
    run_tiles(bias_ + first_oc, 1, outputs + a * plane);
  }
  for (size_t r = 0; r < static_cast<size_t>(rows.count); ++r) {
    form_.transform_output({.points = products + r * column_pitch_,
                            .point_stride = plane,
                            .count = block.columns(),
                            .rows = outputs + r * column_pitch_,
                            .row_stride = plane});
  }
}

void ToomCook::write(const Block& block, const Rows& rows, void* output, float* scratch) const {
  const OutputView outputs = outputs_of(layer_, output);
  const size_t plane = static_cast<size_t>(rows.count) * column_pitch_;
  for (int32_t r = 0; r < rows.count; ++r) {
    float* row = scratch + at_.outputs + static_cast<size_t>(r) * column_pitch_;
    const int32_t oc = block.group * layer_.group_out() + rows.first + r;
    if (cut_.dilation == 1) {
      const int32_t begin = kTile * block.tile;
      const int32_t count = std::min(kTile * block.tiles, layer_.out_length - begin);
      float* merged =
          outputs.in_place() ? static_cast<float*>(output) + outputs.at(block.image, oc, begin) : scratch + at_.merged;
      merge_by_4(row, plane, static_cast<size_t>(count), merged);
      finish_rows(finish_, merged, static_cast<size_t>(count),
                  {.image = block.image, .channel = oc, .rows = 1, .begin = begin, .count = count}, outputs);
      continue;
    }
    for (int32_t a = 0; a < kTile; ++a) {
      float* sums = row + static_cast<size_t>(a) * plane;
      activate(finish_, oc, sums, static_cast<size_t>(block.columns()));
      for (int32_t i = 0; i < block.tiles; ++i, sums += block.lanes) {
        const int64_t begin = int64_t{cut_.dilation} * (kTile * (block.tile + i) + a) + block.lane;
        const int64_t count = std::min<int64_t>(block.lanes, layer_.out_length - begin);
        if (count <= 0) break;
        write_row(sums, static_cast<size_t>(count), outputs.dtype, output,
                  outputs.at(block.image, oc, static_cast<int32_t>(begin)), static_cast<size_t>(outputs.step));
      }
    }
  }
}

}  // namespace conv1d
