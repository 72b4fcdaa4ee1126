#include "passes/recording.h"

#include <algorithm>
#include <array>
#include <new>

#include "choose/threads.h"
#include "integers.h"
#include "operations/make_operation.h"
#include "passes/share.h"

namespace conv1d {
namespace {

bool has_derivative_of_output(const Finish& finish, int32_t channels) {
  for (int32_t c = 0; c < (finish.channels == nullptr ? 1 : channels); ++c) {
    if (!has_derivative_of_output(finish.activation, finish.parameters_of(c))) return false;
  }
  return true;
}

MadeOperation activation_of(const Params& params) {
  const Finish& finish = params.finish;
  std::vector<double> numbers{static_cast<double>(finish.activation)};
  const size_t count = finish.channels == nullptr ? entry_of(finish.activation).parameter_count()
                                                  : static_cast<size_t>(params.out_channels);
  const float* first = finish.parameters_of(0);
  numbers.insert(numbers.end(), first, first + count);
  return make_operation({.kind = "activation", .channels = {&params.out_channels, 1}, .numbers = numbers});
}

// The graph with the activations of layers as steps of their own where their derivative needs sums.
Result<Graph> with_sums(const Graph& graph) {
  Graph result{.steps = {}, .dtype = graph.dtype, .in_channels = graph.in_channels};
  std::vector<int32_t> value_of(graph.values(), 0);
  for (size_t i = 0; i < graph.steps.size(); ++i) {
    Step& step = result.steps.emplace_back(graph.steps[i]);
    for (int32_t& operand : step.operands) operand = value_of[static_cast<size_t>(operand)];
    if (step.layer && !has_derivative_of_output(step.layer->finish(), step.out_channels())) {
      step.sums_only = true;
      auto activation = activation_of(step.layer->params());
      if (!activation) return std::move(activation.error());
      const auto sums = static_cast<int32_t>(result.steps.size());
      result.steps.push_back({.operands = {sums}, .layer = nullptr, .operation = *activation});
    }
    value_of[i + 1] = static_cast<int32_t>(result.steps.size());
  }
  return result;
}

size_t count_parameters(const Step& step) {
  if (!step.layer) return step.operation->parameter_count();
  const Params& params = step.layer->params();
  return static_cast<size_t>(params.weight_size()) + (params.bias ? static_cast<size_t>(params.out_channels) : 0);
}

const void* owner_of(const Step& step) {
  return step.layer ? static_cast<const void*>(step.layer.get()) : step.operation.get();
}

// Whether its gradient may be computed stretch by stretch.
bool is_by_sample(const Operation& operation) {
  return operation.timing().in_step() && operation.parameter_count() == 0 && operation.state_floats() == 0 &&
         operation.why_not_in_streams() == nullptr;
}

// Parts of the images that have sums of their own of the parameters' gradients.
constexpr int32_t kMostParts = 8;

void add(const float* from, size_t count, float* to) {
  for (size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

Recording::Recording(Graph graph, bool low_memory)
    : forward_(std::move(graph), low_memory ? Forward::Keep::kBorders : Forward::Keep::kAll) {}

Result<std::unique_ptr<Recording>> Recording::lay_out(const Graph& graph, double batch, double length,
                                                      bool low_memory) {
  if (graph.dtype != DType::kFloat32) {
    return unsupported("dtype",
                       "only float32 networks can be trained: train in float32, convert the weights afterwards");
  }
  auto recorded = with_sums(graph);
  if (!recorded) return std::move(recorded.error());
  std::unique_ptr<Recording> made(new (std::nothrow) Recording(std::move(*recorded), low_memory));
  if (!made) return no_room("a recording");
  if (auto error = made->lay_out(batch, length)) return std::move(*error);
  return made;
}

Result<std::unique_ptr<Recording>> Recording::make(const Graph& graph, double batch, double length, int threads,
                                                   bool low_memory) {
  auto made = lay_out(graph, batch, length, low_memory);
  if (made) {
    if (auto error = (*made)->prepare(threads)) return std::move(*error);
  }
  return made;
}

Result<double> Recording::bytes_for(const Graph& graph, double batch, double length, bool low_memory) {
  auto made = lay_out(graph, batch, length, low_memory);
  if (!made) return std::move(made.error());
  return (*made)->bytes();
}

size_t Recording::floats(size_t value) const {
  return static_cast<size_t>(batch_) * static_cast<size_t>(graph().channels(static_cast<int32_t>(value))) *
         static_cast<size_t>(length_of(value));
}

const float* Recording::value(size_t value) {
  if (value == 0) return input_.data();
  return value + 1 == graph().values() ? output_.data() : forward_.kept(value - 1);
}

Recording::Parameters* Recording::find(const void* owner) {
  return std::ranges::find(owners_, owner, &Parameters::owner);
}

const float* Recording::parameter_gradients(const Step& step) {
  const Parameters* found = find(owner_of(step));
  return found == owners_.end() ? nullptr : parameters_.data() + found->at;
}

std::optional<Error> Recording::lay_out(double batch, double length) {
  auto lengths = forward_.lengths_after(batch, length);
  if (!lengths) return std::move(lengths.error());
  lengths_ = std::move(*lengths);
  batch_ = static_cast<int32_t>(batch);
  length_ = static_cast<int32_t>(length);
  const size_t steps = graph().steps.size();
  if (!nodes_.make(steps) || !owners_.make(steps) || !gradient_of_.make(steps + 1)) return no_room("a recording");
  size_t owners = 0;
  for (size_t i = 0; i < steps; ++i) {
    const Step& step = graph().steps[i];
    const size_t count = count_parameters(step);
    if (count == 0) continue;
    Parameters* found = find(owner_of(step));
    if (found == owners_.end()) {
      found = &owners_[owners++];
      *found = {.owner = owner_of(step), .at = static_cast<size_t>(parameter_floats_), .count = count};
      parameter_floats_ += static_cast<double>(round_up<size_t>(count, 4));
    }
    nodes_[i].parameters = found;
  }
  owners_.shorten(owners);
  std::vector<size_t> sizes;
  for (size_t value = 0; value <= steps; ++value) sizes.push_back(round_up<size_t>(floats(value), 4));
  ends_ = static_cast<double>(sizes.front()) + static_cast<double>(sizes.back());
  const Placement placement = place_gradients(graph(), sizes);
  for (size_t value = 0; value <= steps; ++value) gradient_of_[value].at = placement.begin[value];
  gradient_floats_ = placement.bytes;
  kept_bytes_ = forward_.place(batch, lengths_).bytes;
  return std::nullopt;
}

std::optional<Error> Recording::prepare(int threads) {
  if (auto error = forward_.prepare(batch_, length_, threads)) return error;
  for (size_t i = 0; i < graph().steps.size(); ++i) {
    if (auto error = prepare_step(i, threads)) return error;
  }
  if (!reserve_floats(gradient_floats_, &gradients_) || !reserve_floats(parameter_floats_, &parameters_) ||
      !input_.reserve(floats(0)) || !output_.reserve(floats(graph().steps.size()))) {
    return no_room(bytes(), "the gradients of the network's signals");
  }
  return std::nullopt;
}

std::optional<Error> Recording::prepare_step(size_t index, int threads) {
  const Step& step = graph().steps[index];
  Node& node = nodes_[index];
  size_t spare = 0;
  if (step.layer) {
    auto made = LayerGradient::make(step.layer, forward_.geometry(index),
                                    {.input = true, .weight = true, .bias = step.layer->params().bias}, threads);
    if (!made) return std::move(made.error());
    node.layer = std::move(*made);
    spare = floats(static_cast<size_t>(step.input())) + node.parameters->count;
  } else {
    const Operation& operation = *step.operation;
    const int32_t length = lengths_[index];
    node.piece_length = length;
    if (is_by_sample(operation)) {
      int32_t widest = operation.out_channels();
      for (const int32_t operand : step.operands) widest = std::max(widest, graph().channels(operand));
      node.piece_length = std::clamp(kElementwisePiece / widest, std::min(16, length), length);
    }
    node.pieces = batch_ * ceil_div(length, node.piece_length);
    if (node.parameters != nullptr) {
      node.pieces = std::min(node.pieces, kMostParts);
      spare = node.parameters->count * static_cast<size_t>(node.pieces);
    }
    const int64_t samples = length_of(static_cast<size_t>(step.input()));
    node.scratch_floats = round_up<size_t>(operation.backward_scratch_floats(samples), 16);
  }
  if (!spare_.reserve(spare) || !scratch_.reserve(node.scratch_floats * static_cast<size_t>(threads))) {
    return no_room("the gradients of the network's signals");
  }
  return std::nullopt;
}

std::optional<Error> Recording::run(const Mode& mode, ThreadPool& pool) {
  if (mode.training) {
    for (size_t i = 0; i < graph().steps.size(); ++i) {
      const TrainingMode* own = Forward::training_mode(graph().steps[i]);
      if (own == nullptr) continue;
      const double values = static_cast<double>(batch_) * lengths_[i];
      const auto least = static_cast<double>(own->least_values());
      if (values < least) return too_few_values(graph().steps[i].operation->id().name, least, values);
    }
  }
  mode_ = mode;
  set_training(true);
  forward_.run(input_.data(), output_.data(), pool);
  set_training(false);
  resident_ = forward_.segments().size() - 1;
  return std::nullopt;
}

void Recording::set_training(bool learns) {
  forward_.set_training(mode_.training ? std::optional(Forward::Training{.seed = mode_.seed, .learns = learns})
                                       : std::nullopt);
}

void Recording::run_backward(const Needs& needs, ThreadPool& pool) {
  for (Gradient& gradient : gradient_of_) gradient.written = false;
  gradient_of_.back().written = true;
  for (Parameters& parameters : owners_) parameters.written = false;
  const std::vector<size_t>& segments = forward_.segments();
  for (size_t s = segments.size(); s-- > 0;) {
    const size_t first = s == 0 ? 0 : segments[s - 1];
    if (s != resident_) forward_.run_steps(input_.data(), output_.data(), pool, first, segments[s]);
    resident_ = s;
    for (size_t i = segments[s]; i-- > first;) {
      graph().steps[i].layer ? back_through_layer(i, needs, pool) : back_through_operation(i, needs, pool);
    }
  }
}

void Recording::apply_activation_derivative(size_t index, ThreadPool& pool) {
  const Finish finish = graph().steps[index].finish();
  if (finish.activation == Activation::kNone) return;
  const auto channels = static_cast<size_t>(graph().steps[index].out_channels());
  const auto length = static_cast<size_t>(lengths_[index]);
  const float* outputs = value(index + 1);
  float* gradients = gradient(index + 1);
  const Run rows{.begin = 0, .end = batch_ * static_cast<int32_t>(channels)};
  share(pool, pool.threads(), rows, [&](int32_t first, int32_t last, int /*thread*/) {
    for (auto row = static_cast<size_t>(first); row < static_cast<size_t>(last); ++row) {
      apply_derivative(finish.activation, finish.parameters_of(static_cast<int32_t>(row % channels)),
                       DerivativeOf::kOutput, outputs + row * length, gradients + row * length, length);
    }
  });
}

void Recording::back_through_layer(size_t index, const Needs& needs, ThreadPool& pool) {
  const Step& step = graph().steps[index];
  const auto input = static_cast<size_t>(step.input());
  Node& node = nodes_[index];
  apply_activation_derivative(index, pool);
  const bool needs_input = input != 0 || needs.input;
  const size_t inputs = floats(input);
  Parameters& parameters = *node.parameters;
  float* own = parameters_.data() + parameters.at;
  float* weights = parameters.written ? spare_.data() + inputs : own;
  const auto weight_count = static_cast<size_t>(step.layer->params().weight_size());
  node.layer->run({.input = value(input),
                   .sum_gradients = gradient(index + 1),
                   .input_gradients = !needs_input                  ? nullptr
                                      : gradient_of_[input].written ? spare_.data()
                                                                    : gradient(input),
                   .weight_gradients = needs.weights ? weights : nullptr,
                   .bias_gradients = needs.biases && step.layer->params().bias ? weights + weight_count : nullptr},
                  pool);
  if (needs_input && gradient_of_[input].written) {
    const Run elements{.begin = 0, .end = static_cast<int32_t>(inputs)};
    share(pool, pool.threads(), elements, [&](int32_t first, int32_t last, int /*thread*/) {
      add(spare_.data() + first, static_cast<size_t>(last - first), gradient(input) + first);
    });
  }
  if (needs_input) gradient_of_[input].written = true;
  if (!needs.weights && !needs.biases) return;
  if (parameters.written) add(weights, parameters.count, own);
  parameters.written = true;
}

void Recording::back_through_operation(size_t index, const Needs& needs, ThreadPool& pool) {
  const Step& step = graph().steps[index];
  Node& node = nodes_[index];
  std::array<float*, kMostOperands> gradients{};
  for (size_t i = 0; i < step.operands.size(); ++i) {
    gradients[i] = begin_gradient(static_cast<size_t>(step.operands[i]), needs);
  }
  Parameters* parameters = needs.weights ? node.parameters : nullptr;
  float* own = parameters == nullptr ? nullptr : parameters_.data() + parameters->at;
  if (parameters != nullptr && !parameters->written) std::fill_n(own, parameters->count, 0.0F);
  if (parameters != nullptr) parameters->written = true;
  if (const TrainingMode* mode = Forward::training_mode(step); mode != nullptr && mode_.training) {
    return back_through_training(index, *mode, gradients[0], own, pool);
  }
  if (own != nullptr) std::fill_n(spare_.data(), parameters->count * static_cast<size_t>(node.pieces), 0.0F);
  pool.parallel_for(node.pieces, pool.threads(), [&](int piece, int thread) {
    float* partial = own == nullptr ? nullptr : spare_.data() + static_cast<size_t>(piece) * parameters->count;
    run_piece(index, piece, std::span(gradients).first(step.operands.size()), partial,
              scratch_.data() + static_cast<size_t>(thread) * node.scratch_floats);
  });
  for (int32_t piece = 0; own != nullptr && piece < node.pieces; ++piece) {
    add(spare_.data() + static_cast<size_t>(piece) * parameters->count, parameters->count, own);
  }
}

float* Recording::begin_gradient(size_t operand, const Needs& needs) {
  if (operand == 0 && !needs.input) return nullptr;
  float* to = gradient(operand);
  if (!gradient_of_[operand].written) std::fill_n(to, floats(operand), 0.0F);
  gradient_of_[operand].written = true;
  return to;
}

void Recording::back_through_training(size_t index, const TrainingMode& mode, float* operand_gradients,
                                      float* parameters, ThreadPool& pool) {
  const Step& step = graph().steps[index];
  const int32_t channels = step.out_channels();
  const Batch batch{.images = batch_, .channels = channels, .length = lengths_[index]};
  const float* operand = value(static_cast<size_t>(step.input()));
  share(pool, pool.threads(), {.begin = 0, .end = channels}, [&](int32_t first, int32_t last, int /*thread*/) {
    mode.train_backward(batch, operand, gradient(index + 1), first, last, Forward::seed_of(mode_.seed, index),
                        operand_gradients, parameters);
  });
}

void Recording::run_piece(size_t index, int32_t piece, std::span<float* const> gradients, float* partial,
                          float* scratch) {
  const Step& step = graph().steps[index];
  const Node& node = nodes_[index];
  const int32_t length = lengths_[index];
  const int32_t pieces_an_image = ceil_div(length, node.piece_length);
  const bool by_parts = node.parameters != nullptr;  // a part of the images at once
  const auto image_at = [&](int32_t part) {
    return by_parts ? static_cast<int32_t>(int64_t{batch_} * part / node.pieces) : part / pieces_an_image;
  };
  const int32_t first = by_parts ? 0 : piece % pieces_an_image * node.piece_length;
  const int32_t count = std::min(node.piece_length, length - first);
  const int32_t end = by_parts ? image_at(piece + 1) : image_at(piece) + 1;
  for (int32_t image = image_at(piece); image < end; ++image) {
    const auto rows_at = [&](size_t v) {
      return static_cast<size_t>(image) * (floats(v) / static_cast<size_t>(batch_));
    };
    std::array<Stretch, kMostOperands> operands;
    std::array<OutputStretch, kMostOperands> operand_gradients;
    for (size_t i = 0; i < step.operands.size(); ++i) {
      const auto operand = static_cast<size_t>(step.operands[i]);
      const int32_t samples = length_of(operand);
      const size_t at = rows_at(operand);
      operands[i] = {value(operand) + at, static_cast<size_t>(samples), 0, samples};
      operand_gradients[i] = {gradients[i] == nullptr ? nullptr : gradients[i] + at, static_cast<size_t>(samples)};
    }
    const size_t at = rows_at(index + 1);
    const auto pitch = static_cast<size_t>(length);
    step.operation->backward({.operands = std::span(operands).first(step.operands.size()),
                              .output = {value(index + 1) + at, pitch, 0, length},
                              .output_gradients = {gradient(index + 1) + at, pitch, 0, length},
                              .operand_gradients = std::span(operand_gradients).first(step.operands.size()),
                              .parameter_gradients = partial,
                              .scratch = scratch},
                             first, count);
  }
}

}  // namespace conv1d
