#include "plan.h"

#include <cstring>
#include <numeric>

#include "half.h"
#include "pack.h"
#include "padding.h"
#include "planes.h"

namespace conv1d {
namespace {

// Work is handed to threads in runs of pieces, about this many a thread: few enough that handing out costs nothing.
constexpr int32_t kRunsPerThread = 8;

size_t round_up(size_t value, size_t multiple) { return (value + multiple - 1) / multiple * multiple; }

Error out_of_memory(double bytes) {
  return {"ERR_OUT_OF_MEMORY", "runtime",
          "no room for " + std::to_string(static_cast<int64_t>(bytes)) + " bytes of scratch memory"};
}

}  // namespace

bool Plan::allocate() {
  const auto weights = static_cast<size_t>(params_.weight_size());
  const auto outputs = static_cast<size_t>(params_.out_channels);
  const auto element = static_cast<size_t>(params_.element_bytes());
  if (!weight_.reserve(weights * element) || !bias_.reserve(outputs * element) || !wide_bias_.reserve(outputs) ||
      !panels_[0].floats.reserve(weights)) {
    return false;
  }
  std::memset(weight_.data(), 0, weights * element);
  std::memset(bias_.data(), 0, outputs * element);
  return true;
}

void Plan::weights_changed() {
  for (Panels& panels : panels_) panels.packed.reset();
}

bool Plan::keep_both_panels() { return panels_[1].floats.reserve(static_cast<size_t>(params_.weight_size())); }

const float* Plan::panels(Vectors vectors) {
  const bool second = vectors == Vectors::kAlongChannels && panels_[1].floats.size() > 0;
  Panels& panels = panels_[second ? 1 : 0];
  if (panels.packed != vectors) {
    pack_weights(params_, vectors, weight_.data(), panels.floats.data());
    widen(params_.dtype, bias_.data(), wide_bias_.data(), static_cast<size_t>(params_.out_channels));
    panels.packed = vectors;
  }
  return panels.floats.data();
}

std::optional<Error> Plan::prepare(double batch, double length, int threads) {
  Prepared prepared;
  if (std::optional<Error> error = resolve(params_, batch, length, &prepared.geometry)) return error;
  prepared.schedule = choose_schedule(params_, prepared.geometry, threads);
  cut_ranges(&prepared);
  if (!lay_out_block(&prepared)) {
    return out_of_memory(static_cast<double>(params_.group_in()) * prepared.rows * prepared.pitch * sizeof(float));
  }
  const int64_t floats = static_cast<int64_t>(prepared.scratch_floats) * prepared.schedule.threads;
  if (floats > kMaxElements || !scratch_.reserve(static_cast<size_t>(floats))) {
    return out_of_memory(static_cast<double>(floats) * sizeof(float));
  }
  prepared_ = std::move(prepared);
  return std::nullopt;
}

void Plan::cut_ranges(Prepared* prepared) const {
  const Geometry& g = prepared->geometry;
  const Schedule& schedule = prepared->schedule;
  int32_t inner_begin = 0;
  int32_t inner_end = 0;
  if (schedule.direct) {
    const int32_t multiple = exact_multiple(schedule.vectors, params_.group_out());
    const int64_t last = g.length + g.pad_left - params_.reach();
    inner_begin = std::min(g.pad_left, g.out_length);
    const auto inside = static_cast<int32_t>(std::clamp<int64_t>(last - inner_begin, 0, g.out_length - inner_begin));
    inner_end = inner_begin + inside / multiple * multiple;
  }
  prepared->ranges = {Range{0, inner_begin, schedule.block, false}, Range{inner_begin, inner_end, schedule.strip, true},
                      Range{inner_end, g.out_length, schedule.block, false}};
  prepared->pieces_of_image = 0;
  for (const Range& range : prepared->ranges) prepared->pieces_of_image += range.pieces();
  prepared->pieces_of_image *= schedule.oc_parts;
}

int64_t Plan::line_length(bool windows, int32_t outputs) const {
  return int64_t{outputs - 1} * params_.stride + (windows ? 0 : params_.reach()) + 1;
}

bool Plan::lay_out_block(Prepared* prepared) const {
  const auto taps = static_cast<size_t>(params_.kernel_size);
  const int32_t stride = params_.stride;
  const int32_t outputs = std::max(prepared->ranges[0].longest(), prepared->ranges[2].longest());
  const bool windows = prepared->schedule.tap_windows;
  const auto reach = static_cast<int32_t>(params_.reach());

  // Taps lie dilation apart, so they meet stride / gcd(stride, dilation) phases before they come round again.
  const int32_t phases = std::min(params_.kernel_size, stride / std::gcd(stride, params_.dilation));
  prepared->rows = windows ? params_.kernel_size : phases;
  const int32_t row_count = windows ? outputs : outputs + reach / stride;
  prepared->pitch = static_cast<int32_t>(pitch_of(row_count));

  const size_t depth = taps * static_cast<size_t>(params_.group_in());
  const int64_t block = int64_t{params_.group_in()} * prepared->rows * prepared->pitch;
  if (block > kMaxElements) return false;
  if (!prepared->row_start.reserve(static_cast<size_t>(prepared->rows)) || !prepared->block_offsets.reserve(depth) ||
      (prepared->schedule.direct && !prepared->direct_offsets.reserve(depth))) {
    return false;
  }
  for (int32_t row = 0; row < prepared->rows; ++row) {
    const int32_t position = row * params_.dilation;
    prepared->row_start[row] = windows ? position : position % stride;
  }
  for (int32_t c = 0, i = 0; c < params_.group_in(); ++c) {
    const int32_t plane = c * prepared->rows * prepared->pitch;
    for (int32_t k = 0; k < params_.kernel_size; ++k, ++i) {
      const int32_t position = k * params_.dilation;
      if (prepared->schedule.direct) prepared->direct_offsets[i] = c * prepared->geometry.length + position;
      prepared->block_offsets[i] =
          plane + (windows ? k * prepared->pitch : k % phases * prepared->pitch + position / stride);
    }
  }

  const bool empty = outputs == 0;
  prepared->block_floats = empty ? 0 : round_up(static_cast<size_t>(block) + kOverRead, 16);
  prepared->line_floats = empty || stride == 1 ? 0 : round_up(static_cast<size_t>(line_length(windows, outputs)), 16);
  const bool narrow = params_.dtype == DType::kFloat16;
  prepared->scratch_floats = prepared->block_floats + prepared->line_floats +
                             (narrow ? kMostTileRows * round_up(static_cast<size_t>(outputs), 16) : 0);
  return true;
}

Explanation Plan::explain() const {
  const Geometry& g = prepared_.geometry;
  const double images = g.batch;
  const double outputs = images * params_.out_channels * g.out_length;
  return {.algorithm = "direct",
          .kernel = choose_tile(prepared_.schedule.vectors, params_.group_out()).name,
          .flops = 2 * outputs * params_.group_in() * params_.kernel_size,
          .bytes = params_.element_bytes() *
                   (images * params_.in_channels * g.length + outputs + static_cast<double>(params_.weight_size()) +
                    (params_.bias ? params_.out_channels : 0)),
          .scratch_bytes = static_cast<double>(prepared_.scratch_floats) * prepared_.schedule.threads * sizeof(float),
          .threads = prepared_.schedule.threads};
}

void Plan::run_pieces(const void* input, void* output, ThreadPool& pool, int32_t begin, int32_t end) {
  const float* panels = this->panels(prepared_.schedule.vectors);
  const int32_t threads = prepared_.schedule.threads;
  const int32_t count = end - begin;
  const int32_t runs = std::min(count, threads * kRunsPerThread);
  pool.parallel_for(runs, threads, [&](int run, int thread) {
    float* scratch = scratch_.data() + static_cast<size_t>(thread) * prepared_.scratch_floats;
    const auto first = begin + static_cast<int32_t>(int64_t{count} * run / runs);
    const auto last = begin + static_cast<int32_t>(int64_t{count} * (run + 1) / runs);
    Piece next = piece(first);
    for (int32_t i = first; i < last; ++i, advance(&next)) run_piece(next, panels, input, output, scratch);
  });
}

Plan::Piece Plan::piece(int32_t index) const {
  const int32_t image_group = index / prepared_.pieces_of_image;
  Piece piece{};
  piece.image = image_group / params_.groups;
  piece.group = image_group % params_.groups;
  measure(&piece);
  for (int32_t i = index % prepared_.pieces_of_image; i > 0; --i) advance(&piece);
  return piece;
}

void Plan::advance(Piece* piece) const {
  if (++piece->oc_part < prepared_.schedule.oc_parts) return;
  piece->oc_part = 0;
  piece->begin += piece->count;
  if (piece->begin == prepared_.geometry.out_length) {
    piece->begin = 0;
    if (++piece->group == params_.groups) {
      piece->group = 0;
      ++piece->image;
    }
  }
  measure(piece);
}

void Plan::measure(Piece* piece) const {
  for (const Range& range : prepared_.ranges) {
    if (piece->begin < range.end) {
      piece->count = std::min(range.step, range.end - piece->begin);
      piece->direct = range.direct;
      return;
    }
  }
}

void Plan::run_piece(const Piece& piece, const float* panels, const void* input, void* output, float* scratch) const {
  const Geometry& g = prepared_.geometry;
  const auto element = static_cast<size_t>(params_.element_bytes());
  const auto length = static_cast<size_t>(g.length);
  const auto out_length = static_cast<size_t>(g.out_length);
  const bool narrow = params_.dtype == DType::kFloat16;
  const size_t first_in =
      (static_cast<size_t>(piece.image) * params_.in_channels + static_cast<size_t>(piece.group) * params_.group_in()) *
      length;
  const size_t first_out = static_cast<size_t>(piece.group) * params_.group_out();

  Strip strip{};
  strip.depth = params_.group_in() * params_.kernel_size;
  strip.count = piece.count;
  if (piece.direct) {
    strip.input = static_cast<const float*>(input) + first_in + (piece.begin - g.pad_left);
    strip.offsets = prepared_.direct_offsets.data();
  } else {
    pack_block(piece, static_cast<const uint8_t*>(input) + first_in * element, scratch,
               scratch + prepared_.block_floats);
    strip.input = scratch;
    strip.offsets = prepared_.block_offsets.data();
  }

  float* wide_rows = scratch + prepared_.block_floats + prepared_.line_floats;
  const auto depth = static_cast<size_t>(strip.depth);
  const int32_t channels = params_.group_out();
  const int32_t parts = prepared_.schedule.oc_parts;
  for (int32_t o = 0; o < channels;) {
    const Tile& tile = choose_tile(prepared_.schedule.vectors, channels - o);
    if (int64_t{o} * parts / channels == piece.oc_part) {
      const size_t oc = first_out + o;
      const size_t at = (static_cast<size_t>(piece.image) * params_.out_channels + oc) * out_length + piece.begin;
      strip.weights = panels + oc * depth;
      strip.bias = wide_bias_.data() + oc;
      strip.output = narrow ? wide_rows : static_cast<float*>(output) + at;
      strip.row_stride = narrow ? static_cast<size_t>(piece.count) : out_length;
      tile.run(strip);
      // Rows that follow each other without a gap are finished as one.
      const auto count = static_cast<size_t>(piece.count);
      const size_t rows = count == out_length ? 1 : static_cast<size_t>(tile.rows);
      const size_t row_floats = count * static_cast<size_t>(tile.rows) / rows;
      for (size_t r = 0; r < rows; ++r) {
        float* row = strip.output + r * strip.row_stride;
        apply_activation(params_.activation, params_.slope, row, row_floats);
        if (narrow) floats_to_halves(row, static_cast<uint16_t*>(output) + at + r * out_length, row_floats);
      }
    }
    o += tile.rows;
  }
}

void Plan::pack_block(const Piece& piece, const uint8_t* input, float* block, float* line) const {
  const Geometry& g = prepared_.geometry;
  const int32_t stride = params_.stride;
  const auto row_bytes = static_cast<size_t>(g.length) * params_.element_bytes();
  const int64_t first = int64_t{piece.begin} * stride - g.pad_left;
  const bool windows = prepared_.schedule.tap_windows;
  const int64_t line_count = line_length(windows, piece.count);
  const auto copy = [&](const uint8_t* row, int64_t from, int64_t n, float* destination) {
    copy_window(params_.padding_mode, params_.dtype, row, g.length, from, n, destination);
  };
  for (int32_t c = 0; c < params_.group_in(); ++c) {
    const uint8_t* row = input + c * row_bytes;
    if (stride > 1 && !windows) copy(row, first, line_count, line);
    for (int32_t i = 0; i < prepared_.rows; ++i) {
      const int32_t start = prepared_.row_start[i];
      float* destination = block + static_cast<size_t>(i) * prepared_.pitch;
      if (stride == 1) {
        copy(row, first + start, line_count, destination);
      } else if (windows) {
        copy(row, first + start, line_count, line);
        pick(line, stride, piece.count, destination);
      } else {
        pick(line + start, stride, static_cast<int32_t>((line_count - 1 - start) / stride) + 1, destination);
      }
    }
    block += static_cast<size_t>(prepared_.rows) * prepared_.pitch;
  }
}

}  // namespace conv1d
