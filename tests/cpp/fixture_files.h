// What the fixtures' files hold.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace conv1d {

inline std::string read_fixture(const std::string& name) {
  std::ifstream file(std::string(CONV1D_FIXTURES) + "/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// `count` numbers from byte `at` on.
template <class T>
std::vector<T> numbers_at(const std::string& bytes, size_t at, size_t count) {
  std::vector<T> values(count);
  std::memcpy(values.data(), bytes.data() + at, count * sizeof(T));
  return values;
}

}  // namespace conv1d
