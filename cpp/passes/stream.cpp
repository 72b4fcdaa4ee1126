#include "passes/stream.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <new>
#include <numeric>
#include <string>

#include "choose/direct_schedule.h"
#include "choose/partition.h"
#include "half.h"
#include "integers.h"
#include "operations/rows.h"
#include "operator/pack.h"
#include "operator/planes.h"
#include "passes/transposed.h"

namespace conv1d {
namespace {

constexpr int64_t kMostStride = int64_t{1} << 31;
constexpr int64_t kMostTicks = int64_t{1} << 20;

// A saved state: these words, the stream's description, how many samples it got, and the latest that it keeps.
constexpr int32_t kMark = 0x73643163;  // "c1ds"
constexpr int32_t kFormat = 3;
constexpr int64_t kWordBytes = 4;
constexpr int64_t kHeaderWords = 2;
constexpr int64_t kSamplesWords = 2;
constexpr int64_t kUntouched = -1;  // before the first push
constexpr int64_t kMostSamples = int64_t{1} << 62;

// What makes a stream what it is, and each of its steps; the texts of errors have the values of numbers alone.
struct Trait {
  const char* name;
  bool is_number;
};
constexpr Trait kStreamTraits[] = {
    {"dtype", false}, {"inChannels", true}, {"batch", true}, {"denormals", false}, {"steps", true}};
constexpr Trait kStepTraits[] = {{"operands", false},
                                 {"operation", false},
                                 {"activation", false},
                                 {"activation parameter", false},
                                 {"activation parameter", false},
                                 {"outChannels", true},
                                 {"transposed", false},
                                 {"outputPadding", true},
                                 {"kernelSize", true},
                                 {"stride", true},
                                 {"dilation", true},
                                 {"groups", true},
                                 {"padLeft", true},
                                 {"padRight", true},
                                 {"paddingMode", false},
                                 {"bias", false},
                                 {"algorithm", false}};

// Most samples that settling a network with an LSTM or GRU takes, should its state never stand still.
constexpr int32_t kMostSettling = 1 << 16;

// Of word `i` of a description.
Error other_stream_error(size_t i, int32_t own, int32_t got) {
  const bool of_step = i >= std::size(kStreamTraits);
  const size_t at = i - std::size(kStreamTraits);
  const Trait& trait = of_step ? kStepTraits[at % std::size(kStepTraits)] : kStreamTraits[i];
  std::string rule = "be of a stream with the same " + std::string(trait.name);
  if (of_step) rule += " in step " + std::to_string(at / std::size(kStepTraits) + 1);
  if (trait.is_number) rule += " (" + std::to_string(own) + ")";
  return state_error(rule, trait.is_number ? std::to_string(got) : "another");
}

Error out_of_memory() { return no_room("the stream's history"); }

}  // namespace

std::optional<Error> Stream::create(Graph graph, double batch, double max_chunk, bool flush_tiny,
                                    std::unique_ptr<Stream>* stream) {
  int32_t signals = 0;
  int32_t longest = 0;
  if (std::optional<Error> error = parse_integer("batch", batch, 1, &signals)) return error;
  if (std::optional<Error> error = parse_integer("maxChunk", max_chunk, 1, &longest)) return error;
  std::unique_ptr<Stream> made(new (std::nothrow) Stream);
  if (!made || !made->nodes_.make(graph.steps.size()) || !made->values_.make(graph.values())) return out_of_memory();

  made->batch_ = signals;
  made->flush_tiny_ = flush_tiny && graph.dtype == DType::kFloat32;  // no float16 is that small
  made->graph_ = std::move(graph);
  for (size_t i = 0; i < made->nodes_.size(); ++i) {
    Node& node = made->nodes_[i];
    node.step = &made->graph_.steps[i];
    const bool transposed = node.step->layer && node.step->layer->params().transposed;
    if (transposed) node.made = Transposed::make(node.step->layer);
    if (transposed && !node.made) return out_of_memory();
    node.op = transposed ? node.made.get() : node.step->operation.get();
    if (node.op != nullptr) made->ticks_ *= node.op->timing().up;
    if (made->ticks_ > kMostTicks) {
      return unsupported("stream", "a stream's factors of upsampling must multiply to at most 2^20");
    }
  }
  made->values_[0].channels = made->graph_.in_channels;
  made->values_[0].stride = made->values_[0].lead = made->ticks_;
  made->values_[0].longest = longest;
  made->values_[0].pitch = static_cast<size_t>(pitch_of(longest));
  for (size_t i = 0; i < made->nodes_.size(); ++i) {
    if (std::optional<Error> error = made->lay_out(&made->nodes_[i], &made->values_[i + 1])) return error;
    made->values_[i + 1].pitch = static_cast<size_t>(pitch_of(made->values_[i + 1].longest));
  }
  if (!made->lay_out_rows() || !made->describe()) return out_of_memory();
  made->reset();
  *stream = std::move(made);
  return std::nullopt;
}

std::optional<Error> Stream::lay_out(Node* node, Value* out) {
  return node->op == nullptr ? lay_out_conv(node, operand(*node), out) : lay_out_operation(node, out);
}

std::optional<Error> Stream::lay_out_conv(Node* node, const Value& in, Value* out) const {
  const Params& p = node->step->layer->params();
  const int64_t reach = p.reach();
  if (p.padding_rule == PaddingRule::kSame && p.stride > 1) {
    return unsupported("padding",
                       format("a stream cannot have padding 'same' with stride %: how much goes left depends on the "
                              "signal's length; give padding as [left, right]",
                              {double(p.stride)}));
  }
  // Any length that is long enough tells the padding.
  if (std::optional<Error> error =
          resolve(p, 0, static_cast<double>(reach + 1 + std::max(p.pad_left, p.pad_right)), &node->padding)) {
    return error;
  }
  const int64_t left = node->padding.pad_left;
  const int64_t right = node->padding.pad_right;
  const bool padded = left > 0 || right > 0;
  if (padded && p.padding_mode == PaddingMode::kCircular) {
    return unsupported("paddingMode",
                       "a stream cannot pad circularly: what goes left of the first sample comes last, and "
                       "is not known yet; use 'zeros', 'reflect' or 'replicate'");
  }
  if (left > 0 && p.padding_mode == PaddingMode::kReplicate) node->known_after = 1;
  if (left > 0 && p.padding_mode == PaddingMode::kReflect) node->known_after = left + 1;

  out->channels = p.out_channels;
  out->at_end = in.at_end;
  out->stride = in.stride * p.stride;
  if (out->stride >= kMostStride * ticks_) {
    return unsupported("stride", "a stream's strides must multiply to less than 2^31");
  }
  out->lead = in.lead + in.stride * (reach - left);
  out->first = std::max(in.first, in.stride * (node->known_after - 1) + in.lead);
  out->slack = in.slack;
  out->is_exact = in.is_exact;
  out->surplus = in.surplus + in.stride * (left + right - reach);
  // Of a signal that is longer than all paddings.
  const int64_t long_signal = p.stride * kMostStride;
  out->extra = floor_div(long_signal + in.extra + left + right - reach - 1, p.stride) + 1 - kMostStride;
  out->earliest = in.earliest - in.stride * left;
  out->latest = in.latest + in.stride * (reach - left);
  const bool in_step = p.stride == 1 && reach == left && right == 0 && node->known_after == 0;
  out->pace = in_step ? in.pace : static_cast<int32_t>(node - nodes_.data()) + 1;

  // The first pass that gives anything may give more than later ones: all that padding alone determines, or what waited
  // for the padding to be known.
  const int64_t most_at_first = left + std::max<int64_t>(node->known_after - 1, 0) + in.longest;
  const int64_t first_outputs = most_at_first > reach ? (most_at_first - reach - 1) / p.stride + 1 : 0;
  const int64_t longest = std::max(ceil_div<int64_t>(in.longest, p.stride), first_outputs);
  if (longest > kMaxElements) return out_of_memory();
  out->longest = static_cast<int32_t>(longest);

  const int32_t partition = choose_partition(p, in.longest);
  if (partition > 0) {
    node->tail = Partitioned::make(p, batch_, partition, flush_tiny_);
    if (!node->tail && p.algorithm == Algorithm::kFft) return out_of_memory();  // 'auto' does without
  }
  Layer& layer = node->tail ? node->tail->head() : *node->step->layer;
  const int32_t taps = layer.params().kernel_size;
  // Short pushes, long ones and forward() take turns without packing anew.
  const bool across = !node->tail && choose_stream_vectors(p, 1) == Vectors::kAcrossGroups;
  if (((across || choose_vectors(p, 1) != Vectors::kAlongTime) && !layer.forms().keep_both_panels(layer.params())) ||
      (across && !node->across_offsets.reserve(static_cast<size_t>(kDepthwise4x1.rows) * static_cast<size_t>(taps))) ||
      !node->offsets.reserve(static_cast<size_t>(p.group_in()) * static_cast<size_t>(taps)) ||
      (node->tail && !node->lay_out_tail(p, choose_stream_strip(p)))) {
    return out_of_memory();
  }
  // One tap on what an earlier node made needs no history; the caller's rows are not to be read past their end.
  node->keeps = !(p.kernel_size == 1 && in_step && node->step->input() > 0);
  if (node->keeps && !node->histories.make(1)) return out_of_memory();
  int64_t kept = std::max({kept_samples(p), left + node->known_after, int64_t{1}});
  if (p.padding_mode == PaddingMode::kReflect) kept = std::max(kept, 2 * right + 1);
  const int64_t rows = int64_t{batch_} * p.in_channels;
  if (rows > kMaxElements || (node->keeps && !node->history().allocate(static_cast<int32_t>(rows), p.stride, kept,
                                                                       int64_t{in.longest} + p.stride))) {
    return out_of_memory();
  }
  const size_t pitch = node->keeps ? node->history().row_pitch() : in.pitch;
  const size_t plane_pitch = node->keeps ? node->history().plane_pitch() : 0;
  const auto set_offsets = [&](int32_t own_taps, int64_t skipped, int32_t* offsets) {
    for (int32_t c = 0; c < p.group_in(); ++c) {
      for (int32_t k = 0; k < own_taps; ++k) {
        const int64_t position = skipped % p.stride + int64_t{k} * p.dilation;
        *offsets++ = static_cast<int32_t>(static_cast<size_t>(c) * pitch +
                                          static_cast<size_t>(position % p.stride) * plane_pitch +
                                          static_cast<size_t>(position / p.stride));
      }
    }
  };
  const int64_t skipped = int64_t{p.kernel_size - taps} * p.dilation;
  node->head_shift = skipped / p.stride;
  set_offsets(taps, skipped, node->offsets.data());
  if (across) {
    constexpr auto kRows = static_cast<size_t>(kDepthwise4x1.rows);
    for (size_t i = 0; i < kRows * static_cast<size_t>(taps); ++i) {
      node->across_offsets.data()[i] = node->offsets.data()[i / kRows] + static_cast<int32_t>(i % kRows * pitch);
    }
  }
  if (node->tail) {
    set_offsets(p.kernel_size, 0, node->all_offsets.data());
    set_offsets(node->tail->oldest().params().kernel_size, 0, node->oldest_offsets.data());
  }
  node->strip = choose_stream_strip(p);
  return std::nullopt;
}

bool Stream::Node::lay_out_tail(const Params& p, int32_t longest_strip) {
  const auto channels = static_cast<size_t>(p.group_in());
  return all_offsets.reserve(channels * static_cast<size_t>(p.kernel_size)) &&
         oldest_offsets.reserve(channels * static_cast<size_t>(tail->oldest().params().kernel_size)) &&
         oldest_sums.reserve(static_cast<size_t>(kMostTileRows) * static_cast<size_t>(longest_strip));
}

std::optional<Error> Stream::lay_out_operation(Node* node, Value* out) {
  const Computation& op = *node->op;
  const Timing timing = op.timing();
  if (const char* reason = op.why_not_in_streams()) {
    return unsupported("stream", "a stream cannot have " + std::string(op.id().name) + ": " + reason);
  }
  *out = operand(*node);
  bool same_pace = true;
  for (size_t i = 1; i < node->step->operands.size(); ++i) {
    const Value& other = operand(*node, i);
    const bool exact = out->is_exact && other.is_exact;
    const bool same_length = exact ? out->surplus == other.surplus : out->extra == other.extra;
    if (out->stride != other.stride || !same_length || out->at_end != other.at_end) {
      return shape_error("other", "the operands of a step must have the same length for every input");
    }
    out->is_exact = exact;
    out->longest = std::max(out->longest, other.longest);
    out->lead = std::max(out->lead, other.lead);
    out->slack = std::max(out->slack, other.slack);
    out->first = std::max(out->first, other.first);
    out->earliest = std::min(out->earliest, other.earliest);
    out->latest = std::max(out->latest, other.latest);
    same_pace = same_pace && out->pace == other.pace;
  }
  out->channels = op.out_channels();
  out->is_exact = out->is_exact && timing.in_step();
  const int64_t in_stride = out->stride;
  if (timing.at_end) {
    out->at_end = true;
    out->extra = 0;
  } else {
    const int64_t part = in_stride / timing.up;
    out->stride = part * timing.down;
    if (out->stride >= kMostStride * ticks_) {
      return unsupported("stride", "a stream's strides must multiply to less than 2^31");
    }
    out->lead += part * timing.last;
    out->slack += part * (timing.up - 1);
    out->earliest += part * timing.first;
    out->latest += part * timing.last;
    const int64_t long_signal = timing.down * kMostStride;
    out->extra = op.length(long_signal + out->extra) - timing.up * kMostStride;
    const int64_t longest =
        std::max(timing.outputs(out->longest), ceil_div(int64_t{out->longest} * timing.up, int64_t{timing.down}) + 1);
    if (longest > kMaxElements) return out_of_memory();
    out->longest = timing.in_step() ? out->longest : static_cast<int32_t>(longest);
  }
  node->keeps = !same_pace || !(timing.in_step() || timing.at_end);
  if (node->keeps || timing.at_end) out->pace = static_cast<int32_t>(node - nodes_.data()) + 1;
  const size_t states = static_cast<size_t>(batch_) * node->state_pitch();
  if (!node->states.reserve(states) || !node->rest.reserve(static_cast<size_t>(batch_) * op.state_floats()) ||
      (node->keeps && !keep_operands(node))) {
    return out_of_memory();
  }
  return std::nullopt;
}

bool Stream::keep_operands(Node* node) {
  const Timing timing = node->op->timing();
  const size_t count = node->step->operands.size();
  if (!node->histories.make(count)) return false;
  for (size_t i = 0; i < count; ++i) {
    const Value& own = operand(*node, i);
    int64_t kept = ceil_div(timing.last - timing.first + timing.down, int64_t{timing.up}) + 2;
    for (size_t j = 0; j < count; ++j) {
      const Value& other = operand(*node, j);
      // How far this one may be ahead of the other, in the middle of the signal or while its end trickles down.
      const int64_t ahead = std::max(other.lead, other.first) + std::max(own.extra * own.stride, own.slack - own.lead);
      kept = std::max(kept, std::max<int64_t>(ahead, 0) / own.stride + 3);
    }
    const int64_t rows = int64_t{batch_} * own.channels;
    if (rows > kMaxElements || !node->histories[i].allocate(static_cast<int32_t>(rows), 1, kept, own.longest)) {
      return false;
    }
  }
  return true;
}

bool Stream::lay_out_rows() {
  std::vector<size_t> floats(values_.size(), 0);
  for (size_t i = 0; i < values_.size(); ++i) {
    const size_t rows = static_cast<size_t>(batch_) * static_cast<size_t>(values_[i].channels);
    if (values_[i].pitch > static_cast<size_t>(kMaxElements) / rows) return false;
    // float32 is read and written where the caller has it.
    const bool outside = graph_.dtype == DType::kFloat32 && (i == 0 || i == nodes_.size());
    if (!outside) floats[i] = rows * values_[i].pitch;
  }
  const BufferPlan plan = plan_buffers(graph_, floats);
  for (size_t i = 0; i < values_.size(); ++i) values_[i].buffer = plan.buffer[i];
  if (!buffers_.make(plan.size.size())) return false;
  for (size_t i = 0; i < plan.size.size(); ++i) {
    if (!buffers_[i].reserve(plan.size[i])) return false;
  }
  return true;
}

void Stream::reset() {
  for (Node& node : nodes_) {
    node.padded = 0;
    for (History& history : node.histories) history.clear(node.padding.pad_left);
    if (node.tail) {
      const int64_t zeros = node.known_after > 0 ? 0 : node.padding.pad_left;
      node.tail->reset(std::min<int64_t>(zeros - node.step->layer->params().reach(), 0));  // where the outputs begin
      node.tail->load(*node.step->layer);
    }
    for (int32_t image = 0; image < batch_ && node.op != nullptr; ++image) node.op->start(state_of(&node, image));
  }
  for (Value& value : values_) {
    value.total = 0;
    value.ended = false;
  }
}

void Stream::skip_to(int64_t samples) {
  forecast(samples, false);
  for (Value& value : values_) value.total = value.forecast;
}

int64_t Stream::known_positions(const Node& node) const {
  const bool padded = operand(node).total >= node.known_after;
  return (padded ? node.history().size() : 0) - node.step->layer->params().reach();
}

int64_t Stream::convolved(const Node& node, int64_t samples, int64_t right) {
  const Params& p = node.step->layer->params();
  const int64_t room = node.padding.pad_left + samples + right - p.reach() - 1;
  return samples < node.known_after || room < 0 ? 0 : room / p.stride + 1;
}

int64_t Stream::outputs_after(const Node& node, int64_t samples, bool whole) {
  if (node.op == nullptr) return convolved(node, samples, whole ? node.padding.pad_right : 0);
  return whole ? std::max<int64_t>(node.op->length(samples), 0) : node.op->timing().outputs(samples);
}

void Stream::forecast(int64_t samples, bool whole) {
  values_[0].forecast = samples;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    int64_t least = operand(nodes_[i]).forecast;
    for (size_t j = 1; j < nodes_[i].step->operands.size(); ++j) {
      least = std::min(least, operand(nodes_[i], j).forecast);
    }
    values_[i + 1].forecast = outputs_after(nodes_[i], least, whole);
  }
}

int32_t Stream::output_count(int32_t samples) {
  forecast(values_[0].total + samples, false);
  return static_cast<int32_t>(values_.back().forecast - values_.back().total);
}

void Stream::take(const void* chunk, int32_t samples) {
  Value& in = values_[0];
  in.fresh = samples;
  in.row_stride = static_cast<size_t>(samples);
  if (graph_.dtype == DType::kFloat32) {
    in.rows = static_cast<const float*>(chunk);
  } else {
    float* rows = buffer_of(in);
    widen(graph_.dtype, chunk, rows, static_cast<size_t>(batch_) * static_cast<size_t>(in.channels) * in.row_stride);
    in.rows = rows;
  }
}

bool Stream::is_cuttable() const {
  const auto in_step = [](const Value& value) { return value.stride == 1 && !value.at_end; };
  const auto forgets = [](const Node& node) {
    return !node.tail && (node.op == nullptr || node.op->state_floats() == 0);
  };
  return ticks_ == 1 && std::ranges::all_of(values_, in_step) && std::ranges::all_of(nodes_, forgets);
}

Stream::WarmUp Stream::warm_up() {
  const int64_t samples = settled_samples();
  forecast(samples, false);
  return {samples, values_.back().forecast};
}

void Stream::pack() {
  for (const Node& node : nodes_) {
    if (node.op != nullptr) continue;
    Layer& layer = *node.step->layer;
    const Weights weights = layer.weights();
    for (const int32_t count : {1, values_.front().longest}) {
      weights.forms->panels(layer.params(), choose_stream_vectors(layer.params(), count), weights.view);
    }
  }
}

void Stream::push_rows(const float* chunk, size_t chunk_pitch, int32_t samples, float* output, size_t out_pitch) {
  take(chunk, samples);
  values_[0].row_stride = chunk_pitch;
  values_[0].total += samples;
  run_pass(output, out_pitch, 0, &Stream::run_node);
}

void Stream::end_rows(float* output, size_t out_pitch) {
  const int64_t before = values_.back().total;
  values_[0].ended = true;
  values_[0].fresh = 0;
  while (!values_.back().ended) {
    run_pass(output, out_pitch, static_cast<size_t>(values_.back().total - before), &Stream::run_node);
  }
}

void Stream::push(const void* chunk, int32_t samples, void* output) {
  const auto out_stride = static_cast<size_t>(output_count(samples));
  take(chunk, samples);
  values_[0].total += samples;
  run_pass(output, out_stride, 0, &Stream::run_node);
}

std::optional<Error> Stream::end_count(int64_t* count) {
  forecast(values_[0].total, true);
  for (const Node& node : nodes_) {
    const int64_t length = operand(node).forecast;
    for (size_t i = 1; i < node.step->operands.size(); ++i) {
      const int64_t other = operand(node, i).forecast;
      if (other != length) return different_lengths(static_cast<double>(length), static_cast<double>(other));
    }
    if (node.op != nullptr) continue;
    const Params& p = node.step->layer->params();
    const int64_t pad = std::max(node.padding.pad_left, node.padding.pad_right);
    const bool reflect = p.padding_mode == PaddingMode::kReflect;
    if (pad > 0 && length < (reflect ? pad + 1 : p.padding_mode == PaddingMode::kReplicate ? 1 : 0)) {
      Geometry geometry{};
      return resolve(p, 0, static_cast<double>(length), &geometry);
    }
  }
  *count = values_.back().forecast - values_.back().total;
  return std::nullopt;
}

void Stream::end(void* output) {
  forecast(values_[0].total, true);
  const int64_t before = values_.back().total;
  const auto out_stride = static_cast<size_t>(values_.back().forecast - before);
  values_[0].ended = true;
  values_[0].fresh = 0;
  while (!values_.back().ended) {
    run_pass(output, out_stride, static_cast<size_t>(values_.back().total - before), &Stream::run_node);
  }
}

bool Stream::describe() {
  if (!description_.reserve(std::size(kStreamTraits) + std::size(kStepTraits) * nodes_.size())) return false;
  int32_t* word = description_.data();
  const auto write = [&](std::initializer_list<int32_t> values) { word = std::ranges::copy(values, word).out; };
  write({static_cast<int32_t>(graph_.dtype), values_[0].channels, batch_, flush_tiny_ ? 1 : 0,
         static_cast<int32_t>(nodes_.size())});
  for (const Node& node : nodes_) {
    const auto& layer = node.step->layer;
    const Params p = layer ? layer->params() : Params{};
    uint32_t operands = 0;
    for (const int32_t operand : node.step->operands) operands = operands * 31 + static_cast<uint32_t>(operand) + 1;
    write({static_cast<int32_t>(operands), layer ? -1 : static_cast<int32_t>(node.op->id().digest),
           static_cast<int32_t>(p.finish.activation), std::bit_cast<int32_t>(p.finish.parameters[0]),
           std::bit_cast<int32_t>(p.finish.parameters[1]), node.step->out_channels(), p.transposed ? 1 : 0,
           p.output_padding, p.kernel_size, p.stride, p.dilation, p.groups, node.padding.pad_left,
           node.padding.pad_right, static_cast<int32_t>(p.padding_mode), p.bias ? 1 : 0,
           static_cast<int32_t>(p.algorithm)});
  }
  return true;
}

int64_t Stream::state_words() const {
  int64_t words = kHeaderWords + static_cast<int64_t>(description_.size()) + kSamplesWords;
  for (const Node& node : nodes_) {
    for (const History& history : node.histories) words += history.kept_floats();
    if (node.op != nullptr) words += static_cast<int64_t>(node.op->state_floats()) * batch_;
  }
  return words;
}

void Stream::save(int32_t* state) const {
  *state++ = kMark;
  *state++ = kFormat;
  state = std::copy_n(description_.data(), description_.size(), state);
  // Padding alone may determine outputs, which come with the first push.
  const auto untouched = [](const Value& value) { return value.total == 0; };
  const int64_t samples = std::ranges::all_of(values_, untouched) ? kUntouched : values_[0].total;
  std::memcpy(state, &samples, sizeof samples);
  state += kSamplesWords;
  for (const Node& node : nodes_) {
    for (const History& history : node.histories) {
      history.save(reinterpret_cast<float*>(state));
      state += history.kept_floats();
    }
    for (int32_t image = 0; image < batch_ && node.op != nullptr; ++image) {
      state = std::copy_n(reinterpret_cast<const int32_t*>(node.states.data()) + image * node.state_pitch(),
                          node.op->state_floats(), state);
    }
  }
}

std::optional<Error> Stream::restore(const int32_t* state, int64_t bytes) {
  const int64_t words = bytes / kWordBytes;
  if (words < kHeaderWords || state[0] != kMark) {
    return state_error("be what a stream's state() gave", "something else");
  }
  if (state[1] != kFormat) return state_error("have format " + std::to_string(kFormat), std::to_string(state[1]));
  const int32_t* described = state + kHeaderWords;
  const auto described_words = std::min(static_cast<size_t>(words - kHeaderWords), description_.size());
  for (size_t i = 0; i < described_words; ++i) {
    if (described[i] != description_[i]) return other_stream_error(i, description_[i], described[i]);
  }
  if (bytes != state_words() * kWordBytes) {
    return state_error("have " + std::to_string(state_words() * kWordBytes) + " bytes", std::to_string(bytes));
  }
  int64_t samples = 0;
  std::memcpy(&samples, described + described_words, sizeof samples);
  if (samples < kUntouched || samples > kMostSamples) {
    return state_error("be of a stream that got from 0 to 2^62 samples", std::to_string(samples));
  }

  reset();
  if (samples == kUntouched) return std::nullopt;
  skip_to(samples);
  const auto* latest = reinterpret_cast<const float*>(described + described_words + kSamplesWords);
  for (Node& node : nodes_) {
    for_each_kept(node, [&](const Value& value, History& history) {
      history.restore(latest, node.padding.pad_left + value.total);
      latest += history.kept_floats();
    });
    for (int32_t image = 0; image < batch_ && node.op != nullptr; ++image) {
      std::copy_n(latest, node.op->state_floats(), state_of(&node, image));
      latest += node.op->state_floats();
    }
    if (node.tail) node.tail->resume(*node.step->layer, node.history(), known_positions(node));
  }
  return std::nullopt;
}

std::optional<Error> Stream::clone(std::unique_ptr<Stream>* stream) const {
  std::unique_ptr<Stream> made;
  if (std::optional<Error> error = create(graph_, batch_, values_[0].longest, flush_tiny_, &made)) {
    return error;
  }
  Buffer<int32_t> state;
  if (!state.reserve(static_cast<size_t>(state_words()))) return out_of_memory();
  save(state.data());
  if (std::optional<Error> error = made->restore(state.data(), state_words() * kWordBytes)) return error;
  *stream = std::move(made);
  return std::nullopt;
}

int64_t Stream::settled_samples() const {
  int64_t ticks = 0;
  int64_t stride = ticks_;
  const auto require = [&](const Value& value, int64_t kept) {
    ticks = std::max({ticks, value.first, value.lead + value.stride * kept - value.earliest});
  };
  for (const Value& value : values_) {
    require(value, 1);
    stride = std::lcm(stride, value.stride);
  }
  for (const Node& node : nodes_) {
    for (size_t i = 0; i < node.histories.size(); ++i) require(operand(node, i), node.histories[i].kept());
  }
  return ceil_div(ticks, stride) * stride / ticks_;
}

std::optional<Error> Stream::settle(const void* sample, void* output) {
  for (const Node& node : nodes_) {
    if (node.op != nullptr && node.op->timing().at_end) {
      return unsupported("settle", std::string(node.op->id().name) +
                                       " gives its output at the end of a signal: an "
                                       "endless one has none");
    }
  }
  if (ticks_ > 1) return settle_by_pushing(sample, output);
  reset();
  skip_to(settled_samples());
  take(sample, 1);
  run_pass(output, 1, 0, &Stream::settle_node);
  return std::nullopt;
}

std::optional<Error> Stream::settle_by_pushing(const void* sample, void* output) {
  const auto element = static_cast<size_t>(element_bytes(graph_.dtype));
  const Value& in = values_.front();
  const Value& out = values_.back();
  const size_t in_rows = static_cast<size_t>(batch_) * static_cast<size_t>(in.channels);
  const size_t out_rows = static_cast<size_t>(batch_) * static_cast<size_t>(out.channels);
  Buffer<uint8_t> chunk;
  Buffer<uint8_t> outputs;
  if (!chunk.reserve(in_rows * static_cast<size_t>(in.longest) * element) ||
      !outputs.reserve(out_rows * static_cast<size_t>(out.longest) * element)) {
    return out_of_memory();
  }
  reset();
  const auto* samples = static_cast<const uint8_t*>(sample);
  for (int64_t left = settled_samples(); left > 0;) {
    const auto count = static_cast<int32_t>(std::min<int64_t>(left, in.longest));
    uint8_t* to = chunk.data();
    for (size_t row = 0; row < in_rows; ++row) {
      for (int32_t i = 0; i < count; ++i, to += element) std::memcpy(to, samples + row * element, element);
    }
    const auto count_out = static_cast<size_t>(output_count(count));
    push(chunk.data(), count, outputs.data());
    left -= count;
    for (size_t row = 0; count_out > 0 && row < out_rows; ++row) {
      const uint8_t* last = outputs.data() + (row * count_out + count_out - 1) * element;
      std::memcpy(static_cast<uint8_t*>(output) + row * element, last, element);
    }
  }
  return std::nullopt;
}

void Stream::settle_node(Node* node, Value* out, float* rows) {
  for_each_kept(*node, [&](const Value& in, History& history) {
    history.settle(in.rows, in.row_stride, node->padding.pad_left + in.total, flush_tiny_ && node->op == nullptr);
  });
  out->fresh = 1;
  if (node->op != nullptr) return settle_states(node, *out, rows);
  Layer& layer = *node->step->layer;
  const int64_t latest = out->total - 1;
  // From there on the next push goes on.
  if (node->tail) node->tail->resume(layer, node->history(), latest * layer.params().stride);
  convolve(node, operand(*node), latest, 1, rows, out->row_stride);
}

// A state has come to rest when the next sample does not change it.
void Stream::settle_states(Node* node, const Value& out, float* rows) {
  Value latest = out;
  latest.total = out.total - 1;
  operate(node, latest, rows);
  const size_t floats = node->op->state_floats();
  for (int32_t i = 0; floats > 0 && i < kMostSettling; ++i) {
    bool at_rest = true;
    for (int32_t image = 0; image < batch_; ++image) {
      std::copy_n(state_of(node, image), floats, node->rest.data() + static_cast<size_t>(image) * floats);
    }
    operate(node, latest, rows);
    for (int32_t image = 0; image < batch_; ++image) {
      const float* before = node->rest.data() + static_cast<size_t>(image) * floats;
      at_rest = at_rest && std::memcmp(before, state_of(node, image), floats * sizeof(float)) == 0;
    }
    if (at_rest) return;
  }
}

void Stream::run_pass(void* output, size_t out_stride, size_t offset, void (Stream::*run)(Node*, Value*, float*)) {
  const bool narrow = graph_.dtype == DType::kFloat16;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Value& out = values_[i + 1];
    const bool last = i + 1 == nodes_.size();
    const bool in_place = last && !narrow;
    float* rows = in_place ? static_cast<float*>(output) + offset : buffer_of(out);
    out.rows = rows;
    out.row_stride = in_place ? out_stride : out.pitch;
    (this->*run)(&nodes_[i], &out, rows);
    if (!narrow || out.fresh == 0) continue;
    const auto count = static_cast<size_t>(out.fresh);
    for (size_t r = 0; r < static_cast<size_t>(batch_) * static_cast<size_t>(out.channels); ++r) {
      if (last) {
        floats_to_halves(rows + r * out.row_stride, static_cast<uint16_t*>(output) + r * out_stride + offset, count);
      } else {
        round_to_halves(rows + r * out.row_stride, count);
      }
    }
  }
}

void Stream::run_node(Node* node, Value* out, float* rows) {
  const Value& first = operand(*node);
  if (node->op != nullptr) return run_operation(node, out, rows);
  if (node->keeps) feed_conv(node, first);
  out->fresh = static_cast<int32_t>(convolved(*node, first.total, node->padded) - out->total);
  if (node->tail) {
    convolve_partitioned(node, first, *out, rows);
  } else if (out->fresh > 0) {
    convolve(node, first, out->total, out->fresh, rows, out->row_stride);
  }
  out->total += out->fresh;
  out->ended = first.ended && node->padded == node->padding.pad_right;
}

void Stream::run_operation(Node* node, Value* out, float* rows) {
  int64_t samples = operand(*node).total;
  bool ended = true;
  for (size_t i = 0; i < node->step->operands.size(); ++i) {
    const Value& value = operand(*node, i);
    samples = std::min(samples, value.total);
    ended = ended && value.ended;
    if (node->keeps) node->histories[i].append(value.rows, value.row_stride, value.fresh, false);
  }
  const Value& in = operand(*node);
  if (node->op->timing().at_end && in.fresh > 0) {
    for (int32_t image = 0; image < batch_; ++image) {
      node->op->take(stretch_of(*node, 0, image, in.total - in.fresh), in.total - in.fresh, in.fresh,
                     state_of(node, image));
    }
  }
  const int64_t known = outputs_after(*node, samples, ended);
  out->fresh = static_cast<int32_t>(std::min<int64_t>(known - out->total, out->longest));
  if (out->fresh > 0) operate(node, *out, rows);
  out->total += out->fresh;
  out->ended = ended && out->total == known;
}

Stretch Stream::stretch_of(const Node& node, size_t which, int32_t image, int64_t begin) const {
  const Value& value = operand(node, which);
  const size_t row = static_cast<size_t>(image) * static_cast<size_t>(value.channels);
  if (!node.keeps) {
    return {value.rows + row * value.row_stride, value.row_stride, value.total - value.fresh, value.total};
  }
  const History& history = node.histories[which];
  return {history.at(static_cast<int32_t>(row), begin), history.row_pitch(), begin, value.total};
}

void Stream::operate(Node* node, const Value& out, float* rows) {
  const Timing timing = node->op->timing();
  const auto image_floats = static_cast<size_t>(out.channels) * out.row_stride;
  std::array<Stretch, kMostOperands> stretches;
  const size_t count = node->step->operands.size();
  for (int32_t image = 0; image < batch_; ++image) {
    for (size_t i = 0; i < count; ++i) {
      const int64_t begin = std::clamp<int64_t>(timing.first_sample(out.total), 0, operand(*node, i).total);
      stretches[i] = stretch_of(*node, i, image, begin);
    }
    node->op->compute(std::span(stretches).first(count), out.total, out.fresh,
                      {rows + static_cast<size_t>(image) * image_floats, out.row_stride}, state_of(node, image));
  }
}

void Stream::feed_conv(Node* node, const Value& in) {
  History& history = node->history();
  const PaddingMode mode = node->step->layer->params().padding_mode;
  const int64_t left = node->padding.pad_left;
  history.append(in.rows, in.row_stride, in.fresh, flush_tiny_);
  if (in.total >= node->known_after && in.total - in.fresh < node->known_after) {
    for (int32_t row = 0; row < batch_ * in.channels; ++row) {
      for (int64_t q = 0; q < left; ++q) {
        history.set(row, q, history.get(row, mode == PaddingMode::kReflect ? 2 * left - q : left));
      }
    }
  }
  if (!in.ended || in.fresh > 0) return;
  for (int32_t i = 0; i < in.longest && node->padded < node->padding.pad_right; ++i, ++node->padded) {
    const int64_t last = left + in.total - 1;
    const int64_t mirrored = last - 1 - node->padded;
    history.append_each([&](int32_t row) {
      switch (mode) {
        case PaddingMode::kReflect:
          return history.get(row, mirrored);
        case PaddingMode::kReplicate:
          return history.get(row, last + node->padded);
        default:
          return 0.0F;
      }
    });
  }
}

void Stream::convolve(Node* node, const Value& in, int64_t first, int32_t count, float* rows, size_t row_stride) {
  const bool all_taps = node->tail && node->tail->needs_definition();
  const bool has_tail = node->tail && !all_taps;
  Layer& layer = has_tail ? node->tail->head() : *node->step->layer;
  const Params& p = layer.params();
  const Weights weights = layer.weights();
  const Finish finish = node->step->layer->finish();
  const Vectors vectors = all_taps     ? Vectors::kAlongTime
                          : node->tail ? choose_vectors(p, count)
                                       : choose_stream_vectors(p, count);
  const bool across = vectors == Vectors::kAcrossGroups;
  const float* panels = weights.forms->panels(p, vectors, weights.view);
  Strip strip{};
  strip.offsets = all_taps ? node->all_offsets.data() : node->offsets.data();
  strip.depth = p.group_in() * p.kernel_size;
  strip.row_stride = row_stride;
  const bool lacks_oldest = has_tail && node->tail->lacks_oldest();
  const float* oldest_panels = nullptr;
  Strip oldest{};
  if (lacks_oldest) {
    Layer& taps = node->tail->oldest();
    const Weights own = taps.weights();
    oldest_panels = own.forms->panels(taps.params(), vectors, own.view);
    oldest.bias = own.bias;  // zeros
    oldest.offsets = node->oldest_offsets.data();
    oldest.depth = p.group_in() * taps.params().kernel_size;
    oldest.output = node->oldest_sums.data();
    oldest.row_stride = static_cast<size_t>(node->strip);
  }
  // Short rows are finished side by side, and only then go where they belong.
  const bool together = vectors != Vectors::kAlongTime && !has_tail;
  float short_rows[static_cast<size_t>(kMostTileRows) * kShortRow];
  const OutputView outputs{.base = rows,
                           .dtype = DType::kFloat32,
                           .channels = p.out_channels,
                           .row = static_cast<int32_t>(row_stride),
                           .step = 1};
  const size_t pitch = node->keeps ? node->history().row_pitch() : in.pitch;
  const int32_t groups = across ? 1 : p.groups;
  const int32_t group_out = p.out_channels / groups;
  for (int32_t image_group = 0; image_group < batch_ * groups; ++image_group) {
    const int32_t image = image_group / groups;
    const int32_t first_out = image_group % groups * group_out;
    float* group_rows = rows + static_cast<size_t>(image_group) * static_cast<size_t>(group_out) * row_stride;
    for (int32_t t = 0; t < count; t += node->strip) {
      strip.count = std::min(node->strip, count - t);
      const int32_t row = image_group * (p.in_channels / groups);
      const float* input = (node->keeps ? node->history().at(row, first + (has_tail ? node->head_shift : 0))
                                        : in.rows + static_cast<size_t>(row) * in.pitch) +
                           t;
      for_each_tile(vectors, group_out, [&](const Tile& tile, int32_t o) {
        strip.input = across ? input + static_cast<size_t>(o) * pitch : input;
        if (across) strip.offsets = tile.rows == 1 ? node->offsets.data() : node->across_offsets.data();
        const size_t oc = static_cast<size_t>(first_out) + static_cast<size_t>(o);
        strip.weights = panels + oc * static_cast<size_t>(strip.depth);
        strip.bias = weights.bias + oc;
        if (together) {
          strip.output = short_rows;
          strip.row_stride = static_cast<size_t>(strip.count);
          tile.run(strip);
          return finish_rows(
              finish, strip.output, strip.row_stride,
              {.image = image, .channel = first_out + o, .rows = tile.rows, .begin = t, .count = strip.count}, outputs);
        }
        strip.output = group_rows + static_cast<size_t>(o) * row_stride + t;
        tile.run(strip);
        if (lacks_oldest) {
          oldest.weights = oldest_panels + oc * static_cast<size_t>(oldest.depth);
          oldest.input = node->history().at(row, first) + t;
          oldest.count = strip.count;
          tile.run(oldest);
        }
        for (int32_t r = 0; r < tile.rows; ++r) {
          float* sums = strip.output + static_cast<size_t>(r) * row_stride;
          if (has_tail) node->tail->add_tail(image, first_out + o + r, (first + t) * p.stride, strip.count, sums);
          if (lacks_oldest) {
            add_row(node->oldest_sums.data() + static_cast<size_t>(r) * oldest.row_stride, strip.count, sums);
          }
          activate(finish, first_out + o + r, sums, static_cast<size_t>(strip.count));
        }
      });
    }
  }
}

void Stream::convolve_partitioned(Node* node, const Value& in, const Value& out, float* rows) {
  const Params& p = node->step->layer->params();
  const History& history = node->history();
  node->tail->load(*node->step->layer);
  const int64_t known = known_positions(*node);
  int64_t t = out.total;
  for (;;) {
    const int64_t due = node->tail->next();
    const int64_t end = (std::min(known, due) + p.stride - 1) / p.stride;  // of the outputs before it, if there are any
    if (end > t) {
      node->tail->look(history, t * p.stride, (end - 1) * p.stride + 1);
      convolve(node, in, t, static_cast<int32_t>(end - t), rows + (t - out.total), out.row_stride);
      t = end;
    }
    if (known < due) return;
    node->tail->advance(history);
  }
}

}  // namespace conv1d
