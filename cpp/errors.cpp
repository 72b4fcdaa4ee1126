#include "errors.h"

#include <algorithm>
#include <cmath>

#include "buffer.h"

namespace conv1d {

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == std::trunc(value) && std::abs(value) <= 0x1p62) return std::to_string(static_cast<int64_t>(value));
  // Twelve digits, as "%.12g" has them; printf would take a twentieth of the binary.
  int exponent = 0;
  double leading = std::abs(value);
  while (leading >= 10) {
    leading /= 10;
    ++exponent;
  }
  while (leading < 1) {
    leading *= 10;
    --exponent;
  }
  auto digits = static_cast<int64_t>(std::round(leading * 1e11));
  if (digits == 1000000000000) {
    digits /= 10;
    ++exponent;
  }
  std::string text = std::to_string(digits);
  text.resize(text.find_last_not_of('0') + 1);
  const bool plain = exponent >= -4 && exponent < 12;
  const int before_point = plain ? exponent + 1 : 1;
  if (before_point <= 0) text.insert(0, static_cast<size_t>(1 - before_point), '0');
  const auto point = static_cast<size_t>(std::max(before_point, 1));
  if (text.size() < point) text.resize(point, '0');
  if (text.size() > point) text.insert(point, ".");
  if (!plain) text += (exponent < 0 ? "e" : "e+") + std::to_string(exponent);
  return (value < 0 ? "-" : "") + text;
}

std::string format(const char* text, std::initializer_list<double> numbers) {
  std::string result;
  const double* next = numbers.begin();
  for (; *text != 0; ++text) {
    if (*text == '%') {
      result += number(*next++);
    } else {
      result += *text;
    }
  }
  return result;
}

Error option_error(const char* field, std::string message) { return {"ERR_OPTION", field, std::move(message)}; }

Error shape_error(const char* field, std::string message) { return {"ERR_SHAPE", field, std::move(message)}; }

Error unsupported(const char* field, std::string message) { return {"ERR_UNSUPPORTED", field, std::move(message)}; }

Error state_error(const std::string& rule, const std::string& got) {
  return {"ERR_STREAM_STATE", "state", "state must " + rule + ", got " + got};
}

Error no_room(const std::string& what) { return {"ERR_OUT_OF_MEMORY", "runtime", "no room for " + what}; }

Error no_room(double bytes, const char* what) {
  return no_room(number(bytes) + " bytes of " + what + " in wasm memory");
}

Error fft_too_large(const Dimensions& p) {
  return unsupported(
      "algorithm",
      format(
          "algorithm 'fft' is not for a layer of this size: the spectra of outChannels (%) * inChannels (%) / groups "
          "(%) kernels, with kernelSize (%) taps each rounded up to a power of two, have more than % elements",
          {double(p.out_channels), double(p.in_channels), double(p.groups), double(p.kernel_size),
           double(kMaxElements)}));
}

Error different_lengths(double length, double other) {
  return shape_error("other", format("the operands of a step must have the same length, got % and %", {length, other}));
}

Error bad_output_length(const char* operation, double length, double out_length) {
  return shape_error("input",
                     std::string(operation) +
                         format(" of % samples would give %: there must be at least 1, and at most % values in all",
                                {length, out_length, double(kMaxElements)}));
}

Error too_few_values(const char* operation, double least, double values) {
  return shape_error(
      "input",
      std::string(operation) + format(" in training needs at least % values of each channel, got %", {least, values}));
}

}  // namespace conv1d
