#include "passes/forward.h"

#include <algorithm>

#include "choose/threads.h"

namespace conv1d {

std::optional<Error> Forward::prepare(double batch, double length, int threads) {
  Geometry geometry{};
  if (std::optional<Error> error = resolve(params(), batch, length, &geometry)) return error;
  AlgorithmChoice choice = choose_algorithm(params().algorithm, correlation_of(params(), geometry));
  std::optional<Error> error = prepare_method(choice, geometry, threads);
  if (error && !choice.asked_for && choice.algorithm != Algorithm::kDirect) {
    // Direct needs the least memory.
    choice.algorithm = Algorithm::kDirect;
    choice.short_of_memory = true;
    error = prepare_method(choice, geometry, threads);
  }
  return error;
}

std::optional<Error> Forward::prepare_method(const AlgorithmChoice& choice, const Geometry& geometry, int threads) {
  Result<std::unique_ptr<Method>> made =
      make_method(choice.algorithm, choice.asked_for, correlation_of(params(), geometry), layer_->finish(),
                  &layer_->forms(), threads);
  if (!made) return made.error();
  std::unique_ptr<Method>& method = *made;
  const int64_t floats = static_cast<int64_t>(method->scratch_floats()) * method->threads();
  if (floats > kMaxElements || !scratch_.reserve(static_cast<size_t>(floats))) {
    return no_room(static_cast<double>(floats) * sizeof(float), "scratch");
  }
  geometry_ = geometry;
  choice_ = choice;
  method_ = std::move(method);
  return std::nullopt;
}

Explanation Forward::explain() const {
  const Params& p = params();
  const double images = geometry_.batch;
  const double outputs = images * p.out_channels * geometry_.out_length;
  return {.algorithm = algorithm_name(choice_.algorithm),
          .reason = choice_.reason(),
          .kernel = method_->kernel(),
          .flops = 2 * outputs * p.group_in() * p.kernel_size,
          .bytes = element_bytes(p.dtype) * (images * p.in_channels * geometry_.length + outputs +
                                             static_cast<double>(p.weight_size()) + (p.bias ? p.out_channels : 0)),
          .scratch_bytes = static_cast<double>(method_->scratch_floats()) * method_->threads() * sizeof(float),
          .threads = method_->threads()};
}

void Forward::run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end) {
  method_->pack(layer_->weights());
  const int threads = method_->threads();
  const int32_t count = end - begin;
  const int32_t runs = std::min(count, threads * kRunsPerThread);
  pool.parallel_for(runs, threads, [&](int run, int thread) {
    const auto first = begin + static_cast<int32_t>(int64_t{count} * run / runs);
    const auto last = begin + static_cast<int32_t>(int64_t{count} * (run + 1) / runs);
    method_->run(first, last, input, output, scratch_.data() + static_cast<size_t>(thread) * method_->scratch_floats());
  });
}

}  // namespace conv1d
