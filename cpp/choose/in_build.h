// Constants that differ between the builds.
#pragma once

namespace conv1d {

// A constant of the relaxed build, or of others, where a madd is two instructions.
template <typename T>
constexpr T in_build([[maybe_unused]] T relaxed, [[maybe_unused]] T other) {
#ifdef __wasm_relaxed_simd__
  return relaxed;
#else
  return other;
#endif
}

}  // namespace conv1d
