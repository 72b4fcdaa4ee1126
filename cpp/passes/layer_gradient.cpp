#include "passes/layer_gradient.h"

#include <algorithm>
#include <new>

#include "kernels/dots_f32.h"
#include "operator/padding.h"
#include "operator/weight_view.h"
#include "passes/share.h"

namespace conv1d {

LayerGradient::LayerGradient(std::shared_ptr<Layer> layer, const Geometry& geometry, int threads)
    : layer_(std::move(layer)), forward_(correlation_of(layer_->params(), geometry)), threads_(threads) {
  forward_.dtype = DType::kFloat32;
}

Result<std::unique_ptr<LayerGradient>> LayerGradient::make(std::shared_ptr<Layer> layer, const Geometry& geometry,
                                                           const Needs& needs, int threads) {
  std::unique_ptr<LayerGradient> made(new (std::nothrow) LayerGradient(std::move(layer), geometry, threads));
  if (!made) return no_room(sizeof(LayerGradient), "scratch");
  if (auto error = made->prepare(needs)) return std::move(*error);
  return made;
}

std::optional<Error> LayerGradient::prepare(const Needs& needs) {
  if (needs.weight) {
    auto weight = WeightGradient::make(forward_, threads_);
    if (!weight) return std::move(weight.error());
    weight_ = std::move(*weight);
    const double floats = static_cast<double>(weight_->scratch_floats()) * weight_->threads();
    if (!reserve_floats(floats, &scratch_) || !sums_.reserve(weight_->sum_floats())) {
      return no_room("the gradient of a weight");
    }
  }
  return needs.input ? choose_methods() : std::nullopt;
}

std::optional<Error> LayerGradient::choose_methods() {
  const Params& params = layer_->params();
  const auto channels = static_cast<size_t>(params.in_channels);
  if (!no_bias_.reserve(channels)) return no_room(static_cast<double>(channels) * sizeof(float), "scratch");
  std::fill_n(no_bias_.data(), channels, 0.0F);
  const int32_t phases = params.transposed ? 1 : params.phases();
  if (!parts_.make(static_cast<size_t>(phases))) return no_room(phases * sizeof(Part), "scratch");
  if (params.transposed) return choose_method(forward_, parts_.data());
  if (folds()) {
    const double floats = static_cast<double>(input_rows()) * static_cast<double>(padded_row());
    if (!reserve_floats(floats, &padded_)) return no_room(floats * sizeof(float), "padded gradients");
  }
  const int64_t begin = folds() ? -forward_.before() : 0;
  const int64_t end = forward_.length + (folds() ? forward_.after() : 0);
  size_t count = 0;
  for (int32_t number = 0; number < phases; ++number) {
    Part& part = parts_[count];
    part.phase = transposed_of(forward_, number, begin, end);
    if (!part.phase) continue;
    if (auto error = choose_method(part.phase->correlation, &part)) return error;
    ++count;
  }
  parts_.shorten(count);
  return std::nullopt;
}

std::optional<Error> LayerGradient::choose_method(const Correlation& correlation, Part* part) {
  if (!part->forms.reserve_panels(correlation)) {
    return no_room(static_cast<double>(correlation.weight_size()) * sizeof(float), "packed weights");
  }
  auto chosen = make_chosen_method(layer_->params().algorithm, correlation, {}, &part->forms, threads_, &scratch_);
  if (!chosen) return std::move(chosen.error());
  part->chosen = std::move(*chosen);
  return std::nullopt;
}

void LayerGradient::run(const Arrays& arrays, ThreadPool& pool) {
  if (arrays.bias_gradients != nullptr) run_bias(arrays, pool);
  if (arrays.weight_gradients != nullptr) run_weight(arrays, pool);
  if (arrays.input_gradients != nullptr) run_input(arrays, pool);
}

void LayerGradient::run_bias(const Arrays& arrays, ThreadPool& pool) const {
  const Params& params = layer_->params();
  const auto row = static_cast<size_t>(params.transposed ? forward_.length : forward_.out_length);
  const auto channels = static_cast<size_t>(params.out_channels);
  share(pool, worth_threads(forward_, threads_), {0, params.out_channels}, [&](int32_t first, int32_t last, int) {
    for (int32_t o = first; o < last; ++o) {
      double sum = 0;
      for (size_t n = 0; n < static_cast<size_t>(forward_.batch); ++n) {
        sum += sum_f32(arrays.sum_gradients + (n * channels + static_cast<size_t>(o)) * row, row);
      }
      arrays.bias_gradients[o] = static_cast<float>(sum);
    }
  });
}

void LayerGradient::run_weight(const Arrays& arrays, ThreadPool& pool) {
  // The transpose's input is what comes out of the convolution that it transposes.
  const bool transposed = layer_->params().transposed;
  const WeightGradient::Arrays own{.x = transposed ? arrays.sum_gradients : arrays.input,
                                   .gy = transposed ? arrays.input : arrays.sum_gradients,
                                   .gw = arrays.weight_gradients,
                                   .sums = sums_.data()};
  share(pool, weight_->threads(), {0, weight_->pieces()}, [&](int32_t first, int32_t last, int thread) {
    weight_->run(first, last, own, scratch_.data() + static_cast<size_t>(thread) * weight_->scratch_floats());
  });
  weight_->finish(own);
}

void LayerGradient::run_input(const Arrays& arrays, ThreadPool& pool) {
  const bool transposed = layer_->params().transposed;
  const size_t row = static_cast<size_t>(folds()                       ? padded_row()
                                         : layer_->params().transposed ? forward_.out_length
                                                                       : forward_.length);
  float* rows = folds() ? padded_.data() : arrays.input_gradients;
  // Positions that no tap reaches lie between the others.
  if (!transposed && parts_.size() < static_cast<size_t>(forward_.stride)) std::fill_n(rows, input_rows() * row, 0.0F);
  const WeightView view = view_of(forward_, layer_->params().dtype, layer_->weight());
  for (Part& part : parts_) {
    if (version_ != layer_->version()) part.forms.changed();
    Method& method = *part.chosen.method;
    method.pack({.view = part.phase ? transposed_view(view, forward_, *part.phase) : view,
                 .bias = no_bias_.data(),
                 .forms = &part.forms});
    share(pool, method.threads(), {0, method.pieces()}, [&](int32_t first, int32_t last, int thread) {
      float* scratch = scratch_.data() + static_cast<size_t>(thread) * method.scratch_floats();
      method.run(first, last, arrays.sum_gradients, rows + part.begin(), scratch);
    });
  }
  version_ = layer_->version();
  if (!folds()) return;
  const auto length = static_cast<size_t>(forward_.length);
  const auto count = static_cast<int32_t>(input_rows());
  share(pool, worth_threads(forward_, threads_), {0, count}, [&](int32_t first, int32_t last, int) {
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      float* own = arrays.input_gradients + i * length;
      std::fill_n(own, length, 0.0F);
      fold_window(forward_.padding_mode, rows + i * row, -forward_.before(), padded_row(), forward_.length, own);
    }
  });
}

}  // namespace conv1d
