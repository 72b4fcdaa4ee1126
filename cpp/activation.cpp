#include "activation.h"

#include <cmath>
namespace conv1d {
void apply_activation(Activation f, float slope, float* v, size_t n) {
  if (f == Activation::kNone) return;
  for (size_t i = 0; i < n; ++i) {
    double x = v[i], y = x;
    switch (f) {
      case Activation::kNone:
        break;
      case Activation::kRelu:
        y = x > 0 || std::isnan(x) ? x : 0;
        break;
      case Activation::kLeakyRelu:
        y = x >= 0 ? x : x * slope;
        break;
      case Activation::kGelu:
        y = x * 0.5 * std::erfc(-x * std::sqrt(0.5));
        break;
      case Activation::kGeluTanh:
        y = x / (1 + std::exp(-2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
        break;
      case Activation::kSilu:
        y = x / (1 + std::exp(-x));
        break;
      case Activation::kTanh:
        y = std::tanh(x);
        break;
      case Activation::kSigmoid:
        y = 1 / (1 + std::exp(-x));
        break;
    }
    v[i] = (float)y;
  }
}
}  // namespace conv1d
