#include "choose/threads.h"

namespace conv1d {
namespace {

// Multiplications below which waking another thread costs more than it brings.
constexpr double kThreadWorth = 100e3;

}  // namespace

int worth_threads(const Correlation& layer, int threads) {
  const double multiplications =
      static_cast<double>(layer.batch) * layer.out_length * static_cast<double>(layer.weight_size());
  return multiplications >= kThreadWorth ? threads : 1;
}

}  // namespace conv1d
