// A drawn layer computed at once and in streams.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "draw.h"
#include "passes/forward.h"
#include "passes/stream.h"

namespace conv1d {

// Values as they are stored in `dtype`, and back.
std::vector<uint8_t> stored(DType dtype, const std::vector<float>& values);
std::vector<float> loaded(DType dtype, const std::vector<uint8_t>& bytes);

// A layer with the drawn weights, by that algorithm. Null where it cannot compute the layer, or when memory is short.
std::shared_ptr<Layer> make_layer(const Draw& draw, const std::string& algorithm);

// Prepares it for the drawn shape and runs it.
std::vector<float> run_forward(const Draw& draw, Forward& forward);

// All pushes of the drawn signal and the end, cut at random. Nothing when the stream says that there is no such output.
std::optional<std::vector<float>> run_stream(const Draw& draw, Stream& stream, int32_t max_chunk, Random* random);

}  // namespace conv1d
