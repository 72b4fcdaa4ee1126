#include "methods/fft_convolution.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "choose/cost.h"
#include "kernels/spectra_f32.h"
#include "operator/finish.h"
#include "operator/padding.h"
#include "options/activation.h"
#include "simd.h"

namespace conv1d {
namespace {

// Cycles, fitted as those of cost.cpp: of a transform for each complex number and doubling, for each one of sizes that
// split in two first, and for each call; of a product; of a sample that is copied in or out, one after another or
// picked.
constexpr double kLevelCycles = 0.75;
constexpr double kHalvedCycles = 0.74;
constexpr double kCallCycles = 190;
constexpr double kProductCycles = in_build(0.59, 0.97);
constexpr double kCopyCycles = in_build(0.97, 1.1);
constexpr double kPickCycles = 2.8;
// Of a number of the taps' spectra where those are more than the L2 cache holds, or far more.
constexpr double kLoadCycles = in_build(0.32, 0.06);
constexpr double kFarLoadCycles = in_build(1.7, 1.3);
constexpr double kCacheFloats = 196608;
constexpr double kLargeFloats = 1048576;
// Of the windows of the blocks of a piece, when what they share is in a cache or not, and the most blocks there are.
constexpr double kWindowFloats = 65536;
constexpr double kManyWindowFloats = 131072;
constexpr int32_t kMostTogether = 16;
// Of a piece: a run can pause only between pieces.
constexpr double kLongestPiece = 30e6;

// Rows a power of two apart would compete for the same few lines of the cache.
size_t pitch_of_rows(int32_t size) { return static_cast<size_t>(size) + 16; }

// sum[i] = x[i] + constant, i < count. The two may be the same.
void add_constant(const float* x, float constant, float* sum, size_t count) {
  const v128_t all = wasm_f32x4_splat(constant);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) wasm_v128_store(sum + i, wasm_f32x4_add(wasm_v128_load(x + i), all));
  for (; i < count; ++i) sum[i] = x[i] + constant;
}

// Blocks of a piece, as evenly as they go, so that their windows have about `room` when each has `floats`.
int32_t blocks_together(int32_t blocks, double floats, double room) {
  const int32_t most = std::clamp(static_cast<int32_t>(room / floats) / 2 * 2, 2, kMostTogether);
  const int32_t pieces = (blocks - 1) / most + 1;
  return std::min(most, ((blocks - 1) / pieces + 2) / 2 * 2);
}

int doublings(int32_t size) {
  int result = 0;
  while (size >> result > 1) ++result;
  return result;
}

}  // namespace

FftCut cut_for_fft(const Params& params, const Geometry& geometry, int threads) {
  FftCut cut{};
  cut.phases = std::min(params.kernel_size, params.phases());
  cut.lanes = params.phase_dilation();
  cut.taps = (params.kernel_size - 1) / cut.phases + 1;
  const int32_t lanes = std::min(cut.lanes, geometry.out_length);
  const int32_t row_outputs = (geometry.out_length - 1) / cut.lanes + 1;
  const double rows = static_cast<double>(params.group_in()) * cut.phases;
  const double pick = params.stride == 1 && cut.lanes == 1 ? kCopyCycles : kPickCycles;
  const double copy = pick * share_of_samples(geometry);
  // The size depends on layer and length alone, so that outputs are the same in any batch and with any number of
  // threads.
  double least = 0;
  for (int64_t size = Fft::kLeastSize; size <= Fft::kMostSize; size *= 2) {
    if (size < cut.taps) continue;
    const double floats = rows * params.out_channels * static_cast<double>(size);
    if (floats > (params.algorithm == Algorithm::kAuto ? kMostAutoSpectra : static_cast<double>(kMaxElements))) break;
    const auto outputs = static_cast<int32_t>(std::min<int64_t>(size - cut.taps + 1, row_outputs));
    const int32_t blocks = (row_outputs - 1) / outputs + 1;
    const int32_t together = rows * params.group_out() > 1
                                 ? blocks_together(lanes * blocks, rows * static_cast<double>(size),
                                                   floats > kLargeFloats ? kManyWindowFloats : kWindowFloats)
                                 : 1;
    const double half = static_cast<double>(size) / 2;
    const int levels = doublings(static_cast<int32_t>(half));
    const double fft = half * (kLevelCycles * levels + (levels % 2 == 0 ? 0 : kHalvedCycles)) + kCallCycles;
    const double load = (floats > kLargeFloats ? kFarLoadCycles : floats > kCacheFloats ? kLoadCycles : 0) / together;
    const double in = rows * (fft + copy * static_cast<double>(size));
    const double out = params.group_out() * (rows * half * (kProductCycles + load) + fft + pick * outputs);
    const double cycles = static_cast<double>(lanes) * blocks * (in + out);
    if (cut.size > 0 && cycles >= least) continue;
    least = cycles;
    cut.size = static_cast<int32_t>(size);
    cut.outputs = outputs;
    cut.blocks = blocks;
    cut.together = together;
    cut.cycles = cycles * geometry.batch * params.groups;
    const double pieces = params.groups * std::ceil(static_cast<double>(geometry.batch) * lanes * blocks / together);
    const double parts = std::max(together * (in + out) / kLongestPiece, threads > 1 ? 2 * threads / pieces : 1);
    cut.oc_parts = static_cast<int32_t>(std::clamp(std::ceil(parts), 1.0, (params.group_out() + 1) / 2.0));
    if (outputs == row_outputs) break;
  }
  return cut;
}

std::unique_ptr<FftConvolution> FftConvolution::make(Weights& weights, const Geometry& geometry, int threads,
                                                     double* wanted) {
  std::unique_ptr<FftConvolution> made(new (std::nothrow) FftConvolution(weights.params(), geometry, threads));
  *wanted = sizeof(FftConvolution);
  if (!made) return nullptr;
  *wanted = 0;
  if (made->cut_.size == 0) return nullptr;
  *wanted = static_cast<double>(made->packed_floats()) * sizeof(float);
  if (!made->definition_.lay_out(made->cut_.outputs) || !made->fft_.prepare(made->cut_.size) ||
      !made->row_.reserve(static_cast<size_t>(made->cut_.size)) ||
      !weights.reserve_transformed(Algorithm::kFft, made->packed_floats())) {
    return nullptr;
  }
  return made;
}

size_t FftConvolution::packed_floats() const {
  return static_cast<size_t>(params_.out_channels) * static_cast<size_t>(rows()) * static_cast<size_t>(cut_.size);
}

size_t FftConvolution::panels_at() const { return 2 * static_cast<size_t>(cut_.together) * pitch_of_rows(cut_.size); }

size_t FftConvolution::scratch_floats() const {
  if (!has_products()) return pitch_of_rows(cut_.size) + definition_.scratch_floats();
  return panels_at() + panel_floats() + definition_.scratch_floats();
}

void FftConvolution::pack(Weights& weights) {
  definition_.pack(weights);
  weights_ = weights.weight();
  bias_ = weights.wide_bias();
  spectra_ =
      weights.transformed(Algorithm::kFft, cut_.size, [&](float* spectra) { pack_spectra(weights.weight(), spectra); });
}

void FftConvolution::pack_spectra(const void* weights, float* spectra) {
  const int32_t size = cut_.size;
  const auto depth = static_cast<size_t>(rows());
  const float scale = 2.0F / static_cast<float>(size);
  int64_t first = 0;  // tap of the channel
  for (int32_t oc = 0; oc < params_.out_channels; ++oc) {
    const int32_t o = oc % params_.group_out();
    const size_t outputs = (o | 1) < params_.group_out() ? 2 : 1;  // of the panel
    float* panel =
        spectra + static_cast<size_t>(oc - o % 2) * depth * static_cast<size_t>(size) + size_t{o % 2 == 0 ? 0U : 8U};
    for (int32_t c = 0; c < params_.group_in(); ++c, first += params_.kernel_size) {
      for (int32_t phase = 0; phase < cut_.phases; ++phase, panel += 8 * outputs) {
        // Output t is the sum of w[j] * x[t + j]: tap j is the coefficient of z^-j, which is -z^(N - j).
        std::fill_n(row_.data(), size, 0.0F);
        for (int32_t k = phase, j = 0; k < params_.kernel_size; k += cut_.phases, ++j) {
          const float w = scale * element(params_.dtype, weights, first + k);
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
  const int32_t pairs = (params_.group_out() + 1) / 2;
  Piece piece{};
  piece.group = index / cut_.oc_parts / spans();
  piece.first = span * cut_.together;
  piece.blocks = std::min(cut_.together, blocks() - piece.first);
  piece.oc_begin = static_cast<int32_t>(int64_t{pairs} * part / cut_.oc_parts) * 2;
  piece.oc_end = std::min(static_cast<int32_t>(int64_t{pairs} * (part + 1) / cut_.oc_parts) * 2, params_.group_out());
  return piece;
}

FftConvolution::Block FftConvolution::block(int32_t index) const {
  const int32_t first = index % cut_.blocks * cut_.outputs;  // of the lane
  const int32_t lane = index / cut_.blocks % lanes();
  const int32_t all = (geometry_.out_length - 1 - lane) / cut_.lanes + 1;
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
  const auto samples = static_cast<size_t>(block.count + params_.kernel_size - 1);
  Exceptions exceptions;
  const Evenness evenness = judge(scratch, samples, 1, params_.kernel_size);
  if (evenness == Evenness::kUneven && !find_exceptions(scratch, samples, params_.kernel_size, &exceptions)) {
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

void FftConvolution::add_exceptions(const Exceptions& exceptions, int32_t oc, int32_t count, float* sums) const {
  for (int32_t i = 0; i < exceptions.silent_count; ++i) {
    std::fill(sums + exceptions.silent[i].begin, sums + exceptions.silent[i].end, 0.0F);
  }
  const int32_t taps = params_.kernel_size;
  for (int32_t i = 0; i < exceptions.outlier_count; ++i) {
    const auto [at, value] = exceptions.outliers[i];
    for (int32_t t = std::max(0, at - taps + 1); t <= std::min(at, count - 1); ++t) {
      sums[t] += element(params_.dtype, weights_, int64_t{oc} * taps + at - t) * value;
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
      const int32_t least_taps = params_.kernel_size / cut_.phases;
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
    const int32_t oc = piece.group * params_.group_out() + o;
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
    definition_.copy_row(block.image, group * params_.group_in() + row / cut_.phases, phase, block.begin, block.count,
                         input, window);
  }
  std::fill(window + count, window + cut_.size, 0.0F);
}

void FftConvolution::write(const Block& block, int32_t oc, float* sums, void* output) const {
  const auto count = static_cast<size_t>(block.count);
  const auto out_length = static_cast<size_t>(geometry_.out_length);
  const size_t at = (static_cast<size_t>(block.image) * params_.out_channels + static_cast<size_t>(oc)) * out_length +
                    static_cast<size_t>(block.begin);
  if (params_.dtype == DType::kFloat32 && cut_.lanes == 1) {
    float* finished = static_cast<float*>(output) + at;
    add_constant(sums, bias_[oc], finished, count);
    return apply_activation(params_.activation, params_.slope, finished, count);
  }
  add_constant(sums, bias_[oc], sums, count);
  write_row(params_, sums, count, output, at, static_cast<size_t>(cut_.lanes));
}

}  // namespace conv1d
