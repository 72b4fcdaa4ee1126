#include "toom_cook.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/reference.h"
#include "layer.h"

namespace conv1d {
namespace {

Options toom_options(double in_channels, double out_channels, double kernel_size) {
  Options options = layer_options(in_channels, out_channels, kernel_size);
  options.algorithm = "toom_cook";
  return options;
}

std::string describe(const Options& o, int32_t batch, int32_t length) {
  std::string text;
  for (const double value : {o.in_channels, o.out_channels, o.kernel_size, o.stride, o.dilation, o.groups, o.pad_left,
                             o.pad_right, static_cast<double>(batch), static_cast<double>(length)}) {
    text += std::to_string(static_cast<int>(value)) + " ";
  }
  return text + o.padding_mode;
}

TEST(ToomCook, RandomLayers) {
  std::mt19937 random(1);
  const auto pick = [&](int least, int most) { return std::uniform_int_distribution<int>(least, most)(random); };
  ThreadPool pool(1);
  for (int round = 0; round < 400; ++round) {
    const int groups = pick(1, 4) > 1 ? 1 : pick(1, 4);
    Options o = toom_options(groups * pick(1, 9), groups * pick(1, 20), pick(2, 20));
    o.groups = groups;
    o.stride = pick(1, 4) > 1 ? 1 : pick(1, 5);
    o.dilation = pick(1, 2) > 1 ? 1 : pick(1, 30);
    if (o.kernel_size <= o.stride) o.kernel_size = o.stride + 1;
    o.pad_left = pick(0, 40);
    o.pad_right = pick(0, 40);
    const int batch = pick(1, 2);
    const int length = pick(41, 500) + static_cast<int>(o.dilation * (o.kernel_size - 1));
    const char* modes[] = {"zeros", "reflect", "replicate", "circular"};
    o.padding_mode = modes[pick(0, 3)];
    Layer layer(o, static_cast<uint32_t>(round));
    const Params& p = layer.plan().params();
    const auto input = random_values(static_cast<size_t>(batch * p.in_channels * length), 7);
    const auto output = layer.run(input, batch, pool);
    ASSERT_STREQ(layer.plan().explain().algorithm, "toom_cook");
    const auto* w = static_cast<const float*>(layer.plan().weights().weight());
    const auto* b = static_cast<const float*>(layer.plan().weights().bias());
    const std::vector<double> wide_input(input.begin(), input.end());
    const std::vector<double> weight(w, w + p.weight_size());
    const std::vector<double> bias(b, b + p.out_channels);
    std::vector<double> expected(output.size());
    std::vector<double> bound(output.size());
    reference_conv1d(p, layer.plan().geometry(), wide_input.data(), weight.data(), bias.data(), expected.data(),
                     bound.data());
    const double largest = *std::ranges::max_element(bound);
    for (size_t i = 0; i < output.size(); ++i) {
      ASSERT_LE(std::abs(output[i] - expected[i]), 0x1p-20 * largest)
          << describe(o, batch, length) << " at " << i << " " << output[i] << " " << expected[i];
    }
  }
}

}  // namespace
}  // namespace conv1d
