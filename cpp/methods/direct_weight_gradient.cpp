#include "methods/direct_weight_gradient.h"

namespace conv1d {

bool DirectWeightGradient::lay_out() {
  Correlation part = layer_;
  part.groups = parts_;
  const int32_t edge = std::max(inner_begin_, layer_.out_length - inner_end_);
  const int32_t outputs = std::min(schedule_.block, edge) * schedule_.images;
  if (!block_.lay_out(part, outputs, schedule_.tap_windows)) return false;
  if (!schedule_.direct) return true;
  const auto taps = static_cast<size_t>(layer_.kernel_size);
  if (!direct_offsets_.reserve(taps * static_cast<size_t>(schedule_.channels))) return false;
  int32_t* offset = direct_offsets_.data();
  for (int32_t c = 0; c < schedule_.channels; ++c) {
    for (int32_t k = 0; k < layer_.kernel_size; ++k) *offset++ = c * layer_.length + k * layer_.dilation;
  }
  return true;
}

void DirectWeightGradient::run(int32_t begin, int32_t end, const Arrays& arrays, float* scratch) const {
  const int64_t blocks = int64_t{rows_of_blocks()} * blocks_of_row();
  const size_t columns = static_cast<size_t>(schedule_.channels) * static_cast<size_t>(layer_.kernel_size);
  const auto group_parts = static_cast<size_t>(parts_ / layer_.groups);
  for (int32_t i = begin; i < end; ++i) {
    const int32_t chunk = i / parts_;
    const int32_t part = i % parts_;
    const auto group = static_cast<size_t>(part) / group_parts;
    float* gw = chunk == 0 ? arrays.gw : arrays.sums + static_cast<size_t>(chunk - 1) * weights();
    gw += (group * static_cast<size_t>(layer_.group_out()) * group_parts + static_cast<size_t>(part) % group_parts) *
          columns;
    for (int32_t o = 0; o < layer_.group_out(); ++o) {
      std::fill_n(gw + static_cast<size_t>(o) * group_parts * columns, columns, 0.0F);
    }
    const int64_t last = blocks * (chunk + 1) / schedule_.chunks;
    for (int64_t b = blocks * chunk / schedule_.chunks; b < last; ++b) {
      Block block{};
      block.part = part;
      block.image = static_cast<int32_t>(b / blocks_of_row()) * schedule_.images;
      block.images = std::min(schedule_.images, layer_.batch - block.image);
      block.begin = static_cast<int32_t>(b % blocks_of_row()) * schedule_.block;
      block.end = std::min(block.begin + schedule_.block, layer_.out_length);
      run_block(block, arrays, gw, scratch);
    }
  }
}

void DirectWeightGradient::run_block(const Block& block, const Arrays& arrays, float* gw, float* scratch) const {
  if (schedule_.images > 1) return run_gathered(block, arrays, gw, scratch);
  const int32_t inner_begin = std::clamp(inner_begin_, block.begin, block.end);
  const int32_t inner_end = std::clamp(inner_end_, inner_begin, block.end);
  Block part = block;
  part.end = inner_begin;
  run_packed(part, arrays, gw, scratch);
  if (inner_end > inner_begin) {
    part.begin = inner_begin;
    part.end = inner_end;
    Dots dots{};
    dots.rows = rows_of(part, arrays.gy);
    dots.row_stride = static_cast<size_t>(layer_.out_length);
    dots.input = columns_of(part, arrays.x);
    dots.offsets = direct_offsets_.data();
    dots.count = inner_end - inner_begin;
    add(dots, gw);
  }
  part.begin = inner_end;
  part.end = block.end;
  run_packed(part, arrays, gw, scratch);
}

void DirectWeightGradient::run_packed(const Block& block, const Arrays& arrays, float* gw, float* scratch) const {
  Dots dots{};
  dots.count = block.end - block.begin;
  if (dots.count <= 0) return;
  block_.pack(layer_, arrays.x, block.image, block.part, block.begin, dots.count, scratch);
  dots.rows = rows_of(block, arrays.gy);
  dots.row_stride = static_cast<size_t>(layer_.out_length);
  dots.input = scratch;
  dots.offsets = block_.offsets();
  add(dots, gw);
}

void DirectWeightGradient::run_gathered(const Block& block, const Arrays& arrays, float* gw, float* scratch) const {
  float* rows = scratch + round_up<size_t>(static_cast<size_t>(block_.floats()), 16);
  const auto columns = static_cast<size_t>(schedule_.channels);
  // Whether each sample is an output's.
  const bool in_step =
      layer_.kernel_size == 1 && layer_.stride == 1 && layer_.first == 0 && layer_.length == layer_.out_length;
  Block image = block;
  for (int32_t n = 0; n < block.images; ++n, ++image.image) {
    const size_t at = static_cast<size_t>(n) * static_cast<size_t>(layer_.out_length);
    gather(rows_of(image, arrays.gy), layer_.group_out(), row_pitch(), rows + at);
    if (in_step) {
      gather(columns_of(image, arrays.x), schedule_.channels, static_cast<size_t>(block_.floats()) / columns,
             scratch + at);
    } else {
      block_.pack(layer_, arrays.x, image.image, block.part, 0, layer_.out_length, scratch + at);
    }
  }
  Dots dots{};
  dots.rows = rows;
  dots.row_stride = row_pitch();
  dots.input = scratch;
  dots.offsets = block_.offsets();
  dots.count = block.images * layer_.out_length;
  add(dots, gw);
}

void DirectWeightGradient::gather(const float* source, int32_t rows, size_t pitch, float* gathered) const {
  const auto row = static_cast<size_t>(layer_.out_length);
  for (int32_t r = 0; r < rows; ++r, source += row, gathered += pitch) {
    for (size_t t = 0; t < row; ++t) gathered[t] = source[t];
  }
}

const float* DirectWeightGradient::columns_of(const Block& block, const float* x) const {
  const size_t row = static_cast<size_t>(block.image) * static_cast<size_t>(layer_.in_channels) +
                     static_cast<size_t>(block.part) * static_cast<size_t>(schedule_.channels);
  return x + row * static_cast<size_t>(layer_.length) + (layer_.first + block.begin);
}

const float* DirectWeightGradient::rows_of(const Block& block, const float* gy) const {
  const int32_t first = block.part / (parts_ / layer_.groups) * layer_.group_out();
  const size_t row = static_cast<size_t>(block.image) * layer_.out_channels + static_cast<size_t>(first);
  return gy + row * static_cast<size_t>(layer_.out_length) + static_cast<size_t>(block.begin);
}

void DirectWeightGradient::add(Dots dots, float* gw) const {
  dots.columns = schedule_.channels * layer_.kernel_size;
  dots.sum_stride = static_cast<size_t>(layer_.group_in()) * static_cast<size_t>(layer_.kernel_size);
  dots.sums = gw;
  for (int32_t o = 0; o < layer_.group_out();) {
    const DotsTile& tile = choose_dots(layer_.group_out() - o);
    tile.run(dots);
    dots.rows += static_cast<size_t>(tile.rows) * dots.row_stride;
    dots.sums += static_cast<size_t>(tile.rows) * dots.sum_stride;
    o += tile.rows;
  }
}

void DirectWeightGradient::finish(const Arrays& arrays) const {
  const float* sums = arrays.sums;
  for (int32_t chunk = 1; chunk < schedule_.chunks; ++chunk) {
    for (size_t i = 0; i < weights(); ++i) arrays.gw[i] += *sums++;
  }
}

}  // namespace conv1d
