// Which class an algorithm is.
#pragma once

#include <memory>

#include "buffer.h"
#include "choose/algorithm.h"
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

// A method, and why that one.
struct ChosenMethod {
  AlgorithmChoice choice{};
  std::unique_ptr<Method> method;
};

// The same for any algorithm that may be `wanted`, with room in `scratch` for all of its threads. Under 'auto' direct
// takes the place of a faster one for which memory is short.
Result<ChosenMethod> make_chosen_method(Algorithm wanted, const Correlation& correlation, const Finish& finish,
                                        PackedForms* forms, int threads, Buffer<float>* scratch);

}  // namespace conv1d
