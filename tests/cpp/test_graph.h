// Networks of random layers and operations over whole signals, for the tests of passes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "half.h"
#include "passes/forward.h"
#include "passes/stream.h"
#include "steps.h"
#include "test_layer.h"

namespace conv1d {

// Rows of samples, as layers take them and give them.
struct Signal {
  int32_t batch;
  int32_t channels;
  int32_t length;
  std::vector<float> values;

  float& at(int32_t row, int32_t t) { return values[static_cast<size_t>(row) * length + t]; }
};

inline Signal random_signal(int32_t batch, int32_t channels, int32_t length, uint32_t seed) {
  return {batch, channels, length, random_values(static_cast<size_t>(batch) * channels * length, seed)};
}

inline std::vector<uint16_t> narrowed(const std::vector<float>& values) {
  std::vector<uint16_t> halves(values.size());
  floats_to_halves(values.data(), halves.data(), values.size());
  return halves;
}

// The output of the whole, in runs of up to `most_pieces`, or nothing where there is none.
inline std::optional<Signal> run_whole(Forward& forward, const Signal& in, int threads = 1,
                                       int32_t most_pieces = 1 << 30) {
  ThreadPool pool(threads);
  if (forward.prepare(in.batch, in.length, threads)) return std::nullopt;
  Signal out{in.batch, forward.out_channels(), forward.out_length(), {}};
  out.values.resize(static_cast<size_t>(out.batch) * out.channels * out.length);
  const auto run = [&](const void* input, void* output) {
    const int32_t pieces = forward.pieces();
    for (int32_t begin = 0, end = 0; begin < pieces; begin = end) {
      end = begin + std::min(pieces - begin, most_pieces);
      forward.run_pieces(input, output, pool, begin, end);
    }
  };
  if (forward.graph().dtype == DType::kFloat32) {
    run(in.values.data(), out.values.data());
  } else {
    const auto halves = narrowed(in.values);
    std::vector<uint16_t> results(out.values.size());
    run(halves.data(), results.data());
    halves_to_floats(results.data(), out.values.data(), results.size());
  }
  return out;
}

// The same bits, but for the sign and payload of a NaN, which depend on the order of operands.
inline bool are_same(Signal expected, Signal got) {
  for (Signal* signal : {&expected, &got}) {
    std::ranges::replace_if(signal->values, [](float x) { return std::isnan(x); }, std::nanf(""));
  }
  return expected.channels == got.channels && expected.length == got.length &&
         std::memcmp(expected.values.data(), got.values.data(), expected.values.size() * sizeof(float)) == 0;
}

// One step over whole signals: its definition, as one call for each image.
inline std::optional<Signal> run_step(const Step& step, const std::vector<Signal>& operands, DType dtype) {
  if (step.layer) {
    Forward forward(graph_of(step.layer));
    return run_whole(forward, operands[0]);
  }
  const Operation& operation = *step.operation;
  const Signal& in = operands[0];
  for (const Signal& other : operands) EXPECT_EQ(in.length, other.length);
  const int64_t length = operation.length(in.length);
  if (length < 1) return std::nullopt;
  Signal out{in.batch, operation.out_channels(), static_cast<int32_t>(length), {}};
  out.values.resize(static_cast<size_t>(out.batch) * out.channels * out.length);
  std::vector<float> state(operation.state_floats() + operation.scratch_floats());
  for (int32_t image = 0; image < in.batch; ++image) {
    std::vector<Stretch> stretches;
    stretches.reserve(operands.size());
    for (const Signal& operand : operands) {
      const auto row = static_cast<size_t>(operand.length);
      const size_t first = static_cast<size_t>(image) * static_cast<size_t>(operand.channels);
      stretches.push_back({operand.values.data() + first * row, row, 0, operand.length});
    }
    operation.start(state.data());
    if (operation.timing().at_end) operation.take(stretches[0], 0, in.length, state.data());
    const auto row = static_cast<size_t>(out.length);
    const size_t first = static_cast<size_t>(image) * static_cast<size_t>(out.channels);
    operation.compute(stretches, 0, out.length, {out.values.data() + first * row, row}, state.data());
  }
  if (dtype == DType::kFloat16) round_to_halves(out.values.data(), out.values.size());
  return out;
}

// The network's steps over whole signals, one after the other.
inline std::optional<Signal> run_whole(const std::vector<Step>& steps, DType dtype, const Signal& in) {
  std::vector<Signal> values{in};
  for (const Step& step : steps) {
    std::vector<Signal> operands;
    operands.reserve(step.operands.size());
    for (const int32_t operand : step.operands) operands.push_back(values[static_cast<size_t>(operand)]);
    auto out = run_step(step, operands, dtype);
    if (!out) return std::nullopt;
    values.push_back(*out);
  }
  return values.back();
}

// All pushes and the end of a stream, the signal cut as `cut` says, which may put another stream in this one's place.
template <class Cut>
Signal run_stream(const std::unique_ptr<Stream>& stream, DType dtype, const Signal& in, Cut cut) {
  Signal out{in.batch, stream->out_channels(), 0, {}};
  std::vector<std::vector<float>> rows(static_cast<size_t>(out.batch) * out.channels);
  const auto take = [&](size_t count, auto call) {
    std::vector<float> got(rows.size() * count);
    if (dtype == DType::kFloat32) {
      call(got.data());
    } else {
      std::vector<uint16_t> halves(got.size());
      call(halves.data());
      halves_to_floats(halves.data(), got.data(), got.size());
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].insert(rows[r].end(), got.begin() + static_cast<ptrdiff_t>(r * count),
                     got.begin() + static_cast<ptrdiff_t>((r + 1) * count));
    }
  };
  for (int32_t t = 0; t < in.length;) {
    const int32_t count = std::min(in.length - t, cut());
    std::vector<float> chunk;
    for (int32_t row = 0; row < in.batch * in.channels; ++row) {
      const auto from = in.values.begin() + static_cast<ptrdiff_t>(row) * in.length + t;
      chunk.insert(chunk.end(), from, from + count);
    }
    const auto halves = narrowed(chunk);
    const void* data = dtype == DType::kFloat32 ? static_cast<const void*>(chunk.data()) : halves.data();
    take(static_cast<size_t>(stream->output_count(count)), [&](void* to) { stream->push(data, count, to); });
    t += count;
  }
  int64_t count = 0;
  const auto error = stream->end_count(&count);
  EXPECT_FALSE(error) << error->message;
  take(static_cast<size_t>(count), [&](void* to) { stream->end(to); });
  for (const auto& row : rows) out.values.insert(out.values.end(), row.begin(), row.end());
  out.length = static_cast<int32_t>(rows[0].size());
  return out;
}

inline Step conv_step(int32_t input, TestLayer& layer) { return layer_step(input, layer.share()); }

}  // namespace conv1d
