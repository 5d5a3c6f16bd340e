#include "quant/formats/lp_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "quant/formats/exp2_table.h"
#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

constexpr int max_n = 16;
constexpr int max_es = 5;
constexpr int max_sf = 127;
constexpr int log_q14_bits = 14;

std::string sf_error(double sf) {
  return fmt::format("sf is {} but must be {}..{}", sf, -max_sf, max_sf);
}

int es_limit(int n) {
  return std::min(max_es, std::max(0, n - 3));
}

/// Exponents in units of 2^-15, as exp2_q15 takes them.
std::int32_t sf_q15(const LpFormat& format) {
  return format.sf_q8 << (exp2_fraction_bits - LpFormat::sf_fraction_bits);
}

std::int32_t value_log_q15(const LpFormat& format, Word magnitude) {
  return log2_q14(format, magnitude) * 2 - sf_q15(format);
}

/// The largest double that must not be rounded up at a limit between two words.
double last_kept_down(double limit_down, bool exact, bool tie_rounds_up) {
  return exact && tie_rounds_up ? std::nextafter(limit_down, -1.0) : limit_down;
}

/// The threshold between two neighbouring positive words in log2: their geometric mean.
double log_threshold(const LpFormat& format, Word lower) {
  const auto upper = static_cast<Word>(lower + 1);
  const std::int32_t middle_q15 = log2_q14(format, lower) + log2_q14(format, upper) - sf_q15(format);
  const BracketedReal middle = exp2_q15(middle_q15);
  return last_kept_down(middle.down, middle.exact, upper % 2 == 0);
}

/// The threshold between two neighbouring positive words in value: the mean of their doubles, rounded down.
double linear_threshold(const LpFormat& format, Word lower) {
  const auto upper = static_cast<Word>(lower + 1);
  const double a = decode(format, lower);
  const double b = decode(format, upper);
  const double sum = b + a;
  const double lost = a - (sum - b);  // Exact (Dekker's fast two-sum: b > a).
  const double down = lost < 0 ? std::nextafter(sum, 0.0) : sum;
  return last_kept_down(down / 2, lost == 0, upper % 2 == 0);
}

/// The largest magnitude that stays below minpos; negative if even zero goes to minpos.
double zero_threshold(const LpFormat& format, Rounding rounding, bool flush) {
  const Word minpos = format.minpos_word();
  if (rounding == Rounding::nearest_linear) return decode(format, minpos) / 2;  // A tie takes zero.
  if (flush) {
    const BracketedReal half = exp2_q15(value_log_q15(format, minpos) - (1 << exp2_fraction_bits));
    return last_kept_down(half.down, half.exact, true);
  }
  return rounding == Rounding::posit ? 0.0 : -1.0;
}

/// Magnitudes above this take the candidate `index` + 1 or a later one. Candidate 0 is zero, candidate i > 0 the word
/// minpos + i - 1.
double threshold(const LpFormat& format, Rounding rounding, bool flush, int index) {
  if (index == 0) return zero_threshold(format, rounding, flush);
  const auto lower = static_cast<Word>(format.minpos_word() + index - 1);
  return rounding == Rounding::nearest_linear ? linear_threshold(format, lower) : log_threshold(format, lower);
}

int threshold_count(const LpFormat& format) {
  return format.maxpos_word() - format.minpos_word() + 1;
}

Word candidate(const LpFormat& format, int index, bool negative) {
  if (index == 0) return format.zero_word();
  const int magnitude = format.minpos_word() + index - 1;
  return static_cast<Word>(negative ? format.word_count() - magnitude : magnitude);
}

}  // namespace

std::string check(const LpFormat& format) {
  const bool terminated = format.regime == Regime::terminated;
  const auto for_n = [&format](std::string wrong, std::string_view regime) {
    return wrong.empty() ? wrong : fmt::format("{} for n = {}{}", wrong, format.n, regime);
  };
  std::string wrong = range_error("n", format.n, terminated ? 3 : 2, max_n);
  if (!wrong.empty()) return terminated ? wrong + " for a terminated regime" : wrong;
  wrong = for_n(range_error("es", format.es, 0, es_limit(format.n)), "");
  if (!wrong.empty()) return wrong;
  wrong = for_n(range_error("rs", format.rs, terminated ? 2 : 1, format.n - 1),
                terminated ? " and a terminated regime" : "");
  if (!wrong.empty()) return wrong;
  constexpr int sf_limit = max_sf << LpFormat::sf_fraction_bits;
  if (format.sf_q8 < -sf_limit || format.sf_q8 > sf_limit) return sf_error(format.sf());
  return {};
}

std::string to_string(const LpFormat& format) {
  return fmt::format("LP<{},{},{},{}{}>", format.n, format.es, format.rs, format.sf(),
                     format.regime == Regime::terminated ? ",terminated" : "");
}

LpFormat parse_lp_format(std::string_view text) {
  const FormatText parts(text);
  parts.require_shape("LP", 4, 5, "LP<n,es,rs,sf> or LP<n,es,rs,sf,terminated>", "LP<8,1,3,-0.25>");
  LpFormat format;
  format.n = parts.integer(0, "n");
  format.es = parts.integer(1, "es");
  format.rs = parts.integer(2, "rs");
  const double sf = parts.real(3, "sf");
  if (!(std::abs(sf) <= max_sf)) parts.require(sf_error(sf));
  format.sf_q8 = static_cast<int>(std::lround(std::ldexp(sf, LpFormat::sf_fraction_bits)));
  if (parts.size() == 5 && parts.field(4) != "bounded") {
    if (parts.field(4) != "terminated") {
      parts.require(fmt::format("regime is \"{}\" but must be bounded or terminated", parts.field(4)));
    }
    format.regime = Regime::terminated;
  }
  parts.require(check(format));
  return format;
}

WordFields decode_fields(const LpFormat& format, Word word) {
  WordFields fields;
  if (word == format.zero_word()) return fields;
  if (word == format.nar_word()) {
    fields.kind = WordKind::nar;
    return fields;
  }
  fields.kind = WordKind::real;
  fields.negative = word > format.nar_word();
  const auto magnitude = static_cast<std::uint16_t>(fields.negative ? format.word_count() - word : word);

  // The bits behind the sign, moved to the top of 16, so that each field is taken from the left and zeros follow.
  const int body_bits = format.n - 1;
  const auto body = static_cast<std::uint16_t>(magnitude << (16 - body_bits));
  const bool ones = (body & 0x8000) != 0;
  const int run = std::min(ones ? std::countl_one(body) : std::countl_zero(body), format.rs);
  fields.k = ones ? run - 1 : -run;
  const int regime_bits = std::min(run < format.rs ? run + 1 : run, body_bits);

  const int exponent_bits = std::min(format.es, body_bits - regime_bits);
  fields.fraction_bits = body_bits - regime_bits - exponent_bits;
  const int exponent = (magnitude >> fields.fraction_bits) & ((1 << exponent_bits) - 1);
  fields.e = exponent << (format.es - exponent_bits);
  fields.fraction = magnitude & ((1 << fields.fraction_bits) - 1);
  return fields;
}

std::int32_t log2_q14(const LpFormat& format, Word word) {
  const WordFields fields = decode_fields(format, word);
  return (((fields.k << format.es) + fields.e) << log_q14_bits) +
         (fields.fraction << (log_q14_bits - fields.fraction_bits));
}

double decode(const LpFormat& format, Word word) {
  if (word == format.zero_word()) return 0.0;
  if (word == format.nar_word()) return std::numeric_limits<double>::quiet_NaN();
  const double magnitude = exp2_q15(value_log_q15(format, word)).nearest;
  return word > format.nar_word() ? -magnitude : magnitude;
}

Word encode(const LpFormat& format, double x, Rounding rounding, bool flush) {
  if (!std::isfinite(x)) return format.nar_word();
  const double magnitude = std::abs(x);
  int low = 0;  // The first candidate whose threshold is not exceeded.
  int high = threshold_count(format);
  while (low < high) {
    const int middle = (low + high) / 2;
    if (magnitude > threshold(format, rounding, flush, middle)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return candidate(format, low, x < 0);
}

LpEncoder::LpEncoder(const LpFormat& format, Rounding rounding, bool flush) : format_(format) {
  const auto count = static_cast<std::size_t>(threshold_count(format));
  thresholds_.resize(count);
  for (std::size_t i = 0; i < count; ++i) thresholds_[i] = threshold(format, rounding, flush, static_cast<int>(i));
}

Word LpEncoder::operator()(double x) const {
  if (!std::isfinite(x)) return format_.nar_word();
  const double magnitude = std::abs(x);
  // A search of fixed depth without branches: the answer is the number of thresholds below the magnitude.
  const double* base = thresholds_.data();
  for (std::size_t length = thresholds_.size(); length > 1;) {
    const std::size_t half = length / 2;
    base += half * static_cast<std::size_t>(magnitude > base[half - 1]);
    length -= half;
  }
  const int index = static_cast<int>(base - thresholds_.data()) + (magnitude > *base ? 1 : 0);
  return candidate(format_, index, x < 0);
}

std::vector<LpFormat> all_lp_formats(int n) {
  std::vector<LpFormat> formats;
  for (int es = 0; es <= es_limit(n); ++es) {
    for (int rs = 1; rs < n; ++rs) formats.push_back({.n = n, .es = es, .rs = rs});
  }
  return formats;
}

}  // namespace lpa::formats
