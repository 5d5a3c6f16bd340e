#include "quant/formats/int_format.h"

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"
#include "quant/formats/scale_search.h"

namespace lpa::formats {

std::string check(const IntFormat& format) {
  if (std::string wrong = range_error("n", format.n, 2, 16); !wrong.empty()) return wrong;
  return scale_error(format.scale);
}

std::string to_string(const IntFormat& format) {
  return fmt::format("int<{},{}>", format.n, format.scale);
}

IntFormat parse_int_format(std::string_view text) {
  const FormatText parts(text);
  parts.require_shape("int", 2, 2, "int<n,scale>", "int<8,0.05>");
  const IntFormat format{parts.integer(0, "n"), parts.real(1, "scale")};
  parts.require(check(format));
  return format;
}

std::vector<GridPoint> grid(const IntFormat& format) {
  std::vector<GridPoint> points;
  const int largest = (1 << (format.n - 1)) - 1;
  const int mask = (1 << format.n) - 1;
  for (int q = -largest; q <= largest; ++q) points.push_back({format.scale * q, static_cast<Word>(q & mask)});
  return points;
}

double decode(const IntFormat& format, Word word) {
  const bool negative = (word >> (format.n - 1)) != 0;
  return format.scale * (negative ? word - (1 << format.n) : word);
}

Word encode(const IntFormat& format, double x) {
  return ValueGridEncoder(grid(format))(x);
}

IntFormat fit_int_format(int n, std::span<const float> values) {
  IntFormat format{n, 1};
  if (const std::string wrong = check(format); !wrong.empty()) throw FormatError("int: " + wrong);
  format.scale = search_scale(grid(format), MagnitudeSums(values)).scale;
  return format;
}

}  // namespace lpa::formats
