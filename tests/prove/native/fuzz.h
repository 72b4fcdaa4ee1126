// Layers made of a fuzzer's bytes.
#pragma once

#include <fuzzer/FuzzedDataProvider.h>

#include <array>
#include <string>

#include "draw.h"
#include "heap.h"
#include "options/params.h"

namespace conv1d {

// Bytes that a layer or a stream may take: so many that small ones have enough, so few that no time goes into filling
// them.
inline constexpr size_t kRoom = 1 << 20;

// A size: as layers have them, or anything that a double can be.
inline double fuzz_size(FuzzedDataProvider* bytes, int32_t least, int32_t most) {
  const auto kind = bytes->ConsumeIntegral<uint8_t>();
  if (kind < 240) return bytes->ConsumeIntegralInRange(least, most);
  if (kind < 248) return bytes->ConsumeIntegral<int32_t>();
  return bytes->ConsumeFloatingPoint<double>();
}

template <size_t kCount>
std::string fuzz_name(FuzzedDataProvider* bytes, const std::array<const char*, kCount>& names) {
  const auto kind = bytes->ConsumeIntegral<uint8_t>();
  return kind < 250 ? names[kind % kCount] : bytes->ConsumeRandomLengthString(12);
}

inline Options fuzz_options(FuzzedDataProvider* bytes) {
  constexpr std::array kRules{"explicit", "valid", "same", "causal"};
  constexpr std::array kModes{"zeros", "reflect", "replicate", "circular"};
  constexpr std::array kDTypes{"float32", "float16"};
  constexpr std::array kAlgorithms{"auto", "direct", "toom_cook", "fft"};
  Options o;
  o.groups = fuzz_size(bytes, 1, 3);
  o.in_channels = o.groups * fuzz_size(bytes, 1, 3);
  o.out_channels = o.groups * fuzz_size(bytes, 1, 8);
  o.kernel_size = fuzz_size(bytes, 1, 40);
  o.stride = fuzz_size(bytes, 1, 5);
  o.dilation = fuzz_size(bytes, 1, 6);
  o.padding_rule = fuzz_name(bytes, kRules);
  o.pad_left = fuzz_size(bytes, 0, 20);
  o.pad_right = fuzz_size(bytes, 0, 20);
  o.padding_mode = fuzz_name(bytes, kModes);
  o.bias = bytes->ConsumeBool();
  o.dtype = fuzz_name(bytes, kDTypes);
  const ActivationEntry& entry = bytes->PickValueInArray(kActivations);
  o.activation = fuzz_name(bytes, std::array{entry.name});
  if (bytes->ConsumeBool()) {
    static std::array<double, kMostParameters> parameters;
    for (double& parameter : parameters) parameter = bytes->ConsumeFloatingPoint<double>();
    if (o.activation == entry.name) o.parameters = std::span(parameters).first(entry.parameter_count());
  }
  o.algorithm = fuzz_name(bytes, kAlgorithms);
  return o;
}

// A case that is not as it should be: libFuzzer keeps the input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// Every error says which field breaks which rule.
inline void require_error(const std::optional<Error>& error) {
  if (!error) return;
  require(error->code.starts_with("ERR_") && !error->field.empty() && !error->message.empty(), "an error says nothing");
}

}  // namespace conv1d
