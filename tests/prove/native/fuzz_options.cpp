// libFuzzer's target for a layer: any options and any input shape give an error or what the definition gives.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "bounds.h"
#include "expected.h"
#include "fuzz.h"
#include "run.h"

namespace conv1d {
namespace {

constexpr double kMostProducts = 1000;
constexpr double kMostSamples = 4000;

void fuzz(FuzzedDataProvider* bytes) {
  Draw draw{};
  draw.options = fuzz_options(bytes);
  const double batch = fuzz_size(bytes, 0, 2);
  const double length = fuzz_size(bytes, 0, 90);
  const auto refused = validate(draw.options, &draw.params);
  require_error(refused);
  if (refused) return;
  const auto no_shape = resolve(draw.params, batch, length, &draw.geometry);
  require_error(no_shape);
  if (no_shape) return;

  const Params& p = draw.params;
  const double outputs = static_cast<double>(draw.geometry.batch) * p.out_channels * draw.geometry.out_length;
  const double samples = static_cast<double>(draw.geometry.batch) * p.in_channels * draw.geometry.length;
  if (static_cast<double>(p.weight_size()) > kMostSamples) return;
  const bool runs = outputs * p.group_in() * p.kernel_size <= kMostProducts && samples <= kMostSamples;
  Random random(bytes->ConsumeIntegral<uint64_t>());
  const auto fill = [&](std::vector<float>* values, size_t count) {
    values->resize(count);
    for (float& value : *values) value = std::ldexp(static_cast<float>(random.integer(-1024, 1024)), -8);
  };
  fill(&draw.weight, static_cast<size_t>(p.weight_size()));
  if (p.bias) fill(&draw.bias, static_cast<size_t>(p.out_channels));
  std::shared_ptr<Layer> layer;
  std::optional<Error> error;
  {
    const heap::Scope scope({.room = kRoom});
    layer = make_layer(draw, draw.options.algorithm);
  }
  if (!layer) return;  // short of memory
  Forward forward(graph_of(layer));
  {
    const heap::Scope scope({.room = kRoom});
    error = forward.prepare(batch, length, 1 + random.integer(0, 2));
  }
  require_error(error);
  if (error || !runs) return;

  fill(&draw.input, static_cast<size_t>(samples));
  draw.quiet = draw.input;
  const auto got = run_forward(draw, forward);
  const Expected expected(draw);
  const std::string taken = forward.explain().algorithm;
  const auto allowed = taken == "fft"         ? expected.allowed_fft(cut_of(forward))
                       : taken == "toom_cook" ? expected.allowed_toom_cook()
                                              : expected.allowed_direct();
  double worst = 0;
  const auto mismatch = find_mismatch(draw, expected.values(), allowed, got, &worst);
  require(mismatch.empty(), (describe(draw) + ": " + taken + ": " + mismatch).c_str());
}

}  // namespace
}  // namespace conv1d

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzedDataProvider bytes(data, size);
  conv1d::fuzz(&bytes);
  return 0;
}
