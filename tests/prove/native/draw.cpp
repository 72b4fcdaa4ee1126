#include "draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "half.h"

namespace conv1d {
namespace {

constexpr double kMostProducts = 12000;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

template <class T, size_t kCount>
const T& pick(Random& random, const T (&values)[kCount]) {
  return values[random.integer(0, static_cast<int32_t>(kCount) - 1)];
}

// Parameters that fit any activation, in its order or one for each channel.
template <class T>
constexpr std::array<T, 120> kParameters = [] {
  std::array<T, 120> values{};
  constexpr double kSome[] = {0.01, 0.25, 1, 2, 0.5, 1.75};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(kSome[(i + i / 7) % std::size(kSome)]);
  return values;
}();

void draw_activation(Random& random, Options* options) {
  const ActivationEntry& entry = pick(random, kActivations);
  options->activation = entry.name;
  if (random.one_in(3)) return;  // the defaults
  const bool listed = entry.per_channel && random.one_in(2);
  const auto first = static_cast<size_t>(listed ? 0 : random.integer(0, 5));
  options->parameters =
      std::span(kParameters<double>)
          .subspan(first, listed ? static_cast<size_t>(options->out_channels) : entry.parameter_count());
}

Options draw_options(Random& random) {
  Options o;
  const int32_t groups = random.one_in(3) ? random.integer(1, 4) : 1;
  o.groups = groups;
  o.in_channels = groups * random.integer(1, random.one_in(8) ? 20 : 4);
  o.out_channels = groups * random.integer(1, random.one_in(4) ? 30 : 7);
  constexpr int32_t kKernelSizes[] = {4, 9, 9, 33, 200};
  o.kernel_size = random.integer(1, pick(random, kKernelSizes));
  constexpr int32_t kStrides[] = {1, 1, 1, 3, 8};
  o.stride = random.integer(1, pick(random, kStrides));
  constexpr int32_t kDilations[] = {1, 1, 4, 30};
  o.dilation = random.integer(1, pick(random, kDilations));
  constexpr const char* kRules[] = {"explicit", "explicit", "valid", "same", "causal"};
  o.padding_rule = pick(random, kRules);
  if (o.padding_rule == "explicit") {
    constexpr int32_t kPads[] = {0, 4, 60};
    o.pad_left = random.integer(0, pick(random, kPads));
    o.pad_right = random.integer(0, pick(random, kPads));
  }
  constexpr const char* kModes[] = {"zeros", "zeros", "reflect", "replicate", "circular"};
  o.padding_mode = pick(random, kModes);
  o.dtype = random.one_in(4) ? "float16" : "float32";
  o.bias = !random.one_in(4);
  if (random.one_in(2)) draw_activation(random, &o);
  return o;
}

// Noise, as it is or uneven, numbers that are exact in sums, or all the same.
void draw_values(Random& random, std::vector<float>* values, int32_t kind) {
  const double phase = random.unit() * 6;
  for (size_t i = 0; i < values->size(); ++i) {
    double value = random.normal();
    if (kind == 1) value *= std::pow(10.0, 3 * std::sin(static_cast<double>(i) * 0.1 + phase));
    if (kind == 2) value = std::round(value * 4);
    if (kind == 3) value = 0.7;
    if (kind == 4) value *= random.one_in(5) ? 1 : 0;
    (*values)[i] = static_cast<float>(value);
  }
}

void silence_stretches(Random& random, std::vector<float>* signal) {
  const auto size = static_cast<int32_t>(signal->size());
  for (int32_t i = random.integer(0, size); i < size; i += random.integer(1, size)) {
    std::fill(signal->begin() + i, signal->begin() + random.integer(i, size), 0.0F);
  }
}

// Something that stands out from samples of at most `loudest`.
float draw_outlier(Random& random, double loudest, bool half) {
  constexpr double kMostHalf = 65504;
  const int32_t kind = random.integer(0, half && loudest * 0x1p10 > kMostHalf ? 2 : 5);
  if (kind == 0) return kNaN;
  const float sign = random.one_in(2) ? 1.0F : -1.0F;
  if (kind <= 2) return sign * kInfinity;
  const double least = std::max(loudest, half ? 0x1p-14 : 0x1p-60) * 0x1p10;
  // Sums of 200 taps and 20 channels of them, times any weight that is drawn, still have room in a float32.
  const double most = half ? kMostHalf : 0x1p100;
  const double size = kind == 3 ? least : least * std::exp2(random.unit() * std::log2(most / least));
  return sign * static_cast<float>(size);
}

void put_outliers(Random& random, Draw* draw) {
  double loudest = 0;
  for (const float x : draw->input) loudest = std::max<double>(loudest, std::abs(x));
  const auto size = static_cast<int32_t>(draw->input.size());
  const bool half = draw->params.dtype == DType::kFloat16;
  const int32_t length = draw->geometry.length;
  const auto put = [&](int32_t at) {
    // Copies of it in the padding would fill a tile, where nothing stands out.
    const bool is_edge = at % length == 0 || at % length == length - 1;
    if (is_edge && draw->params.padding_mode == PaddingMode::kReplicate) return;
    draw->input[at] = draw_outlier(random, loudest, half);
    draw->quiet[at] = 0;
  };
  const int32_t kind = random.integer(0, 9);
  draw->is_passage = kind <= 1;
  if (kind == 0) {  // a share of all samples
    const int32_t share = random.integer(1, 20);
    for (int32_t i = 0; i < size; ++i) {
      if (random.one_in(share)) put(i);
    }
  } else if (kind == 1) {  // a stretch
    const int32_t begin = random.integer(0, size - 1);
    const int32_t end = std::min(size, begin + random.integer(1, 40));
    for (int32_t i = begin; i < end; ++i) put(i);
  } else {
    const int32_t count = random.one_in(2) ? 1 : random.integer(2, 5);
    for (int32_t i = 0; i < count; ++i) put(random.integer(0, size - 1));
  }
}

void round_to_dtype(const Draw& draw, std::vector<float>* values) {
  if (draw.params.dtype == DType::kFloat16) round_to_halves(values->data(), values->size());
}

}  // namespace

Draw draw(uint64_t seed, uint64_t number) {
  Random random(Random(seed).next() ^ (number * 0xd1342543de82ef95));
  Draw result{.seed = seed,
              .number = number,
              .options = {},
              .params = {},
              .geometry = {},
              .input = {},
              .weight = {},
              .bias = {},
              .stands_out = false,
              .is_passage = false,
              .quiet = {}};
  for (;;) {
    result.options = draw_options(random);
    if (validate(result.options, &result.params)) continue;
    const bool listed = entry_of(result.params.finish.activation).per_channel && result.options.parameters.size() > 1;
    if (listed) result.params.finish.channels = kParameters<float>.data();
    const int32_t batch = random.one_in(3) ? random.integer(1, 3) : 1;
    const int32_t length = random.integer(1, random.one_in(3) ? 600 : 120);
    if (resolve(result.params, batch, length, &result.geometry)) continue;
    const double outputs = static_cast<double>(batch) * result.params.out_channels * result.geometry.out_length;
    if (outputs * result.params.group_in() * result.params.kernel_size <= kMostProducts) break;
  }
  const Params& p = result.params;
  result.input.resize(static_cast<size_t>(result.geometry.batch) * p.in_channels * result.geometry.length);
  result.weight.resize(static_cast<size_t>(p.weight_size()));
  if (p.bias) result.bias.resize(p.out_channels);
  draw_values(random, &result.input, random.one_in(2) ? 0 : random.integer(1, 4));
  draw_values(random, &result.weight, random.one_in(2) ? 0 : random.integer(1, 4));
  draw_values(random, &result.bias, 0);
  if (random.one_in(4)) silence_stretches(random, &result.input);
  for (auto* values : {&result.input, &result.weight, &result.bias}) round_to_dtype(result, values);
  result.quiet = result.input;
  result.stands_out = random.one_in(3);
  if (result.stands_out) put_outliers(random, &result);
  round_to_dtype(result, &result.input);
  return result;
}

std::string describe(const Draw& draw) {
  const Options& o = draw.options;
  const auto text = [](double value) { return std::to_string(static_cast<int64_t>(value)); };
  return "--seed " + std::to_string(draw.seed) + " --from " + std::to_string(draw.number) +
         " --count 1: " + text(o.in_channels) + " -> " + text(o.out_channels) + ", " + text(o.kernel_size) +
         " taps, stride " + text(o.stride) + ", dilation " + text(o.dilation) + ", groups " + text(o.groups) +
         ", padding " + o.padding_rule + " " + text(draw.geometry.pad_left) + " " + text(draw.geometry.pad_right) +
         " " + o.padding_mode + ", " + o.dtype + ", " + o.activation + ", input " + text(draw.geometry.batch) + " x " +
         text(draw.geometry.length) + (draw.stands_out ? ", samples that stand out" : "");
}

}  // namespace conv1d
