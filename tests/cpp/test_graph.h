// Networks of random layers and operations over whole signals, for the tests of passes.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "half.h"
#include "passes/forward.h"
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
    for (const Signal& operand : operands) {
      const size_t row = static_cast<size_t>(operand.length);
      stretches.push_back({operand.values.data() + image * operand.channels * row, row, 0, operand.length});
    }
    operation.start(state.data());
    if (operation.timing().at_end) operation.take(stretches[0], 0, in.length, state.data());
    const size_t row = static_cast<size_t>(out.length);
    operation.compute(stretches, 0, out.length, {out.values.data() + image * out.channels * row, row}, state.data());
  }
  if (dtype == DType::kFloat16) round_to_halves(out.values.data(), out.values.size());
  return out;
}

// The network's steps over whole signals, one after the other.
inline std::optional<Signal> run_whole(const std::vector<Step>& steps, DType dtype, const Signal& in) {
  std::vector<Signal> values{in};
  for (const Step& step : steps) {
    std::vector<Signal> operands;
    for (const int32_t operand : step.operands) operands.push_back(values[static_cast<size_t>(operand)]);
    auto out = run_step(step, operands, dtype);
    if (!out) return std::nullopt;
    values.push_back(*out);
  }
  return values.back();
}

inline Step conv_step(int32_t input, TestLayer& layer) { return layer_step(input, layer.share()); }

}  // namespace conv1d
