// The cases of tests/fixtures/operators.json, as networks of one operator.
#pragma once

#include <string>
#include <vector>

#include "test_graph.h"

namespace conv1d {

struct OperatorCase {
  std::string name;
  Graph graph;
  Signal input;  // the channels of all inputs
  std::vector<double> expected;
  std::vector<float> tolerance;  // how far each output may lie from `expected`
  double largest_sum;            // of a convolution: what errors of the transforms are relative to
};

// Read anew. Layers take `algorithm`; those cases whose layer cannot are left out.
std::vector<OperatorCase> operator_cases(const std::string& algorithm = "direct");

}  // namespace conv1d
