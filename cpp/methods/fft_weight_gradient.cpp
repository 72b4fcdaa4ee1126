#include "methods/fft_weight_gradient.h"

#include "kernels/spectra_f32.h"
#include "methods/evenness.h"
#include "operator/padding.h"

namespace conv1d {

size_t FftWeightGradient::scratch_floats() const {
  const auto rows = static_cast<size_t>(schedule_.channels);
  const auto columns = static_cast<size_t>(layer_.group_out());
  return std::max(direct_.scratch_floats(), (rows * columns + (rows + columns) * kTogether) * pitch());
}

void FftWeightGradient::run(int32_t begin, int32_t end, const Arrays& arrays, float* scratch) const {
  for (int32_t part = begin; part < end; ++part) {
    if (!run_piece(part, arrays, scratch)) direct_.run(part, part + 1, arrays, scratch);
  }
}

bool FftWeightGradient::run_piece(int32_t part, const Arrays& arrays, float* scratch) const {
  const int32_t channels = schedule_.channels;
  const int32_t outputs = layer_.group_out();
  const int32_t first_input = part * channels;
  const int32_t first_output = first_input / layer_.group_in() * outputs;
  const size_t row = kTogether * pitch();
  float* inputs = scratch;
  float* gradients = inputs + static_cast<size_t>(channels) * row;
  float* sums = gradients + static_cast<size_t>(outputs) * row;
  std::fill_n(sums, static_cast<size_t>(channels) * static_cast<size_t>(outputs) * pitch(), 0.0F);
  const int32_t blocks = layer_.batch * blocks_of_row();
  for (int32_t first = 0; first < blocks; first += kTogether) {
    const int32_t count = std::min(kTogether, blocks - first);
    for (int32_t b = 0; b < count; ++b) {
      const size_t at = static_cast<size_t>(b) * pitch();
      for (int32_t c = 0; c < channels; ++c) {
        float* own = inputs + static_cast<size_t>(c) * row + at;
        if (!transform_input(first_input + c, first + b, arrays.x, own)) return false;
      }
      for (int32_t o = 0; o < outputs; ++o) {
        float* own = gradients + static_cast<size_t>(o) * row + at;
        if (!transform_gradient(first_output + o, first + b, arrays.gy, own)) return false;
      }
    }
    float* sum = sums;
    for (int32_t o = 0; o < outputs; ++o) {
      for (int32_t c = 0; c < channels; ++c, sum += pitch()) {
        add_products(inputs + static_cast<size_t>(c) * row, pitch(), gradients + static_cast<size_t>(o) * row, pitch(),
                     count, sum, schedule_.fft_size);
      }
    }
  }
  const float scale = 2.0F / static_cast<float>(schedule_.fft_size);
  const auto taps = static_cast<size_t>(layer_.kernel_size);
  for (int32_t o = 0; o < outputs; ++o) {
    const auto channel = static_cast<size_t>(first_output + o) * static_cast<size_t>(layer_.group_in());
    float* gw = arrays.gw + (channel + static_cast<size_t>(first_input % layer_.group_in())) * taps;
    for (int32_t c = 0; c < channels; ++c, sums += pitch(), gw += taps) {
      fft_.inverse(sums);
      for (size_t k = 0; k < taps; ++k) gw[k] = scale * sums[k];
    }
  }
  return true;
}

bool FftWeightGradient::transform_input(int32_t channel, int32_t block, const float* x, float* spectrum) const {
  const int32_t begin = block % blocks_of_row() * outputs();
  const int32_t count = std::min(outputs(), layer_.out_length - begin);
  const int32_t samples = count + layer_.kernel_size - 1;
  const size_t row = static_cast<size_t>(block / blocks_of_row()) * static_cast<size_t>(layer_.in_channels) +
                     static_cast<size_t>(channel);
  copy_window(layer_.padding_mode, DType::kFloat32, x + row * static_cast<size_t>(layer_.length), layer_.length,
              layer_.first + begin, samples, spectrum);
  if (judge(spectrum, static_cast<size_t>(samples), 1, count) == Evenness::kUneven) return false;
  std::fill(spectrum + samples, spectrum + schedule_.fft_size, 0.0F);
  fft_.forward(spectrum);
  return true;
}

bool FftWeightGradient::transform_gradient(int32_t channel, int32_t block, const float* gy, float* spectrum) const {
  const int32_t begin = block % blocks_of_row() * outputs();
  const int32_t count = std::min(outputs(), layer_.out_length - begin);
  const size_t row = static_cast<size_t>(block / blocks_of_row()) * static_cast<size_t>(layer_.out_channels) +
                     static_cast<size_t>(channel);
  const float* own = gy + row * static_cast<size_t>(layer_.out_length) + begin;
  if (judge(own, static_cast<size_t>(count), 1, count) == Evenness::kUneven) return false;
  spectrum[0] = own[0];
  std::fill(spectrum + 1, spectrum + schedule_.fft_size, 0.0F);
  for (int32_t t = 1; t < count; ++t) spectrum[schedule_.fft_size - t] = -own[t];
  fft_.forward(spectrum);
  return true;
}

}  // namespace conv1d
