// Random layers with signals, small enough that the definition is quick, each told by a seed and its number.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "options/params.h"

namespace conv1d {

// SplitMix64 (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int32_t integer(int32_t least, int32_t most) {
    return least + static_cast<int32_t>((next() >> 32) * static_cast<uint64_t>(most - least + 1) >> 32);
  }
  bool one_in(int32_t n) { return integer(1, n) == 1; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  // Near enough to a normal distribution: the sum of four uniform ones, of variance 1.
  double normal() { return (unit() + unit() + unit() + unit() - 2) * 1.7320508075688772; }

 private:
  uint64_t state_;
};

struct Draw {
  uint64_t seed;
  uint64_t number;
  Options options;
  Params params;
  Geometry geometry;
  // All rounded to the layer's dtype.
  std::vector<float> input;   // (batch, in_channels, length)
  std::vector<float> weight;  // (out_channels, group_in, kernel_size)
  std::vector<float> bias;    // (out_channels), or empty
  // Whether some samples stand out: NaN, infinite, or 2^10 times and more above all others; and `input` without them.
  bool stands_out;
  // Whether so many do that a tile may hold nothing else: a loud passage, whose bounds are those of any signal.
  bool is_passage;
  std::vector<float> quiet;
};

Draw draw(uint64_t seed, uint64_t number);

// The layer in words.
std::string describe(const Draw& draw);

}  // namespace conv1d
