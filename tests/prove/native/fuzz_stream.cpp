// libFuzzer's target for streams: any network, cut in any way, gives an error or the same bits as in one piece.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "fuzz.h"
#include "stream.h"

namespace conv1d {
namespace {

constexpr int32_t kMostSamples = 70;
constexpr double kMostOutputs = 2000;
constexpr double kMostWeights = 1000;
constexpr int64_t kMostReach = 400;

std::shared_ptr<Plan> fuzz_plan(FuzzedDataProvider* bytes, int32_t in_channels, DType dtype) {
  Options options = fuzz_options(bytes);
  options.in_channels = in_channels;
  options.dtype = dtype == DType::kFloat32 ? "float32" : "float16";
  Params params{};
  if (validate(options, &params)) return nullptr;
  if (static_cast<double>(params.weight_size()) > kMostWeights || params.reach() > kMostReach) return nullptr;
  auto plan = std::make_shared<Plan>(params);
  if (!plan->allocate()) return nullptr;
  // Weights and samples are words that float32 and float16 both take for small numbers, 0.5 to 2 or so.
  const auto fill = [&](void* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      if (dtype == DType::kFloat32) {
        static_cast<float*>(values)[i] = static_cast<float>(i % 7 - 3) * 0.25F;
      } else {
        static_cast<uint16_t*>(values)[i] = static_cast<uint16_t>(0x3800 + i % 7 * 0x0080 + i % 2 * 0x8000);
      }
    }
  };
  fill(plan->weights().weight(), params.weight_size());
  if (params.bias) fill(plan->weights().bias(), params.out_channels);
  plan->weights().changed();
  return plan;
}

// What a stream makes of samples given as bytes, cut as `cut` says; nothing when it cannot end.
struct Outputs {
  bool ended = true;
  std::vector<std::vector<uint8_t>> rows;
};

template <class Cut>
std::optional<Outputs> run(Stream& stream, int32_t rows, size_t element, const std::vector<uint8_t>& samples,
                           int32_t length, const Cut& cut) {
  Outputs outputs;
  outputs.rows.resize(static_cast<size_t>(rows));
  double total = 0;
  const auto take = [&](int64_t count, const auto& call) {
    require(count >= 0, "fewer outputs than none");
    total += static_cast<double>(count) * rows;
    if (total > kMostOutputs) return false;
    const size_t row_bytes = static_cast<size_t>(count) * element;
    std::vector<uint8_t> bytes(row_bytes * outputs.rows.size());
    call(bytes.data());
    for (size_t r = 0; r < outputs.rows.size(); ++r) {
      const auto from = bytes.begin() + static_cast<ptrdiff_t>(r * row_bytes);
      outputs.rows[r].insert(outputs.rows[r].end(), from, from + static_cast<ptrdiff_t>(row_bytes));
    }
    return true;
  };
  const size_t in_rows = length == 0 ? 0 : samples.size() / element / static_cast<size_t>(length);
  for (int32_t t = 0; t < length;) {
    const int32_t count = std::min(length - t, cut());
    std::vector<uint8_t> chunk;
    for (size_t row = 0; row < in_rows; ++row) {
      const auto from = samples.begin() + static_cast<ptrdiff_t>((row * static_cast<size_t>(length) + t) * element);
      chunk.insert(chunk.end(), from, from + static_cast<ptrdiff_t>(static_cast<size_t>(count) * element));
    }
    if (!take(stream.output_count(count), [&](void* to) { stream.push(chunk.data(), count, to); })) return std::nullopt;
    t += count;
  }
  int64_t count = 0;
  const auto error = stream.end_count(&count);
  require_error(error);
  outputs.ended = !error;
  if (!error && !take(count, [&](void* to) { stream.end(to); })) return std::nullopt;
  return outputs;
}

void fuzz(FuzzedDataProvider* bytes) {
  const DType dtype = bytes->ConsumeBool() ? DType::kFloat32 : DType::kFloat16;
  const auto in_channels = bytes->ConsumeIntegralInRange(1, 4);
  std::vector<int32_t> channels{in_channels};
  std::vector<Step> steps;
  const auto count = bytes->ConsumeIntegralInRange(1, 5);
  for (int32_t i = 0; i < count; ++i) {
    const auto input = bytes->ConsumeIntegralInRange(0, i);
    const int32_t width = channels[static_cast<size_t>(input)];
    Step step{input, input, nullptr, {}};
    int32_t out = width;
    switch (bytes->ConsumeIntegralInRange(0, 5)) {
      case 0:
        step.elementwise = {Elementwise::Kind::kActivation, Activation::kTanh, 0};
        break;
      case 1:
        if (width % 2 != 0) return;
        step.elementwise.kind = Elementwise::Kind::kGate;
        out /= 2;
        break;
      case 2:
        step.other = bytes->ConsumeIntegralInRange(0, i);
        if (channels[static_cast<size_t>(step.other)] != width) return;
        step.elementwise.kind = bytes->ConsumeBool() ? Elementwise::Kind::kAdd : Elementwise::Kind::kMultiply;
        break;
      default:
        step.plan = fuzz_plan(bytes, width, dtype);
        if (!step.plan) return;
        out = step.plan->params().out_channels;
    }
    channels.push_back(out);
    steps.push_back(step);
  }
  const auto batch = bytes->ConsumeIntegralInRange(1, 2);
  const auto max_chunk = bytes->ConsumeIntegralInRange(1, kMostSamples);
  const auto length = bytes->ConsumeIntegralInRange(0, kMostSamples);
  const bool flush = bytes->ConsumeBool();
  std::unique_ptr<Stream> stream;
  std::optional<Error> error;
  {
    const heap::Scope scope({.room = kRoom});
    error = Stream::create(steps, dtype, in_channels, batch, max_chunk, flush, &stream);
  }
  require_error(error);
  if (error) return;

  const size_t element = dtype == DType::kFloat32 ? 4 : 2;
  std::vector<uint8_t> samples(static_cast<size_t>(batch) * in_channels * length * element);
  for (size_t i = 0; i < samples.size(); i += element) {
    const auto word = static_cast<float>(bytes->ConsumeIntegral<int8_t>()) / 16;
    const auto half = static_cast<uint16_t>(0x3800 + bytes->ConsumeIntegral<uint8_t>());
    if (element == 4) {
      std::memcpy(&samples[i], &word, element);
    } else {
      std::memcpy(&samples[i], &half, element);
    }
  }
  const int32_t rows = batch * stream->out_channels();
  const auto first = run(*stream, rows, element, samples, length, [&] { return max_chunk; });
  stream->reset();
  const auto again = run(*stream, rows, element, samples, length, [&] {
    return bytes->remaining_bytes() == 0 ? 1 : bytes->ConsumeIntegralInRange(0, max_chunk);
  });
  require(first.has_value() == again.has_value(), "another number of outputs for other cuts");
  if (!first) return;
  require(first->ended == again->ended, "an end that depends on the cuts");
  require(first->rows == again->rows, "other bits for other cuts");
}

}  // namespace
}  // namespace conv1d

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider bytes(data, size);
  conv1d::fuzz(&bytes);
  return 0;
}
