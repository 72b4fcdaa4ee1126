// Steps of networks, for tests and proofs.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "operations/make_operation.h"
#include "passes/graph.h"

namespace conv1d {

// An operation of operands that have these channels.
inline Step operation_step(std::vector<int32_t> operands, const char* kind, const std::vector<int32_t>& channels,
                           const std::vector<double>& numbers = {}) {
  auto made = make_operation({.kind = kind, .channels = channels, .numbers = numbers});
  assert(made);
  return {std::move(operands), nullptr, std::move(*made)};
}

// Of an activation without parameters.
inline Step activation_step(int32_t input, Activation activation, int32_t channels) {
  return operation_step({input}, "activation", {channels}, {static_cast<double>(activation)});
}

// A sum or product of two values.
inline Step pair_step(int32_t a, int32_t b, const char* kind, int32_t channels) {
  return operation_step({a, b}, kind, {channels, channels});
}

inline Step layer_step(int32_t input, std::shared_ptr<Layer> layer) { return {{input}, std::move(layer), nullptr}; }

}  // namespace conv1d
