#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "exact.h"
#include "operations/make_operation.h"
#include "operations/recurrent.h"

namespace conv1d {
namespace {

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // a signal of one image

// The output of an operation made of `numbers`, of operands, in float64 and as its definition has it.
using Definition = std::function<Rows(const Row& numbers, const std::vector<Rows>& operands)>;

struct Case {
  std::string kind;
  Row numbers;
  std::vector<int32_t> channels;
  Definition definition;
  int32_t length = 11;
  size_t first_parameter = 0;  // of the numbers
  size_t parameters = 0;
  bool positive = false;  // operands
};

Rows map(const Rows& in, const std::function<double(double)>& f) {
  Rows out = in;
  for (Row& row : out) std::ranges::transform(row, row.begin(), f);
  return out;
}

Definition of_each(const std::function<double(double)>& f) {
  return [f](const Row&, const std::vector<Rows>& operands) { return map(operands[0], f); };
}

Definition of_pairs(const std::function<double(double, double)>& f) {
  return [f](const Row& numbers, const std::vector<Rows>& operands) {
    Rows out = operands[0];
    for (size_t c = 0; c < out.size(); ++c) {
      for (size_t t = 0; t < out[c].size(); ++t) {
        const double constant = numbers.empty() ? 0 : numbers[numbers.size() == 1 ? 0 : c];
        out[c][t] = f(out[c][t], operands.size() == 2 ? operands[1][c][t] : constant);
      }
    }
    return out;
  };
}

Definition of_halves(const std::function<double(double, double)>& f) {
  return [f](const Row&, const std::vector<Rows>& operands) {
    const Rows& in = operands[0];
    Rows out(in.begin(), in.begin() + static_cast<ptrdiff_t>(in.size() / 2));
    for (size_t c = 0; c < out.size(); ++c) {
      for (size_t t = 0; t < out[c].size(); ++t) out[c][t] = f(in[c][t], in[c + out.size()][t]);
    }
    return out;
  };
}

// Of windows, such as `f` makes one number of; padding is left out.
Definition of_windows(const std::function<double(const Row& samples, size_t counted)>& f) {
  return [f](const Row& numbers, const std::vector<Rows>& operands) {
    const auto number = [&](size_t i) { return static_cast<int64_t>(numbers[i]); };
    const auto [taps, stride, padding, dilation] = std::array{number(0), number(1), number(2), number(3)};
    const auto length = static_cast<int64_t>(operands[0][0].size());
    const double windows =
        static_cast<double>(length + 2 * padding - dilation * (taps - 1) - 1) / static_cast<double>(stride);
    auto count = static_cast<int64_t>(numbers[4] != 0 ? std::ceil(windows) : std::floor(windows)) + 1;
    if (numbers[4] != 0 && (count - 1) * stride >= length + padding) --count;
    Rows out;
    for (const Row& row : operands[0]) {
      Row own;
      for (int64_t t = 0; t < count; ++t) {
        Row samples;
        size_t counted = 0;
        for (int64_t k = 0; k < taps; ++k) {
          const int64_t q = t * stride - padding + k * dilation;
          const bool inside = q >= 0 && q < length;
          if (inside) samples.push_back(row[static_cast<size_t>(q)]);
          if (inside || (numbers[5] != 0 && q < length + padding)) ++counted;
        }
        own.push_back(f(samples, counted));
      }
      out.push_back(own);
    }
    return out;
  };
}

double sum(const Row& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

// `values` normalised.
Row normalized(Row values, double eps) {
  const auto n = static_cast<double>(values.size());
  const double mean = sum(values) / n;
  double variance = 0;
  for (const double x : values) variance += (x - mean) * (x - mean) / n;
  for (double& x : values) x = (x - mean) / std::sqrt(variance + eps);
  return values;
}

// Sets of values that are worked on together: places (channel, time).
using Places = std::vector<std::pair<size_t, size_t>>;

Rows of_sets(const Rows& in, const std::vector<Places>& sets, const std::function<Row(const Row&)>& f) {
  Rows out = in;
  for (const Places& places : sets) {
    Row values;
    for (const auto& [c, t] : places) values.push_back(in[c][t]);
    values = f(values);
    for (size_t i = 0; i < places.size(); ++i) out[places[i].first][places[i].second] = values[i];
  }
  return out;
}

std::vector<Places> times_of(const Rows& in) {
  std::vector<Places> sets(in[0].size());
  for (size_t t = 0; t < sets.size(); ++t) {
    for (size_t c = 0; c < in.size(); ++c) sets[t].emplace_back(c, t);
  }
  return sets;
}

std::vector<Places> groups_of(const Rows& in, size_t groups) {
  std::vector<Places> sets(groups);
  for (size_t c = 0; c < in.size(); ++c) {
    for (size_t t = 0; t < in[c].size(); ++t) sets[c * groups / in.size()].emplace_back(c, t);
  }
  return sets;
}

// Times weight, and bias, which `numbers` has from `at` on.
Rows scaled(Rows rows, const Row& numbers, size_t at) {
  for (size_t c = 0; c < rows.size(); ++c) {
    for (double& x : rows[c]) x = x * numbers[at + c] + numbers[at + rows.size() + c];
  }
  return rows;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Row softmax(const Row& values) {
  Row out;
  for (const double x : values) out.push_back(std::exp(x));
  const double all = sum(out);
  for (double& x : out) x /= all;
  return out;
}

Row log_softmax(const Row& values) {
  Row out = softmax(values);
  for (double& x : out) x = std::log(x);
  return out;
}

Rows padded(const Row& numbers, const std::vector<Rows>& operands) {
  Rows out;
  for (const Row& row : operands[0]) {
    Row own;
    const auto length = static_cast<int64_t>(row.size());
    for (auto t = static_cast<int64_t>(-numbers[0]); t < length + static_cast<int64_t>(numbers[1]); ++t) {
      own.push_back(t >= 0 && t < length ? row[static_cast<size_t>(t)] : numbers[2]);
    }
    out.push_back(own);
  }
  return out;
}

Rows upsampled(const Row& numbers, const std::vector<Rows>& operands) {
  Rows out;
  for (const Row& row : operands[0]) {
    Row own;
    const double factor = numbers[0];
    for (size_t t = 0; t < row.size() * static_cast<size_t>(factor); ++t) {
      const auto at = static_cast<double>(t);
      if (numbers[1] == 0) {
        own.push_back(row[static_cast<size_t>(at / factor)]);
        continue;
      }
      const double place = std::max((at + 0.5) / factor - 0.5, 0.0);
      const auto before = static_cast<size_t>(place);
      const double share = place - static_cast<double>(before);
      own.push_back((1 - share) * row[before] + share * row[std::min(before + 1, row.size() - 1)]);
    }
    out.push_back(own);
  }
  return out;
}

Rows concatenated(const Row& /*numbers*/, const std::vector<Rows>& operands) {
  Rows out;
  for (const Rows& own : operands) out.insert(out.end(), own.begin(), own.end());
  return out;
}

Rows sliced(const Row& numbers, const std::vector<Rows>& operands) {
  Rows out;
  for (size_t i = 0; i < static_cast<size_t>(numbers[1]); ++i) {
    out.push_back(operands[0][static_cast<size_t>(numbers[0]) + i * static_cast<size_t>(numbers[2])]);
  }
  return out;
}

// Weights, then biases, of a norm of as many channels.
Row with_affine(Row numbers, size_t channels) {
  for (size_t i = 0; i < 2 * channels; ++i) numbers.push_back(0.5 + 0.3 * static_cast<double>(i % 5));
  return numbers;
}

double largest(const Row& samples, size_t /*counted*/) { return *std::ranges::max_element(samples); }
double average(const Row& samples, size_t counted) { return sum(samples) / static_cast<double>(counted); }

Case activation(Activation f, const std::vector<float>& parameters) {
  Row numbers{static_cast<double>(f)};
  numbers.insert(numbers.end(), parameters.begin(), parameters.end());
  std::vector<float> given = parameters;
  given.resize(2 + parameters.size());
  const bool by_channel = f == Activation::kPrelu && parameters.size() > 1;
  return {entry_of(f).name + std::string(" activation"),
          numbers,
          {3},
          [=](const Row&, const std::vector<Rows>& operands) {
            Rows out = operands[0];
            for (size_t c = 0; c < out.size(); ++c) {
              for (double& x : out[c]) x = exact_activation(f, given.data() + (by_channel ? c : 0), x);
            }
            return out;
          },
          300};
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const int32_t length : {1, 7, 260}) {
    cases.push_back({"add", {}, {3, 3}, of_pairs(std::plus<>()), length});
    cases.push_back({"subtract", {}, {3, 3}, of_pairs(std::minus<>()), length});
    cases.push_back({"multiply", {}, {3, 3}, of_pairs(std::multiplies<>()), length});
    cases.push_back({"divide", {}, {3, 3}, of_pairs(std::divides<>()), length, 0, 0, true});
    for (const Row& constants : {Row{1.5}, Row{2, -3, 0.25}}) {
      cases.push_back({"add", constants, {3}, of_pairs(std::plus<>()), length});
      cases.push_back({"subtract", constants, {3}, of_pairs(std::minus<>()), length});
      cases.push_back({"multiply", constants, {3}, of_pairs(std::multiplies<>()), length});
      cases.push_back({"divide", constants, {3}, of_pairs(std::divides<>()), length});
    }
    cases.push_back(
        {"affine",
         {2, -3, 0.5, 1, 2, 3},
         {3},
         [](const Row& numbers, const std::vector<Rows>& operands) { return scaled(operands[0], numbers, 0); },
         length});
    cases.push_back({"gate", {}, {6}, of_halves([](double a, double b) { return std::tanh(a) * sigmoid(b); }), length});
    cases.push_back({"glu", {}, {6}, of_halves([](double a, double b) { return a * sigmoid(b); }), length});
    cases.push_back({"magnitude", {}, {6}, of_halves([](double a, double b) { return std::hypot(a, b); }), length});
    cases.push_back({"square", {}, {2}, of_each([](double x) { return x * x; }), length});
    cases.push_back({"sqrt", {}, {2}, of_each([](double x) { return std::sqrt(x); }), length, 0, 0, true});
    cases.push_back({"abs", {}, {2}, of_each([](double x) { return std::abs(x); }), length});
    cases.push_back({"exp", {}, {2}, of_each([](double x) { return std::exp(x); }), length});
    cases.push_back({"log", {}, {2}, of_each([](double x) { return std::log(x); }), length, 0, 0, true});
    cases.push_back({"clip", {-0.5, 1}, {2}, of_each([](double x) { return std::clamp(x, -0.5, 1.0); }), length});
    cases.push_back({"concat", {}, {2, 1, 3}, concatenated, length});
    cases.push_back({"slice", {1, 3, 2}, {6}, sliced, length});
    cases.push_back({"pad", {2, 3, 0.5}, {2}, padded, length});
    cases.push_back({"reverse",
                     {},
                     {2},
                     [](const Row&, const std::vector<Rows>& operands) {
                       Rows out = operands[0];
                       for (Row& row : out) std::ranges::reverse(row);
                       return out;
                     },
                     length});
    for (const double factor : {1, 2, 3, 5}) {
      cases.push_back({"upsample", {factor, 0}, {2}, upsampled, length});
      cases.push_back({"upsample", {factor, 1}, {2}, upsampled, length});
    }
    cases.push_back({"globalMaxPool",
                     {},
                     {3},
                     [](const Row&, const std::vector<Rows>& operands) {
                       Rows out;
                       for (const Row& row : operands[0]) out.push_back({largest(row, 0)});
                       return out;
                     },
                     length});
    cases.push_back({"globalAveragePool",
                     {},
                     {3},
                     [](const Row&, const std::vector<Rows>& operands) {
                       Rows out;
                       for (const Row& row : operands[0]) out.push_back({average(row, row.size())});
                       return out;
                     },
                     length});
    const auto at_times = [](Row (*f)(const Row&)) {
      return
          [f](const Row&, const std::vector<Rows>& operands) { return of_sets(operands[0], times_of(operands[0]), f); };
    };
    cases.push_back({"softmax", {}, {5}, at_times(softmax), length});
    cases.push_back({"logSoftmax", {}, {5}, at_times(log_softmax), length});
    cases.push_back({"layerNorm",
                     with_affine({1e-2}, 5),
                     {5},
                     [](const Row& numbers, const std::vector<Rows>& operands) {
                       const auto f = [&](const Row& values) { return normalized(values, numbers[0]); };
                       return scaled(of_sets(operands[0], times_of(operands[0]), f), numbers, 1);
                     },
                     length,
                     1,
                     10});
    for (const double groups : {1, 2, 6}) {
      cases.push_back({groups == 6 ? "instanceNorm" : "groupNorm",
                       with_affine({groups, 1e-2}, 6),
                       {6},
                       [](const Row& numbers, const std::vector<Rows>& operands) {
                         const auto sets = groups_of(operands[0], static_cast<size_t>(numbers[0]));
                         const auto f = [&](const Row& values) { return normalized(values, numbers[1]); };
                         return scaled(of_sets(operands[0], sets, f), numbers, 2);
                       },
                       length,
                       2,
                       12});
    }
    Row batch_numbers = with_affine({1e-2, 0.1}, 3);
    batch_numbers.insert(batch_numbers.end(), {0.1, -0.2, 0.3, 0.5, 1, 2});
    cases.push_back({"batchNorm",
                     batch_numbers,
                     {3},
                     [](const Row& numbers, const std::vector<Rows>& operands) {
                       Rows out = operands[0];
                       for (size_t c = 0; c < 3; ++c) {
                         for (double& x : out[c]) x = (x - numbers[8 + c]) / std::sqrt(numbers[11 + c] + numbers[0]);
                       }
                       return scaled(out, numbers, 2);
                     },
                     length,
                     2,
                     6});
    cases.push_back({"dropout", {0.5}, {3}, of_each([](double x) { return x; }), length});
  }
  cases.push_back({"crop", {-2, -3, 0}, {2}, padded});
  for (const double ceil : {0, 1}) {
    for (const Row& window : {Row{3, 2, 0, 1}, Row{2, 2, 1, 1}, Row{3, 1, 1, 2}, Row{5, 3, 2, 1}, Row{1, 1, 0, 1}}) {
      for (const int32_t length : {6, 7, 8, 50}) {
        const Row numbers{window[0], window[1], window[2], window[3], ceil, 1};
        cases.push_back({"maxPool", numbers, {2}, of_windows(largest), length});
        if (window[3] != 1) continue;
        cases.push_back({"averagePool", numbers, {2}, of_windows(average), length});
        cases.push_back(
            {"averagePool", {window[0], window[1], window[2], 1, ceil, 0}, {2}, of_windows(average), length});
      }
    }
  }
  for (size_t i = 0; i < std::size(kActivations); ++i) {
    std::vector<float> parameters(kActivations[i].parameter_count());
    for (size_t p = 0; p < parameters.size(); ++p) {
      parameters[p] = static_cast<float>(kActivations[i].parameters[p].initial);
    }
    cases.push_back(activation(static_cast<Activation>(i), parameters));
  }
  cases.push_back(activation(Activation::kPrelu, {0.5F, -2, 0}));
  cases.push_back(activation(Activation::kElu, {-0.5F}));
  return cases;
}

std::shared_ptr<Operation> make(const Case& own) {
  const bool is_activation = own.kind.ends_with(" activation");
  auto made = make_operation(
      {.kind = is_activation ? "activation" : own.kind, .channels = own.channels, .numbers = own.numbers});
  EXPECT_TRUE(made) << own.kind;
  return *made;
}

// Random numbers that are float32, and none near 0, where some functions have corners.
std::vector<float> random_floats(size_t count, bool positive, std::mt19937* random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& x : values) {
    while (std::abs(x) < 0.01F) x = normal(*random);
    if (positive) x = std::abs(x) + 0.1F;
  }
  return values;
}

// Gradients of a loss, the sum of all outputs times numbers of their own, of all operands and parameters.
struct Gradients {
  std::vector<std::vector<float>> operands;
  std::vector<float> parameters;
};

// What an operation is asked, of one image.
struct Question {
  const Operation* operation;
  std::vector<std::vector<float>> operands;
  int32_t length;
  int32_t out_length;
  std::vector<float> output;
  std::vector<float> output_gradients;

  Question(const Operation* asked, const std::vector<int32_t>& channels, int32_t samples, bool positive, uint32_t seed)
      : operation(asked), length(samples), out_length(static_cast<int32_t>(asked->length(samples))) {
    std::mt19937 random(seed);
    for (const int32_t own : channels) operands.push_back(random_floats(rows(own) * rows(length), positive, &random));
    output_gradients = random_floats(rows(asked->out_channels()) * rows(out_length), false, &random);
    output.resize(output_gradients.size());
    std::vector<float> state(asked->state_floats() + asked->scratch_floats());
    asked->start(state.data());
    if (asked->timing().at_end) asked->take(stretches()[0], 0, length, state.data());
    asked->compute(stretches(), 0, out_length, {output.data(), rows(out_length)}, state.data());
  }

  static size_t rows(int32_t count) { return static_cast<size_t>(count); }

  std::vector<Stretch> stretches() const {
    std::vector<Stretch> all;
    all.reserve(operands.size());
    for (const auto& operand : operands) all.push_back({operand.data(), rows(length), 0, length});
    return all;
  }

  // Adds to `sums`, in calls for up to `most` outputs; which operands are asked for.
  void ask(int32_t most, const std::vector<bool>& asked, bool of_parameters, Gradients* sums) const {
    const auto operand_stretches = stretches();
    std::vector<OutputStretch> to;
    to.reserve(operands.size());
    for (size_t i = 0; i < operands.size(); ++i) {
      to.push_back({asked[i] ? sums->operands[i].data() : nullptr, rows(length)});
    }
    std::vector<float> scratch(operation->backward_scratch_floats(length));
    const OperationGradient gradient{
        .operands = operand_stretches,
        .output = {output.data(), rows(out_length), 0, out_length},
        .output_gradients = {output_gradients.data(), rows(out_length), 0, out_length},
        .operand_gradients = to,
        .parameter_gradients = of_parameters && !sums->parameters.empty() ? sums->parameters.data() : nullptr,
        .scratch = scratch.data()};
    for (int32_t first = 0; first < out_length; first += most) {
      operation->backward(gradient, first, std::min(most, out_length - first));
    }
  }

  // Gradients that begin with `value`.
  Gradients begun(float value) const {
    Gradients sums;
    for (const auto& operand : operands) sums.operands.emplace_back(operand.size(), value);
    sums.parameters.assign(operation->parameter_count(), value);
    return sums;
  }

  Gradients all(int32_t most = 1 << 30) const {
    Gradients sums = begun(0);
    ask(most, std::vector<bool>(operands.size(), true), true, &sums);
    return sums;
  }

  std::vector<Rows> in_float64() const {
    std::vector<Rows> all;
    for (const auto& operand : operands) {
      Rows own;
      for (size_t at = 0; at < operand.size(); at += rows(length)) {
        own.emplace_back(operand.begin() + static_cast<ptrdiff_t>(at),
                         operand.begin() + static_cast<ptrdiff_t>(at + rows(length)));
      }
      all.push_back(own);
    }
    return all;
  }
};

// The gradient by central differences in float64, and the sum of the magnitudes of its terms. `f` makes the outputs
// that belong to a change of `x`.
struct Difference {
  double gradient = 0;
  double magnitude = 0;
};
template <class F>
Difference difference(double* x, const std::vector<float>& output_gradients, const F& f) {
  constexpr double kStep = 0x1p-18;
  const double own = *x;
  *x = own + kStep;
  const Rows above = f();
  *x = own - kStep;
  const Rows below = f();
  *x = own;
  Difference result;
  size_t at = 0;
  for (size_t c = 0; c < above.size(); ++c) {
    for (size_t t = 0; t < above[c].size(); ++t) {
      const double term = (above[c][t] - below[c][t]) / (2 * kStep) * output_gradients[at++];
      result.gradient += term;
      result.magnitude += std::abs(term);
    }
  }
  return result;
}

// How far off a gradient may be, relative to the magnitudes of its terms; and of what it is made of, absolute.
constexpr double kRelative = 0x1p-20;
constexpr double kAbsolute = 0x1p-19;

void expect_near(float got, const Difference& expected, const std::string& what) {
  ASSERT_NEAR(got, expected.gradient, kRelative * expected.magnitude + kAbsolute) << what;
}

void expect_gradients(const Question& question, const Definition& definition, Row numbers, size_t first_parameter,
                      const std::string& name) {
  const Gradients got = question.all();
  std::vector<Rows> operands = question.in_float64();
  const auto output = [&] { return definition(numbers, operands); };
  const Rows first = output();
  ASSERT_EQ(first.size(), static_cast<size_t>(question.operation->out_channels())) << name;
  ASSERT_EQ(first[0].size(), static_cast<size_t>(question.out_length)) << name;
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t c = 0; c < operands[i].size(); ++c) {
      for (size_t t = 0; t < operands[i][c].size(); ++t) {
        const std::string what =
            name + ", operand " + std::to_string(i) + ", row " + std::to_string(c) + ", sample " + std::to_string(t);
        expect_near(got.operands[i][c * operands[i][c].size() + t],
                    difference(&operands[i][c][t], question.output_gradients, output), what);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
  for (size_t p = 0; p < got.parameters.size(); ++p) {
    expect_near(got.parameters[p], difference(&numbers[first_parameter + p], question.output_gradients, output),
                name + ", parameter " + std::to_string(p));
    if (testing::Test::HasFatalFailure()) return;
  }
}

std::string name_of(const Case& own) {
  std::string name = own.kind + " of " + std::to_string(own.length) + " samples, numbers";
  for (const double number : own.numbers) name += " " + std::to_string(number);
  return name;
}

TEST(Gradients, AreThoseOfTheDefinitions) {
  uint32_t seed = 0;
  for (const Case& own : all_cases()) {
    const auto operation = make(own);
    ASSERT_EQ(operation->parameter_count(), own.parameters) << own.kind;
    const Question question(operation.get(), own.channels, own.length, own.positive, ++seed);
    expect_gradients(question, own.definition, own.numbers, own.first_parameter, name_of(own));
    if (HasFatalFailure()) return;
  }
}

TEST(Gradients, AreAddedToWhatIsAskedFor) {
  for (const Case& own : all_cases()) {
    const auto operation = make(own);
    const Question question(operation.get(), own.channels, own.length, own.positive, 1);
    const Gradients all = question.all();
    for (size_t asked = 0; asked <= own.channels.size(); ++asked) {
      std::vector<bool> which(own.channels.size(), false);
      if (asked < which.size()) which[asked] = true;
      Gradients sums = question.begun(1);
      question.ask(1 << 30, which, asked == which.size(), &sums);
      for (size_t i = 0; i < which.size(); ++i) {
        for (size_t at = 0; at < all.operands[i].size(); ++at) {
          const float expected = which[i] ? 1 + all.operands[i][at] : 1;
          ASSERT_NEAR(sums.operands[i][at], expected, 0x1p-20 * (1 + std::abs(expected))) << name_of(own);
        }
      }
      for (size_t at = 0; at < all.parameters.size(); ++at) {
        const float expected = asked == which.size() ? 1 + all.parameters[at] : 1;
        ASSERT_NEAR(sums.parameters[at], expected, 0x1p-18 * (1 + std::abs(expected))) << name_of(own);
      }
    }
  }
}

TEST(Gradients, DoNotDependOnStretches) {
  for (const Case& own : all_cases()) {
    const auto operation = make(own);
    if (!operation->timing().in_step() || operation->why_not_in_streams() != nullptr ||
        operation->parameter_count() + operation->state_floats() > 0) {
      continue;
    }
    const Question question(operation.get(), own.channels, own.length, own.positive, 1);
    for (const int32_t most : {1, 3, 100}) {
      EXPECT_EQ(question.all(most).operands, question.all().operands) << name_of(own);
    }
  }
}

TEST(Gradients, OfAnOperandThatComesTwiceAddUp) {
  struct Pair {
    const char* kind;
    double (*derivative)(double x);
  };
  for (const auto& [kind, derivative] : {Pair{"add", [](double) { return 2.0; }},
                                         {"subtract", [](double) { return 0.0; }},
                                         {"multiply", [](double x) { return 2 * x; }},
                                         {"divide", [](double) { return 0.0; }}}) {
    auto made = make_operation({.kind = kind, .channels = std::vector<int32_t>{2, 2}, .numbers = {}});
    Question question((*made).get(), {2, 2}, 9, false, 1);
    question.operands[1] = question.operands[0];
    question.output = question.operands[0];
    const float* x = question.operands[0].data();
    const Stretch stretch{x, 9, 0, 9};
    const Stretch operands[] = {stretch, stretch};
    (*made)->compute(operands, 0, 9, {question.output.data(), 9}, nullptr);
    std::vector<float> sums(18, 0.0F);
    const OutputStretch to[] = {{sums.data(), 9}, {sums.data(), 9}};
    (*made)->backward({.operands = operands,
                       .output = {question.output.data(), 9, 0, 9},
                       .output_gradients = {question.output_gradients.data(), 9, 0, 9},
                       .operand_gradients = to,
                       .parameter_gradients = nullptr,
                       .scratch = nullptr},
                      0, 9);
    for (size_t i = 0; i < sums.size(); ++i) {
      EXPECT_NEAR(sums[i], question.output_gradients[i] * derivative(x[i]), 1e-5) << kind;
    }
  }
}

// The output of an operation of one channel for one image, its gradient being 1, 2, 3 and so on.
std::vector<float> gradients_of(const char* kind, const Row& numbers, const std::vector<float>& in,
                                int32_t channels = 1) {
  auto made = make_operation({.kind = kind, .channels = {&channels, 1}, .numbers = numbers});
  Question question((*made).get(), {channels}, static_cast<int32_t>(in.size()) / channels, false, 1);
  question.operands[0] = in;
  std::iota(question.output_gradients.begin(), question.output_gradients.end(), 1.0F);
  std::vector<float> state((*made)->state_floats() + (*made)->scratch_floats());
  const auto length = static_cast<size_t>(question.out_length);
  (*made)->compute(question.stretches(), 0, question.out_length, {question.output.data(), length}, state.data());
  return question.all().operands[0];
}

TEST(Gradients, OfEqualMaximaGoToTheFirst) {
  EXPECT_EQ(gradients_of("maxPool", {3, 1, 1, 1, 0, 1}, {2, 2, 1, 2, 2}), (std::vector<float>{3, 0 + 3, 0, 4 + 5, 0}));
  EXPECT_EQ(gradients_of("globalMaxPool", {}, {1, 3, 2, 3}), (std::vector<float>{0, 1, 0, 0}));
}

TEST(Gradients, OfCornersAreThoseOfPyTorch) {
  EXPECT_EQ(gradients_of("abs", {}, {-1, 0, -0.0F, 2}), (std::vector<float>{-1, 0, 0, 4}));
  EXPECT_EQ(gradients_of("clip", {-1, 1}, {-2, -1, 0, 1, 2}), (std::vector<float>{0, 2, 3, 4, 0}));
  EXPECT_EQ(gradients_of("magnitude", {}, {0, 3, 0, 4}, 2), (std::vector<float>{0, 2 * 0.6F, 0, 2 * 0.8F}));
}

TEST(Gradients, RenewedNumbersAreUsed) {
  for (const Case& own : all_cases()) {
    if (own.parameters == 0) continue;
    const auto operation = make(own);
    EXPECT_TRUE(std::ranges::equal(operation->numbers(), own.numbers)) << own.kind;
    Case other = own;
    for (size_t i = 0; i < other.parameters; ++i) other.numbers[other.first_parameter + i] += 0.25;
    operation->renew(other.numbers);
    const Question renewed(operation.get(), own.channels, own.length, false, 1);
    const auto made = make(other);
    const Question anew(made.get(), own.channels, own.length, false, 1);
    EXPECT_EQ(renewed.output, anew.output) << own.kind;
    EXPECT_EQ(renewed.all().operands, anew.all().operands) << own.kind;
  }
}

// One step of an LSTM or a GRU after the other, as PyTorch defines them.
Rows recurrent(bool lstm, size_t inputs, size_t n, const Row& weights, const Rows& in) {
  const size_t gates = (lstm ? 4 : 3) * n;
  Rows out(n, Row(in[0].size()));
  Row h(n);
  Row c(n);
  for (size_t t = 0; t < in[0].size(); ++t) {
    const auto of_input = [&](size_t j) {
      double result = weights[gates * (inputs + n) + j];
      for (size_t i = 0; i < inputs; ++i) result += weights[j * inputs + i] * in[i][t];
      return result;
    };
    const auto of_hidden = [&](size_t j) {
      double result = weights[gates * (inputs + n + 1) + j];
      for (size_t i = 0; i < n; ++i) result += weights[gates * inputs + j * n + i] * h[i];
      return result;
    };
    Row next(n);
    for (size_t j = 0; j < n; ++j) {
      const auto gate = [&](size_t i) { return of_input(i * n + j) + of_hidden(i * n + j); };
      if (lstm) {
        c[j] = sigmoid(gate(1)) * c[j] + sigmoid(gate(0)) * std::tanh(gate(2));
        next[j] = sigmoid(gate(3)) * std::tanh(c[j]);
      } else {
        const double candidate = std::tanh(of_input(2 * n + j) + sigmoid(gate(0)) * of_hidden(2 * n + j));
        next[j] = (1 - sigmoid(gate(1))) * candidate + sigmoid(gate(1)) * h[j];
      }
    }
    h = next;
    for (size_t j = 0; j < n; ++j) out[j][t] = h[j];
  }
  return out;
}

TEST(Gradients, OfRecurrentLayersGoThroughTime) {
  for (const auto cell : {Recurrent::Cell::kLstm, Recurrent::Cell::kGru}) {
    for (const auto& [inputs, hidden, length] :
         {std::array{1, 1, 1}, {1, 3, 4}, {3, 1, 9}, {5, 9, 7}, {2, 4, 40}, {9, 12, 5}}) {
      auto made = Recurrent::make(cell, inputs, hidden);
      ASSERT_TRUE(made);
      Recurrent& layer = **made;
      std::mt19937 random(1);
      const auto weights = random_floats(layer.weight_count(), false, &random);
      std::ranges::transform(weights, layer.weights(), [](float x) { return 0.5F * x; });
      layer.changed();
      const Row numbers(layer.weights(), layer.weights() + layer.weight_count());
      const Question question(&layer, {inputs}, length, false, 2);
      const auto definition = [&](const Row& own, const std::vector<Rows>& operands) {
        return recurrent(cell == Recurrent::Cell::kLstm, static_cast<size_t>(inputs), static_cast<size_t>(hidden), own,
                         operands[0]);
      };
      expect_gradients(question, definition, numbers, 0,
                       std::string(layer.id().name) + " of " + std::to_string(inputs) + ", " + std::to_string(hidden));
      if (HasFatalFailure()) return;
      // Each part alone is the same.
      const Gradients all = question.all();
      Gradients of_operand = question.begun(0);
      question.ask(length, {true}, false, &of_operand);
      EXPECT_EQ(of_operand.operands, all.operands);
      Gradients of_weights = question.begun(0);
      question.ask(length, {false}, true, &of_weights);
      EXPECT_EQ(of_weights.parameters, all.parameters);
    }
  }
}

}  // namespace
}  // namespace conv1d
