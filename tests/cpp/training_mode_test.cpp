// What batchNorm and dropout do in training.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "operations/make_operation.h"
#include "test_layer.h"

namespace conv1d {
namespace {

constexpr double kEps = 1e-2;
constexpr double kMomentum = 0.3;

std::shared_ptr<Operation> make(const char* kind, int32_t channels, const std::vector<double>& numbers) {
  return *make_operation({.kind = kind, .channels = {&channels, 1}, .numbers = numbers});
}

// One run in training, and its gradients: channels in calls for up to `most` of them.
struct TrainingRun {
  Batch batch;
  std::vector<float> operand;
  std::vector<float> output_gradients;
  std::vector<float> output;
  std::vector<float> operand_gradients;
  std::vector<float> parameter_gradients;

  TrainingRun(Operation* operation, const Batch& shape, uint64_t seed, int32_t most = 1 << 30) : batch(shape) {
    const size_t count = batch.pitch() * static_cast<size_t>(batch.images);
    operand = random_values(count, 1);
    output_gradients = random_values(count, 2);
    output.resize(count);
    operand_gradients.resize(count);
    parameter_gradients.resize(operation->parameter_count());
    TrainingMode& mode = *operation->training_mode();
    for (int32_t begin = 0; begin < batch.channels; begin += most) {
      const int32_t end = std::min(batch.channels, begin + most);
      mode.train(batch, operand.data(), begin, end, seed, true, output.data());
      mode.train_backward(batch, operand.data(), output_gradients.data(), begin, end, seed, operand_gradients.data(),
                          parameter_gradients.empty() ? nullptr : parameter_gradients.data());
    }
  }
};

// eps, momentum, weights, biases, means and variances.
std::vector<double> batch_norm_numbers(int32_t channels) {
  std::vector<double> numbers{kEps, kMomentum};
  for (int32_t i = 0; i < 4 * channels; ++i) numbers.push_back(0.25 + 0.5 * (i % 7));
  return numbers;
}

// A channel of a batch, normalised, and the numbers of that.
struct Channel {
  std::vector<double> values;
  double mean = 0;
  double variance = 0;

  Channel(const Batch& batch, const std::vector<double>& all, int32_t channel) {
    for (int32_t image = 0; image < batch.images; ++image) {
      const size_t at = batch.row(image, channel);
      for (size_t t = 0; t < static_cast<size_t>(batch.length); ++t) values.push_back(all[at + t]);
    }
    for (const double x : values) mean += x / static_cast<double>(values.size());
    for (const double x : values) variance += (x - mean) * (x - mean) / static_cast<double>(values.size());
    for (double& x : values) x = (x - mean) / std::sqrt(variance + kEps);
  }
};

const Batch kBatches[] = {{1, 1, 2}, {2, 3, 1}, {3, 2, 7}, {2, 5, 40}};

TEST(TrainingMode, OfBatchNormNormalisesOverTimeAndImages) {
  for (const Batch& batch : kBatches) {
    const std::vector<double> numbers = batch_norm_numbers(batch.channels);
    const auto operation = make("batchNorm", batch.channels, numbers);
    const TrainingRun run(operation.get(), batch, 0);
    std::vector<double> operand(run.operand.begin(), run.operand.end());
    const auto place = [&](int32_t kind, int32_t c) {
      return 2 + static_cast<size_t>(kind) * static_cast<size_t>(batch.channels) + static_cast<size_t>(c);
    };
    const auto number = [&](int32_t kind, int32_t c) { return numbers[place(kind, c)]; };
    const auto learned = [&](int32_t kind, int32_t c) { return operation->numbers()[place(kind, c)]; };
    for (int32_t c = 0; c < batch.channels; ++c) {
      const auto places = [&] {
        std::vector<size_t> all;
        for (int32_t image = 0; image < batch.images; ++image) {
          for (size_t t = 0; t < static_cast<size_t>(batch.length); ++t) all.push_back(batch.row(image, c) + t);
        }
        return all;
      }();
      const Channel own(batch, operand, c);
      const auto count = static_cast<double>(own.values.size());
      double of_weight = 0;
      double of_bias = 0;
      for (size_t i = 0; i < places.size(); ++i) {
        EXPECT_NEAR(run.output[places[i]], own.values[i] * number(0, c) + number(1, c), 1e-5);
        of_weight += own.values[i] * run.output_gradients[places[i]];
        of_bias += run.output_gradients[places[i]];
      }
      EXPECT_NEAR(run.parameter_gradients[static_cast<size_t>(c)], of_weight, 1e-5);
      EXPECT_NEAR(run.parameter_gradients[static_cast<size_t>(batch.channels + c)], of_bias, 1e-5);
      EXPECT_EQ(learned(0, c), number(0, c));
      EXPECT_EQ(learned(1, c), number(1, c));
      EXPECT_NEAR(learned(2, c), (1 - kMomentum) * number(2, c) + kMomentum * own.mean, 1e-12);
      EXPECT_NEAR(learned(3, c), (1 - kMomentum) * number(3, c) + kMomentum * own.variance * count / (count - 1),
                  1e-12);
      for (const size_t at : places) {
        const double x = operand[at];
        const auto loss = [&](double changed) {
          operand[at] = changed;
          const Channel other(batch, operand, c);
          double sum = 0;
          for (size_t i = 0; i < places.size(); ++i) {
            sum += other.values[i] * number(0, c) * run.output_gradients[places[i]];
          }
          return sum;
        };
        constexpr double kStep = 0x1p-18;
        const double slope = (loss(x + kStep) - loss(x - kStep)) / (2 * kStep);
        operand[at] = x;
        EXPECT_NEAR(run.operand_gradients[at], slope, 2e-5);
      }
    }
  }
}

TEST(TrainingMode, OfBatchNormLearnsOnlyWhenTold) {
  const Batch batch{2, 2, 3};
  const auto operation = make("batchNorm", 2, batch_norm_numbers(2));
  const std::vector<double> before(operation->numbers().begin(), operation->numbers().end());
  const std::vector<float> operand = random_values(12, 1);
  std::vector<float> first(12);
  std::vector<float> second(12);
  operation->training_mode()->train(batch, operand.data(), 0, 2, 0, false, first.data());
  EXPECT_TRUE(std::ranges::equal(operation->numbers(), before));
  operation->training_mode()->train(batch, operand.data(), 0, 2, 0, true, second.data());
  EXPECT_EQ(first, second);
  EXPECT_FALSE(std::ranges::equal(operation->numbers(), before));
}

// compute() has what was learned.
TEST(TrainingMode, OfBatchNormIsForgottenByNoOne) {
  const Batch batch{2, 2, 3};
  const auto operation = make("batchNorm", 2, batch_norm_numbers(2));
  const TrainingRun run(operation.get(), batch, 0);
  const auto anew = make("batchNorm", 2, {operation->numbers().begin(), operation->numbers().end()});
  const Stretch in{run.operand.data(), 3, 0, 3};
  std::vector<float> learned(6);
  std::vector<float> expected(6);
  operation->compute({&in, 1}, 0, 3, {learned.data(), 3}, nullptr);
  anew->compute({&in, 1}, 0, 3, {expected.data(), 3}, nullptr);
  EXPECT_EQ(learned, expected);
}

TEST(TrainingMode, ElsewhereBatchNormHasTheBitsOfScaleAndShift) {
  const std::vector<double> numbers = batch_norm_numbers(3);
  std::vector<double> affine(6);
  for (size_t c = 0; c < 3; ++c) {
    affine[c] = numbers[2 + c] / std::sqrt(numbers[11 + c] + kEps);
    affine[3 + c] = numbers[5 + c] - numbers[8 + c] * affine[c];
  }
  const std::vector<float> operand = random_values(33, 1);
  const Stretch in{operand.data(), 11, 0, 11};
  std::vector<float> got(33);
  std::vector<float> expected(33);
  make("batchNorm", 3, numbers)->compute({&in, 1}, 0, 11, {got.data(), 11}, nullptr);
  make("affine", 3, affine)->compute({&in, 1}, 0, 11, {expected.data(), 11}, nullptr);
  EXPECT_EQ(got, expected);
}

TEST(TrainingMode, OfDropoutDropsAShareThatTheSeedChooses) {
  const Batch batch{3, 5, 2000};
  for (const double p : {0.0, 0.25, 0.9}) {
    const auto operation = make("dropout", 5, {p});
    const TrainingRun run(operation.get(), batch, 7);
    size_t dropped = 0;
    for (size_t i = 0; i < run.output.size(); ++i) {
      const bool is_dropped = run.output[i] == 0;
      if (is_dropped) ++dropped;
      const auto factor = is_dropped ? 0.0F : static_cast<float>(1 / (1 - p));
      EXPECT_EQ(run.output[i], run.operand[i] * factor);
      EXPECT_EQ(run.operand_gradients[i], run.output_gradients[i] * factor);
    }
    const auto count = static_cast<double>(run.output.size());
    EXPECT_NEAR(static_cast<double>(dropped) / count, p, 4 * std::sqrt(p * (1 - p) / count));
    // Images and channels have masks of their own, and so have seeds.
    if (p == 0) continue;
    const auto mask = [&](const TrainingRun& own, size_t at) { return own.output[at] == 0; };
    const TrainingRun other(operation.get(), batch, 8);
    for (const size_t offset : {size_t{1}, size_t{2000}, batch.pitch()}) {
      size_t equal = 0;
      for (size_t i = 0; i < 2000; ++i) {
        if (mask(run, i) == mask(run, i + offset)) ++equal;
      }
      EXPECT_LT(equal, 1900U) << offset;
    }
    size_t equal = 0;
    for (size_t i = 0; i < 2000; ++i) {
      if (mask(run, i) == mask(other, i)) ++equal;
    }
    EXPECT_LT(equal, 1900U);
  }
}

TEST(TrainingMode, BitsDoNotDependOnTheOrderOfChannels) {
  const Batch batch{2, 5, 9};
  for (const auto& [kind, numbers] : {std::pair{"batchNorm", batch_norm_numbers(5)}, {"dropout", {0.5}}}) {
    const auto whole = make(kind, 5, numbers);
    const auto cut = make(kind, 5, numbers);
    const TrainingRun expected(whole.get(), batch, 3);
    const TrainingRun got(cut.get(), batch, 3, 2);
    EXPECT_EQ(got.output, expected.output) << kind;
    EXPECT_EQ(got.operand_gradients, expected.operand_gradients) << kind;
    EXPECT_EQ(got.parameter_gradients, expected.parameter_gradients) << kind;
    EXPECT_TRUE(std::ranges::equal(whole->numbers(), cut->numbers())) << kind;
  }
}

TEST(TrainingMode, MostOperationsHaveNone) {
  EXPECT_EQ(make("abs", 1, {})->training_mode(), nullptr);
  EXPECT_EQ(make("layerNorm", 1, {1e-5, 1, 0})->training_mode(), nullptr);
  EXPECT_EQ(make("dropout", 1, {0.5})->training_mode()->least_values(), 1);
  EXPECT_EQ(make("batchNorm", 1, batch_norm_numbers(1))->training_mode()->least_values(), 2);
}

}  // namespace
}  // namespace conv1d
