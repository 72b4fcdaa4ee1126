// The list of kernels, what each can do and what it costs; the only place with heuristics.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "kernels/strip.h"
#include "options/params.h"

namespace conv1d {

struct Tile {
  const char* name;
  int32_t rows;   // output channels
  int32_t width;  // outputs a row that the kernel holds in registers
  Kernel run;
};

// Which way a layer's vectors lie. It decides the tiles, and so how weights are packed.
enum class Vectors : uint8_t { kAlongTime, kAlongChannels };

// The most rows that any tile has.
inline constexpr int32_t kMostTileRows = 24;

// The tile to start with when `channels` output channels of a group are left.
const Tile& choose_tile(Vectors vectors, int32_t channels);

// The better way for rows of `count` outputs.
Vectors choose_vectors(const Params& params, int32_t count);

// Strips whose count is a multiple of this are computed without reading past their input, whatever tiles it takes.
int32_t exact_multiple(Vectors vectors, int32_t channels);

// How one input shape is worked through.
struct Schedule {
  Vectors vectors;
  // Whether kernels read interior outputs straight from the caller's rows; edges are always packed.
  bool direct;
  // Whether a packed block holds a window for each tap instead of one span for all (taps wider apart than the block).
  bool tap_windows;
  int32_t block;     // outputs of a packed block
  int32_t strip;     // outputs of a strip read directly
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  int32_t threads;
};

// Of `threads` threads, how many are worth waking for a layer.
int worth_threads(const Params& params, const Geometry& geometry, int threads);

// Outputs of the strips in which a stream's history is read.
int32_t choose_stream_strip(const Params& params);

// How Toom-Cook works through one input shape: blocks of tiles x lanes (toom_cook.h).
struct ToomSchedule {
  int32_t tiles;
  int32_t lanes;
  int32_t rows;      // output channels computed together, at least
  int32_t oc_parts;  // into how many parts a group's output channels are cut
  int32_t threads;
};

// How a layer is computed, and why so.
struct AlgorithmChoice {
  Algorithm algorithm;  // not kAuto
  bool asked_for;
  bool short_of_memory;        // for a faster one
  std::array<double, 4> cost;  // of each Algorithm that was compared, see cost.h
  std::string reason() const;
};

// Does not depend on threads or batch: neither may change a bit.
AlgorithmChoice choose_algorithm(const Params& params, const Geometry& geometry);

struct ToomCut;
ToomSchedule choose_toom_schedule(const Params& params, const ToomCut& cut, const Geometry& geometry, int threads);

Schedule choose_schedule(const Params& params, const Geometry& geometry, int threads);

}  // namespace conv1d
