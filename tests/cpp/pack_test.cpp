#include "operator/pack.h"

#include <gtest/gtest.h>

#include <vector>

#include "half.h"

namespace conv1d {
namespace {

// Weights 0, 1, 2, ... in the order (out_channels, group_in, kernel_size): exact in float16, too, up to 2048.
std::vector<float> numbered(const Dimensions& layer) {
  std::vector<float> weights(static_cast<size_t>(layer.weight_size()));
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i);
  return weights;
}

// The panels as pack.h draws them.
std::vector<float> expected_panels(const Dimensions& layer, Vectors vectors) {
  std::vector<float> panels;
  const int32_t groups = vectors == Vectors::kAcrossGroups ? 1 : layer.groups;
  const int32_t rows = layer.out_channels / groups;
  for (int32_t g = 0; g < groups; ++g) {
    for_each_tile(vectors, rows, [&](const Tile& tile, int32_t o) {
      for (int32_t c = 0; c < layer.group_in(); ++c) {
        for (int32_t k = 0; k < layer.kernel_size; ++k) {
          for (int32_t r = 0; r < tile.rows; ++r) {
            const int32_t oc = g * rows + o + r;
            panels.push_back(static_cast<float>((oc * layer.group_in() + c) * layer.kernel_size + k));
          }
        }
      }
    });
  }
  return panels;
}

constexpr Dimensions kLayers[] = {
    {.in_channels = 1, .out_channels = 1, .kernel_size = 1, .stride = 1, .dilation = 1, .groups = 1},
    {.in_channels = 3, .out_channels = 7, .kernel_size = 5, .stride = 1, .dilation = 1, .groups = 1},
    {.in_channels = 4, .out_channels = 43, .kernel_size = 2, .stride = 3, .dilation = 2, .groups = 1},
    {.in_channels = 6, .out_channels = 33, .kernel_size = 3, .stride = 1, .dilation = 1, .groups = 3},
    {.in_channels = 5, .out_channels = 5, .kernel_size = 9, .stride = 2, .dilation = 1, .groups = 5},
};

TEST(Pack, PutsTheRowsOfEachTileSideBySide) {
  for (const Dimensions& layer : kLayers) {
    const auto weights = numbered(layer);
    std::vector<uint16_t> halves(weights.size());
    floats_to_halves(weights.data(), halves.data(), weights.size());
    for (const Vectors vectors : {Vectors::kAlongTime, Vectors::kAlongChannels, Vectors::kAcrossGroups}) {
      if (vectors == Vectors::kAcrossGroups && layer.group_in() * layer.group_out() > 1) continue;
      const auto expected = expected_panels(layer, vectors);
      ASSERT_EQ(expected.size(), weights.size());
      std::vector<float> panels(weights.size());
      pack_weights(layer, vectors, view_of(layer, DType::kFloat32, weights.data()), panels.data());
      EXPECT_EQ(panels, expected) << layer.out_channels << " output channels";
      std::ranges::fill(panels, -1);
      pack_weights(layer, vectors, view_of(layer, DType::kFloat16, halves.data()), panels.data());
      EXPECT_EQ(panels, expected) << layer.out_channels << " output channels, float16";
    }
  }
}

// A view may go through its array in any order: here with taps backwards.
TEST(Pack, ReadsWhatTheViewSays) {
  const Dimensions layer = kLayers[1];
  auto weights = numbered(layer);
  WeightView view = view_of(layer, DType::kFloat32, weights.data());
  view.first = layer.kernel_size - 1;
  view.tap = -1;
  std::vector<float> backwards(weights.size());
  pack_weights(layer, Vectors::kAlongTime, view, backwards.data());
  for (auto row = weights.begin(); row != weights.end(); row += layer.kernel_size) {
    std::reverse(row, row + layer.kernel_size);
  }
  std::vector<float> expected(weights.size());
  pack_weights(layer, Vectors::kAlongTime, view_of(layer, DType::kFloat32, weights.data()), expected.data());
  EXPECT_EQ(backwards, expected);
}

TEST(Pack, WidensExactly) {
  const std::vector<float> values = {0, -1.5F, 65504, 0x1p-24F, 3};
  std::vector<uint16_t> halves(values.size());
  floats_to_halves(values.data(), halves.data(), values.size());
  std::vector<float> wide(values.size());
  widen(DType::kFloat16, halves.data(), wide.data(), wide.size());
  EXPECT_EQ(wide, values);
  std::ranges::fill(wide, 0);
  widen(DType::kFloat32, values.data(), wide.data(), wide.size());
  EXPECT_EQ(wide, values);
}

}  // namespace
}  // namespace conv1d
