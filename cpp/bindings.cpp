// The Embind table: what js/ calls. Pointers cross as numbers; a failed call leaves its Error in lastError().
#include <emscripten/bind.h>
#include <malloc.h>

#include <cstdlib>
#include <memory>
#include <new>

#include "buffer.h"
#include "initialize.h"
#include "plan.h"

namespace conv1d {
namespace {

// Never destroyed: workers that sleep in it live as long as the instance.
ThreadPool* pool = nullptr;
Error last_error;

Plan* plan_at(uintptr_t plan) { return reinterpret_cast<Plan*>(plan); }

bool failed(std::optional<Error> error) {
  if (!error) return false;
  last_error = std::move(*error);
  return true;
}

void start_threads(int threads) { pool = new (std::nothrow) ThreadPool(threads); }

// 0 when refused.
uintptr_t create_plan(const Options& options) {
  Params params{};
  if (failed(validate(options, &params))) return 0;
  std::unique_ptr<Plan> plan(new (std::nothrow) Plan(params));
  if (!plan || !plan->allocate()) {
    last_error = {"ERR_OUT_OF_MEMORY", "weight",
                  "no room for weights of " + std::to_string(params.weight_size()) + " elements"};
    return 0;
  }
  return reinterpret_cast<uintptr_t>(plan.release());
}

void destroy_plan(uintptr_t plan) { delete plan_at(plan); }

// The output length of an input (batch, inChannels, length), or 0 when there is none.
int output_length(uintptr_t plan, double batch, double length) {
  Geometry geometry{};
  return failed(resolve(plan_at(plan)->params(), batch, length, &geometry)) ? 0 : geometry.out_length;
}

// As output_length, and makes the plan ready to run that shape.
int prepare(uintptr_t plan, double batch, double length) {
  return failed(plan_at(plan)->prepare(batch, length, pool->threads())) ? 0 : plan_at(plan)->geometry().out_length;
}

void run(uintptr_t plan, uintptr_t input, uintptr_t output) {
  plan_at(plan)->run(reinterpret_cast<const void*>(input), reinterpret_cast<void*>(output), *pool);
}

// run() in steps: the pieces there are, and [begin, end) of them.
int pieces(uintptr_t plan) { return plan_at(plan)->pieces(); }
void run_pieces(uintptr_t plan, uintptr_t input, uintptr_t output, int begin, int end) {
  plan_at(plan)->run_pieces(reinterpret_cast<const void*>(input), reinterpret_cast<void*>(output), *pool, begin, end);
}

uintptr_t weight(uintptr_t plan) { return reinterpret_cast<uintptr_t>(plan_at(plan)->weight()); }
uintptr_t bias(uintptr_t plan) { return reinterpret_cast<uintptr_t>(plan_at(plan)->bias()); }
void weights_changed(uintptr_t plan) { plan_at(plan)->weights_changed(); }

bool initialize_weights(uintptr_t plan, const std::string& scheme_name, double seed) {
  InitScheme scheme{};
  if (failed(parse_scheme(scheme_name, &scheme)) || failed(check_seed(seed))) return false;
  Plan* p = plan_at(plan);
  initialize(p->params(), scheme, static_cast<uint64_t>(seed), p->weight(), p->bias());
  p->weights_changed();
  return true;
}

struct NamedExplanation {
  std::string algorithm;
  std::string kernel;
  double flops;
  double bytes;
  double scratch_bytes;
  int threads;
};

NamedExplanation explain(uintptr_t plan) {
  const Explanation e = plan_at(plan)->explain();
  return {e.algorithm, e.kernel, e.flops, e.bytes, e.scratch_bytes, e.threads};
}

uintptr_t allocate(size_t bytes) { return reinterpret_cast<uintptr_t>(allocate_array(bytes, 1)); }
void release(uintptr_t pointer) { std::free(reinterpret_cast<void*>(pointer)); }
double used_bytes() { return static_cast<double>(static_cast<size_t>(mallinfo().uordblks)); }

}  // namespace

EMSCRIPTEN_BINDINGS(conv1d) {
  using emscripten::function;

  emscripten::value_object<Error>("Error")
      .field("code", &Error::code)
      .field("field", &Error::field)
      .field("message", &Error::message);
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
      .field("slope", &Options::slope)
      .field("algorithm", &Options::algorithm);
  emscripten::value_object<NamedExplanation>("Explanation")
      .field("algorithm", &NamedExplanation::algorithm)
      .field("kernel", &NamedExplanation::kernel)
      .field("flops", &NamedExplanation::flops)
      .field("bytes", &NamedExplanation::bytes)
      .field("scratchBytes", &NamedExplanation::scratch_bytes)
      .field("threads", &NamedExplanation::threads);

  function("defaultOptions", emscripten::optional_override([] { return Options{}; }));
  function("lastError", emscripten::optional_override([] { return last_error; }));
  function("startThreads", &start_threads);
  function("createPlan", &create_plan);
  function("destroyPlan", &destroy_plan);
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
  function("allocate", &allocate);
  function("release", &release);
  function("usedBytes", &used_bytes);
}

}  // namespace conv1d
