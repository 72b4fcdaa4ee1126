// What a failed call reports.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "operator/correlation.h"

namespace conv1d {

// `code` is one of the stable ERR_* names, and a literal as `field` is; `field` is the option or argument at fault;
// `message` states the rule and the value.
struct Error {
  std::string_view code;
  std::string_view field;
  std::string message;
};

// What was asked for, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const { return !error_; }
  T& operator*() { return value_; }
  Error& error() { return *error_; }

 private:
  T value_{};
  std::optional<Error> error_;
};

// An Error of each code.
Error option_error(const char* field, std::string message);          // ERR_OPTION
Error shape_error(const char* field, std::string message);           // ERR_SHAPE
Error unsupported(const char* field, std::string message);           // ERR_UNSUPPORTED
Error state_error(const std::string& rule, const std::string& got);  // ERR_STREAM_STATE
// That there is no memory for something, or for `bytes` of it (ERR_OUT_OF_MEMORY).
Error no_room(const std::string& what);
Error no_room(double bytes, const char* what);

// A number as texts have it: whole ones as they are, others with up to twelve digits.
std::string number(double value);

// `text` with a number in place of each '%'.
std::string format(const char* text, std::initializer_list<double> numbers);

// That the spectra of a layer's weights are too large for any transform (ERR_UNSUPPORTED).
Error fft_too_large(const Dimensions& layer);

// That a step's operands differ in length (ERR_SHAPE).
Error different_lengths(double length, double other);

// That an operation of `length` samples gives too few or too many (ERR_SHAPE).
Error bad_output_length(const char* operation, double length, double out_length);

// That an operation has too few values of each channel to learn from (ERR_SHAPE).
Error too_few_values(const char* operation, double least, double values);

}  // namespace conv1d
