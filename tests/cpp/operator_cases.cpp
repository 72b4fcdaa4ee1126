#include "operator_cases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "fixture_files.h"
#include "half.h"
#include "operations/recurrent.h"

namespace conv1d {
namespace {

using Json = nlohmann::json;

size_t product(const Json& shape) {
  size_t result = 1;
  for (const size_t extent : shape) result *= extent;
  return result;
}

// Stored numbers of `dtype`.
std::vector<float> floats_at(const std::string& bytes, size_t at, size_t count, DType dtype) {
  if (dtype == DType::kFloat32) return numbers_at<float>(bytes, at, count);
  std::vector<float> values(count);
  halves_to_floats(numbers_at<uint16_t>(bytes, at, count).data(), values.data(), count);
  return values;
}

std::vector<double> doubles(const Json& list) { return list.get<std::vector<double>>(); }

// The steps of one case.
class Builder {
 public:
  Builder(const Json& item, const std::string& bytes, std::string algorithm)
      : item_(item), bytes_(bytes), algorithm_(std::move(algorithm)) {
    graph_.dtype = item.at("dtype") == "float16" ? DType::kFloat16 : DType::kFloat32;
    for (const auto& input : item.at("inputs")) {
      const auto& shape = input.at("shape");
      channels_.push_back(shape[shape.size() - 2]);
      graph_.in_channels += channels_.back();
    }
  }

  // False where the layer cannot be computed by the algorithm.
  bool build() {
    if (channels_.size() == 1) {
      inputs_ = {0};
    } else {
      for (int32_t begin = 0; const int32_t own : channels_) {
        inputs_.push_back(operation("slice", {0}, {static_cast<double>(begin), static_cast<double>(own), 1}));
        begin += own;
      }
    }
    const std::string name = item_.at("operator");
    if (name == "conv") return convolution();
    if (name == "apply") {
      recurrent();
    } else {
      simple(name, item_.at("arguments"));
    }
    return true;
  }

  Graph take() { return std::move(graph_); }

 private:
  // The new value.
  int32_t operation(const std::string& kind, const std::vector<int32_t>& operands, const std::vector<double>& numbers) {
    std::vector<int32_t> channels;
    channels.reserve(operands.size());
    for (const int32_t operand : operands) channels.push_back(graph_.channels(operand));
    return append(operation_step(operands, kind.c_str(), channels, numbers));
  }

  int32_t append(Step step) {
    graph_.steps.push_back(std::move(step));
    return static_cast<int32_t>(graph_.steps.size());
  }

  // Zeros or ones where the case has none.
  std::vector<double> parameter(const std::string& name, size_t count, double otherwise) const {
    const auto& parameters = item_.at("parameters");
    if (!parameters.contains(name)) return std::vector<double>(count, otherwise);
    const auto values = floats_at(bytes_, parameters[name].at("at"), count, graph_.dtype);
    return {values.begin(), values.end()};
  }

  static std::vector<double> joined(std::initializer_list<std::vector<double>> lists) {
    std::vector<double> all;
    for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
    return all;
  }

  std::vector<double> norm_numbers(const Json& arguments) const {
    const bool given = !arguments.empty() && arguments.back().is_object();
    const auto channels = static_cast<size_t>(channels_[0]);
    return joined({{given ? arguments.back().value("eps", 1e-5) : 1e-5},
                   parameter("weight", channels, 1),
                   parameter("bias", channels, 0)});
  }

  void simple(const std::string& name, const Json& arguments) {
    if (name == "slice") {
      const int32_t begin = arguments[0];
      const int32_t step = arguments.size() > 2 ? arguments[2].get<int32_t>() : 1;
      const int32_t count = (arguments[1].get<int32_t>() - begin + step - 1) / step;
      operation("slice", {0}, {static_cast<double>(begin), static_cast<double>(count), static_cast<double>(step)});
    } else if (name == "split") {
      const size_t part = item_.at("part");
      double begin = 0;
      for (size_t i = 0; i < part; ++i) begin += arguments[0][i].get<double>();
      operation("slice", {0}, {begin, arguments[0][part], 1});
    } else if (name == "pad" || name == "crop") {
      const double sign = name == "pad" ? 1 : -1;
      operation(name, {0}, {sign * arguments[0].get<double>(), sign * arguments[1].get<double>(), 0});
    } else if (name == "upsample") {
      operation(name, {0}, {arguments[0], arguments[1] == "linear" ? 1.0 : 0.0});
    } else if (name == "maxPool" || name == "averagePool") {
      pool(name, arguments[0]);
    } else if (name == "activation") {
      activation(arguments[0]);
    } else if (name == "layerNorm") {
      operation(name, {0}, norm_numbers(arguments));
    } else if (name == "groupNorm" || name == "instanceNorm") {
      const double groups = name == "groupNorm" ? arguments[0].get<double>() : channels_[0];
      operation(name, {0}, joined({{groups}, norm_numbers(arguments)}));
    } else {
      operands_and_numbers(name, arguments);
    }
  }

  void operands_and_numbers(const std::string& kind, const Json& arguments) {
    std::vector<int32_t> operands = {inputs_[0]};
    std::vector<double> numbers;
    for (const auto& argument : arguments) {
      if (argument.is_object()) {
        operands.push_back(inputs_[argument.at("input").get<size_t>()]);
      } else {
        numbers = joined({numbers, argument.is_array() ? doubles(argument) : std::vector<double>{argument}});
      }
    }
    operation(kind, operands, numbers);
  }

  void pool(const std::string& kind, const Json& argument) {
    const Json options = argument.is_object() ? argument : Json{{"kernelSize", argument}};
    const double kernel_size = options.at("kernelSize");
    operation(kind, {0},
              {kernel_size, options.value("stride", kernel_size), options.value("padding", 0.0),
               options.value("dilation", 1.0), options.value("ceilMode", false) ? 1.0 : 0.0,
               options.value("countIncludePad", true) ? 1.0 : 0.0});
  }

  // The index of an activation, its parameters.
  static std::pair<std::string, std::vector<double>> activation_of(const Json& argument) {
    const std::string type = argument.is_string() ? argument : argument.at("type");
    const auto* entry = std::ranges::find(kActivations, type, &ActivationEntry::name);
    std::vector<double> parameters;
    for (size_t i = 0; i < entry->parameter_count(); ++i) {
      const ActivationParameter& parameter = entry->parameters[i];
      if (!argument.is_object() || !argument.contains(parameter.name)) {
        parameters.push_back(parameter.initial);
      } else {
        const auto& given = argument[parameter.name];
        parameters = joined({parameters, given.is_array() ? doubles(given) : std::vector<double>{given}});
      }
    }
    return {type, parameters};
  }

  void activation(const Json& argument) {
    const auto [type, parameters] = activation_of(argument);
    const auto index = std::ranges::find(kActivations, type, &ActivationEntry::name) - std::begin(kActivations);
    operation("activation", {0}, joined({{static_cast<double>(index)}, parameters}));
  }

  bool convolution() {
    const auto& argument = item_.at("arguments")[0];
    const auto& given = argument.at("options");
    Options o;
    o.transposed = argument.at("layer") == "ConvTranspose1d";
    if (o.transposed) {
      o.in_channels = given.at("inChannels");
      o.out_channels = given.at("outChannels");
      o.kernel_size = given.at("kernelSize");
    } else {
      o.kernel_size = given.value("flatten", 1);
      o.in_channels = given.at("inFeatures").get<double>() / o.kernel_size;
      o.out_channels = given.at("outFeatures");
    }
    o.stride = given.value("stride", o.stride);
    o.dilation = given.value("dilation", o.dilation);
    o.groups = given.value("groups", o.groups);
    o.bias = given.value("bias", o.bias);
    o.output_padding = given.value("outputPadding", o.output_padding);
    o.pad_left = o.pad_right = given.value("padding", 0.0);
    o.dtype = item_.at("dtype");
    o.algorithm = algorithm_;
    const auto [type, parameters] = activation_of(given.value("activation", Json("none")));
    o.activation = type;
    o.parameters = parameters;
    Params params{};
    if (const auto error = validate(o, &params)) {
      EXPECT_NE(algorithm_, "direct") << error->message;
      return false;
    }
    auto layer = std::make_shared<Layer>(params);
    EXPECT_TRUE(layer->allocate());
    if (parameters.size() > 1 && entry_of(params.finish.activation).per_channel) {
      EXPECT_TRUE(layer->give_channels(parameters));
    }
    const auto copy = [&](const char* name, void* to) {
      const auto& parameter = item_.at("parameters").at(name);
      const size_t size = product(parameter.at("shape")) * element_bytes(params.dtype);
      std::memcpy(to, bytes_.data() + parameter.at("at").get<size_t>(), size);
    };
    copy("weight", layer->weight());
    if (params.bias) copy("bias", layer->bias());
    layer->changed();
    append(layer_step(0, layer));
    return true;
  }

  // One direction of one layer.
  int32_t direction(int32_t operand, bool lstm, int32_t hidden, const std::string& suffix) {
    const int32_t inputs = graph_.channels(operand);
    auto made = Recurrent::make(lstm ? Recurrent::Cell::kLstm : Recurrent::Cell::kGru, inputs, hidden);
    EXPECT_TRUE(made);
    const size_t rows = static_cast<size_t>(hidden) * (lstm ? 4 : 3);
    const auto weights =
        joined({parameter("weight_ih" + suffix, rows * inputs, 0), parameter("weight_hh" + suffix, rows * hidden, 0),
                parameter("bias_ih" + suffix, rows, 0), parameter("bias_hh" + suffix, rows, 0)});
    EXPECT_EQ(weights.size(), (*made)->weight_count());
    std::ranges::transform(weights, (*made)->weights(), [](double w) { return static_cast<float>(w); });
    (*made)->changed();
    return append({{operand}, nullptr, *made});
  }

  void recurrent() {
    const auto& argument = item_.at("arguments")[0];
    const auto& given = argument.at("options");
    const bool lstm = argument.at("layer") == "Lstm";
    const int32_t hidden = given.at("hiddenSize");
    int32_t value = 0;
    for (int32_t layer = 0; layer < given.value("numLayers", 1); ++layer) {
      const std::string suffix = "_l" + std::to_string(layer);
      const int32_t forwards = direction(value, lstm, hidden, suffix);
      if (!given.value("bidirectional", false)) {
        value = forwards;
        continue;
      }
      const int32_t turned = operation("reverse", {value}, {});
      const int32_t backwards = operation("reverse", {direction(turned, lstm, hidden, suffix + "_reverse")}, {});
      value = operation("concat", {forwards, backwards}, {});
    }
  }

  const Json& item_;
  const std::string& bytes_;
  std::string algorithm_;
  std::vector<int32_t> channels_;  // of each input
  std::vector<int32_t> inputs_;    // their values
  Graph graph_{{}, DType::kFloat32, 0};
};

// The inputs' channels one after the other, in each image.
Signal joined_inputs(const Json& item, const std::string& bytes, const Graph& graph) {
  const auto& inputs = item.at("inputs");
  const auto& shape = inputs[0].at("shape");
  Signal joined{shape.size() == 3 ? shape[0].get<int32_t>() : 1, graph.in_channels, shape.back(), {}};
  const size_t element = element_bytes(graph.dtype);
  for (size_t image = 0; image < static_cast<size_t>(joined.batch); ++image) {
    for (const auto& input : inputs) {
      const size_t size = product(input.at("shape")) / static_cast<size_t>(joined.batch);
      const auto part = floats_at(bytes, input.at("at").get<size_t>() + image * size * element, size, graph.dtype);
      joined.values.insert(joined.values.end(), part.begin(), part.end());
    }
  }
  return joined;
}

}  // namespace

std::vector<OperatorCase> operator_cases(const std::string& algorithm) {
  static const auto json = Json::parse(read_fixture("operators.json"));
  static const std::string bytes = read_fixture("operators.bin");
  std::vector<OperatorCase> result;
  for (const auto& item : json) {
    Builder builder(item, bytes, algorithm);
    if (!builder.build()) continue;
    Graph graph = builder.take();
    Signal input = joined_inputs(item, bytes, graph);
    const size_t outputs = product(item.at("outputShape"));
    result.push_back({.name = item.at("name"),
                      .graph = std::move(graph),
                      .input = std::move(input),
                      .expected = numbers_at<double>(bytes, item.at("expected"), outputs),
                      .tolerance = numbers_at<float>(bytes, item.at("tolerance"), outputs),
                      .largest_sum = item.value("largestSum", 0.0)});
  }
  return result;
}

}  // namespace conv1d
