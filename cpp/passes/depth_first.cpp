#include "passes/depth_first.h"

#include <algorithm>
#include <new>

#include "choose/depth_first_schedule.h"

namespace conv1d {

std::unique_ptr<DepthFirst> DepthFirst::make(const Graph& graph, int32_t batch, int32_t length, int32_t out_length,
                                             int threads) {
  std::unique_ptr<DepthFirst> made(new (std::nothrow) DepthFirst);
  if (!made) return nullptr;
  made->batch_ = batch;
  made->in_channels_ = graph.in_channels;
  made->out_channels_ = graph.steps.back().out_channels();
  made->length_ = length;
  made->out_length_ = out_length;
  std::unique_ptr<Stream> first;
  if (Stream::create(graph, 1, kDepthFirstChunk, false, &first) || !first->is_cuttable()) return nullptr;
  const Stream::WarmUp warm_up = first->warm_up();
  made->warm_outputs_ = warm_up.outputs;
  made->segments_ = choose_segments(out_length, warm_up.samples, batch, threads);
  if (!made->workers_.make(static_cast<size_t>(std::min(threads, made->pieces())))) return nullptr;
  for (Worker& worker : made->workers_) {
    if (first) {
      worker.stream = std::move(first);
    } else if (Stream::create(graph, 1, kDepthFirstChunk, false, &worker.stream)) {
      return nullptr;
    }
    if (!worker.outputs.reserve(static_cast<size_t>(worker.stream->most_outputs()))) return nullptr;
  }
  return made;
}

void DepthFirst::pack() { workers_.front().stream->pack(); }

void DepthFirst::run(int32_t begin, int32_t end, const float* input, float* output, int thread) {
  Worker* worker = &workers_[static_cast<size_t>(thread)];
  for (int32_t piece = begin; piece < end; ++piece) {
    const auto image = static_cast<size_t>(piece / segments_);
    const int64_t segment = piece % segments_;
    run_segment(worker, input + image * static_cast<size_t>(in_channels_) * static_cast<size_t>(length_),
                static_cast<int32_t>(segment * out_length_ / segments_),
                static_cast<int32_t>((segment + 1) * out_length_ / segments_),
                output + image * static_cast<size_t>(out_channels_) * static_cast<size_t>(out_length_));
  }
}

void DepthFirst::run_segment(Worker* worker, const float* input, int32_t begin, int32_t end, float* output) const {
  Stream& stream = *worker->stream;
  const auto out_pitch = static_cast<size_t>(out_length_);
  stream.reset();
  // A stream that begins at sample `from` of the input gives output `from` first.
  const int64_t from = std::max<int64_t>(begin - warm_outputs_, 0);
  int64_t position = from;
  int64_t at = from;  // of the next output
  while (at < end && position < length_) {
    const auto samples = static_cast<int32_t>(std::min<int64_t>(kDepthFirstChunk, length_ - position));
    const int64_t count = stream.output_count(samples);
    const int64_t first = std::clamp<int64_t>(begin - at, 0, count);
    const int64_t last = std::clamp<int64_t>(end - at, first, count);
    const bool all = first == 0 && last == count;
    float* rows = all ? output + at : worker->outputs.data();
    const size_t pitch = all ? out_pitch : static_cast<size_t>(count);
    stream.push_rows(input + position, static_cast<size_t>(length_), samples, rows, pitch);
    for (int32_t c = 0; !all && c < out_channels_; ++c) {
      std::copy(rows + static_cast<size_t>(c) * pitch + first, rows + static_cast<size_t>(c) * pitch + last,
                output + static_cast<size_t>(c) * out_pitch + (at + first));
    }
    position += samples;
    at += count;
  }
  if (at < end) stream.end_rows(output + at, out_pitch);
}

}  // namespace conv1d
