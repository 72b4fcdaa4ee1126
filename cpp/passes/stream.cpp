#include "passes/stream.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <new>
#include <string>

#include "choose/direct_schedule.h"
#include "choose/partition.h"
#include "half.h"
#include "integers.h"
#include "operator/pack.h"
#include "operator/planes.h"

namespace conv1d {
namespace {

constexpr int64_t kMostStride = int64_t{1} << 31;

// A saved state: these words, the stream's description, how many samples it got, and the latest that it keeps.
constexpr int32_t kMark = 0x73643163;  // "c1ds"
constexpr int32_t kFormat = 2;
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
constexpr Trait kStepTraits[] = {{"input", true},
                                 {"other", true},
                                 {"operation", false},
                                 {"activation", false},
                                 {"activation parameter", false},
                                 {"activation parameter", false},
                                 {"outChannels", true},
                                 {"kernelSize", true},
                                 {"stride", true},
                                 {"dilation", true},
                                 {"groups", true},
                                 {"padLeft", true},
                                 {"padRight", true},
                                 {"paddingMode", false},
                                 {"bias", false},
                                 {"algorithm", false}};

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

void add_row(const float* row, int32_t count, float* sums) {
  for (int32_t i = 0; i < count; ++i) sums[i] += row[i];
}

Error out_of_memory() { return no_room("the stream's history"); }

}  // namespace

std::optional<Error> Stream::create(Graph graph, double batch, double max_chunk, bool flush_tiny,
                                    std::unique_ptr<Stream>* stream) {
  int32_t signals = 0;
  int32_t longest = 0;
  if (std::optional<Error> error = parse_integer("batch", batch, 1, &signals)) return error;
  if (std::optional<Error> error = parse_integer("maxChunk", max_chunk, 1, &longest)) return error;
  // Vectors cannot say that memory is short, so this asks for them.
  void* room = allocate_array(graph.values(), 2 * (sizeof(Node) + sizeof(Value)));
  std::free(room);
  std::unique_ptr<Stream> made(room == nullptr ? nullptr : new (std::nothrow) Stream);
  if (!made) return out_of_memory();

  made->batch_ = signals;
  made->flush_tiny_ = flush_tiny && graph.dtype == DType::kFloat32;  // no float16 is that small
  made->graph_ = std::move(graph);
  made->nodes_.resize(made->graph_.steps.size());
  made->values_.resize(made->graph_.values());
  made->values_[0].channels = made->graph_.in_channels;
  made->values_[0].longest = longest;
  made->values_[0].pitch = static_cast<size_t>(pitch_of(longest));
  for (size_t i = 0; i < made->nodes_.size(); ++i) {
    made->nodes_[i].step = &made->graph_.steps[i];
    if (std::optional<Error> error = made->lay_out(&made->nodes_[i], &made->values_[i + 1])) return error;
    made->values_[i + 1].pitch = static_cast<size_t>(pitch_of(made->values_[i + 1].longest));
  }
  if (!made->lay_out_rows() || !made->describe()) return out_of_memory();
  made->reset();
  *stream = std::move(made);
  return std::nullopt;
}

std::optional<Error> Stream::lay_out(Node* node, Value* out) {
  const Value& in = operand(*node, 0);
  if (node->step->layer) return lay_out_conv(node, in, out);
  *out = in;
  out->channels = graph_.channels_after(*node->step, in.channels);
  return node->step->is_pair() ? lay_out_pair(node, out) : std::nullopt;
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
  out->stride = in.stride * p.stride;
  if (out->stride >= kMostStride) {
    return unsupported("stride", "a stream's strides must multiply to less than 2^31");
  }
  out->lead = in.lead + in.stride * (reach - left);
  out->first = std::max(in.first, in.stride * (node->known_after - 1) + in.lead);
  out->surplus = in.surplus + in.stride * (left + right - reach);
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
  if ((choose_vectors(p, 1) == Vectors::kAlongChannels && !layer.forms().keep_both_panels(layer.params())) ||
      !node->offsets.reserve(static_cast<size_t>(p.group_in()) * static_cast<size_t>(taps)) ||
      (node->tail && !node->lay_out_tail(p, choose_stream_strip(p)))) {
    return out_of_memory();
  }
  // One tap on what an earlier node made needs no history; the caller's rows are not to be read past their end.
  node->keeps = !(p.kernel_size == 1 && in_step && node->step->input > 0);
  History& history = node->history[0];
  int64_t kept = std::max({kept_samples(p), left + node->known_after, int64_t{1}});
  if (p.padding_mode == PaddingMode::kReflect) kept = std::max(kept, 2 * right + 1);
  const int64_t rows = int64_t{batch_} * p.in_channels;
  if (rows > kMaxElements ||
      (node->keeps && !history.allocate(static_cast<int32_t>(rows), p.stride, kept, int64_t{in.longest} + p.stride))) {
    return out_of_memory();
  }
  const size_t pitch = node->keeps ? history.row_pitch() : in.pitch;
  const auto set_offsets = [&](int32_t own_taps, int64_t skipped, int32_t* offsets) {
    for (int32_t c = 0; c < p.group_in(); ++c) {
      for (int32_t k = 0; k < own_taps; ++k) {
        const int64_t position = skipped % p.stride + int64_t{k} * p.dilation;
        *offsets++ = static_cast<int32_t>(static_cast<size_t>(c) * pitch +
                                          static_cast<size_t>(position % p.stride) * history.plane_pitch() +
                                          static_cast<size_t>(position / p.stride));
      }
    }
  };
  const int64_t skipped = int64_t{p.kernel_size - taps} * p.dilation;
  node->head_shift = skipped / p.stride;
  set_offsets(taps, skipped, node->offsets.data());
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

std::optional<Error> Stream::lay_out_pair(Node* node, Value* out) {
  const Value& a = operand(*node, 0);
  const Value& b = operand(*node, 1);
  if (a.stride != b.stride || a.surplus != b.surplus) {
    return shape_error("other", "the two operands of a sum or product must have the same length for every input");
  }
  out->longest = std::max(a.longest, b.longest);
  out->lead = std::max(a.lead, b.lead);
  out->first = std::max(a.first, b.first);
  out->earliest = std::min(a.earliest, b.earliest);
  out->latest = std::max(a.latest, b.latest);
  if (a.pace == b.pace) return std::nullopt;

  out->pace = static_cast<int32_t>(node - nodes_.data()) + 1;
  node->keeps = true;
  for (const int which : {0, 1}) {
    const Value& own = operand(*node, which);
    const Value& other = operand(*node, 1 - which);
    // How far this one may be ahead of the other, in the middle of the signal or while its end trickles down.
    const int64_t ahead = std::max(other.lead, other.first) + std::max(own.surplus, -own.lead);
    const int64_t kept = std::max<int64_t>(ahead, 0) / own.stride + 3;
    const int64_t rows = int64_t{batch_} * own.channels;
    if (rows > kMaxElements || !node->history[which].allocate(static_cast<int32_t>(rows), 1, kept, own.longest)) {
      return out_of_memory();
    }
  }
  return std::nullopt;
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
  buffers_.resize(plan.size.size());
  for (size_t i = 0; i < plan.size.size(); ++i) {
    if (!buffers_[i].reserve(plan.size[i])) return false;
  }
  return true;
}

void Stream::reset() {
  for (Node& node : nodes_) {
    node.padded = 0;
    if (!node.keeps) continue;
    node.history[0].clear(node.padding.pad_left);
    if (node.tail) {
      const int64_t zeros = node.known_after > 0 ? 0 : node.padding.pad_left;
      node.tail->reset(std::min<int64_t>(zeros - node.step->layer->params().reach(), 0));  // where the outputs begin
      node.tail->load(*node.step->layer);
    }
    if (node.step->is_pair()) node.history[1].clear(0);
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
  const bool padded = operand(node, 0).total >= node.known_after;
  return (padded ? node.history[0].size() : 0) - node.step->layer->params().reach();
}

int64_t Stream::outputs_after(const Node& node, int64_t samples, int64_t others, int64_t right) {
  if (!node.step->layer) return std::min(samples, others);
  const Params& p = node.step->layer->params();
  const int64_t room = node.padding.pad_left + samples + right - p.reach() - 1;
  return samples < node.known_after || room < 0 ? 0 : room / p.stride + 1;
}

void Stream::forecast(int64_t samples, bool whole) {
  values_[0].forecast = samples;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    values_[i + 1].forecast =
        outputs_after(node, operand(node, 0).forecast, operand(node, 1).forecast, whole ? node.padding.pad_right : 0);
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

void Stream::push(const void* chunk, int32_t samples, void* output) {
  const auto out_stride = static_cast<size_t>(output_count(samples));
  take(chunk, samples);
  values_[0].total += samples;
  run_pass(output, out_stride, 0, &Stream::run_node);
}

std::optional<Error> Stream::end_count(int64_t* count) {
  forecast(values_[0].total, true);
  for (const Node& node : nodes_) {
    if (!node.step->layer) continue;
    const int64_t length = operand(node, 0).forecast;
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
    const auto& [input, other, layer, elementwise, channels] = *node.step;
    const Params p = layer ? layer->params() : Params{};
    const Finish& finish = layer ? p.finish : elementwise.finish;
    write({input, other, layer ? -1 : static_cast<int32_t>(elementwise.kind), static_cast<int32_t>(finish.activation),
           std::bit_cast<int32_t>(finish.parameters[0]), std::bit_cast<int32_t>(finish.parameters[1]), p.out_channels,
           p.kernel_size, p.stride, p.dilation, p.groups, node.padding.pad_left, node.padding.pad_right,
           static_cast<int32_t>(p.padding_mode), p.bias ? 1 : 0, static_cast<int32_t>(p.algorithm)});
  }
  return true;
}

int64_t Stream::state_words() const {
  int64_t words = kHeaderWords + static_cast<int64_t>(description_.size()) + kSamplesWords;
  for (const Node& node : nodes_) {
    for (int32_t i = 0; i < histories_of(node); ++i) words += node.history[i].kept_floats();
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
    for (int32_t i = 0; i < histories_of(node); ++i) {
      node.history[i].save(reinterpret_cast<float*>(state));
      state += node.history[i].kept_floats();
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
    for (int32_t i = 0; i < histories_of(node); ++i) {
      node.history[i].restore(latest, node.padding.pad_left + operand(node, i).total);
      latest += node.history[i].kept_floats();
    }
    if (node.tail) node.tail->resume(*node.step->layer, node.history[0], known_positions(node));
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
  int64_t samples = 0;
  const auto require = [&](const Value& value, int64_t kept) {
    samples = std::max({samples, value.first, value.lead + value.stride * kept - value.earliest});
  };
  for (const Value& value : values_) require(value, 1);
  for (const Node& node : nodes_) {
    for (int32_t i = 0; i < histories_of(node); ++i) require(operand(node, i), node.history[i].kept());
  }
  const int64_t stride = values_.back().stride;
  return (samples + stride - 1) / stride * stride;
}

void Stream::settle(const void* sample, void* output) {
  reset();
  skip_to(settled_samples());
  take(sample, 1);
  run_pass(output, 1, 0, &Stream::settle_node);
}

void Stream::settle_node(Node* node, Value* out, float* rows) {
  for (int32_t i = 0; i < histories_of(*node); ++i) {
    const Value& in = operand(*node, i);
    const bool flush = flush_tiny_ && node->step->layer;
    node->history[i].settle(in.rows, in.row_stride, node->padding.pad_left + in.total, flush);
  }
  out->fresh = 1;
  if (!node->step->layer) return combine(*node, *out, rows);
  Layer& layer = *node->step->layer;
  const int64_t latest = out->total - 1;
  // From there on the next push goes on.
  if (node->tail) node->tail->resume(layer, node->history[0], latest * layer.params().stride);
  convolve(node, operand(*node, 0), latest, 1, rows, out->row_stride);
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
  const Value& a = operand(*node, 0);
  const Value& b = operand(*node, 1);
  if (node->keeps && node->step->layer) {
    feed_conv(node, a);
  } else if (node->keeps) {
    node->history[0].append(a.rows, a.row_stride, a.fresh, false);
    node->history[1].append(b.rows, b.row_stride, b.fresh, false);
  }
  out->fresh = static_cast<int32_t>(outputs_after(*node, a.total, b.total, node->padded) - out->total);
  if (node->tail) {
    convolve_partitioned(node, a, *out, rows);
  } else if (out->fresh > 0) {
    node->step->layer ? convolve(node, a, out->total, out->fresh, rows, out->row_stride) : combine(*node, *out, rows);
  }
  out->total += out->fresh;
  out->ended = a.ended && b.ended && node->padded == node->padding.pad_right;
}

void Stream::feed_conv(Node* node, const Value& in) {
  History& history = node->history[0];
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
  const Vectors vectors = all_taps ? Vectors::kAlongTime : choose_vectors(p, count);
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
  for (int32_t image_group = 0; image_group < batch_ * p.groups; ++image_group) {
    const int32_t image = image_group / p.groups;
    const int32_t first_out = image_group % p.groups * p.group_out();
    float* group_rows = rows + static_cast<size_t>(image_group) * static_cast<size_t>(p.group_out()) * row_stride;
    for (int32_t t = 0; t < count; t += node->strip) {
      strip.count = std::min(node->strip, count - t);
      const int32_t row = image_group * p.group_in();
      strip.input = (node->keeps ? node->history[0].at(row, first + (has_tail ? node->head_shift : 0))
                                 : in.rows + static_cast<size_t>(row) * in.pitch) +
                    t;
      for_each_tile(vectors, p.group_out(), [&](const Tile& tile, int32_t o) {
        const size_t oc = static_cast<size_t>(first_out) + static_cast<size_t>(o);
        strip.weights = panels + oc * static_cast<size_t>(strip.depth);
        strip.bias = weights.bias + oc;
        strip.output = group_rows + static_cast<size_t>(o) * row_stride + t;
        tile.run(strip);
        if (lacks_oldest) {
          oldest.weights = oldest_panels + oc * static_cast<size_t>(oldest.depth);
          oldest.input = node->history[0].at(row, first) + t;
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
  const History& history = node->history[0];
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

void Stream::combine(const Node& node, const Value& out, float* rows) const {
  const bool gate = node.step->is_gate();
  const auto row_of = [&](int which, int32_t row) {
    const Value& value = operand(node, which);
    return node.keeps ? node.history[which].at(row, out.total)
                      : value.rows + static_cast<size_t>(row) * value.row_stride;
  };
  for (int32_t row = 0; row < batch_ * out.channels; ++row) {
    const int32_t a = gate ? row + row / out.channels * out.channels : row;
    const int32_t b = gate ? a + out.channels : row;
    apply_elementwise(node.step->elementwise, row % out.channels, row_of(0, a), row_of(1, b),
                      rows + static_cast<size_t>(row) * out.row_stride, static_cast<size_t>(out.fresh));
  }
}

}  // namespace conv1d
