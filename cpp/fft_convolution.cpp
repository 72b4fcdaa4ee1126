#include "fft_convolution.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <numeric>

#include "activation.h"
#include "finish.h"
#include "half.h"
#include "padding.h"
#include "simd.h"

namespace conv1d {
namespace {

// Cycles, fitted to the times of 160 random layers (relaxed build), nine in ten of which they tell within 10%: of a
// transform for each complex number and doubling, for each one of sizes that split in two first, and for each call; of
// a product; of a sample that is copied in or out, one after another or picked.
constexpr double kLevelCycles = 0.29;
constexpr double kHalvedCycles = 0.5;
constexpr double kCallCycles = 76;
constexpr double kProductCycles = 0.94;
constexpr double kFarProductCycles = 1.15;  // where the spectra of the weights are not in the L2 cache
constexpr double kCopyCycles = 0.81;
constexpr double kPickCycles = 2.7;
constexpr double kDistantProductCycles = 2.5;  // nor in the L3 cache
constexpr double kCacheFloats = 196608;
constexpr double kLargeCacheFloats = 4194304;
// Of the weights' spectra, unless they are asked for.
constexpr double kMostFloats = 33554432;
// Of a piece: a run can pause only between pieces.
constexpr double kLongestPiece = 30e6;

// Rows a power of two apart would compete for the same few lines of the cache.
size_t pitch_of_rows(int32_t size) { return static_cast<size_t>(size) + 16; }

float element(DType dtype, const void* values, int64_t i) {
  return dtype == DType::kFloat32 ? static_cast<const float*>(values)[i]
                                  : half_to_float(static_cast<const uint16_t*>(values)[i]);
}

// sum[i] = x[i] + constant, i < count. The two may be the same.
void add_constant(const float* x, float constant, float* sum, size_t count) {
  const v128_t all = wasm_f32x4_splat(constant);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) wasm_v128_store(sum + i, wasm_f32x4_add(wasm_v128_load(x + i), all));
  for (; i < count; ++i) sum[i] = x[i] + constant;
}

int doublings(int32_t size) {
  int result = 0;
  while (size >> result > 1) ++result;
  return result;
}

}  // namespace

FftCut cut_for_fft(const Params& params, const Geometry& geometry, int threads) {
  FftCut cut{};
  const int32_t common = std::gcd(params.stride, params.dilation);
  cut.phases = std::min(params.kernel_size, params.stride / common);
  cut.layers = params.dilation / common;
  cut.taps = (params.kernel_size - 1) / cut.phases + 1;
  const int32_t row_outputs = (geometry.out_length - 1) / cut.layers + 1;
  const double rows = static_cast<double>(params.group_in()) * cut.phases;
  const double copy = params.stride * cut.layers == 1 ? kCopyCycles : kPickCycles;
  const int64_t images = int64_t{geometry.batch} * params.groups * std::min(cut.layers, geometry.out_length);
  for (int64_t size = Fft::kLeastSize; size <= Fft::kMostSize; size *= 2) {
    if (size < cut.taps) continue;
    const double floats = rows * params.out_channels * static_cast<double>(size);
    if (floats > (params.algorithm == Algorithm::kAuto ? kMostFloats : static_cast<double>(kMaxElements))) break;
    const auto outputs = static_cast<int32_t>(std::min<int64_t>(size - cut.taps + 1, row_outputs));
    const int32_t blocks = (row_outputs - 1) / outputs + 1;
    const double half = static_cast<double>(size) / 2;
    const int levels = doublings(static_cast<int32_t>(half));
    const double fft = half * (kLevelCycles * levels + (levels % 2 == 0 ? 0 : kHalvedCycles)) + kCallCycles;
    const double product = floats > kLargeCacheFloats ? kDistantProductCycles
                           : floats > kCacheFloats    ? kFarProductCycles
                                                      : kProductCycles;
    const double in = rows * (fft + copy * static_cast<double>(size));
    const double out = params.group_out() * (rows * product * half + fft + copy * outputs);
    const auto pieces = static_cast<double>(images * blocks);
    if (cut.size > 0 && pieces * (in + out) >= cut.cycles) continue;
    cut.cycles = pieces * (in + out);
    cut.size = static_cast<int32_t>(size);
    cut.outputs = outputs;
    cut.blocks = blocks;
    // The size hangs on the layer alone, so that outputs are the same with any number of threads.
    const double least_parts = std::max((in + out) / kLongestPiece, threads > 1 ? 2 * threads / pieces : 1);
    cut.oc_parts =
        static_cast<int32_t>(std::clamp(std::ceil(least_parts), 1.0, static_cast<double>(params.group_out())));
    if (outputs == row_outputs) break;
  }
  return cut;
}

std::unique_ptr<FftConvolution> FftConvolution::make(Weights& weights, const Geometry& geometry, int threads,
                                                     double* wanted) {
  std::unique_ptr<FftConvolution> made(new (std::nothrow) FftConvolution(weights.params(), geometry, threads));
  *wanted = sizeof(FftConvolution);
  if (!made) return nullptr;
  *wanted = static_cast<double>(weights.params().weight_size()) * 2 * sizeof(float);  // at least
  if (made->cut_.size == 0) return nullptr;
  *wanted = static_cast<double>(made->packed_floats()) * sizeof(float);
  if (!made->fft_.prepare(made->cut_.size) || !weights.reserve_transformed(Algorithm::kFft, made->packed_floats())) {
    return nullptr;
  }
  return made;
}

size_t FftConvolution::packed_floats() const {
  return static_cast<size_t>(params_.out_channels) * static_cast<size_t>(rows()) * static_cast<size_t>(cut_.size);
}

size_t FftConvolution::scratch_floats() const {
  const bool apart = rows() > 1 || params_.group_out() > 1;  // sums from windows
  return (static_cast<size_t>(rows()) + (apart ? 1 : 0)) * pitch_of_rows(cut_.size);
}

void FftConvolution::pack(Weights& weights) {
  bias_ = weights.wide_bias();
  spectra_ =
      weights.transformed(Algorithm::kFft, cut_.size, [&](float* spectra) { pack_spectra(weights.weight(), spectra); });
}

void FftConvolution::pack_spectra(const void* weights, float* spectra) const {
  const int32_t size = cut_.size;
  const float scale = 2.0F / static_cast<float>(size);
  for (int64_t channel = 0; channel < int64_t{params_.out_channels} * params_.group_in(); ++channel) {
    for (int32_t phase = 0; phase < cut_.phases; ++phase, spectra += size) {
      // Output t is the sum of w[j] * x[t + j]: tap j is the coefficient of z^-j, which is -z^(N - j).
      std::fill_n(spectra, size, 0.0F);
      for (int32_t k = phase, j = 0; k < params_.kernel_size; k += cut_.phases, ++j) {
        const float w = scale * element(params_.dtype, weights, channel * params_.kernel_size + k);
        spectra[j == 0 ? 0 : size - j] = j == 0 ? w : -w;
      }
      fft_.forward(spectra);
    }
  }
}

FftConvolution::Piece FftConvolution::piece(int32_t index) const {
  const auto take = [&](int32_t count) {
    const int32_t digit = index % count;
    index /= count;
    return digit;
  };
  Piece piece{};
  const int32_t part = take(cut_.oc_parts);
  const int32_t first = take(cut_.blocks) * cut_.outputs;  // of the layer
  const int32_t layer = take(std::min(cut_.layers, geometry_.out_length));
  piece.group = take(params_.groups);
  piece.image = index;
  const int32_t all = (geometry_.out_length - 1 - layer) / cut_.layers + 1;
  piece.count = std::clamp(all - first, 0, cut_.outputs);
  piece.begin = layer + first * cut_.layers;
  piece.oc_begin = static_cast<int32_t>(int64_t{params_.group_out()} * part / cut_.oc_parts);
  piece.oc_end = static_cast<int32_t>(int64_t{params_.group_out()} * (part + 1) / cut_.oc_parts);
  return piece;
}

void FftConvolution::run(int32_t begin, int32_t end, const void* input, void* output, float* scratch) const {
  const size_t pitch = pitch_of_rows(cut_.size);
  const auto size = static_cast<size_t>(cut_.size);
  const int32_t depth = rows();
  const bool apart = depth > 1 || params_.group_out() > 1;
  float* sums = scratch + (apart ? static_cast<size_t>(depth) * pitch : 0);
  for (int32_t i = begin; i < end; ++i) {
    const Piece now = piece(i);
    if (now.count == 0) continue;
    // The parts of a block follow each other, and have the same windows.
    if (i == begin || now.oc_begin == 0) {
      for (int32_t row = 0; row < depth; ++row) {
        float* window = scratch + static_cast<size_t>(row) * pitch;
        copy_row(now, row, static_cast<const uint8_t*>(input), window);
        if (apart) fft_.forward(window);
      }
    }
    for (int32_t o = now.oc_begin; o < now.oc_end; ++o) {
      const int32_t oc = now.group * params_.group_out() + o;
      const float* spectra = spectra_ + static_cast<size_t>(oc) * static_cast<size_t>(depth) * size;
      if (apart) {
        multiply_spectra(scratch, pitch, spectra, size, depth, sums, cut_.size, false);
        fft_.inverse(sums);
      } else {
        fft_.filter(sums, spectra);
      }
      write(now, oc, sums, output);
    }
  }
}

void FftConvolution::copy_row(const Piece& piece, int32_t row, const uint8_t* input, float* window) const {
  const Geometry& g = geometry_;
  const int32_t channel = piece.group * params_.group_in() + row / cut_.phases;
  const int32_t phase = row % cut_.phases;
  const auto row_bytes = static_cast<size_t>(g.length) * static_cast<size_t>(params_.element_bytes());
  const uint8_t* samples =
      input + (static_cast<size_t>(piece.image) * params_.in_channels + static_cast<size_t>(channel)) * row_bytes;
  const int64_t first = int64_t{piece.begin} * params_.stride + int64_t{phase} * params_.dilation - g.pad_left;
  const int32_t taps = (params_.kernel_size - 1 - phase) / cut_.phases + 1;
  const int32_t count = piece.count + taps - 1;
  pick_window(params_.padding_mode, params_.dtype, samples, g.length, first, int64_t{params_.stride} * cut_.layers,
              count, window);
  std::fill(window + count, window + cut_.size, 0.0F);
}

void FftConvolution::write(const Piece& piece, int32_t oc, float* sums, void* output) const {
  const auto count = static_cast<size_t>(piece.count);
  const auto out_length = static_cast<size_t>(geometry_.out_length);
  const size_t at = (static_cast<size_t>(piece.image) * params_.out_channels + static_cast<size_t>(oc)) * out_length +
                    static_cast<size_t>(piece.begin);
  const bool wide = params_.dtype == DType::kFloat32;
  const bool in_place = wide && cut_.layers == 1;
  float* finished = in_place ? static_cast<float*>(output) + at : sums;
  add_constant(sums, bias_[oc], finished, count);
  if (cut_.layers == 1) return finish_rows(params_, finished, count, 1, count, output, at, out_length);
  apply_activation(params_.activation, params_.slope, sums, count);
  for (size_t i = 0; i < count; ++i) {
    const size_t to = at + i * static_cast<size_t>(cut_.layers);
    if (wide) {
      static_cast<float*>(output)[to] = sums[i];
    } else {
      static_cast<uint16_t*>(output)[to] = float_to_half(sums[i]);
    }
  }
}

}  // namespace conv1d
