#include "quant/formats/number_format.h"

#include <cmath>
#include <cstddef>

#include <fmt/format.h>

#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

const std::string unused = "unused";

std::string kind_of(double value) {
  return std::isnan(value) ? "NaR" : value == 0 ? "zero" : "real";
}

std::string bit_string(unsigned value, int bits) {
  return bits == 0 ? "" : fmt::format("{:0{}b}", value, bits);
}

void describe_fields(WordDescription& row, const WordFields& fields) {
  if (fields.kind != WordKind::real) return;
  row.k = fmt::to_string(fields.k);
  row.e = fmt::to_string(fields.e);
  row.f = bit_string(static_cast<unsigned>(fields.fraction), fields.fraction_bits);
}

void describe(const LpFormat& format, Word word, WordDescription& row) {
  describe_fields(row, decode_fields(format, word));
  const int magnitude = word > format.nar_word() ? format.word_count() - word : word;
  const bool produced = magnitude >= format.minpos_word() && magnitude <= format.maxpos_word();
  if (row.kind == "real" && !produced) row.kind = unused;
}

void describe(const PositFormat& format, Word word, WordDescription& row) {
  describe_fields(row, decode_fields(format, word));
}

void describe(const AdaptivFloatFormat& format, Word word, WordDescription& row) {
  if (row.kind != "real") return;
  const int m = format.mantissa_bits();
  const auto field = static_cast<unsigned>(word) & ((1u << (format.n - 1)) - 1);
  row.e = fmt::to_string((field >> m));
  row.f = bit_string(field & ((1u << m) - 1), m);
}

void describe(const LnsFormat& format, Word word, WordDescription& row) {
  if (row.kind != "real") return;
  const int log_bits = format.n - 1;
  const int pattern = word & ((1 << log_bits) - 1);
  const int log = pattern >> (log_bits - 1) != 0 ? pattern - (1 << log_bits) : pattern;
  row.e = fmt::to_string(log >> format.fraction_bits());
  row.f = bit_string(static_cast<unsigned>(log) & ((1u << format.fraction_bits()) - 1), format.fraction_bits());
}

void describe(const IntFormat& format, Word word, WordDescription& row) {
  if (word == 1 << (format.n - 1)) row.kind = unused;
}

template <class Format>
void describe(const Format&, Word, WordDescription&) {}  // Pot and flint: nothing but the value.

/// The negative zero of a sign-magnitude format; LP, posit and int have none.
bool is_negative_zero(const NumberFormat& format, Word word) {
  return decode(format, word) == 0 && (word >> (word_width(format) - 1)) != 0;
}

template <class Format>
ValueGridEncoder grid_encoder(const Format& format, ZeroTie zero_tie = ZeroTie::zero) {
  return ValueGridEncoder(grid(format), zero_tie);
}

}  // namespace

NumberFormat parse_number_format(std::string_view text) {
  const FormatText parts(text);
  const std::string& name = parts.name();
  if (name == "LP") return parse_lp_format(text);
  if (name == "posit") return parse_posit(text);
  if (name == "adaptivfloat") return parse_adaptiv_float(text);
  if (name == "int") return parse_int_format(text);
  if (name == "pot") return parse_pot(text);
  if (name == "flint") return parse_flint(text);
  if (name == "lns") return parse_lns(text);
  parts.require(fmt::format("\"{}\" must be LP, posit, adaptivfloat, int, pot, flint or lns", name));
  return {};
}

std::string to_string(const NumberFormat& format) {
  return std::visit([](const auto& f) { return to_string(f); }, format);
}

std::string check(const NumberFormat& format) {
  return std::visit([](const auto& f) { return check(f); }, format);
}

int word_width(const NumberFormat& format) {
  return std::visit([](const auto& f) { return f.n; }, format);
}

double decode(const NumberFormat& format, Word word) {
  return std::visit([word](const auto& f) { return decode(f, word); }, format);
}

Word encode(const NumberFormat& format, double x) {
  if (const auto* lp = std::get_if<LpFormat>(&format)) return encode(*lp, x, Rounding::nearest_linear);
  return NumberEncoder(format)(x);
}

NumberEncoder::Encoder NumberEncoder::make_encoder(const NumberFormat& format) {
  struct Maker {
    Encoder operator()(const LpFormat& f) const { return LpEncoder(f, Rounding::nearest_linear); }
    Encoder operator()(const PositFormat& f) const { return PositEncoder{f}; }
    Encoder operator()(const AdaptivFloatFormat& f) const { return grid_encoder(f, ZeroTie::smallest); }
    Encoder operator()(const IntFormat& f) const { return grid_encoder(f); }
    Encoder operator()(const PotFormat& f) const { return grid_encoder(f); }
    Encoder operator()(const FlintFormat& f) const { return grid_encoder(f); }
    Encoder operator()(const LnsFormat& f) const { return grid_encoder(f); }
  };
  return std::visit(Maker{}, format);
}

NumberEncoder::NumberEncoder(const NumberFormat& format) : encoder_(make_encoder(format)) {
  const int count = 1 << word_width(format);
  values_.reserve(static_cast<std::size_t>(count));
  for (int word = 0; word < count; ++word) values_.push_back(decode(format, static_cast<Word>(word)));
}

std::vector<WordDescription> describe_words(const NumberFormat& format) {
  std::vector<WordDescription> rows;
  const int n = word_width(format);
  for (unsigned code = 0; code < 1u << n; ++code) {
    const auto word = static_cast<Word>(code);
    WordDescription row;
    row.bits = bit_string(code, n);
    row.value = decode(format, word);
    row.kind = kind_of(row.value);
    if (row.kind == "real") row.sign = std::string(1, row.value < 0 ? '-' : '+');
    std::visit([&](const auto& f) { describe(f, word, row); }, format);
    if (is_negative_zero(format, word)) row.kind = unused;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace lpa::formats
