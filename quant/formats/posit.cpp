#include "quant/formats/posit.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

/// The fields of the positive pattern of n <= 17 bits.
WordFields magnitude_fields(int n, int es, std::uint32_t pattern) {
  WordFields fields;
  fields.kind = WordKind::real;
  const int body_bits = n - 1;
  const std::uint32_t body = pattern << (32 - body_bits);
  const bool ones = (body >> 31) != 0;
  const int run = std::min(ones ? std::countl_one(body) : std::countl_zero(body), body_bits);
  fields.k = ones ? run - 1 : -run;
  const int after_regime = std::max(0, body_bits - run - 1);
  const int exponent_bits = std::min(es, after_regime);
  fields.fraction_bits = after_regime - exponent_bits;
  const auto low_bits = [pattern](int count) { return static_cast<int>(pattern & ((1u << count) - 1)); };
  fields.e = (low_bits(after_regime) >> fields.fraction_bits) << (es - exponent_bits);
  fields.fraction = low_bits(fields.fraction_bits);
  return fields;
}

double magnitude(int es, const WordFields& fields) {
  const int significand = (1 << fields.fraction_bits) + fields.fraction;
  return std::ldexp(significand, (fields.k << es) + fields.e - fields.fraction_bits);
}

double magnitude(int n, int es, std::uint32_t pattern) {
  return magnitude(es, magnitude_fields(n, es, pattern));
}

}  // namespace

std::string check(const PositFormat& format) {
  if (std::string wrong = range_error("n", format.n, 2, 16); !wrong.empty()) return wrong;
  return range_error("es", format.es, 0, 4);
}

std::string to_string(const PositFormat& format) {
  return fmt::format("posit<{},{}>", format.n, format.es);
}

PositFormat parse_posit(std::string_view text) {
  const FormatText parts(text);
  parts.require_shape("posit", 2, 2, "posit<n,es>", "posit<8,1>");
  const PositFormat format{parts.integer(0, "n"), parts.integer(1, "es")};
  parts.require(check(format));
  return format;
}

WordFields decode_fields(const PositFormat& format, Word word) {
  const unsigned nar = 1u << (format.n - 1);
  if (word == 0) return {};
  if (word == nar) return {.kind = WordKind::nar};
  const bool negative = word > nar;
  WordFields fields = magnitude_fields(format.n, format.es, negative ? 2 * nar - word : word);
  fields.negative = negative;
  return fields;
}

double decode(const PositFormat& format, Word word) {
  const WordFields fields = decode_fields(format, word);
  if (fields.kind == WordKind::zero) return 0.0;
  if (fields.kind == WordKind::nar) return std::numeric_limits<double>::quiet_NaN();
  return fields.negative ? -magnitude(format.es, fields) : magnitude(format.es, fields);
}

Word encode(const PositFormat& format, double x) {
  const std::uint32_t nar = 1u << (format.n - 1);
  if (!std::isfinite(x)) return static_cast<Word>(nar);
  if (x == 0) return 0;
  const double wanted = std::abs(x);
  std::uint32_t low = 1;  // The last pattern that is not above x, or minpos.
  std::uint32_t high = nar;
  while (high - low > 1) {
    const std::uint32_t middle = (low + high) / 2;
    (magnitude(format.n, format.es, middle) <= wanted ? low : high) = middle;
  }
  if (wanted > magnitude(format.n, format.es, low) && low + 1 < nar) {
    const double between = magnitude(format.n + 1, format.es, 2 * low + 1);
    if (wanted > between || (wanted == between && low % 2 == 1)) ++low;
  }
  return static_cast<Word>(x < 0 ? 2 * nar - low : low);
}

}  // namespace lpa::formats
