#include "cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>

#include "exact.h"
#include "fixture_files.h"
#include "half.h"
#include "passes/forward.h"

namespace conv1d {
namespace {

Options options_from(const nlohmann::json& json) {
  Options o;
  o.in_channels = json.at("inChannels");
  o.out_channels = json.at("outChannels");
  o.kernel_size = json.at("kernelSize");
  o.stride = json.value("stride", o.stride);
  o.dilation = json.value("dilation", o.dilation);
  o.groups = json.value("groups", o.groups);
  o.bias = json.value("bias", o.bias);
  o.padding_mode = json.value("paddingMode", o.padding_mode);
  o.compute_mode = json.value("computeMode", o.compute_mode);
  o.dtype = json.value("dtype", o.dtype);
  if (json.contains("padding")) {
    const auto& padding = json["padding"];
    if (padding.is_string()) {
      o.padding_rule = padding;
    } else {
      o.pad_left = padding.is_array() ? padding[0] : padding;
      o.pad_right = padding.is_array() ? padding[1] : padding;
    }
  }
  if (json.contains("activation")) {
    const auto& activation = json["activation"];
    o.activation = activation.is_string() ? activation : activation.at("type");
    if (activation.contains("slope")) {
      static std::deque<double> slopes;
      o.parameters = {&slopes.emplace_back(activation["slope"]), 1};
    }
  }
  return o;
}

std::vector<Case> read_cases() {
  const auto json = nlohmann::json::parse(read_fixture("conv1d.json"));
  const std::string bytes = read_fixture("conv1d.bin");
  std::vector<Case> result;
  for (const auto& item : json) {
    Case c;
    c.name = item.at("name");
    c.options = options_from(item.at("options"));
    const auto error = validate(c.options, &c.params);
    EXPECT_FALSE(error) << c.name << ": " << error->message;
    const auto& shape = item.at("inputShape");
    c.batch = shape.size() == 3 ? shape[0].get<int32_t>() : 1;
    c.length = shape.back();
    size_t outputs = 1;
    for (const size_t dimension : item.at("outputShape")) outputs *= dimension;
    const auto element = static_cast<size_t>(element_bytes(c.params.dtype));
    c.input = numbers_at<uint8_t>(bytes, item.at("input"), element * c.batch * c.params.in_channels * c.length);
    c.weight = numbers_at<uint8_t>(bytes, item.at("weight"), element * c.params.weight_size());
    if (c.params.bias) c.bias = numbers_at<uint8_t>(bytes, item.at("biasAt"), element * c.params.out_channels);
    c.expected = numbers_at<double>(bytes, item.at("expected"), outputs);
    c.bound = numbers_at<float>(bytes, item.at("bound"), outputs);
    result.push_back(std::move(c));
  }
  return result;
}

// Of a sum, before its activation.
double sum_tolerance(const Case& c, size_t i) {
  const double products = static_cast<double>(c.params.kernel_size) * c.params.group_in();
  const double own = (products + 2) * 0x1p-24 * c.bound[i];
  const double largest = *std::ranges::max_element(c.bound);
  if (c.params.algorithm == Algorithm::kToomCook) return std::max(own, 0x1p-19 * largest);
  if (c.params.algorithm == Algorithm::kFft) return std::max(own, 0x1p-21 * std::log2(2048) * largest);
  return own;
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = read_cases();
  return all;
}

double tolerance(const Case& c, size_t i) { return output_tolerance(c.params, 0, c.expected[i], sum_tolerance(c, i)); }

std::vector<Algorithm> algorithms_of(const Case& c) {
  std::vector<Algorithm> result = {Algorithm::kDirect, Algorithm::kFft};
  if (c.params.has_toom_cook()) result.push_back(Algorithm::kToomCook);
  return result;
}

std::vector<double> run_case(const Case& c, int threads, std::vector<uint8_t>* raw) {
  const auto layer = std::make_shared<Layer>(c.params);
  EXPECT_TRUE(layer->allocate());
  Forward forward(graph_of(layer));
  std::memcpy(layer->weight(), c.weight.data(), c.weight.size());
  if (c.params.bias) std::memcpy(layer->bias(), c.bias.data(), c.bias.size());
  layer->changed();
  const auto error = forward.prepare(c.batch, c.length, threads);
  EXPECT_FALSE(error) << error->message;
  // Exactly as large as promised, so that AddressSanitizer sees a read or write beyond.
  std::vector<uint8_t> output(c.expected.size() * static_cast<size_t>(element_bytes(c.params.dtype)));
  ThreadPool pool(threads);
  forward.run(c.input.data(), output.data(), pool);

  std::vector<double> result(c.expected.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if (c.params.dtype == DType::kFloat32) {
      float value = 0;
      std::memcpy(&value, output.data() + i * sizeof(float), sizeof(float));
      result[i] = value;
    } else {
      uint16_t value = 0;
      std::memcpy(&value, output.data() + i * sizeof(uint16_t), sizeof(uint16_t));
      result[i] = half_to_float(value);
    }
  }
  if (raw != nullptr) *raw = std::move(output);
  return result;
}

}  // namespace conv1d
