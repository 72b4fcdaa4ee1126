// Where the values of a graph, or their gradients, lie in one array.
#pragma once

#include <cstddef>
#include <vector>

#include "passes/graph.h"

namespace conv1d {

struct Placement {
  std::vector<size_t> begin;     // of each value
  double bytes = 0;              // of the array, which may be more than can be addressed
  std::vector<size_t> segments;  // the steps at which segments end
};

// `bytes` are those of each value, 0 where it has no room in the array. Values whose times do not overlap share room.
Placement place_in_turn(const Graph& graph, const std::vector<size_t>& bytes);

// The steps are cut into `count` segments: values that another segment reads have room of their own, the others lie
// where each segment has its own. After T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
Placement place_in_segments(const Graph& graph, const std::vector<size_t>& bytes, size_t count);

// With as many segments as make the array smallest.
Placement place_by_segments(const Graph& graph, const std::vector<size_t>& bytes);

// The gradients of values in a run backward, which share room as values do.
Placement place_gradients(const Graph& graph, const std::vector<size_t>& bytes);

}  // namespace conv1d
