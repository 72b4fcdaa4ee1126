#include "reference.h"

#include <cmath>

#include "operator/padding.h"

namespace conv1d {

void reference_conv1d(const Params& params, const Geometry& geometry, const double* input, const double* weight,
                      const double* bias, double* output, double* bound) {
  for (int64_t n = 0; n < geometry.batch; ++n) {
    for (int64_t o = 0; o < params.out_channels; ++o) {
      const int64_t first_channel = o / params.group_out() * params.group_in();
      for (int64_t t = 0; t < geometry.out_length; ++t) {
        double sum = bias != nullptr ? bias[o] : 0;
        double magnitude = std::abs(sum);
        for (int64_t c = 0; c < params.group_in(); ++c) {
          for (int64_t k = 0; k < params.kernel_size; ++k) {
            const int64_t at = source_index(
                params.padding_mode, t * params.stride + k * params.dilation - geometry.pad_left, geometry.length);
            const double x = at < 0 ? 0 : input[(n * params.in_channels + first_channel + c) * geometry.length + at];
            const double product = weight[(o * params.group_in() + c) * params.kernel_size + k] * x;
            sum += product;
            magnitude += std::abs(product);
          }
        }
        const int64_t index = (n * params.out_channels + o) * geometry.out_length + t;
        output[index] = sum;
        if (bound != nullptr) bound[index] = magnitude;
      }
    }
  }
}

}  // namespace conv1d
