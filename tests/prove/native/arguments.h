// The options of the native programs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace conv1d {

// Draws [from, from + count) of a seed.
struct Arguments {
  uint64_t seed = 1;
  uint64_t from = 0;
  uint64_t count = 100;
  bool dump = false;
};

// Nothing, after saying so, where they are not understood.
inline std::optional<Arguments> read_arguments(int argc, char** argv) {
  Arguments result;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--dump") {
      result.dump = true;
      continue;
    }
    uint64_t* value = name == "--seed"    ? &result.seed
                      : name == "--from"  ? &result.from
                      : name == "--count" ? &result.count
                                          : nullptr;
    if (value == nullptr || ++i == argc) {
      std::fprintf(stderr, "%s [--seed S] [--from A] [--count N] [--dump]\n", argv[0]);
      return std::nullopt;
    }
    *value = std::strtoull(argv[i], nullptr, 10);
  }
  return result;
}

}  // namespace conv1d
