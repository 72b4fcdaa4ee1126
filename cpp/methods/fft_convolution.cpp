#include "methods/fft_convolution.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "choose/threads.h"
#include "kernels/spectra_f32.h"
#include "simd.h"

namespace conv1d {
namespace {

// Rows a power of two apart would compete for the same few lines of the cache.
size_t pitch_of_rows(int32_t size) { return static_cast<size_t>(size) + 16; }

// sum[i] = x[i] + constant, i < count. The two may be the same.
void add_constant(const float* x, float constant, float* sum, size_t count) {
  const v128_t all = wasm_f32x4_splat(constant);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) wasm_v128_store(sum + i, wasm_f32x4_add(wasm_v128_load(x + i), all));
  for (; i < count; ++i) sum[i] = x[i] + constant;
}

}  // namespace

FftConvolution::FftConvolution(const Correlation& layer, const Finish& finish, int threads, double most_spectra)
    : layer_(layer),
      finish_(finish),
      threads_(worth_threads(layer, threads)),
      cut_(cut_for_fft(layer, threads_, most_spectra)),
      definition_(layer, finish) {}

Result<std::unique_ptr<Method>> FftConvolution::make(const Correlation& layer, const Finish& finish, PackedForms* forms,
                                                     int threads, double most_spectra) {
  std::unique_ptr<FftConvolution> made(new (std::nothrow) FftConvolution(layer, finish, threads, most_spectra));
  if (!made) return no_room(sizeof(FftConvolution), "scratch");
  if (made->cut_.size == 0) return fft_too_large(layer);
  if (!made->definition_.lay_out(made->cut_.outputs) || !made->fft_.prepare(made->cut_.size) ||
      !made->row_.reserve(static_cast<size_t>(made->cut_.size)) || !forms->spectra().reserve(made->packed_floats())) {
    return no_room(static_cast<double>(made->packed_floats()) * sizeof(float), "transformed weights");
  }
  return std::unique_ptr<Method>(std::move(made));
}

size_t FftConvolution::packed_floats() const {
  return static_cast<size_t>(layer_.out_channels) * static_cast<size_t>(rows()) * static_cast<size_t>(cut_.size);
}

size_t FftConvolution::panels_at() const { return 2 * static_cast<size_t>(cut_.together) * pitch_of_rows(cut_.size); }

size_t FftConvolution::scratch_floats() const {
  if (!has_products()) return pitch_of_rows(cut_.size) + definition_.scratch_floats();
  return panels_at() + panel_floats() + definition_.scratch_floats();
}

void FftConvolution::pack(const Weights& weights) {
  definition_.pack(weights);
  weights_ = weights.view;
  bias_ = weights.bias;
  spectra_ = weights.forms->spectra().get(cut_.size, [&](float* spectra) { pack_spectra(weights.view, spectra); });
}

void FftConvolution::pack_spectra(const WeightView& weights, float* spectra) {
  const int32_t size = cut_.size;
  const auto depth = static_cast<size_t>(rows());
  const float scale = 2.0F / static_cast<float>(size);
  for (int32_t oc = 0; oc < layer_.out_channels; ++oc) {
    const int32_t group = oc / layer_.group_out();
    const int32_t o = oc % layer_.group_out();
    const size_t outputs = (o | 1) < layer_.group_out() ? 2 : 1;  // of the panel
    float* panel =
        spectra + static_cast<size_t>(oc - o % 2) * depth * static_cast<size_t>(size) + size_t{o % 2 == 0 ? 0U : 8U};
    for (int32_t c = 0; c < layer_.group_in(); ++c) {
      for (int32_t phase = 0; phase < cut_.phases; ++phase, panel += 8 * outputs) {
        // Output t is the sum of w[j] * x[t + j]: tap j is the coefficient of z^-j, which is -z^(N - j).
        std::fill_n(row_.data(), size, 0.0F);
        for (int32_t k = phase, j = 0; k < layer_.kernel_size; k += cut_.phases, ++j) {
          const float w = scale * weights.at(group, o, c, k);
          row_[static_cast<size_t>(j == 0 ? 0 : size - j)] = j == 0 ? w : -w;
        }
        fft_.forward(row_.data());
        if (has_products()) {
          write_panel(row_.data(), size, panel, depth * 8 * outputs);
        } else {
          std::copy_n(row_.data(), size, panel);
        }
      }
    }
  }
}

FftConvolution::Piece FftConvolution::piece(int32_t index) const {
  const int32_t part = index % cut_.oc_parts;
  const int32_t span = index / cut_.oc_parts % spans();
  const int32_t pairs = (layer_.group_out() + 1) / 2;
  Piece piece{};
  piece.group = index / cut_.oc_parts / spans();
  piece.first = span * cut_.together;
  piece.blocks = std::min(cut_.together, blocks() - piece.first);
  piece.oc_begin = static_cast<int32_t>(int64_t{pairs} * part / cut_.oc_parts) * 2;
  piece.oc_end = std::min(static_cast<int32_t>(int64_t{pairs} * (part + 1) / cut_.oc_parts) * 2, layer_.group_out());
  return piece;
}

FftConvolution::Block FftConvolution::block(int32_t index) const {
  const int32_t first = index % cut_.blocks * cut_.outputs;  // of the lane
  const int32_t lane = index / cut_.blocks % lanes();
  const int32_t all = (layer_.out_length - 1 - lane) / cut_.lanes + 1;
  return {.image = index / cut_.blocks / lanes(),
          .begin = lane + first * cut_.lanes,
          .count = std::clamp(all - first, 0, cut_.outputs)};
}

void FftConvolution::run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const {
  uint32_t uneven = 0;
  for (int32_t i = begin; i < end; ++i) {
    const Piece now = piece(i);
    if (!has_products()) {
      filter(now, input, output, scratch);
      continue;
    }
    float* panels = scratch + panels_at();
    // The parts of a span follow each other, and have the same windows.
    if (i == begin || now.oc_begin == 0) uneven = transform_windows(now, input, panels, scratch);
    multiply(now, uneven, output, panels, scratch);
    for (int32_t b = 0; b < now.blocks; ++b) {
      if ((uneven >> b & 1) != 0) define(block(now.first + b), now, input, output, panels + panel_floats());
    }
  }
}

void FftConvolution::filter(const Piece& piece, const void* input, void* output, float* scratch) const {
  const Block block = this->block(piece.first);
  if (block.count == 0) return;
  copy_row(block, piece.group, 0, input, scratch);
  const auto samples = static_cast<size_t>(block.count + layer_.kernel_size - 1);
  Exceptions exceptions;
  const Evenness evenness = judge(scratch, samples, 1, layer_.kernel_size);
  if (evenness == Evenness::kUneven && !find_exceptions(scratch, samples, layer_.kernel_size, &exceptions)) {
    return define(block, piece, input, output, scratch + pitch_of_rows(cut_.size));
  }
  if (evenness != Evenness::kSilent) {
    fft_.forward(scratch);
    multiply_spectrum(scratch, spectra_ + static_cast<size_t>(piece.group) * static_cast<size_t>(cut_.size), cut_.size);
    fft_.inverse(scratch);
  }
  if (evenness == Evenness::kUneven) add_exceptions(exceptions, piece.group, block.count, scratch);
  write(block, piece.group, scratch, output);
}

void FftConvolution::add_exceptions(const Exceptions& exceptions, int32_t group, int32_t count, float* sums) const {
  for (int32_t i = 0; i < exceptions.silent_count; ++i) {
    std::fill(sums + exceptions.silent[i].begin, sums + exceptions.silent[i].end, 0.0F);
  }
  const int32_t taps = layer_.kernel_size;
  for (int32_t i = 0; i < exceptions.outlier_count; ++i) {
    const auto [at, value] = exceptions.outliers[i];
    for (int32_t t = std::max(0, at - taps + 1); t <= std::min(at, count - 1); ++t) {
      sums[t] += weights_.at(group, 0, 0, at - t) * value;
    }
  }
}

void FftConvolution::define(const Block& block, const Piece& piece, const void* input, void* output,
                            float* scratch) const {
  definition_.run({.image = block.image,
                   .group = piece.group,
                   .oc_begin = piece.oc_begin,
                   .oc_end = piece.oc_end,
                   .begin = block.begin,
                   .count = block.count},
                  input, output, scratch);
}

uint32_t FftConvolution::transform_windows(const Piece& piece, const void* input, float* panels, float* window) const {
  const auto depth = static_cast<size_t>(rows());
  const size_t step = static_cast<size_t>(piece.blocks) * depth * 8;
  float* magnitudes = window + pitch_of_rows(cut_.size);  // both lie where sums will
  uint32_t uneven = 0;
  for (int32_t b = 0; b < piece.blocks; ++b) {
    const size_t pair = (b | 1) < piece.blocks ? 2 : 1;
    const Block block = this->block(piece.first + b);
    const auto samples = static_cast<size_t>(block.count == 0 ? 0 : block.count + cut_.taps - 1);
    const auto look_at = [&](const float* x, int32_t of_rows) {
      const int32_t least_taps = layer_.kernel_size / cut_.phases;
      if (samples > 0 && judge(x, samples, of_rows, least_taps) == Evenness::kUneven) uneven |= 1U << b;
    };
    std::fill_n(magnitudes, samples, 0.0F);
    float* panel = panels + static_cast<size_t>(b - b % 2) * depth * 8 + size_t{b % 2 == 0 ? 0U : 8U};
    for (int32_t row = 0; row < rows(); ++row, panel += 8 * pair) {
      copy_row(block, piece.group, row, input, window);
      add_magnitudes(window, samples, magnitudes);
      if (rows() <= kFewRows) look_at(window, 1);
      fft_.forward(window);
      write_panel(window, cut_.size, panel, step);
    }
    look_at(magnitudes, rows());
  }
  return uneven;
}

void FftConvolution::multiply(const Piece& piece, uint32_t uneven, void* output, const float* panels,
                              float* sums) const {
  const auto depth = static_cast<size_t>(rows());
  const size_t pitch = pitch_of_rows(cut_.size);
  SpectraTile tile{};
  tile.x = panels;
  tile.blocks = piece.blocks;
  tile.sums = sums;
  tile.rows = rows();
  tile.output_pitch = static_cast<size_t>(cut_.together) * pitch;
  tile.block_pitch = pitch;
  tile.size = cut_.size;
  for (int32_t o = piece.oc_begin; o < piece.oc_end; o += 2) {
    const int32_t oc = piece.group * layer_.group_out() + o;
    tile.outputs = std::min(2, piece.oc_end - o);
    tile.h = spectra_ + static_cast<size_t>(oc) * depth * static_cast<size_t>(cut_.size);
    multiply_panels(tile);
    for (int32_t i = 0; i < tile.outputs; ++i) {
      for (int32_t b = 0; b < piece.blocks; ++b) {
        if ((uneven >> b & 1) != 0) continue;
        float* own = sums + static_cast<size_t>(i) * tile.output_pitch + static_cast<size_t>(b) * pitch;
        fft_.inverse(own);
        write(block(piece.first + b), oc + i, own, output);
      }
    }
  }
}

void FftConvolution::copy_row(const Block& block, int32_t group, int32_t row, const void* input, float* window) const {
  const int32_t phase = row % cut_.phases;
  int32_t count = 0;
  if (block.count > 0) {
    count = block.count + definition_.phase_taps(phase) - 1;
    definition_.copy_row(block.image, group * layer_.group_in() + row / cut_.phases, phase, block.begin, block.count,
                         input, window);
  }
  std::fill(window + count, window + cut_.size, 0.0F);
}

void FftConvolution::write(const Block& block, int32_t oc, float* sums, void* output) const {
  const OutputView outputs = outputs_of(layer_, output);
  float* biased = sums;
  if (outputs.in_place() && cut_.lanes == 1) {
    biased = static_cast<float*>(output) + outputs.at(block.image, oc, block.begin);
  }
  add_constant(sums, bias_[oc], biased, static_cast<size_t>(block.count));
  finish_rows(
      finish_, biased, 0,
      {.image = block.image, .channel = oc, .rows = 1, .begin = block.begin, .count = block.count, .step = cut_.lanes},
      outputs);
}

}  // namespace conv1d
