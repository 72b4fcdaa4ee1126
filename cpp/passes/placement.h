// Where the values of a graph lie in one array.
#pragma once

#include <cstddef>
#include <vector>

#include "passes/graph.h"

namespace conv1d {

struct Placement {
  std::vector<size_t> begin;     // of each value
  double bytes;                  // of the array
  std::vector<size_t> segments;  // the steps at which segments end
};

// `bytes` are those of each value, 0 where it has no room in the array. Values whose times do not overlap share it.
Placement place_in_turn(const Graph& graph, const std::vector<size_t>& bytes);

// No two values share it.
Placement place_all(const Graph& graph, const std::vector<size_t>& bytes);

// The steps are cut into segments, as many as make the array smallest: values that another segment reads have room of
// their own, the others lie where each segment has its own. After T. Chen et al., "Training Deep Nets with Sublinear
// Memory Cost", 2016.
Placement place_by_segments(const Graph& graph, const std::vector<size_t>& bytes);

}  // namespace conv1d
