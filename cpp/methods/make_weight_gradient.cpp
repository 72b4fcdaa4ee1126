#include "methods/make_weight_gradient.h"

#include <new>

#include "methods/direct_weight_gradient.h"
#include "methods/fft_weight_gradient.h"

namespace conv1d {
namespace {

template <class Method>
Result<std::unique_ptr<WeightGradient>> made_of(const Correlation& correlation,
                                                const WeightGradientSchedule& schedule) {
  std::unique_ptr<Method> made(new (std::nothrow) Method(correlation, schedule));
  if (!made || !made->lay_out()) return no_room("the gradient of a weight");
  return std::unique_ptr<WeightGradient>(std::move(made));
}

}  // namespace

Result<std::unique_ptr<WeightGradient>> make_weight_gradient(Algorithm wanted, const Correlation& correlation,
                                                             int threads) {
  const WeightGradientSchedule schedule = schedule_weight_gradient(wanted, correlation, threads);
  return schedule.fft_size > 0 ? made_of<FftWeightGradient>(correlation, schedule)
                               : made_of<DirectWeightGradient>(correlation, schedule);
}

}  // namespace conv1d
