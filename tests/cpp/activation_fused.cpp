// activation.cpp once more, with a madd() that rounds once, as in the relaxed build: see activation_test.cpp.
#define CONV1D_NATIVE_FMA
#define conv1d conv1d_fused

// A call of fmaf() for each product would take minutes in the tests that go through every float32.
#if defined(__x86_64__)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("fma"))), apply_to = function)
#else
#pragma GCC target("fma")
#endif
#endif

#include "../../cpp/options/activation.cpp"  // NOLINT(bugprone-suspicious-include)

#if defined(__x86_64__) && defined(__clang__)
#pragma clang attribute pop
#endif
