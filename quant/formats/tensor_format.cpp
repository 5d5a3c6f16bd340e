#include "quant/formats/tensor_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

int sf_of_scale(double scale) {
  return static_cast<int>(std::lround(-std::log2(scale) * octave_q8));
}

struct ToTensor {
  TensorFormat operator()(const LpFormat& f) const { return f; }
  TensorFormat operator()(const PositFormat& f) const { return {Family::posit, f.n, f.es, 0}; }
  TensorFormat operator()(const AdaptivFloatFormat& f) const {
    return {Family::adaptivfloat, f.n, f.e, -f.bias * octave_q8};
  }
  TensorFormat operator()(const IntFormat& f) const { return {Family::integer, f.n, 0, sf_of_scale(f.scale)}; }
  TensorFormat operator()(const PotFormat& f) const { return {Family::pot, f.n, 0, sf_of_scale(f.scale)}; }
  TensorFormat operator()(const FlintFormat& f) const { return {Family::flint, f.n, 0, sf_of_scale(f.scale)}; }
  TensorFormat operator()(const LnsFormat& f) const {
    throw FormatError(fmt::format(
        "{}: expected LP, posit, adaptivfloat, int, pot or flint, which machines compute with", to_string(f)));
  }
};

/// Smallest and largest magnitude of the words that are produced.
std::pair<double, double> magnitude_range(const TensorFormat& format) {
  if (!format.linear()) {
    const LpFormat lp = format.lp();
    return {unscaled_magnitude(format, lp.minpos_word()), unscaled_magnitude(format, lp.maxpos_word())};
  }
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (Word word = 1; word < format.nar_word(); ++word) {
    const double magnitude = unscaled_magnitude(format, word);
    least = std::min(least, magnitude);
    most = std::max(most, magnitude);
  }
  return {least, most};
}

}  // namespace

const char* to_string(Family family) {
  constexpr std::array names{"LP", "posit", "adaptivfloat", "int", "pot", "flint"};
  return names.at(static_cast<std::size_t>(family));
}

int TensorFormat::order(Word word) const {
  if (!sign_magnitude()) return word < nar_word() ? word : word - word_count();
  // Only flint's magnitudes are not in the order of their codes; they are integers.
  const int magnitude =
      family == Family::flint ? static_cast<int>(unscaled_magnitude(*this, word)) : word & (nar_word() - 1);
  return word < nar_word() ? magnitude : -magnitude;
}

std::string check(const TensorFormat& format) {
  if (!format.linear()) return check(format.lp());
  if (std::string wrong = range_error("n", format.n, 2, 8); !wrong.empty()) return wrong;

  if (format.family == Family::posit && format.sf_q8 != 0) return "sf must be 0: a posit has no scale";
  if (format.family == Family::adaptivfloat) {
    if (format.sf_q8 % octave_q8 != 0) return "sf must be a whole number: an adaptivfloat's bias is";
    constexpr int limit = sf_limit_q8 / octave_q8;
    if (std::string wrong = range_error("bias", -format.sf_q8 / octave_q8, -limit, limit); !wrong.empty()) return wrong;
  }
  if (std::abs(format.sf_q8) > sf_limit_q8) {
    return fmt::format("scale is 2^{:.4g} but must be 2^-127..2^127", -format.sf());
  }
  return check(number_format(format));
}

std::string to_string(const TensorFormat& format) {
  const bool scaled =
      format.family == Family::integer || format.family == Family::pot || format.family == Family::flint;
  // Enough digits to tell neighbouring scales, 0.27 % apart.
  if (scaled) return fmt::format("{}<{},{:.4g}>", to_string(format.family), format.n, std::exp2(-format.sf()));
  return to_string(number_format(format));
}

TensorFormat parse_tensor_format(std::string_view text) {
  const TensorFormat format = std::visit(ToTensor{}, parse_number_format(text));
  if (const std::string wrong = check(format); !wrong.empty()) {
    throw FormatError(fmt::format("\"{}\": {}", text, wrong));
  }
  return format;
}

NumberFormat number_format(const TensorFormat& format) {
  const double scale = std::exp2(-format.sf());
  switch (format.family) {
    case Family::lp:
      break;
    case Family::posit:
      return PositFormat{format.n, format.es};
    case Family::adaptivfloat:
      return AdaptivFloatFormat{format.n, format.es, -format.sf_q8 / octave_q8};
    case Family::integer:
      return IntFormat{format.n, scale};
    case Family::pot:
      return PotFormat{format.n, scale};
    case Family::flint:
      return FlintFormat{format.n, scale};
  }
  return format.lp();
}

double decode(const TensorFormat& format, Word word) {
  return decode(number_format(format), word);
}

double unscaled_magnitude(const TensorFormat& format, Word word) {
  if (word == format.zero_word() || format.is_nar(word)) return 0;
  if (!format.linear()) return std::exp2(log2_q14(format.lp(), word) / 16384.0);
  TensorFormat unscaled = format;
  unscaled.sf_q8 = 0;
  return std::abs(decode(unscaled, word));
}

double smallest_magnitude(const TensorFormat& format) {
  return magnitude_range(format).first;
}

double largest_magnitude(const TensorFormat& format) {
  return magnitude_range(format).second;
}

}  // namespace lpa::formats
