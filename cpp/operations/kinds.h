// How each kind of operation is made.
#pragma once

#include "operations/spec.h"

namespace conv1d {

MadeOperation make_arithmetic(const OperationSpec& spec, OperationId id);
MadeOperation make_affine(const OperationSpec& spec, OperationId id);
MadeOperation make_function(const OperationSpec& spec, OperationId id);
MadeOperation make_activation(const OperationSpec& spec, OperationId id);
MadeOperation make_of_halves(const OperationSpec& spec, OperationId id);
MadeOperation make_concat(const OperationSpec& spec, OperationId id);
MadeOperation make_slice(const OperationSpec& spec, OperationId id);
MadeOperation make_pad(const OperationSpec& spec, OperationId id);
MadeOperation make_upsample(const OperationSpec& spec, OperationId id);
MadeOperation make_pool(const OperationSpec& spec, OperationId id);
MadeOperation make_global_pool(const OperationSpec& spec, OperationId id);
MadeOperation make_softmax(const OperationSpec& spec, OperationId id);
MadeOperation make_layer_norm(const OperationSpec& spec, OperationId id);
MadeOperation make_reverse(const OperationSpec& spec, OperationId id);
MadeOperation make_group_norm(const OperationSpec& spec, OperationId id);
MadeOperation make_batch_norm(const OperationSpec& spec, OperationId id);
MadeOperation make_dropout(const OperationSpec& spec, OperationId id);

// Takes the operation, or says that there is no memory for its parameters.
inline MadeOperation own(Operation* operation, bool has_room) {
  std::shared_ptr<Operation> owned(operation);
  if (!has_room) return no_room("an operation's parameters");
  return owned;
}

template <class Made, class... Arguments>
MadeOperation made(const Arguments&... arguments) {
  auto* operation = new Made(arguments...);
  return own(operation, operation->has_room());
}

}  // namespace conv1d
