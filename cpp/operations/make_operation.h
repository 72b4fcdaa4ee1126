// Operations by name.
#pragma once

#include "operations/spec.h"

namespace conv1d {

// Callers see to it that numbers and channels are such as the kind takes. Fails with ERR_OPTION (no such kind) or
// ERR_OUT_OF_MEMORY.
MadeOperation make_operation(const OperationSpec& spec);

}  // namespace conv1d
