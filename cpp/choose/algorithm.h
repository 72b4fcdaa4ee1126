// Which method computes a layer.
#pragma once

#include <array>
#include <string>

#include "options/params.h"

namespace conv1d {

// How a layer is computed, and why so.
struct AlgorithmChoice {
  Algorithm algorithm;  // not kAuto
  bool asked_for;
  bool short_of_memory;        // for a faster one
  std::array<double, 4> cost;  // of each Algorithm that was compared, see cost.h
  std::string reason() const;
};

// Depends on neither threads nor batch, so that neither changes the output's bits.
AlgorithmChoice choose_algorithm(Algorithm wanted, const Correlation& layer);

}  // namespace conv1d
