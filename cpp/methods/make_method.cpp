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

Result<ChosenMethod> make_chosen_method(Algorithm wanted, const Correlation& correlation, const Finish& finish,
                                        PackedForms* forms, int threads, Buffer<float>* scratch) {
  // A phase may have too few taps of a kernel that has enough.
  if (wanted == Algorithm::kToomCook && !correlation.has_toom_cook()) wanted = Algorithm::kDirect;
  ChosenMethod chosen{.choice = choose_algorithm(wanted, correlation), .method = nullptr};
  AlgorithmChoice& choice = chosen.choice;
  const auto make = [&]() -> std::optional<Error> {
    auto made = make_method(choice.algorithm, choice.asked_for, correlation, finish, forms, threads);
    if (!made) return std::move(made.error());
    const double floats = static_cast<double>((*made)->scratch_floats()) * (*made)->threads();
    if (!reserve_floats(floats, scratch)) return no_room(floats * sizeof(float), "scratch");
    chosen.method = std::move(*made);
    return std::nullopt;
  };
  auto error = make();
  if (error && !choice.asked_for && choice.algorithm != Algorithm::kDirect) {
    // Direct needs the least memory.
    choice.algorithm = Algorithm::kDirect;
    choice.short_of_memory = true;
    error = make();
  }
  if (error) return std::move(*error);
  return chosen;
}

}  // namespace conv1d
