#include "passes/forward.h"

#include <algorithm>
#include <array>
#include <new>

#include "choose/depth_first_schedule.h"
#include "half.h"
#include "integers.h"
#include "methods/make_method.h"
#include "passes/share.h"

namespace conv1d {
namespace {

// The part of pieces [begin, end) that lies in the `count` pieces from `before` on, counted from there.
Run own_run(int32_t begin, int32_t end, int32_t before, int32_t count) {
  return {std::max(begin - before, 0), std::min(end - before, count)};
}

}  // namespace

std::optional<Error> Forward::measure(double batch, double length, Node* nodes) const {
  if (auto error = check_input(batch, graph_.in_channels, length)) return error;
  for (size_t i = 0; i < graph_.steps.size(); ++i) {
    const Step& step = graph_.steps[i];
    Node& node = nodes[i];
    node.channels = step.out_channels();
    const double in_length = length_of(step.input(), length, nodes);
    if (step.layer) {
      const double own_length = step.input() == 0 ? length : in_length;
      if (auto error = resolve(step.layer->params(), batch, own_length, &node.geometry)) return error;
      node.length = node.geometry.out_length;
      continue;
    }
    for (const int32_t operand : step.operands) {
      const double other = length_of(operand, length, nodes);
      if (other != in_length) return different_lengths(in_length, other);
    }
    node.operand_length = static_cast<int32_t>(in_length);
    const int64_t out_length = step.operation->length(node.operand_length);
    const double elements = batch * node.channels * static_cast<double>(out_length);
    if (out_length < 1 || elements > static_cast<double>(kMaxElements)) {
      return bad_output_length(step.operation->id().name, in_length, static_cast<double>(out_length));
    }
    node.length = static_cast<int32_t>(out_length);
  }
  return std::nullopt;
}

Result<std::vector<int32_t>> Forward::lengths_after(double batch, double length) const {
  const size_t steps = graph_.steps.size();
  const std::unique_ptr<Node[]> nodes(new (std::nothrow) Node[steps]);
  if (!nodes) return no_room(static_cast<double>(steps * sizeof(Node)), "scratch");
  if (auto error = measure(batch, length, nodes.get())) return std::move(*error);
  return lengths_of(nodes.get());
}

std::vector<int32_t> Forward::lengths_of(const Node* nodes) const {
  std::vector<int32_t> lengths(graph_.steps.size());
  std::transform(nodes, nodes + lengths.size(), lengths.begin(), [](const Node& node) { return node.length; });
  return lengths;
}

std::optional<Error> Forward::prepare(double batch, double length, int threads) {
  const size_t steps = graph_.steps.size();
  std::unique_ptr<Node[]> nodes(new (std::nothrow) Node[steps]);
  if (!nodes) return no_room(static_cast<double>(steps * sizeof(Node)), "scratch");
  if (auto error = measure(batch, length, nodes.get())) return error;
  const auto images = static_cast<int32_t>(batch);
  int32_t pieces = 0;
  for (size_t i = 0; i < steps; ++i) {
    Node& node = nodes[i];
    node.first_piece = pieces;
    if (const Step& step = graph_.steps[i]; step.layer) {
      if (auto error = choose_methods(step, threads, &node)) return error;
      for (const Part& part : node.parts) pieces += part.chosen.method->pieces();
    } else {
      cut_operation(step, images, &node);
      const double floats = static_cast<double>(node.scratch_floats) * threads;
      if (!reserve_floats(floats, &scratch_)) return no_room(floats * sizeof(float), "scratch");
    }
    pieces += node.pieces;
  }
  choose_depth_first(images, static_cast<int32_t>(length), threads, nodes.get());
  if (depth_first_) {
    pieces = depth_first_->pieces();
  } else if (auto error = place_values(images, nodes.get())) {
    return error;
  }
  nodes_ = std::move(nodes);
  batch_ = images;
  pieces_ = pieces;
  return std::nullopt;
}

void Forward::choose_depth_first(int32_t batch, int32_t length, int threads, const Node* nodes) {
  depth_first_ = nullptr;
  if (keep_ != Keep::kNone) return;
  double bytes = 0;  // of one image, so that neither batch nor threads choose
  double saved = 0;
  for (size_t i = 0; i < graph_.steps.size(); ++i) {
    const Step& step = graph_.steps[i];
    const Node& node = nodes[i];
    bytes += sizeof(float) * static_cast<double>(node.channels) * node.length;
    for (const int32_t operand : step.operands) {
      bytes += sizeof(float) * static_cast<double>(graph_.channels(operand)) * length_of(operand, length, nodes);
    }
    for (const Part& part : node.parts) {
      const auto& [algorithm, asked_for, short_of_memory, cost] = part.chosen.choice;
      if (algorithm == Algorithm::kDirect) continue;
      if (asked_for) return;
      saved += cost[static_cast<size_t>(Algorithm::kDirect)] - cost[static_cast<size_t>(algorithm)];
    }
  }
  if (graph_.steps.size() == 1 || graph_.dtype != DType::kFloat32 || batch == 0) return;
  if (!worth_depth_first(bytes, saved)) return;
  depth_first_ = DepthFirst::make(graph_, batch, length, nodes[graph_.steps.size() - 1].length, threads);
}

std::optional<Error> Forward::choose_methods(const Step& step, int threads, Node* node) {
  const Params& params = step.layer->params();
  const Correlation correlation = correlation_of(params, node->geometry);
  if (!params.transposed) {
    if (!node->parts.make(1)) return no_room(sizeof(Part), "scratch");
    return choose_method(correlation, step, threads, node->parts.data());
  }
  if (!node->parts.make(step.layer->phases().size())) {
    return no_room(static_cast<double>(step.layer->phases().size() * sizeof(Part)), "scratch");
  }
  size_t count = 0;
  for (Layer::Phase& phase : step.layer->phases()) {
    const auto transposed = transposed_of(correlation, phase.number, 0, node->length);
    if (!transposed) continue;  // none of so few outputs is of this phase
    Part& part = node->parts[count++];
    part.phase = &phase;
    part.begin = static_cast<size_t>(transposed->begin);
    if (auto error = choose_method(transposed->correlation, step, threads, &part)) return error;
  }
  node->parts.shorten(count);
  const bool has_gaps = static_cast<int32_t>(step.layer->phases().size()) < params.stride;
  node->pieces = has_gaps ? node->geometry.batch : 0;
  return std::nullopt;
}

std::optional<Error> Forward::choose_method(const Correlation& correlation, const Step& step, int threads, Part* part) {
  PackedForms& forms = part->phase == nullptr ? step.layer->forms() : part->phase->forms;
  auto chosen =
      make_chosen_method(step.layer->params().algorithm, correlation, step.finish(), &forms, threads, &scratch_);
  if (!chosen) return std::move(chosen.error());
  part->chosen = std::move(*chosen);
  return std::nullopt;
}

void Forward::cut_operation(const Step& step, int32_t batch, Node* node) const {
  const Operation& operation = *step.operation;
  const Timing timing = operation.timing();
  int32_t operand_channels = 0;
  for (const int32_t operand : step.operands) operand_channels += graph_.channels(operand);
  const size_t state = operation.state_floats() + operation.scratch_floats();
  const bool whole = state > 0 || operation.why_not_in_streams() != nullptr;
  const int32_t widest = std::max(node->channels, operand_channels);
  node->piece_length = whole ? node->length : std::clamp(kElementwisePiece / widest, 16, node->length);
  if (node->piece_length > node->length) node->piece_length = node->length;
  node->pieces = batch * ceil_div(node->length, node->piece_length);
  node->longest_stretch = node->operand_length;
  if (!whole) {
    const int64_t needed = timing.last_sample(node->piece_length) - timing.first_sample(0) + 2;
    node->longest_stretch = static_cast<int32_t>(std::min<int64_t>(needed, node->operand_length));
  }
  node->scratch_floats = state;
  if (graph_.dtype == DType::kFloat16) {
    node->scratch_floats += static_cast<size_t>(operand_channels) * static_cast<size_t>(node->longest_stretch) +
                            static_cast<size_t>(node->channels) * static_cast<size_t>(node->piece_length);
  }
}

Placement Forward::place(double batch, const std::vector<int32_t>& lengths) const {
  std::vector<size_t> bytes(graph_.values(), 0);
  for (size_t i = 0; i + 1 < graph_.steps.size(); ++i) {
    const double elements = batch * graph_.steps[i].out_channels() * lengths[i];
    bytes[i + 1] = round_up<size_t>(static_cast<size_t>(elements) * element_bytes(graph_.dtype), 16);
  }
  if (keep_ == Keep::kNone) return place_in_turn(graph_, bytes);
  return keep_ == Keep::kAll ? place_in_segments(graph_, bytes, 1) : place_by_segments(graph_, bytes);
}

std::optional<Error> Forward::place_values(int32_t batch, Node* nodes) {
  if (keep_ == Keep::kNone && graph_.steps.size() == 1) return std::nullopt;
  Placement placement = place(batch, lengths_of(nodes));
  const double end = placement.bytes;
  if (end > static_cast<double>(kMaxElements) * sizeof(float) || !values_.reserve(static_cast<size_t>(end))) {
    return no_room(end, "the network's signals");
  }
  for (size_t i = 0; i < graph_.steps.size(); ++i) nodes[i].at = placement.begin[i + 1];
  segments_ = std::move(placement.segments);
  return std::nullopt;
}

Explanation Forward::explain() const {
  const Node& node = nodes_[0];
  const Params& p = graph_.steps[0].layer->params();
  const Geometry& g = node.geometry;
  const double images = g.batch;
  const double outputs = images * p.out_channels * g.out_length;
  const double inputs = images * p.in_channels * g.length;
  const double products = p.transposed ? inputs * p.group_out() : outputs * p.group_in();
  const Part& part = node.parts[0];
  double scratch_floats = 0;
  int threads = 1;
  for (const Part& each : node.parts) {
    const Method& method = *each.chosen.method;
    scratch_floats = std::max(scratch_floats, static_cast<double>(method.scratch_floats()) * method.threads());
    threads = std::max(threads, method.threads());
  }
  return {.algorithm = algorithm_name(part.chosen.choice.algorithm),
          .reason = part.chosen.choice.reason(),
          .kernel = part.chosen.method->kernel(),
          .flops = 2 * products * p.kernel_size,
          .bytes = element_bytes(p.dtype) *
                   (inputs + outputs + static_cast<double>(p.weight_size()) + (p.bias ? p.out_channels : 0)),
          .scratch_bytes = scratch_floats * sizeof(float),
          .threads = threads};
}

void Forward::run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end) {
  if (depth_first_) {
    depth_first_->pack();
    share(pool, depth_first_->threads(), {begin, end}, [&](int32_t first, int32_t last, int thread) {
      depth_first_->run(first, last, static_cast<const float*>(input), static_cast<float*>(output), thread);
    });
    return;
  }
  const size_t steps = graph_.steps.size();
  const auto value = [&](int32_t index) -> const void* {
    return index == 0 ? input : values_.data() + nodes_[index - 1].at;
  };
  const auto element = static_cast<size_t>(element_bytes(graph_.dtype));
  std::array<const void*, kMostOperands> operands;
  int32_t before = 0;  // pieces of what comes earlier
  for (size_t i = 0; i < steps && before < end; ++i) {
    const Step& step = graph_.steps[i];
    const Node& node = nodes_[i];
    void* out = i + 1 == steps ? output : values_.data() + node.at;
    for (const Part& part : node.parts) {
      const Method& method = *part.chosen.method;
      const Run run = own_run(begin, end, before, method.pieces());
      if (run.begin < run.end) part.chosen.method->pack(step.layer->weights(part.phase));
      share(pool, method.threads(), run, [&](int32_t first, int32_t last, int thread) {
        float* scratch = scratch_.data() + static_cast<size_t>(thread) * method.scratch_floats();
        method.run(first, last, value(step.input()), static_cast<uint8_t*>(out) + part.begin * element, scratch);
      });
      before += method.pieces();
    }
    TrainingMode* mode = training_ ? training_mode(step) : nullptr;
    std::ranges::transform(step.operands, operands.begin(), value);
    if (step.layer) step.layer->weights();  // brings what threads read up to date
    share(pool, pool.threads(), own_run(begin, end, before, node.pieces), [&](int32_t first, int32_t last, int thread) {
      float* scratch = scratch_.data() + static_cast<size_t>(thread) * node.scratch_floats;
      for (int32_t piece = first; piece < last; ++piece) {
        if (step.layer) {
          fill_gaps(step, node, out, piece);
        } else if (mode != nullptr) {
          train(i, mode, operands[0], out, piece);
        } else {
          operate(step, node, std::span(operands).first(step.operands.size()), out, scratch, piece);
        }
      }
    });
    before += node.pieces;
  }
}

void Forward::operate(const Step& step, const Node& node, std::span<const void* const> operands, void* out,
                      float* scratch, int32_t piece) const {
  const Operation& operation = *step.operation;
  const Timing timing = operation.timing();
  const bool narrow = graph_.dtype == DType::kFloat16;
  const int32_t pieces_an_image = ceil_div(node.length, node.piece_length);
  const auto image = static_cast<size_t>(piece / pieces_an_image);
  const int32_t first = piece % pieces_an_image * node.piece_length;
  const int32_t count = std::min(node.piece_length, node.length - first);
  const auto length = static_cast<size_t>(node.operand_length);
  // What a piece of float16 needs of its operands, as float32.
  const bool whole = node.longest_stretch == node.operand_length;
  const int64_t begin = whole ? 0 : std::clamp<int64_t>(timing.first_sample(first), 0, node.operand_length);
  const int64_t stretch_end =
      whole ? node.operand_length
            : std::clamp<int64_t>(timing.last_sample(first + count - 1) + 1, begin, node.operand_length);
  const auto stretch = static_cast<size_t>(stretch_end - begin);

  float* state = scratch;
  scratch += operation.state_floats() + operation.scratch_floats();
  std::array<Stretch, kMostOperands> stretches;
  for (size_t i = 0; i < operands.size(); ++i) {
    const auto channels = static_cast<size_t>(graph_.channels(step.operands[i]));
    const size_t at = image * channels * length;
    if (!narrow) {
      stretches[i] = {static_cast<const float*>(operands[i]) + at, length, 0, node.operand_length};
      continue;
    }
    const uint16_t* halves = static_cast<const uint16_t*>(operands[i]) + at + static_cast<size_t>(begin);
    for (size_t c = 0; c < channels; ++c) halves_to_floats(halves + c * length, scratch + c * stretch, stretch);
    stretches[i] = {scratch, stretch, begin, node.operand_length};
    scratch += channels * stretch;
  }

  const auto row = static_cast<size_t>(node.length);
  const size_t at = image * static_cast<size_t>(node.channels) * row + static_cast<size_t>(first);
  const OutputStretch to =
      narrow ? OutputStretch{scratch, static_cast<size_t>(count)} : OutputStretch{static_cast<float*>(out) + at, row};
  if (operation.state_floats() > 0) operation.start(state);
  if (timing.at_end) operation.take(stretches[0], 0, node.operand_length, state);
  operation.compute(std::span(stretches).first(operands.size()), first, count, to, state);
  if (!narrow) return;
  for (int32_t c = 0; c < node.channels; ++c) {
    floats_to_halves(to.row(c), static_cast<uint16_t*>(out) + at + static_cast<size_t>(c) * row,
                     static_cast<size_t>(count));
  }
}

void Forward::train(size_t step, TrainingMode* mode, const void* operand, void* out, int32_t piece) const {
  const Node& node = nodes_[step];
  const Batch batch{.images = batch_, .channels = node.channels, .length = node.length};
  const auto begin = static_cast<int32_t>(int64_t{node.channels} * piece / node.pieces);
  const auto end = static_cast<int32_t>(int64_t{node.channels} * (piece + 1) / node.pieces);
  mode->train(batch, static_cast<const float*>(operand), begin, end, seed_of(training_->seed, step), training_->learns,
              static_cast<float*>(out));
}

void Forward::fill_gaps(const Step& step, const Node& node, void* out, int32_t image) const {
  const Params& p = step.layer->params();
  const float* bias = step.layer->weights().bias;
  const Finish finish = step.finish();
  const OutputView view{out, p.dtype, p.out_channels, node.length, p.stride};
  for (int32_t position = 0; position < std::min(p.stride, node.length); ++position) {
    const auto meets = [&](const Layer::Phase& phase) { return phase.transposed.begin == position; };
    if (std::ranges::any_of(step.layer->phases(), meets)) continue;
    for (int32_t c = 0; c < p.out_channels; ++c) {
      float value = bias[c];
      activate(finish, c, &value, 1);
      const size_t at = view.at(image, c, 0) + static_cast<size_t>(position);
      for (int32_t t = 0; t * p.stride < node.length - position; ++t) {
        write_row(&value, 1, p.dtype, out, at + static_cast<size_t>(t) * static_cast<size_t>(p.stride), 1);
      }
    }
  }
}

}  // namespace conv1d
