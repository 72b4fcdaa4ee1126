// conv1d_random --seed S --from A --count N: draws N layers and compares what every algorithm and streams make of them
// with the definition. Prints one JSON object; a mismatch tells the options that repeat it.
//
// With --dump it runs none of them and writes the layers instead, with what they should give, for other builds to read:
// each as the length of a JSON text (uint32), that text, and the arrays that it lists.
#include <algorithm>
#include <array>
#include <bit>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "arguments.h"
#include "bounds.h"
#include "choose/partition.h"
#include "expected.h"
#include "run.h"

namespace conv1d {
namespace {

struct Tally {
  uint64_t runs = 0;
  double worst = 0;  // share of the bound that an error took, of plain float32 sums
};

struct Report {
  std::map<std::string, Tally> tallies;
  uint64_t outputs = 0;
  uint64_t with_outliers = 0;
  uint64_t spared = 0;
  uint64_t mismatched = 0;
  std::vector<std::string> mismatches;  // the first of them
};

constexpr size_t kMostTexts = 20;

std::vector<double> allowed_by(const Expected& expected, const Forward& forward) {
  const std::string algorithm = forward.explain().algorithm;
  if (algorithm == "toom_cook") return expected.allowed_toom_cook();
  if (algorithm == "fft") return expected.allowed_fft(cut_of(forward));
  return expected.allowed_direct();
}

Random random_of_stream(const Draw& draw) { return Random(draw.seed ^ draw.number); }

int32_t draw_max_chunk(Random* random) { return random->integer(1, random->integer(1, 200)); }

// Whether its padding does not depend on where the signal ends.
bool is_streamable(const Draw& draw) {
  const bool padded =
      draw.geometry.pad_left > 0 || draw.geometry.pad_right > 0 || draw.params.padding_rule == PaddingRule::kSame;
  return !(draw.params.padding_mode == PaddingMode::kCircular && padded) &&
         !(draw.params.padding_rule == PaddingRule::kSame && draw.params.stride > 1);
}

class Checker {
 public:
  Checker(const Draw& draw, Report* report) : draw_(draw), expected_(draw), report_(report) {
    if (draw.stands_out) ++report->with_outliers;
    report->spared += expected_.spared();
  }

  void check_all() {
    for (const char* algorithm : {"direct", "toom_cook", "fft", "auto"}) {
      const auto layer = make_layer(draw_, algorithm);
      if (!layer) continue;
      Forward forward(graph_of(layer));
      const auto got = run_forward(draw_, forward);
      compare(algorithm, got, allowed_by(expected_, forward));
      if (std::string(algorithm) == "direct") direct_ = got;
    }
    for (const char* algorithm : {"direct", "fft"}) check_stream(algorithm);
  }

 private:
  void compare(const std::string& what, const std::vector<float>& got, const std::vector<double>& allowed) {
    Tally& tally = report_->tallies[what];
    ++tally.runs;
    report_->outputs += got.size();
    double share = 0;
    const auto mismatch = find_mismatch(draw_, expected_.values(), allowed, got, &share);
    // A float16 is rounded by just what it may be, and an activation by nearly that.
    if (draw_.params.dtype == DType::kFloat32 && draw_.params.finish.activation == Activation::kNone) {
      tally.worst = std::max(tally.worst, share);
    }
    if (!mismatch.empty()) fail(what + ": " + mismatch);
  }

  void fail(const std::string& what) {
    ++report_->mismatched;
    if (report_->mismatches.size() < kMostTexts) report_->mismatches.push_back(describe(draw_) + ": " + what);
  }

  // Fed piece by piece, a layer gives the bits of the direct kernels; a partitioned one near enough, and the same bits
  // for other cuts.
  void check_stream(const char* algorithm) {
    const auto layer = make_layer(draw_, algorithm);
    if (!layer) return;
    Random random = random_of_stream(draw_);
    const int32_t max_chunk = draw_max_chunk(&random);
    const int32_t partition = choose_partition(layer->params(), max_chunk);
    if (algorithm == std::string("fft") && partition == 0) return;
    if (!is_streamable(draw_)) return;
    std::unique_ptr<Stream> stream;
    const auto error = Stream::create(graph_of(layer), draw_.geometry.batch, max_chunk, random.one_in(2), &stream);
    if (error) return fail("no stream: " + error->message);
    const auto got = run_stream(draw_, *stream, max_chunk, &random);
    if (!got) return fail("the stream does not end as the layer does");
    const std::string what = partition > 0 ? "partitioned stream" : "stream";
    compare(what, *got, partition > 0 ? expected_.allowed_partitioned(partition) : expected_.allowed_direct());
    stream->reset();
    const auto again = run_stream(draw_, *stream, max_chunk, &random);
    if (!same_bits(*got, again ? *again : std::vector<float>())) fail(what + ": other bits for other cuts");
    if (partition == 0 && !same_bits(*got, direct_)) fail(what + ": other bits than the layer's");
  }

  // A NaN is a NaN, whichever.
  static bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      const bool same = std::bit_cast<uint32_t>(a[i]) == std::bit_cast<uint32_t>(b[i]);
      if (!same && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
    }
    return true;
  }

  const Draw& draw_;
  Expected expected_;
  Report* report_;
  std::vector<float> direct_;
};

std::string quoted(const std::string& text) { return '"' + text + '"'; }

void print(const Report& report, uint64_t count) {
  std::printf("{\"draws\":%" PRIu64 ",\"outputs\":%" PRIu64 ",\"withOutliers\":%" PRIu64 ",\"spared\":%" PRIu64
              ",\"runs\":{",
              count, report.outputs, report.with_outliers, report.spared);
  const char* separator = "";
  for (const auto& [what, tally] : report.tallies) {
    std::printf("%s%s:{\"runs\":%" PRIu64 ",\"worst\":%.4f}", separator, quoted(what).c_str(), tally.runs, tally.worst);
    separator = ",";
  }
  std::printf("},\"mismatched\":%" PRIu64 ",\"mismatches\":[", report.mismatched);
  separator = "";
  for (const auto& mismatch : report.mismatches) {
    std::printf("%s%s", separator, quoted(mismatch).c_str());
    separator = ",";
  }
  std::printf("]}\n");
}

template <class T>
void write_array(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

std::string json_of_activation(const Draw& draw) {
  const Options& o = draw.options;
  const ActivationEntry& entry = entry_of(draw.params.finish.activation);
  std::string json = "{\"type\":" + quoted(o.activation);
  const auto append = [&](const char* name, const std::string& value) { json += "," + quoted(name) + ":" + value; };
  if (draw.params.finish.channels != nullptr) {
    std::string list;
    for (const double value : o.parameters) list += (list.empty() ? "[" : ",") + std::to_string(value);
    append(entry.parameters[0].name, list + "]");
  } else {
    for (size_t i = 0; i < o.parameters.size(); ++i) append(entry.parameters[i].name, std::to_string(o.parameters[i]));
  }
  return json + "}";
}

// The JSON has the options as js/ names them. The arrays are input, weight and bias (float32), then what each output
// should be and how far off it may be by each of `ways` (float64).
void dump(const Draw& draw) {
  const Expected expected(draw);
  std::vector<std::vector<double>> allowed{expected.allowed_direct()};
  std::string names = "\"direct\"";
  for (const char* algorithm : {"toom_cook", "fft"}) {
    const auto layer = make_layer(draw, algorithm);
    if (!layer) continue;
    Forward forward(graph_of(layer));
    if (forward.prepare(draw.geometry.batch, draw.geometry.length, 1)) continue;
    allowed.push_back(allowed_by(expected, forward));
    names += "," + quoted(algorithm);
  }
  Random random = random_of_stream(draw);
  const int32_t max_chunk = draw_max_chunk(&random);
  Params by_fft = draw.params;
  by_fft.algorithm = Algorithm::kFft;
  if (const int32_t partition = choose_partition(by_fft, max_chunk); partition > 0) {
    allowed.push_back(expected.allowed_partitioned(partition));
    names += ",\"partitioned\"";
  }
  const Options& o = draw.options;
  std::array<char, 4096> text{};
  const std::string padding = o.padding_rule == "explicit" ? "[" + std::to_string(draw.geometry.pad_left) + "," +
                                                                 std::to_string(draw.geometry.pad_right) + "]"
                                                           : quoted(o.padding_rule);
  const int length = std::snprintf(
      text.data(), text.size(),
      R"({"what":%s,"options":{"inChannels":%g,"outChannels":%g,"kernelSize":%g,"stride":%g,"dilation":%g,"groups":%g,)"
      R"("padding":%s,"paddingMode":"%s","bias":%s,"dtype":"%s","activation":%s},)"
      R"("inputShape":[%d,%d,%d],"outLength":%d,"maxChunk":%d,"streams":%s,"standsOut":%s,"spared":%zu,"ways":[%s]})",
      quoted(describe(draw)).c_str(), o.in_channels, o.out_channels, o.kernel_size, o.stride, o.dilation, o.groups,
      padding.c_str(), o.padding_mode.c_str(), o.bias ? "true" : "false", o.dtype.c_str(),
      json_of_activation(draw).c_str(), draw.geometry.batch, draw.params.in_channels, draw.geometry.length,
      draw.geometry.out_length, max_chunk, is_streamable(draw) ? "true" : "false", draw.stands_out ? "true" : "false",
      expected.spared(), names.c_str());
  const auto size = static_cast<uint32_t>(length);
  std::fwrite(&size, sizeof(size), 1, stdout);
  std::fwrite(text.data(), 1, size, stdout);
  write_array(draw.input);
  write_array(draw.weight);
  write_array(draw.bias);
  write_array(expected.values());
  for (auto& values : allowed) write_array(expected.for_other_builds(std::move(values)));
}

int run(const Arguments& arguments) {
  Report report;
  for (uint64_t i = 0; i < arguments.count; ++i) {
    const Draw drawn = draw(arguments.seed, arguments.from + i);
    if (arguments.dump) {
      dump(drawn);
    } else {
      Checker(drawn, &report).check_all();
    }
  }
  if (!arguments.dump) print(report, arguments.count);
  return report.mismatched == 0 ? 0 : 1;
}

}  // namespace
}  // namespace conv1d

int main(int argc, char** argv) {
  const auto arguments = conv1d::read_arguments(argc, argv);
  return arguments ? conv1d::run(*arguments) : 2;
}
