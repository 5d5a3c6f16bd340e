#include "quant/formats/lp_format.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "quant/formats/exp2_table.h"
#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

constexpr int max_n = 16;
constexpr int max_es = 5;
constexpr int max_sf = 127;
constexpr int log_q14_bits = 14;

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

/// The comma-separated fields between "LP<" and ">", spaces removed; nothing if the text has another shape.
std::optional<std::vector<std::string>> split_fields(std::string_view text) {
  std::string dense;
  std::copy_if(text.begin(), text.end(), std::back_inserter(dense), [](char c) { return c != ' '; });
  if (!dense.starts_with("LP<") || !dense.ends_with(">")) return std::nullopt;
  std::vector<std::string> fields(1);
  for (const char c : dense.substr(3, dense.size() - 4)) {
    if (c == ',') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

template <class Number>
Number parse_number(std::string_view text, const std::string& field, const char* name, const char* what) {
  Number number{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), number);
  if (error != std::errc{} || end != field.data() + field.size()) {
    throw FormatError(fmt::format("format \"{}\": {} is \"{}\" but must be {}", text, name, field, what));
  }
  return number;
}

}  // namespace

std::string check(const LpFormat& format) {
  const auto outside = [](const char* name, int value, int low, int high) {
    return fmt::format("{} is {} but must be {}..{}", name, value, low, high);
  };
  if (format.n < 2 || format.n > max_n) return outside("n", format.n, 2, max_n);
  const auto outside_for = [&](const char* name, int value, int low, int high, const char* regime) {
    return fmt::format("{} for n = {}{}", outside(name, value, low, high), format.n, regime);
  };
  if (format.es < 0 || format.es > es_limit(format.n)) return outside_for("es", format.es, 0, es_limit(format.n), "");
  const bool terminated = format.regime == Regime::terminated;
  if (terminated && format.n < 3)
    return fmt::format("n is {} but must be 3..{} for a terminated regime", format.n, max_n);
  const int rs_low = terminated ? 2 : 1;
  if (format.rs < rs_low || format.rs > format.n - 1) {
    return outside_for("rs", format.rs, rs_low, format.n - 1, terminated ? " and a terminated regime" : "");
  }
  const int sf_limit = max_sf << LpFormat::sf_fraction_bits;
  if (format.sf_q8 < -sf_limit || format.sf_q8 > sf_limit) {
    return fmt::format("sf is {} but must be {}..{}", format.sf(), -max_sf, max_sf);
  }
  return {};
}

std::string to_string(const LpFormat& format) {
  return fmt::format("LP<{},{},{},{}{}>", format.n, format.es, format.rs, format.sf(),
                     format.regime == Regime::terminated ? ",terminated" : "");
}

LpFormat parse_lp_format(std::string_view text) {
  const auto fields = split_fields(text);
  if (!fields || (fields->size() != 4 && fields->size() != 5)) {
    throw FormatError(fmt::format("format \"{}\" must look like LP<n,es,rs,sf>, for example LP<8,1,3,-0.25>", text));
  }
  LpFormat format;
  format.n = parse_number<int>(text, (*fields)[0], "n", "an integer");
  format.es = parse_number<int>(text, (*fields)[1], "es", "an integer");
  format.rs = parse_number<int>(text, (*fields)[2], "rs", "an integer");
  const auto sf = parse_number<double>(text, (*fields)[3], "sf", "a number");
  if (!(std::abs(sf) <= max_sf)) {
    throw FormatError(fmt::format("format \"{}\": sf is {} but must be {}..{}", text, sf, -max_sf, max_sf));
  }
  format.sf_q8 = static_cast<int>(std::lround(std::ldexp(sf, LpFormat::sf_fraction_bits)));
  if (fields->size() == 5) {
    if ((*fields)[4] == "terminated") {
      format.regime = Regime::terminated;
    } else if ((*fields)[4] != "bounded") {
      throw FormatError(
          fmt::format("format \"{}\": regime is \"{}\" but must be bounded or terminated", text, (*fields)[4]));
    }
  }
  if (const std::string wrong = check(format); !wrong.empty()) {
    throw FormatError(fmt::format("format \"{}\": {}", text, wrong));
  }
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
