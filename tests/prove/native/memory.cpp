// conv1d_memory --seed S --from A --count N: N drawn layers, and a network of them, are made, prepared, run and
// streamed with each allocation refused in turn: it alone, it and all later ones, and for want of room. What fails says
// so and leaves all as it was; then it works. Prints one JSON object.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "arguments.h"
#include "heap.h"
#include "passes/partitioned.h"
#include "run.h"
#include "steps.h"

namespace conv1d {
namespace {

struct Report {
  uint64_t trials = 0;
  uint64_t refusals = 0;
  uint64_t failed = 0;
  std::vector<std::string> failures;
};

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

// The same calls, one refusal after another. `act(attempt)` is the life of some objects; attempt(f) calls f with
// allocations refused, and again without, as long as f says that it failed.
class Trials {
 public:
  using Attempt = std::function<void(const char* what, const std::function<bool()>& succeeds)>;
  using Life = std::function<void(const Attempt&)>;

  Trials(std::string name, Report* report) : name_(std::move(name)), report_(report) {}

  void run(const Life& life) {
    // What there is to refuse: in each attempt, so many allocations, and so many bytes at most.
    std::vector<int64_t> allocations;
    std::vector<size_t> rooms;
    trial({}, -1, [&](const Attempt&) {
      life([&](const char* what, const std::function<bool()>& succeeds) {
        heap::reset_peak();
        const size_t before = heap::in_use();
        int64_t count = 0;
        {
          const heap::Scope scope({});
          require(succeeds(), std::string(what) + " fails with all the memory there is");
          count = scope.allocations();
        }
        allocations.push_back(count);
        rooms.push_back(heap::peak() - before);
      });
    });
    constexpr auto kAll = std::numeric_limits<int64_t>::max();
    for (size_t at = 0; at < allocations.size(); ++at) {
      for (int64_t n = 0; n < allocations[at]; ++n) {
        trial({.first = n, .last = n}, static_cast<int>(at), life);
        trial({.first = n, .last = kAll}, static_cast<int>(at), life);
      }
      // The core keeps so much back for what nobody can refuse (buffer.h).
      constexpr size_t kLeftOver = 65536;
      constexpr size_t kSteps = 24;
      for (size_t step = 0; step < kSteps && rooms[at] > kLeftOver; ++step) {
        trial({.room = kLeftOver + (rooms[at] - kLeftOver) * step / kSteps}, static_cast<int>(at), life);
      }
      for (size_t less = 1; less <= 4096 && rooms[at] > kLeftOver + less; less *= 4) {
        trial({.room = rooms[at] - less}, static_cast<int>(at), life);
      }
    }
  }

 private:
  void trial(const Refusal& refusal, int at, const Life& life) {
    ++report_->trials;
    const size_t before = heap::in_use();
    try {
      int index = 0;
      life([&](const char* what, const std::function<bool()>& succeeds) {
        bool done = false;
        if (index++ == at) {
          const heap::Scope scope(refusal);
          done = succeeds();
          report_->refusals += static_cast<uint64_t>(scope.refused());
          require(done || scope.refused() > 0, std::string(what) + " fails though nothing was refused");
        }
        if (done) return;
        const heap::Scope scope({});
        require(succeeds(), std::string(what) + " fails again with all the memory there is");
      });
      require(heap::in_use() == before, "leaks " + std::to_string(heap::in_use() - before) + " bytes");
    } catch (const std::bad_alloc&) {
      fail(refusal, "new, which nobody can refuse, found no room");
    } catch (const std::runtime_error& error) {
      fail(refusal, error.what());
    }
  }

  void fail(const Refusal& refusal, const std::string& what) {
    ++report_->failed;
    if (report_->failures.size() >= 20) return;
    report_->failures.push_back(name_ + ", refused from " + std::to_string(refusal.first) + " to " +
                                std::to_string(refusal.last) + ", room " + std::to_string(refusal.room) + ": " + what);
  }

  std::string name_;
  Report* report_;
};

bool is_memory_error(const std::optional<Error>& error) {
  require(!error || error->code == "ERR_OUT_OF_MEMORY", error ? std::string(error->code) + ": " + error->message : "");
  return error.has_value();
}

// A call that is to allocate nothing.
template <class F>
auto without_allocating(const char* what, const F& f) {
  const heap::Scope scope({});
  f();
  require(scope.allocations() == 0, std::string(what) + " allocates");
}

std::vector<uint8_t> room_for(const Draw& draw, int64_t samples, int32_t channels) {
  return std::vector<uint8_t>(static_cast<size_t>(draw.geometry.batch) * channels * samples *
                              element_bytes(draw.params.dtype));
}

// A layer that is made, prepared for a short input and a long one, and run in between, whatever fails.
void live_at_once(const Draw& draw, const std::string& algorithm, const Trials::Attempt& attempt) {
  static ThreadPool pool(1);
  Params params = draw.params;
  Options options = draw.options;
  options.algorithm = algorithm;
  if (validate(options, &params)) return;
  std::shared_ptr<Layer> layer;
  attempt("create", [&] {
    auto made = std::make_shared<Layer>(params);
    if (!made->allocate()) return false;
    layer = std::move(made);
    return true;
  });
  Forward forward(graph_of(layer));
  std::ranges::copy(stored(params.dtype, draw.weight), static_cast<uint8_t*>(layer->weight()));
  if (params.bias) std::ranges::copy(stored(params.dtype, draw.bias), static_cast<uint8_t*>(layer->bias()));
  layer->changed();

  const auto input = stored(params.dtype, draw.input);
  const auto run = [&] {
    auto output = room_for(draw, forward.geometry().out_length, params.out_channels);
    without_allocating("run", [&] { forward.run(input.data(), output.data(), pool); });
    return output;
  };
  attempt("prepare", [&] { return !is_memory_error(forward.prepare(draw.geometry.batch, draw.geometry.length, 1)); });
  const auto first = run();
  const std::string kernel = forward.explain().algorithm;
  const double longer = draw.geometry.length + 3000.0;
  bool prepared = false;
  attempt("prepare a longer one", [&] {
    if (prepared) return true;
    // A failure leaves the first shape prepared.
    if (!is_memory_error(forward.prepare(draw.geometry.batch, longer, 1))) return prepared = true;
    require(forward.geometry().length == draw.geometry.length && forward.explain().algorithm == kernel,
            "a failed prepare leaves another shape");
    return false;
  });
  layer->changed();
  attempt("prepare again",
          [&] { return !is_memory_error(forward.prepare(draw.geometry.batch, draw.geometry.length, 1)); });
  // Short of memory, 'auto' does without a transform.
  if (forward.explain().algorithm == kernel) require(run() == first, "other outputs than before");
}

void live_as_stream(const Draw& draw, const std::vector<Step>& steps, const Trials::Attempt& attempt) {
  constexpr int32_t kMaxChunk = 50;
  std::unique_ptr<Stream> stream;
  attempt("stream", [&] {
    return !is_memory_error(Stream::create({steps, draw.params.dtype, draw.params.in_channels}, draw.geometry.batch,
                                           kMaxChunk, true, &stream));
  });
  const auto chunk =
      stored(draw.params.dtype,
             std::vector<float>(static_cast<size_t>(draw.geometry.batch) * draw.params.in_channels * kMaxChunk, 0.5F));
  std::vector<uint8_t> first;
  for (int round = 0; round < 2; ++round) {
    std::vector<uint8_t> outputs;
    for (int32_t push = 0; push < 4; ++push) {
      auto output = room_for(draw, stream->output_count(kMaxChunk), stream->out_channels());
      without_allocating("push", [&] { stream->push(chunk.data(), kMaxChunk, output.data()); });
      outputs.insert(outputs.end(), output.begin(), output.end());
    }
    without_allocating("reset", [&] { stream->reset(); });
    require(round == 0 || outputs == first, "other outputs after reset");
    first = outputs;
  }
}

// The drawn layer, and beside it what a network has.
std::vector<Step> network_of(const std::shared_ptr<Layer>& layer) {
  const int32_t channels = layer->params().out_channels;
  return {layer_step(0, layer), activation_step(1, Activation::kTanh, channels), pair_step(1, 2, "add", channels)};
}

void check(const Draw& draw, Report* report) {
  for (const char* algorithm : {"direct", "toom_cook", "fft", "auto"}) {
    Trials(describe(draw) + ", " + algorithm, report).run([&](const Trials::Attempt& attempt) {
      live_at_once(draw, algorithm, attempt);
    });
    const auto layer = make_layer(draw, algorithm);
    std::unique_ptr<Stream> stream;
    if (!layer || Stream::create(graph_of(layer), draw.geometry.batch, 50, true, &stream)) {
      continue;
    }
    stream.reset();
    // What a layer packs for a stream stays with it: each trial has its own.
    Trials(describe(draw) + ", stream " + algorithm, report).run([&](const Trials::Attempt& attempt) {
      live_as_stream(draw, {layer_step(0, make_layer(draw, algorithm))}, attempt);
    });
    Trials(describe(draw) + ", network " + algorithm, report).run([&](const Trials::Attempt& attempt) {
      live_as_stream(draw, network_of(make_layer(draw, algorithm)), attempt);
    });
  }
}

void print(const Report& report, uint64_t count) {
  std::printf("{\"draws\":%" PRIu64 ",\"trials\":%" PRIu64 ",\"refusals\":%" PRIu64 ",\"failed\":%" PRIu64
              ",\"failures\":[",
              count, report.trials, report.refusals, report.failed);
  const char* separator = "";
  for (const auto& failure : report.failures) {
    std::printf("%s\"%s\"", separator, failure.c_str());
    separator = ",";
  }
  std::printf("]}\n");
}

int run(const Arguments& arguments) {
  Report report;
  for (uint64_t i = 0; i < arguments.count; ++i) check(draw(arguments.seed, arguments.from + i), &report);
  print(report, arguments.count);
  return report.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace conv1d

int main(int argc, char** argv) {
  const auto arguments = conv1d::read_arguments(argc, argv);
  return arguments ? conv1d::run(*arguments) : 2;
}
