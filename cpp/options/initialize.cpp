#include "options/initialize.h"

#include <cmath>
#include <numbers>

#include "half.h"
#include "split_mix.h"

namespace conv1d {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : seed_(seed) {}

  // In [0, 1), 53 bits.
  double uniform() { return static_cast<double>(split_mix(seed_, count_++) >> 11) * 0x1p-53; }

  // Standard normal, by the Box-Muller transform.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  uint64_t seed_;
  uint64_t count_ = 0;
};

template <class Draw>
void fill(DType dtype, void* values, int64_t count, Draw draw) {
  for (int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(draw());
    if (dtype == DType::kFloat32) {
      static_cast<float*>(values)[i] = value;
    } else {
      static_cast<uint16_t*>(values)[i] = float_to_half(value);
    }
  }
}

}  // namespace

void initialize(const Params& params, InitScheme scheme, uint64_t seed, void* weight, void* bias) {
  Random random(seed);
  const int64_t biases = bias != nullptr ? params.out_channels : 0;
  if (scheme == InitScheme::kMegEngine) {
    const double deviation = std::sqrt(1.0 / (static_cast<double>(params.kernel_size) * params.in_channels));
    fill(params.dtype, weight, params.weight_size(), [&] { return deviation * random.normal(); });
    fill(params.dtype, bias, biases, [] { return 0.0; });
  } else {
    // PyTorch takes the second extent of the weight for the number of inputs, transposed or not.
    const double inputs = params.transposed ? params.group_out() : params.group_in();
    const double limit = 1 / std::sqrt(inputs * params.kernel_size);
    const auto draw = [&] { return limit * (2 * random.uniform() - 1); };
    fill(params.dtype, weight, params.weight_size(), draw);
    fill(params.dtype, bias, biases, draw);
  }
}

}  // namespace conv1d
