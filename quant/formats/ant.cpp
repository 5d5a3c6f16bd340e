#include "quant/formats/ant.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"
#include "quant/formats/scale_search.h"

namespace lpa::formats {
namespace {

double magnitude(const PotFormat& format, int code) {
  return code == 0 ? 0.0 : std::ldexp(format.scale, code - 1);
}

double magnitude(const FlintFormat& format, int code) {
  const int bits = format.n - 1;
  const int half = 1 << (bits - 1);
  if (code < half) return format.scale * code;
  const auto rest = static_cast<std::uint32_t>(code - half);
  if (rest == 0) return std::ldexp(format.scale, 2 * bits - 2);
  const int zeros = std::countl_zero(rest) - (32 - (bits - 1));
  // The first one of the rest is the hidden bit: it weighs 2^(bits - 1 + zeros) and lies at bit (bits - 2 - zeros).
  return std::ldexp(format.scale * rest, 1 + 2 * zeros);
}

template <class Format>
double decode_sign_magnitude(const Format& format, Word word) {
  const int code = word & ((1 << (format.n - 1)) - 1);
  const double value = magnitude(format, code);
  return word == code || code == 0 ? value : -value;
}

template <class Format>
std::vector<GridPoint> sign_magnitude_grid(const Format& format) {
  std::vector<GridPoint> magnitudes;
  magnitudes.reserve(std::size_t{1} << (format.n - 1));
  for (int code = 0; code < 1 << (format.n - 1); ++code) {
    magnitudes.push_back({magnitude(format, code), static_cast<Word>(code)});
  }
  return with_negatives(magnitudes, format.n);
}

template <class Format>
std::string check_fields(const Format& format, int fewest_bits, int most_bits) {
  if (std::string wrong = range_error("n", format.n, fewest_bits, most_bits); !wrong.empty()) return wrong;
  return scale_error(format.scale);
}

template <class Format>
Format parse(std::string_view text, std::string_view name, std::string_view shape, std::string_view example) {
  const FormatText parts(text);
  parts.require_shape(name, 2, 2, shape, example);
  const Format format{parts.integer(0, "n"), parts.real(1, "scale")};
  parts.require(check(format));
  return format;
}

}  // namespace

std::string check(const PotFormat& format) {
  return check_fields(format, 2, 8);
}
std::string check(const FlintFormat& format) {
  return check_fields(format, 3, 16);
}

std::string to_string(const PotFormat& format) {
  return fmt::format("pot<{},{}>", format.n, format.scale);
}
std::string to_string(const FlintFormat& format) {
  return fmt::format("flint<{},{}>", format.n, format.scale);
}

PotFormat parse_pot(std::string_view text) {
  return parse<PotFormat>(text, "pot", "pot<n,scale>", "pot<4,0.01>");
}
FlintFormat parse_flint(std::string_view text) {
  return parse<FlintFormat>(text, "flint", "flint<n,scale>", "flint<4,0.01>");
}

std::vector<GridPoint> grid(const PotFormat& format) {
  return sign_magnitude_grid(format);
}
std::vector<GridPoint> grid(const FlintFormat& format) {
  return sign_magnitude_grid(format);
}

double decode(const PotFormat& format, Word word) {
  return decode_sign_magnitude(format, word);
}
double decode(const FlintFormat& format, Word word) {
  return decode_sign_magnitude(format, word);
}

Word encode(const PotFormat& format, double x) {
  return ValueGridEncoder(grid(format))(x);
}
Word encode(const FlintFormat& format, double x) {
  return ValueGridEncoder(grid(format))(x);
}

AntFormat fit_ant(int n, std::span<const float> values) {
  if (const std::string wrong = check(IntFormat{n, 1}); !wrong.empty()) throw FormatError("ant: " + wrong);
  const MagnitudeSums tensor(values);
  AntFormat best;
  double least = 0;
  const auto offer = [&](auto format) {
    const ScaleChoice choice = search_scale(grid(format), tensor);
    format.scale = choice.scale;
    if (std::holds_alternative<IntFormat>(AntFormat(format)) || choice.squared_error < least) {
      best = format;
      least = choice.squared_error;
    }
  };
  offer(IntFormat{n, 1});
  if (n > ant_widest_choice) return best;
  offer(PotFormat{n, 1});
  if (n >= 3) offer(FlintFormat{n, 1});
  return best;
}

}  // namespace lpa::formats
