// Which class an algorithm is.
#pragma once

#include <memory>

#include "errors.h"
#include "methods/method.h"
#include "operator/correlation.h"
#include "operator/finish.h"
#include "options/params.h"
#include "packed_forms.h"

namespace conv1d {

// `algorithm`, which is not kAuto, for a correlation whose sums `finish` makes outputs; up to `threads` threads run it.
// `forms` are those of the weights that pack() will get. Under 'auto', rather than `asked_for`, the spectra of weights
// are limited. Fails with ERR_OUT_OF_MEMORY, or ERR_UNSUPPORTED where the layer is too large for the FFT.
Result<std::unique_ptr<Method>> make_method(Algorithm algorithm, bool asked_for, const Correlation& correlation,
                                            const Finish& finish, PackedForms* forms, int threads);

}  // namespace conv1d
