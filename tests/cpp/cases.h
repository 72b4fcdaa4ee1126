// The cases of tests/fixtures, as layers take them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options/params.h"

namespace conv1d {

struct Case {
  std::string name;
  Options options;
  Params params;
  int32_t batch;
  int32_t length;
  std::vector<uint8_t> input;   // params.dtype
  std::vector<uint8_t> weight;  // params.dtype
  std::vector<uint8_t> bias;    // params.dtype; empty when there is none
  std::vector<double> expected;
  std::vector<float> bound;
};

// Read once. Every case passed validate().
const std::vector<Case>& cases();

// How far from expected[i] an output may lie; tests/fixtures/README.md states the formula. Errors of a transform hang
// on the outputs around: what the case's own algorithm grants is relative to the largest bound.
double tolerance(const Case& c, size_t i);

// The algorithms that can compute a case.
std::vector<Algorithm> algorithms_of(const Case& c);

// The output of a layer on `threads` threads as float64, and its raw bytes if asked for.
std::vector<double> run_case(const Case& c, int threads, std::vector<uint8_t>* raw = nullptr);

}  // namespace conv1d
