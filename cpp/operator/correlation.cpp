#include "operator/correlation.h"

#include <numeric>

#include "integers.h"

namespace conv1d {

std::optional<TransposedPhase> transposed_of(const Correlation& forward, int32_t phase, int64_t begin, int64_t end) {
  const int32_t phases = forward.phases();
  const int64_t stride = forward.stride;
  const int64_t remainder = int64_t{phase} * std::gcd(forward.stride, forward.dilation);  // of p - first, by the stride
  // The taps that lead there are first_of_phase, first_of_phase + phases, ...
  int32_t first_of_phase = 0;
  while (first_of_phase < phases && int64_t{first_of_phase} * forward.dilation % stride != remainder) ++first_of_phase;
  if (first_of_phase >= forward.kernel_size) return std::nullopt;
  const int32_t taps = (forward.kernel_size - 1 - first_of_phase) / phases + 1;

  // Output u is position first + remainder + stride * u.
  const int64_t origin = forward.first + remainder;
  const int64_t first_output = -floor_div(origin - begin, stride);
  const int64_t outputs = floor_div(end - 1 - origin, stride) + 1 - first_output;
  if (outputs <= 0) return std::nullopt;

  TransposedPhase transposed{};
  Correlation& t = transposed.correlation;
  t.in_channels = forward.out_channels;
  t.out_channels = forward.in_channels;
  t.kernel_size = taps;
  t.stride = 1;
  t.dilation = forward.phase_dilation();
  t.groups = forward.groups;
  t.padding_mode = PaddingMode::kZeros;
  t.dtype = forward.dtype;
  t.batch = forward.batch;
  t.length = forward.out_length;
  t.first = first_output + (remainder - int64_t{first_of_phase} * forward.dilation) / stride - t.reach();
  t.out_length = static_cast<int32_t>(outputs);
  t.out_row = static_cast<int32_t>(end - begin);
  t.out_step = forward.stride;
  transposed.begin = static_cast<int32_t>(origin + stride * first_output - begin);
  transposed.first_tap = first_of_phase + (taps - 1) * phases;
  return transposed;
}

}  // namespace conv1d
