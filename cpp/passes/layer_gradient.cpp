#include "passes/layer_gradient.h"

#include <algorithm>
#include <new>

#include "choose/direct_schedule.h"
#include "integers.h"
#include "kernels/dots_f32.h"
#include "methods/make_weight_gradient.h"
#include "operator/finish.h"
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
    auto weight = make_weight_gradient(layer_->params().algorithm, forward_, threads_);
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
  const bool joins = !params.transposed && joins_phases(forward_);
  const size_t channels = static_cast<size_t>(params.in_channels) * static_cast<size_t>(joins ? params.stride : 1);
  if (!no_bias_.reserve(channels)) return no_room(static_cast<double>(channels) * sizeof(float), "scratch");
  std::fill_n(no_bias_.data(), channels, 0.0F);
  const int32_t phases = params.transposed || joins ? 1 : params.phases();
  if (!parts_.make(static_cast<size_t>(phases))) return no_room(static_cast<double>(phases) * sizeof(Part), "scratch");
  row_ = static_cast<size_t>(params.transposed ? forward_.out_length : end() - begin());
  if (params.transposed) return choose_method(forward_, parts_.data());
  if (joins) {
    if (auto error = join_phases()) return error;
  }
  if (joins || folds()) {
    const double floats = static_cast<double>(input_rows()) * static_cast<double>(row_);
    const double padded = joins && folds() ? static_cast<double>(end() - begin()) * threads_ : 0;
    if (!reserve_floats(floats, &rows_) || !reserve_floats(padded, &scratch_)) {
      return no_room((floats + padded) * sizeof(float), "gradients");
    }
  }
  if (joins) return choose_method(joined_, parts_.data());
  size_t count = 0;
  for (int32_t number = 0; number < phases; ++number) {
    Part& part = parts_[count];
    part.phase = transposed_of(forward_, number, begin(), end());
    if (!part.phase) continue;
    if (auto error = choose_method(part.phase->correlation, &part)) return error;
    ++count;
  }
  parts_.shorten(count);
  return std::nullopt;
}

// Position first + r + stride * u is the sum of w[o][c][r + j * stride] * gy[o][u - j] over all j: with dilation 1 a
// convolution that has a channel for each r.
std::optional<Error> LayerGradient::join_phases() {
  const int64_t first_output = floor_div(begin() - forward_.first, forward_.stride);
  const int64_t last_output = floor_div(end() - 1 - forward_.first, forward_.stride);
  joined_ = forward_;
  joined_.in_channels = forward_.out_channels;
  joined_.out_channels = forward_.in_channels * forward_.stride;
  joined_.kernel_size = ceil_div(forward_.kernel_size, forward_.stride);
  joined_.stride = 1;
  joined_.padding_mode = PaddingMode::kZeros;
  joined_.length = forward_.out_length;
  joined_.first = first_output - joined_.reach();
  joined_.out_length = static_cast<int32_t>(last_output - first_output + 1);
  joined_.out_row = joined_.out_length;
  joined_begin_ = forward_.first + first_output * forward_.stride;
  row_ = static_cast<size_t>(forward_.stride) * static_cast<size_t>(joined_.out_length);
  const auto weights = static_cast<size_t>(joined_.weight_size());
  if (!joined_weights_.reserve(weights)) return no_room(static_cast<double>(weights) * sizeof(float), "weights");
  return std::nullopt;
}

void LayerGradient::join_weights() {
  const WeightView view = view_of(forward_, layer_->params().dtype, layer_->weight());
  const int32_t taps = joined_.kernel_size;
  float* weight = joined_weights_.data();
  for (int32_t channel = 0; channel < joined_.out_channels; ++channel) {
    const int32_t c = channel / forward_.stride;
    for (int32_t o = 0; o < forward_.group_out(); ++o) {
      for (int32_t j = taps - 1; j >= 0; --j) {
        const int32_t k = channel % forward_.stride + j * forward_.stride;
        *weight++ = k < forward_.kernel_size ? view.at(c / forward_.group_in(), o, c % forward_.group_in(), k) : 0.0F;
      }
    }
  }
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

WeightView LayerGradient::weights_of(const Part& part) {
  if (joined_.kernel_size > 0) return view_of(joined_, DType::kFloat32, joined_weights_.data());
  const WeightView view = view_of(forward_, layer_->params().dtype, layer_->weight());
  return part.phase ? transposed_view(view, forward_, *part.phase) : view;
}

void LayerGradient::run_input(const Arrays& arrays, ThreadPool& pool) {
  const bool joins = joined_.kernel_size > 0;
  float* rows = joins || folds() ? rows_.data() : arrays.input_gradients;
  // Positions that no tap reaches lie between the others.
  const bool has_gaps = !layer_->params().transposed && !joins && parts_.size() < static_cast<size_t>(forward_.stride);
  if (has_gaps) std::fill_n(rows, input_rows() * row_, 0.0F);
  const bool changed = version_ != layer_->version();
  if (changed && joins) join_weights();
  for (Part& part : parts_) {
    if (changed) part.forms.changed();
    Method& method = *part.chosen.method;
    method.pack({.view = weights_of(part), .bias = no_bias_.data(), .forms = &part.forms});
    share(pool, method.threads(), {0, method.pieces()}, [&](int32_t first, int32_t last, int thread) {
      float* scratch = scratch_.data() + static_cast<size_t>(thread) * method.scratch_floats();
      method.run(first, last, arrays.sum_gradients, rows + part.begin(), scratch);
    });
  }
  version_ = layer_->version();
  if (!joins && !folds()) return;
  const auto count = static_cast<int32_t>(input_rows());
  share(pool, worth_threads(forward_, threads_), {0, count}, [&](int32_t first, int32_t last, int thread) {
    float* padded = scratch_.data() + static_cast<size_t>(thread) * static_cast<size_t>(end() - begin());
    for (auto i = static_cast<size_t>(first); i < static_cast<size_t>(last); ++i) {
      complete_row(rows + i * row_, padded, arrays.input_gradients + i * static_cast<size_t>(forward_.length));
    }
  });
}

void LayerGradient::complete_row(const float* rows, float* padded, float* input_gradients) const {
  const int64_t count = end() - begin();
  if (joined_.kernel_size > 0) {
    const int64_t stride = forward_.stride;
    float* row = folds() ? padded : input_gradients;
    for (int64_t phase = 0; phase < stride; ++phase, rows += joined_.out_length) {
      const int64_t own = joined_begin_ + phase < begin() ? 1 : 0;  // the first in [begin(), end())
      const int64_t at = joined_begin_ + phase + own * stride - begin();
      if (at >= count) continue;
      write_row(rows + own, static_cast<size_t>((count - 1 - at) / stride + 1), DType::kFloat32, row,
                static_cast<size_t>(at), static_cast<size_t>(stride));
    }
    rows = padded;
  }
  if (!folds()) return;
  std::fill_n(input_gradients, forward_.length, 0.0F);
  fold_window(forward_.padding_mode, rows, begin(), count, forward_.length, input_gradients);
}

}  // namespace conv1d
