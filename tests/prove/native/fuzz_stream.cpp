// libFuzzer's target for streams: any network, cut in any way, gives an error or the same bits as in one piece.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "fuzz.h"
#include "passes/stream.h"
#include "steps.h"

namespace conv1d {
namespace {

constexpr int32_t kMostSamples = 60;
constexpr double kMostOutputs = 1000;
constexpr double kMostWeights = 1000;
constexpr int64_t kMostReach = 400;

std::shared_ptr<Layer> fuzz_layer(FuzzedDataProvider* bytes, int32_t in_channels, DType dtype) {
  Options options = fuzz_options(bytes);
  options.in_channels = in_channels;
  options.dtype = dtype == DType::kFloat32 ? "float32" : "float16";
  Params params{};
  if (validate(options, &params)) return nullptr;
  if (static_cast<double>(params.weight_size()) > kMostWeights || params.reach() > kMostReach) return nullptr;
  auto layer = std::make_shared<Layer>(params);
  if (!layer->allocate()) return nullptr;
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
  fill(layer->weight(), params.weight_size());
  if (params.bias) fill(layer->bias(), params.out_channels);
  layer->changed();
  return layer;
}

// Rows of samples as they are stored, (batch * channels, length).
struct Signal {
  size_t rows;
  size_t element;  // bytes
  int32_t length;
  std::vector<uint8_t> bytes;

  std::vector<uint8_t> stretch(int32_t begin, int32_t count) const {
    std::vector<uint8_t> chunk;
    for (size_t row = 0; row < rows; ++row) {
      const auto at = (row * static_cast<size_t>(length) + static_cast<size_t>(begin)) * element;
      const auto from = bytes.begin() + static_cast<ptrdiff_t>(at);
      chunk.insert(chunk.end(), from, from + static_cast<ptrdiff_t>(static_cast<size_t>(count) * element));
    }
    return chunk;
  }
};

// What comes out of streams that go on with one signal, one after the other.
class Listener {
 public:
  Listener(const Signal& signal, size_t rows) : signal_(signal), rows_(rows) {}

  // Pushes samples [begin, end), cut as `cut` says. False when there is more than anyone wants to compare.
  template <class Cut>
  bool push(Stream& stream, int32_t begin, int32_t end, const Cut& cut) {
    for (int32_t t = begin; t < end;) {
      const int32_t count = std::min(end - t, cut());
      const auto chunk = signal_.stretch(t, count);
      if (!take(stream.output_count(count), [&](void* to) { stream.push(chunk.data(), count, to); })) return false;
      t += count;
    }
    return true;
  }

  bool finish(Stream& stream) {
    int64_t count = 0;
    const auto error = stream.end_count(&count);
    require_error(error);
    ended_ = !error;
    return error || take(count, [&](void* to) { stream.end(to); });
  }

  bool operator==(const Listener& other) const { return ended_ == other.ended_ && rows_ == other.rows_; }

 private:
  template <class Call>
  bool take(int64_t count, const Call& call) {
    require(count >= 0, "fewer outputs than none");
    total_ += static_cast<double>(count) * static_cast<double>(rows_.size());
    if (total_ > kMostOutputs) return false;
    const size_t row_bytes = static_cast<size_t>(count) * signal_.element;
    std::vector<uint8_t> bytes(row_bytes * rows_.size());
    call(bytes.data());
    for (size_t r = 0; r < rows_.size(); ++r) {
      const auto from = bytes.begin() + static_cast<ptrdiff_t>(r * row_bytes);
      rows_[r].insert(rows_[r].end(), from, from + static_cast<ptrdiff_t>(row_bytes));
    }
    return true;
  }

  const Signal& signal_;
  std::vector<std::vector<uint8_t>> rows_;
  double total_ = 0;
  bool ended_ = false;
};

Signal fuzz_signal(FuzzedDataProvider* bytes, int32_t rows, DType dtype) {
  const auto length = bytes->ConsumeIntegralInRange(0, kMostSamples);
  Signal signal{static_cast<size_t>(rows), dtype == DType::kFloat32 ? sizeof(float) : sizeof(uint16_t), length, {}};
  signal.bytes.resize(signal.rows * static_cast<size_t>(length) * signal.element);
  for (size_t i = 0; i < signal.bytes.size(); i += signal.element) {
    const auto value = bytes->ConsumeIntegral<int8_t>();
    const auto single = static_cast<float>(value) / 16;
    const auto half = static_cast<uint16_t>(0x3800 + value);
    std::memcpy(&signal.bytes[i], dtype == DType::kFloat32 ? static_cast<const void*>(&single) : &half, signal.element);
  }
  return signal;
}

// A state that something happened to is refused, or it is one that the stream can go on from.
void restore_damaged(FuzzedDataProvider* bytes, Stream& stream, std::vector<int32_t> state, Listener listener) {
  for (auto changes = bytes->ConsumeIntegralInRange(1, 3); changes > 0; --changes) {
    state[bytes->ConsumeIntegralInRange<size_t>(0, state.size() - 1)] = bytes->ConsumeIntegral<int32_t>();
  }
  const auto lost = bytes->ConsumeIntegralInRange<int64_t>(0, 9);
  const auto error = stream.restore(state.data(), static_cast<int64_t>(state.size() * sizeof(int32_t)) - lost);
  require_error(error);
  listener.push(stream, 0, 1, [] { return 1; });
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
    Step step;
    int32_t out = width;
    switch (bytes->ConsumeIntegralInRange(0, 5)) {
      case 0:
        step = activation_step(input, Activation::kTanh, width);
        break;
      case 1:
        if (width % 2 != 0) return;
        step = operation_step({input}, "gate", {width});
        out /= 2;
        break;
      case 2: {
        const auto other = bytes->ConsumeIntegralInRange(0, i);
        if (channels[static_cast<size_t>(other)] != width) return;
        step = pair_step(input, other, bytes->ConsumeBool() ? "add" : "multiply", width);
        break;
      }
      default:
        step = layer_step(input, fuzz_layer(bytes, width, dtype));
        if (!step.layer) return;
        out = step.layer->params().out_channels;
    }
    channels.push_back(out);
    steps.push_back(step);
  }
  const auto batch = bytes->ConsumeIntegralInRange(1, 2);
  const auto max_chunk = bytes->ConsumeIntegralInRange(1, kMostSamples);
  std::unique_ptr<Stream> stream;
  std::unique_ptr<Stream> other;
  std::optional<Error> error;
  {
    const heap::Scope scope({.room = kRoom});
    error = Stream::create({steps, dtype, in_channels}, batch, max_chunk, bytes->ConsumeBool(), &stream);
    if (!error) error = stream->clone(&other);
  }
  require_error(error);
  if (error) return;

  const Signal signal = fuzz_signal(bytes, batch * in_channels, dtype);
  const auto rows = static_cast<size_t>(batch) * static_cast<size_t>(stream->out_channels());
  const auto cut = [&] { return bytes->remaining_bytes() == 0 ? 1 : bytes->ConsumeIntegralInRange(0, max_chunk); };
  // In pieces as long as they may be; then anyhow, half of it by another stream that goes on from the first one's
  // state.
  Listener whole(signal, rows);
  if (!whole.push(*stream, 0, signal.length, [&] { return max_chunk; }) || !whole.finish(*stream)) return;
  const auto middle = bytes->ConsumeIntegralInRange(0, signal.length);
  Listener parts(signal, rows);
  stream->reset();
  require(parts.push(*stream, 0, middle, cut), "more outputs for other cuts");
  std::vector<int32_t> state(static_cast<size_t>(stream->state_words()));
  stream->save(state.data());
  require(!other->restore(state.data(), static_cast<int64_t>(state.size() * sizeof(int32_t))), "a state is refused");
  require(parts.push(*other, middle, signal.length, cut) && parts.finish(*other), "more outputs for other cuts");
  require(whole == parts, "other outputs for other cuts");
  if (signal.length > 0) restore_damaged(bytes, *stream, std::move(state), Listener(signal, rows));
}

}  // namespace
}  // namespace conv1d

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider bytes(data, size);
  conv1d::fuzz(&bytes);
  return 0;
}
