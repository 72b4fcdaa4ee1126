// Operations by name.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "errors.h"
#include "operations/operation.h"

namespace conv1d {

// What an operation is made of: the channels of its operands, and numbers that each kind has in an order of its own
// (see the files of operations/).
struct OperationSpec {
  std::string_view kind;
  std::span<const int32_t> channels;
  std::span<const double> numbers;

  int32_t integer(size_t i) const { return static_cast<int32_t>(numbers[i]); }
};

using MadeOperation = Result<std::shared_ptr<const Operation>>;

// Callers see to it that numbers and channels are such as the kind takes. Fails with ERR_OPTION (no such kind) or
// ERR_OUT_OF_MEMORY.
MadeOperation make_operation(const OperationSpec& spec);

}  // namespace conv1d
