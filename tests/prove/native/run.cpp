#include "run.h"

#include <algorithm>
#include <cstring>

#include "half.h"

namespace conv1d {

std::vector<uint8_t> stored(DType dtype, const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * (dtype == DType::kFloat32 ? sizeof(float) : sizeof(uint16_t)));
  if (dtype == DType::kFloat32) {
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    floats_to_halves(values.data(), reinterpret_cast<uint16_t*>(bytes.data()), values.size());
  }
  return bytes;
}

std::vector<float> loaded(DType dtype, const std::vector<uint8_t>& bytes) {
  std::vector<float> values(bytes.size() / (dtype == DType::kFloat32 ? sizeof(float) : sizeof(uint16_t)));
  if (dtype == DType::kFloat32) {
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  } else {
    halves_to_floats(reinterpret_cast<const uint16_t*>(bytes.data()), values.data(), values.size());
  }
  return values;
}

std::shared_ptr<Layer> make_layer(const Draw& draw, const std::string& algorithm) {
  Options options = draw.options;
  options.algorithm = algorithm;
  Params params{};
  if (validate(options, &params)) return nullptr;
  auto layer = std::make_shared<Layer>(params);
  if (!layer->allocate()) return nullptr;
  if (draw.params.finish.channels != nullptr && !layer->give_channels(options.parameters)) return nullptr;
  const auto weight = stored(params.dtype, draw.weight);
  const auto bias = stored(params.dtype, draw.bias);
  std::ranges::copy(weight, static_cast<uint8_t*>(layer->weight()));
  if (params.bias) std::ranges::copy(bias, static_cast<uint8_t*>(layer->bias()));
  layer->changed();
  return layer;
}

std::vector<float> run_forward(const Draw& draw, Forward& forward) {
  static ThreadPool pool(1);
  if (forward.prepare(draw.geometry.batch, draw.geometry.length, 1)) return {};
  const Params& p = forward.graph().steps[0].layer->params();
  const auto input = stored(p.dtype, draw.input);
  std::vector<uint8_t> output(static_cast<size_t>(draw.geometry.batch) * p.out_channels * draw.geometry.out_length *
                              element_bytes(p.dtype));
  forward.run(input.data(), output.data(), pool);
  return loaded(p.dtype, output);
}

std::optional<std::vector<float>> run_stream(const Draw& draw, Stream& stream, int32_t max_chunk, Random* random) {
  const Geometry& g = draw.geometry;
  const DType dtype = draw.params.dtype;
  std::vector<std::vector<float>> rows(static_cast<size_t>(g.batch) * stream.out_channels());
  const auto take = [&](int64_t count, const auto& call) {
    std::vector<uint8_t> bytes(rows.size() * count * element_bytes(draw.params.dtype));
    call(bytes.data());
    const auto values = loaded(dtype, bytes);
    for (size_t r = 0; r < rows.size(); ++r) {
      rows[r].insert(rows[r].end(), values.begin() + static_cast<ptrdiff_t>(r * count),
                     values.begin() + static_cast<ptrdiff_t>((r + 1) * count));
    }
  };
  for (int32_t t = 0; t < g.length;) {
    const int32_t count = std::min(g.length - t, random->integer(0, max_chunk));
    std::vector<float> chunk;
    for (int32_t row = 0; row < g.batch * draw.params.in_channels; ++row) {
      const auto from = draw.input.begin() + static_cast<ptrdiff_t>(row) * g.length + t;
      chunk.insert(chunk.end(), from, from + count);
    }
    const auto bytes = stored(dtype, chunk);
    take(stream.output_count(count), [&](void* to) { stream.push(bytes.data(), count, to); });
    t += count;
  }
  int64_t count = 0;
  if (stream.end_count(&count)) return std::nullopt;
  take(count, [&](void* to) { stream.end(to); });
  std::vector<float> output;
  for (const auto& row : rows) output.insert(output.end(), row.begin(), row.end());
  return output;
}

}  // namespace conv1d
