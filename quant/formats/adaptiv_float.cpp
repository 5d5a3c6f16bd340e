#include "quant/formats/adaptiv_float.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"

namespace lpa::formats {

std::string check(const AdaptivFloatFormat& format) {
  if (std::string wrong = range_error("n", format.n, 2, 16); !wrong.empty()) return wrong;
  if (std::string wrong = range_error("e", format.e, 1, std::min(8, format.n - 1)); !wrong.empty()) {
    return fmt::format("{} for n = {}", wrong, format.n);
  }
  return range_error("bias", format.bias, -512, 512);
}

std::string to_string(const AdaptivFloatFormat& format) {
  return fmt::format("adaptivfloat<{},{},{}>", format.n, format.e, format.bias);
}

AdaptivFloatFormat parse_adaptiv_float(std::string_view text) {
  const FormatText parts(text);
  parts.require_shape("adaptivfloat", 3, 3, "adaptivfloat<n,e,bias>", "adaptivfloat<8,4,-15>");
  const AdaptivFloatFormat format{parts.integer(0, "n"), parts.integer(1, "e"), parts.integer(2, "bias")};
  parts.require(check(format));
  return format;
}

AdaptivFloatFormat fit_adaptiv_float(int n, int e, double largest_magnitude) {
  AdaptivFloatFormat format{n, e, 0};
  if (!std::isfinite(largest_magnitude) || largest_magnitude < 0) {
    throw FormatError(fmt::format("adaptivfloat: the largest magnitude is {} but must be finite and not negative",
                                  largest_magnitude));
  }
  std::string wrong = check(format);
  if (wrong.empty() && largest_magnitude > 0) {
    format.bias = std::ilogb(largest_magnitude) - ((1 << e) - 1);
    wrong = check(format);
  }
  if (!wrong.empty()) throw FormatError("adaptivfloat: " + wrong);
  return format;
}

std::vector<GridPoint> grid(const AdaptivFloatFormat& format) {
  std::vector<GridPoint> magnitudes;
  magnitudes.reserve(std::size_t{1} << (format.n - 1));
  for (int word = 0; word < 1 << (format.n - 1); ++word) {
    magnitudes.push_back({decode(format, static_cast<Word>(word)), static_cast<Word>(word)});
  }
  return with_negatives(magnitudes, format.n);
}

double decode(const AdaptivFloatFormat& format, Word word) {
  const int pattern = word & ((1 << (format.n - 1)) - 1);
  if (pattern == 0) return 0.0;
  const int m = format.mantissa_bits();
  const int significand = (1 << m) + (pattern & ((1 << m) - 1));
  const double magnitude = std::ldexp(significand, (pattern >> m) + format.bias - m);
  return word == pattern ? magnitude : -magnitude;
}

Word encode(const AdaptivFloatFormat& format, double x) {
  return ValueGridEncoder(grid(format), ZeroTie::smallest)(x);
}

}  // namespace lpa::formats
