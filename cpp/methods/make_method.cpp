#include "methods/make_method.h"

#include "choose/fft_schedule.h"
#include "methods/direct.h"
#include "methods/fft_convolution.h"
#include "methods/toom_cook.h"

namespace conv1d {

Result<std::unique_ptr<Method>> make_method(Algorithm algorithm, bool asked_for, const Correlation& correlation,
                                            const Finish& finish, PackedForms* forms, int threads) {
  switch (algorithm) {
    case Algorithm::kToomCook:
      return ToomCook::make(correlation, finish, forms, threads);
    case Algorithm::kFft:
      return FftConvolution::make(correlation, finish, forms, threads, most_spectra(asked_for));
    default:
      return Direct::make(correlation, finish, threads);
  }
}

}  // namespace conv1d
