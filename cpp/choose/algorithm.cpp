#include "choose/algorithm.h"

#include <algorithm>
#include <cmath>

#include "choose/cost.h"

namespace conv1d {
namespace {

// A transform is taken only if its estimated time is below this share of direct's: sums in one order are worth
// something.
constexpr double kTransformWorth = 0.93;

std::string hundredths(double value) {
  const auto all = static_cast<int64_t>(std::round(std::min(value, 1e15) * 100));
  const std::string digits = std::to_string(all % 100);
  return std::to_string(all / 100) + (digits.size() < 2 ? ".0" : ".") + digits;
}

}  // namespace

std::string AlgorithmChoice::reason() const {
  if (asked_for) return "asked for";
  std::string text = short_of_memory ? "no memory for the fastest; " : "";
  text += "estimated times relative to direct: ";
  for (const Algorithm other : {Algorithm::kToomCook, Algorithm::kFft}) {
    const double ratio = cost[static_cast<size_t>(other)] / cost[static_cast<size_t>(Algorithm::kDirect)];
    text += algorithm_name(other);
    text += std::isfinite(ratio) ? " " + hundredths(ratio) : " not applicable";
    if (other != Algorithm::kFft) text += ", ";
  }
  return text;
}

AlgorithmChoice choose_algorithm(Algorithm wanted, const Correlation& layer) {
  AlgorithmChoice choice{
      .algorithm = wanted, .asked_for = wanted != Algorithm::kAuto, .short_of_memory = false, .cost = {}};
  if (choice.asked_for) return choice;
  choice.cost[static_cast<size_t>(Algorithm::kDirect)] = direct_cost(layer);
  choice.cost[static_cast<size_t>(Algorithm::kToomCook)] = toom_cook_cost(layer);
  choice.cost[static_cast<size_t>(Algorithm::kFft)] = fft_cost(layer);
  choice.algorithm = Algorithm::kDirect;
  double least = kTransformWorth * choice.cost[static_cast<size_t>(Algorithm::kDirect)];
  for (const Algorithm other : {Algorithm::kToomCook, Algorithm::kFft}) {
    const double cost = choice.cost[static_cast<size_t>(other)];
    if (cost >= least) continue;
    least = cost;
    choice.algorithm = other;
  }
  return choice;
}

}  // namespace conv1d
