// What an operation is made of.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "errors.h"
#include "operations/operation.h"

namespace conv1d {

// The channels of its operands, and numbers that each kind has in an order of its own (see the files of
// operations/).
struct OperationSpec {
  std::string_view kind;
  std::span<const int32_t> channels;
  std::span<const double> numbers;

  int32_t integer(size_t i) const { return static_cast<int32_t>(numbers[i]); }
};

using MadeOperation = Result<std::shared_ptr<Operation>>;

}  // namespace conv1d
