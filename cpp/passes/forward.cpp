#include "passes/forward.h"

#include <algorithm>
#include <new>

#include "choose/threads.h"
#include "integers.h"
#include "methods/make_method.h"

namespace conv1d {

std::optional<Error> Forward::measure(double batch, double length, Node* nodes) const {
  const auto length_of_value = [&](int32_t value) { return value == 0 ? length : nodes[value - 1].length; };
  for (size_t i = 0; i < graph_.steps.size(); ++i) {
    const Step& step = graph_.steps[i];
    Node& node = nodes[i];
    node.channels = graph_.channels_after(step, step.input == 0 ? graph_.in_channels : nodes[step.input - 1].channels);
    const double in_length = length_of_value(step.input);
    if (step.layer) {
      if (auto error = resolve(step.layer->params(), batch, in_length, &node.geometry)) return error;
      node.length = node.geometry.out_length;
    } else if (const double other = length_of_value(step.other); other != in_length) {
      return different_lengths(in_length, other);
    } else {
      node.length = static_cast<int32_t>(in_length);
    }
  }
  return std::nullopt;
}

Result<int32_t> Forward::length_after(double batch, double length) const {
  const std::unique_ptr<Node[]> nodes(new (std::nothrow) Node[graph_.steps.size()]);
  if (!nodes) return no_room(static_cast<double>(graph_.steps.size() * sizeof(Node)), "scratch");
  if (auto error = measure(batch, length, nodes.get())) return std::move(*error);
  return nodes[graph_.steps.size() - 1].length;
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
    if (const Step& step = graph_.steps[i]; step.layer) {
      if (auto error = choose_method(step, threads, &node)) return error;
      node.pieces = node.method->pieces();
    } else {
      node.pieces = images * image_pieces(node);
    }
    pieces += node.pieces;
  }
  if (auto error = place_values(images, nodes.get())) return error;
  nodes_ = std::move(nodes);
  pieces_ = pieces;
  return std::nullopt;
}

std::optional<Error> Forward::choose_method(const Step& step, int threads, Node* node) {
  const Params& params = step.layer->params();
  const Correlation correlation = correlation_of(params, node->geometry);
  node->choice = choose_algorithm(params.algorithm, correlation);
  const auto make = [&]() -> std::optional<Error> {
    auto made = make_method(node->choice.algorithm, node->choice.asked_for, correlation, step.layer->finish(),
                            &step.layer->forms(), threads);
    if (!made) return std::move(made.error());
    const int64_t floats = static_cast<int64_t>((*made)->scratch_floats()) * (*made)->threads();
    if (floats > kMaxElements || !scratch_.reserve(static_cast<size_t>(floats))) {
      return no_room(static_cast<double>(floats) * sizeof(float), "scratch");
    }
    node->method = std::move(*made);
    return std::nullopt;
  };
  auto error = make();
  if (error && !node->choice.asked_for && node->choice.algorithm != Algorithm::kDirect) {
    // Direct needs the least memory.
    node->choice.algorithm = Algorithm::kDirect;
    node->choice.short_of_memory = true;
    error = make();
  }
  return error;
}

std::optional<Error> Forward::place_values(int32_t batch, Node* nodes) {
  if (graph_.steps.size() == 1) return std::nullopt;
  std::vector<size_t> bytes(graph_.values(), 0);
  for (size_t i = 0; i + 1 < graph_.steps.size(); ++i) {
    bytes[i + 1] = round_up<size_t>(static_cast<size_t>(batch) * static_cast<size_t>(nodes[i].channels) *
                                        static_cast<size_t>(nodes[i].length) * element_bytes(graph_.dtype),
                                    16);
  }
  const BufferPlan plan = plan_buffers(graph_, bytes);
  std::vector<double> begin(plan.size.size(), 0);
  double end = 0;
  for (size_t i = 0; i < plan.size.size(); ++i) {
    begin[i] = end;
    end += static_cast<double>(plan.size[i]);
  }
  if (end > static_cast<double>(kMaxElements) * sizeof(float) || !values_.reserve(static_cast<size_t>(end))) {
    return no_room(end, "the network's signals");
  }
  for (size_t i = 0; i < graph_.steps.size(); ++i) nodes[i].at = static_cast<size_t>(begin[plan.buffer[i + 1]]);
  return std::nullopt;
}

Explanation Forward::explain() const {
  const Node& node = nodes_[0];
  const Params& p = graph_.steps[0].layer->params();
  const Geometry& g = node.geometry;
  const double images = g.batch;
  const double outputs = images * p.out_channels * g.out_length;
  return {.algorithm = algorithm_name(node.choice.algorithm),
          .reason = node.choice.reason(),
          .kernel = node.method->kernel(),
          .flops = 2 * outputs * p.group_in() * p.kernel_size,
          .bytes = element_bytes(p.dtype) * (images * p.in_channels * g.length + outputs +
                                             static_cast<double>(p.weight_size()) + (p.bias ? p.out_channels : 0)),
          .scratch_bytes = static_cast<double>(node.method->scratch_floats()) * node.method->threads() * sizeof(float),
          .threads = node.method->threads()};
}

void Forward::run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end) {
  const size_t steps = graph_.steps.size();
  const auto value = [&](int32_t index) -> const void* {
    return index == 0 ? input : values_.data() + nodes_[index - 1].at;
  };
  int32_t before = 0;  // pieces of earlier nodes
  for (size_t i = 0; i < steps && before < end; before += nodes_[i].pieces, ++i) {
    const int32_t own_begin = std::max(begin - before, 0);
    const int32_t own_count = std::min(end - before, nodes_[i].pieces) - own_begin;
    if (own_count <= 0) continue;
    const Step& step = graph_.steps[i];
    const Node& node = nodes_[i];
    void* out = i + 1 == steps ? output : values_.data() + node.at;
    const int threads = node.method ? node.method->threads() : pool.threads();
    if (node.method) node.method->pack(step.layer->weights());
    const int32_t runs = std::min(own_count, threads * kRunsPerThread);
    pool.parallel_for(runs, threads, [&](int run, int thread) {
      const auto first = own_begin + static_cast<int32_t>(int64_t{own_count} * run / runs);
      const auto last = own_begin + static_cast<int32_t>(int64_t{own_count} * (run + 1) / runs);
      if (node.method) {
        float* scratch = scratch_.data() + static_cast<size_t>(thread) * node.method->scratch_floats();
        node.method->run(first, last, value(step.input), out, scratch);
      } else {
        for (int32_t piece = first; piece < last; ++piece) {
          combine(step, node, value(step.input), value(step.other), out, piece);
        }
      }
    });
  }
}

int32_t Forward::image_pieces(const Node& node) {
  return static_cast<int32_t>(ceil_div<int64_t>(int64_t{node.channels} * node.length, kElementwisePiece));
}

void Forward::combine(const Step& step, const Node& node, const void* a, const void* b, void* out,
                      int32_t piece) const {
  const auto image_elements = static_cast<size_t>(node.channels) * static_cast<size_t>(node.length);
  const auto image = static_cast<size_t>(piece / image_pieces(node));
  const size_t first = static_cast<size_t>(piece % image_pieces(node)) * kElementwisePiece;
  const size_t count = std::min<size_t>(kElementwisePiece, image_elements - first);
  const size_t at = image * image_elements + first;
  // The operands of a gate are the halves of an image.
  const size_t a_at = step.is_gate() ? at + image * image_elements : at;
  const size_t b_at = step.is_gate() ? a_at + image_elements : at;
  const auto length = static_cast<size_t>(node.length);
  const bool by_row = step.elementwise.finish.channels != nullptr;
  const auto apply = [&]<class T>(T* to) {
    for (size_t done = 0, run = count; done < count; done += run) {
      const size_t channel = (first + done) / length;
      if (by_row) run = std::min(count - done, (channel + 1) * length - (first + done));
      apply_elementwise(step.elementwise, static_cast<int32_t>(channel), static_cast<const T*>(a) + a_at + done,
                        static_cast<const T*>(b) + b_at + done, to + at + done, run);
    }
  };
  graph_.dtype == DType::kFloat32 ? apply(static_cast<float*>(out)) : apply(static_cast<uint16_t*>(out));
}

}  // namespace conv1d
