// The Embind table: what js/ calls. Pointers cross as numbers; a failed call leaves its Error in lastError().
#include <emscripten/bind.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>

#include "buffer.h"
#include "operations/make_operation.h"
#include "operations/recurrent.h"
#include "options/initialize.h"
#include "passes/forward.h"
#include "passes/recording.h"
#include "passes/stream.h"
#include "training/optimizer.h"

namespace conv1d {
namespace {

// Never destroyed: workers that sleep in it live as long as the instance.
ThreadPool* pool = nullptr;
Error last_error{};

// What a layer's or a network's handle points to. A layer is a network of one step, which networks and streams that it
// is part of share.
Forward* forward_at(uintptr_t handle) { return reinterpret_cast<Forward*>(handle); }
const std::shared_ptr<Layer>& share_layer(uintptr_t handle) { return forward_at(handle)->graph().steps[0].layer; }
Layer* layer_at(uintptr_t handle) { return share_layer(handle).get(); }
Stream* stream_at(uintptr_t stream) { return reinterpret_cast<Stream*>(stream); }
Recording* recording_at(uintptr_t recording) { return reinterpret_cast<Recording*>(recording); }

bool failed(std::optional<Error> error) {
  if (!error) return false;
  last_error = std::move(*error);
  return true;
}

// As JavaScript gets it.
struct NamedError {
  std::string code;
  std::string field;
  std::string message;
};
NamedError take_error() { return {std::string(last_error.code), std::string(last_error.field), last_error.message}; }

void start_threads(int threads) { pool = new (std::nothrow) ThreadPool(threads); }

std::span<const double> doubles_at(uintptr_t pointer, size_t count) {
  return {reinterpret_cast<const double*>(pointer), count};
}

// 0 when refused. The activation's parameters are `count` doubles, see Options.
uintptr_t create_layer(Options options, uintptr_t parameters, size_t count) {
  options.parameters = doubles_at(parameters, count);
  Params params{};
  if (failed(validate(options, &params))) return 0;
  auto layer = std::make_shared<Layer>(params);
  const bool has_channels = count > 1 && entry_of(params.finish.activation).per_channel;
  if (!layer->allocate() || (has_channels && !layer->give_channels(options.parameters))) {
    last_error = no_room(static_cast<double>(params.weight_size()) * element_bytes(params.dtype), "weights");
    return 0;
  }
  return reinterpret_cast<uintptr_t>(new Forward(graph_of(std::move(layer))));
}

void destroy_graph(uintptr_t graph) { delete forward_at(graph); }

// The output length of an input (batch, inChannels, length), or 0 when there is none.
int output_length(uintptr_t graph, double batch, double length) {
  auto lengths = forward_at(graph)->lengths_after(batch, length);
  return lengths ? (*lengths).back() : (failed(std::move(lengths.error())), 0);
}

// As output_length, and makes the layer or network ready to run that shape.
int prepare(uintptr_t graph, double batch, double length) {
  return failed(forward_at(graph)->prepare(batch, length, pool->threads())) ? 0 : forward_at(graph)->out_length();
}

void run(uintptr_t graph, uintptr_t input, uintptr_t output) {
  forward_at(graph)->run(reinterpret_cast<const void*>(input), reinterpret_cast<void*>(output), *pool);
}

// run() in steps: the pieces there are, and [begin, end) of them.
int pieces(uintptr_t graph) { return forward_at(graph)->pieces(); }
void run_pieces(uintptr_t graph, uintptr_t input, uintptr_t output, int begin, int end) {
  forward_at(graph)->run_pieces(reinterpret_cast<const void*>(input), reinterpret_cast<void*>(output), *pool, begin,
                                end);
}

uintptr_t weight(uintptr_t layer) { return reinterpret_cast<uintptr_t>(layer_at(layer)->weight()); }
uintptr_t bias(uintptr_t layer) { return reinterpret_cast<uintptr_t>(layer_at(layer)->bias()); }
void weights_changed(uintptr_t layer) { layer_at(layer)->changed(); }

bool initialize_weights(uintptr_t layer, const std::string& scheme_name, double seed) {
  InitScheme scheme{};
  if (failed(parse_scheme(scheme_name, &scheme)) || failed(check_seed(seed))) return false;
  Layer* l = layer_at(layer);
  initialize(l->params(), scheme, static_cast<uint64_t>(seed), l->weight(), l->bias());
  l->changed();
  return true;
}

struct NamedExplanation {
  std::string algorithm;
  std::string reason;
  std::string kernel;
  double flops;
  double bytes;
  double scratch_bytes;
  int threads;
};

NamedExplanation explain(uintptr_t layer) {
  const Explanation e = forward_at(layer)->explain();
  return {e.algorithm, e.reason, e.kernel, e.flops, e.bytes, e.scratch_bytes, e.threads};
}

// What an operation's handle points to: one that steps share, its weights too.
using SharedRecurrent = std::shared_ptr<Recurrent>;
SharedRecurrent& recurrent_at(uintptr_t handle) { return *reinterpret_cast<SharedRecurrent*>(handle); }

// 0 when refused.
uintptr_t create_recurrent(const std::string& cell, int inputs, int hidden) {
  auto made = Recurrent::make(cell == "lstm" ? Recurrent::Cell::kLstm : Recurrent::Cell::kGru, inputs, hidden);
  if (!made) return failed(std::move(made.error())), 0;
  return reinterpret_cast<uintptr_t>(new SharedRecurrent(std::move(*made)));
}

void destroy_recurrent(uintptr_t recurrent) { delete &recurrent_at(recurrent); }
uintptr_t recurrent_weights(uintptr_t recurrent) {
  return reinterpret_cast<uintptr_t>(recurrent_at(recurrent)->weights());
}
void recurrent_changed(uintptr_t recurrent) { recurrent_at(recurrent)->changed(); }

// The graph that the next create_network() or create_stream() takes, described step by step.
Graph described;

void begin_graph(bool half, int in_channels) {
  described = {.steps = {}, .dtype = half ? DType::kFloat16 : DType::kFloat32, .in_channels = in_channels};
}

Step& add_step(uintptr_t operands, size_t count) {
  const auto* values = reinterpret_cast<const int32_t*>(operands);
  return described.steps.emplace_back(Step{{values, values + count}, nullptr, nullptr});
}

void add_layer(uintptr_t operands, uintptr_t layer) { add_step(operands, 1).layer = share_layer(layer); }
void add_recurrent(uintptr_t operands, uintptr_t recurrent) {
  add_step(operands, 1).operation = recurrent_at(recurrent);
}

// Its numbers are `number_count` doubles, see operations/. False when refused.
bool add_operation(const std::string& kind, uintptr_t operands, size_t count, uintptr_t numbers, size_t number_count) {
  std::vector<int32_t> channels;
  const auto* values = reinterpret_cast<const int32_t*>(operands);
  for (size_t i = 0; i < count; ++i) channels.push_back(described.channels(values[i]));
  auto made = make_operation({.kind = kind, .channels = channels, .numbers = doubles_at(numbers, number_count)});
  if (!made) return !failed(std::move(made.error()));
  add_step(operands, count).operation = std::move(*made);
  return true;
}

// The numbers of a graph's operation, as add_operation() got them or training left them, and others in their place.
uintptr_t operation_numbers(uintptr_t graph, int step) {
  const Operation& operation = *forward_at(graph)->graph().steps[static_cast<size_t>(step)].operation;
  return reinterpret_cast<uintptr_t>(operation.numbers().data());
}
void renew_operation(uintptr_t graph, int step, uintptr_t numbers, size_t count) {
  forward_at(graph)->graph().steps[static_cast<size_t>(step)].operation->renew(doubles_at(numbers, count));
}

uintptr_t create_network() { return reinterpret_cast<uintptr_t>(new Forward(std::move(described))); }

// 0 when refused.
uintptr_t create_recording(uintptr_t graph, double batch, double length, bool low_memory) {
  auto made = Recording::make(forward_at(graph)->graph(), batch, length, pool->threads(), low_memory);
  if (!made) return failed(std::move(made.error())), 0;
  return reinterpret_cast<uintptr_t>((*made).release());
}

void destroy_recording(uintptr_t recording) { delete recording_at(recording); }
// -1 when refused.
double recording_bytes(uintptr_t graph, double batch, double length, bool low_memory) {
  auto bytes = Recording::bytes_for(forward_at(graph)->graph(), batch, length, low_memory);
  return bytes ? *bytes : (failed(std::move(bytes.error())), -1);
}
int recording_length(uintptr_t recording) { return recording_at(recording)->out_length(); }

// Its input, output, and their gradients, by number.
uintptr_t recording_array(uintptr_t recording, int array) {
  Recording& r = *recording_at(recording);
  const float* arrays[] = {r.input(), r.output(), r.input_gradients(), r.output_gradients()};
  return reinterpret_cast<uintptr_t>(arrays[array]);
}

// Of step `step` of the graph that was recorded.
uintptr_t parameter_gradients(uintptr_t recording, uintptr_t graph, int step) {
  const Step& own = forward_at(graph)->graph().steps[static_cast<size_t>(step)];
  return reinterpret_cast<uintptr_t>(recording_at(recording)->parameter_gradients(own));
}

bool run_recording(uintptr_t recording, bool training, double seed) {
  return !failed(recording_at(recording)->run({.training = training, .seed = static_cast<uint64_t>(seed)}, *pool));
}
void run_backward(uintptr_t recording, bool input, bool weights, bool biases) {
  recording_at(recording)->run_backward({.input = input, .weights = weights, .biases = biases}, *pool);
}

// 0 when refused.
uintptr_t create_stream(double batch, double max_chunk, bool flush_tiny) {
  std::unique_ptr<Stream> stream;
  if (failed(Stream::create(std::move(described), batch, max_chunk, flush_tiny, &stream))) return 0;
  return reinterpret_cast<uintptr_t>(stream.release());
}

void destroy_stream(uintptr_t stream) { delete stream_at(stream); }
double stream_latency(uintptr_t stream) { return stream_at(stream)->latency(); }
double stream_receptive_field(uintptr_t stream) { return stream_at(stream)->receptive_field(); }
int stream_output_count(uintptr_t stream, int samples) { return stream_at(stream)->output_count(samples); }

void push_stream(uintptr_t stream, uintptr_t chunk, int samples, uintptr_t output) {
  stream_at(stream)->push(reinterpret_cast<const void*>(chunk), samples, reinterpret_cast<void*>(output));
}

// -1 when refused.
double stream_end_count(uintptr_t stream) {
  int64_t count = 0;
  return failed(stream_at(stream)->end_count(&count)) ? -1 : static_cast<double>(count);
}

void end_stream(uintptr_t stream, uintptr_t output) { stream_at(stream)->end(reinterpret_cast<void*>(output)); }
void reset_stream(uintptr_t stream) { stream_at(stream)->reset(); }

double stream_state_bytes(uintptr_t stream) {
  return static_cast<double>(stream_at(stream)->state_words()) * sizeof(int32_t);
}

void save_stream(uintptr_t stream, uintptr_t state) { stream_at(stream)->save(reinterpret_cast<int32_t*>(state)); }

bool restore_stream(uintptr_t stream, uintptr_t state, double bytes) {
  return !failed(stream_at(stream)->restore(reinterpret_cast<const int32_t*>(state), static_cast<int64_t>(bytes)));
}

// 0 when refused.
uintptr_t clone_stream(uintptr_t stream) {
  std::unique_ptr<Stream> made;
  return failed(stream_at(stream)->clone(&made)) ? 0 : reinterpret_cast<uintptr_t>(made.release());
}

bool settle_stream(uintptr_t stream, uintptr_t sample, uintptr_t output) {
  return !failed(stream_at(stream)->settle(reinterpret_cast<const void*>(sample), reinterpret_cast<void*>(output)));
}

// A step of an optimiser, whose rule is floats at `rule`.
template <class Rule>
void optimize_by(uintptr_t rule, size_t count, uintptr_t parameter, uintptr_t gradient, uintptr_t first,
                 uintptr_t second, uintptr_t third) {
  const auto at = [](uintptr_t pointer) { return reinterpret_cast<float*>(pointer); };
  optimize(*reinterpret_cast<const Rule*>(rule), {.count = count,
                                                  .parameter = at(parameter),
                                                  .gradient = at(gradient),
                                                  .states = {at(first), at(second), at(third)}});
}

// The activations as JSON, in the order of their indices; 0 and 1 stand for false and true.
std::string activations() {
  std::string json;
  for (const ActivationEntry& entry : kActivations) {
    json += json.empty() ? "[" : ",";
    json += format(R"({"perChannel":%,"lipschitz":%,"orParameter":%,"parameters":[)",
                   {static_cast<double>(entry.per_channel), entry.lipschitz, static_cast<double>(entry.or_parameter)});
    for (size_t i = 0; i < entry.parameter_count(); ++i) {
      json += format(i == 0 ? R"({"default":%,"name":")" : R"(,{"default":%,"name":")", {entry.parameters[i].initial});
      json.append(entry.parameters[i].name).append("\"}");
    }
    json.append(R"(],"name":")").append(entry.name).append("\"}");
  }
  return json + "]";
}

// The index of an activation whose parameters are `count` doubles for rows of `channels` channels, or -1 when refused.
int activation_index(const std::string& name, uintptr_t parameters, size_t count, int channels) {
  Finish finish;
  const bool refused = failed(parse_activation(name, doubles_at(parameters, count), channels, &finish));
  return refused ? -1 : static_cast<int>(finish.activation);
}

uintptr_t allocate(size_t bytes) { return reinterpret_cast<uintptr_t>(allocate_array(bytes, 1)); }
void release(uintptr_t pointer) { std::free(reinterpret_cast<void*>(pointer)); }
double used_bytes() { return static_cast<double>(static_cast<size_t>(mallinfo().uordblks)); }

}  // namespace

EMSCRIPTEN_BINDINGS(conv1d) {
  using emscripten::function;

  emscripten::value_object<NamedError>("Error")
      .field("code", &NamedError::code)
      .field("field", &NamedError::field)
      .field("message", &NamedError::message);
  emscripten::value_object<Options>("Options")
      .field("inChannels", &Options::in_channels)
      .field("outChannels", &Options::out_channels)
      .field("kernelSize", &Options::kernel_size)
      .field("stride", &Options::stride)
      .field("paddingRule", &Options::padding_rule)
      .field("padLeft", &Options::pad_left)
      .field("padRight", &Options::pad_right)
      .field("dilation", &Options::dilation)
      .field("groups", &Options::groups)
      .field("bias", &Options::bias)
      .field("convMode", &Options::conv_mode)
      .field("computeMode", &Options::compute_mode)
      .field("paddingMode", &Options::padding_mode)
      .field("dtype", &Options::dtype)
      .field("activation", &Options::activation)
      .field("algorithm", &Options::algorithm)
      .field("transposed", &Options::transposed)
      .field("outputPadding", &Options::output_padding);
  emscripten::value_object<NamedExplanation>("Explanation")
      .field("algorithm", &NamedExplanation::algorithm)
      .field("reason", &NamedExplanation::reason)
      .field("kernel", &NamedExplanation::kernel)
      .field("flops", &NamedExplanation::flops)
      .field("bytes", &NamedExplanation::bytes)
      .field("scratchBytes", &NamedExplanation::scratch_bytes)
      .field("threads", &NamedExplanation::threads);

  function("defaultOptions", emscripten::optional_override([] { return Options{}; }));
  function("lastError", &take_error);
  function("startThreads", &start_threads);
  function("createLayer", &create_layer);
  function("destroyGraph", &destroy_graph);
  function("createRecurrent", &create_recurrent);
  function("destroyRecurrent", &destroy_recurrent);
  function("recurrentWeights", &recurrent_weights);
  function("recurrentChanged", &recurrent_changed);
  function("beginGraph", &begin_graph);
  function("addLayer", &add_layer);
  function("addRecurrent", &add_recurrent);
  function("addOperation", &add_operation);
  function("operationNumbers", &operation_numbers);
  function("renewOperation", &renew_operation);
  function("createNetwork", &create_network);
  function("outputLength", &output_length);
  function("prepare", &prepare);
  function("run", &run);
  function("pieces", &pieces);
  function("runPieces", &run_pieces);
  function("weight", &weight);
  function("bias", &bias);
  function("weightsChanged", &weights_changed);
  function("initialize", &initialize_weights);
  function("explain", &explain);
  function("createRecording", &create_recording);
  function("destroyRecording", &destroy_recording);
  function("recordingBytes", &recording_bytes);
  function("recordingLength", &recording_length);
  function("recordingArray", &recording_array);
  function("parameterGradients", &parameter_gradients);
  function("runRecording", &run_recording);
  function("runBackward", &run_backward);
  function("createStream", &create_stream);
  function("destroyStream", &destroy_stream);
  function("streamLatency", &stream_latency);
  function("streamReceptiveField", &stream_receptive_field);
  function("streamOutputCount", &stream_output_count);
  function("pushStream", &push_stream);
  function("streamEndCount", &stream_end_count);
  function("endStream", &end_stream);
  function("resetStream", &reset_stream);
  function("streamStateBytes", &stream_state_bytes);
  function("saveStream", &save_stream);
  function("restoreStream", &restore_stream);
  function("cloneStream", &clone_stream);
  function("settleStream", &settle_stream);
  function("optimizeSgd", &optimize_by<Sgd>);
  function("optimizeAdam", &optimize_by<Adam>);
  function("optimizeRmsProp", &optimize_by<RmsProp>);
  function("activations", &activations);
  function("activationIndex", &activation_index);
  function("allocate", &allocate);
  function("release", &release);
  function("usedBytes", &used_bytes);
}

}  // namespace conv1d
