#include "quant/formats/row_functions.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

constexpr int q8_bits = 8;
constexpr int q8_mask = (1 << q8_bits) - 1;

void require(const std::string& wrong) {
  if (!wrong.empty()) throw FormatError(wrong);
}

std::vector<RowWord> row_words(const TensorFormat& format) {
  if (const std::string wrong = check(format); !wrong.empty()) throw FormatError("input format: " + wrong);
  std::vector<RowWord> words;
  words.reserve(static_cast<std::size_t>(format.word_count()));
  for (int word = 0; word < format.word_count(); ++word) {
    const Operand operand = to_operand(format, static_cast<Word>(word));
    words.push_back({scaled_log_q8(format, operand), operand.negative, operand.zero, operand.nar});
  }
  return words;
}

/// Whether the row has a NaR: then the result is all NaR, and they are counted.
bool spread_nar(const std::vector<RowWord>& words, const TensorFormat& output, std::span<const Word> row,
                std::span<Word> result, AccumulateEvents& events) {
  const auto count = std::ranges::count_if(row, [&words](Word word) { return words[word].nar; });
  if (count == 0) return false;
  events.nar_products += static_cast<std::uint64_t>(count);
  std::ranges::fill(result, output.nar_word());
  return true;
}

/// value or -value, without a branch: signs are random.
constexpr std::int64_t with_sign(std::int64_t value, bool negative) {
  const std::int64_t sign = -std::int64_t{negative};
  return (value ^ sign) - sign;
}

/// The value by `shift` bits towards zero.
constexpr std::int64_t shift_right(std::int64_t value, int shift) {
  const bool negative = value < 0;
  return with_sign(with_sign(value, negative) >> std::min(shift, 62), negative);
}

}  // namespace

std::vector<Word> word_table(const TensorFormat& from, const TensorFormat& to,
                             const std::function<double(double)>& function) {
  require(check(from));
  require(check(to));
  const auto encode = [&to]() -> std::function<Word(double)> {
    if (to.linear()) return NumberEncoder(number_format(to));
    return LpEncoder(to.lp(), Rounding::nearest_log, true);
  }();
  std::vector<Word> table;
  table.reserve(static_cast<std::size_t>(from.word_count()));
  for (int word = 0; word < from.word_count(); ++word) {
    const bool nar = from.is_nar(static_cast<Word>(word));
    table.push_back(nar ? to.nar_word() : encode(function(decode(from, static_cast<Word>(word)))));
  }
  return table;
}

LogNumber to_log_number(double value) {
  constexpr int limit = 120;
  if (!std::isfinite(value) || std::abs(value) >= std::ldexp(1.0, limit)) {
    throw FormatError(fmt::format("{} must be finite and below 2^{} in magnitude", value, limit));
  }
  if (std::abs(value) < std::ldexp(1.0, -limit)) return {};
  const auto log = std::lround(std::log2(std::abs(value)) * (1 << q8_bits));
  return {static_cast<std::int16_t>(log), value < 0, false};
}

SoftmaxRow::SoftmaxRow(const Arithmetic& arithmetic, const TensorFormat& input, const TensorFormat& output)
    : output_(output), words_(row_words(input)), encoder_(PsumEncoder::for_ppu(arithmetic, output, -output.sf_q8)) {
  constexpr int log2_log2_e_q8 = 135;
  constexpr int fraction_bits = 16;
  constexpr std::int64_t largest = (1 << 23) - 1;
  const Accumulator converter = Accumulator::for_ppu(arithmetic);
  for (std::size_t i = 0; i < power_.size(); ++i) {
    power_[i] = static_cast<std::uint32_t>(converter.lf_table()[i]) << (fraction_bits - arithmetic.lf_bits);
  }
  for (const RowWord& word : words_) {
    const std::int32_t log = word.log_q8 + log2_log2_e_q8;
    const int shift = std::min((log >> q8_bits) + q8_bits - fraction_bits, 24);
    const std::int64_t power = power_[static_cast<std::size_t>(log & q8_mask)];
    const std::int64_t magnitude = std::min(largest, shift < 0 ? shift_right(power, -shift) : power << shift);
    scaled_.push_back(static_cast<std::int32_t>(word.zero || word.nar ? 0 : word.negative ? -magnitude : magnitude));
  }
  const Word smallest = encoder_.from_log(false, -2 * static_cast<std::int32_t>(largest));
  do {
    results_.push_back(encoder_.from_log(false, -static_cast<std::int32_t>(results_.size())));
  } while (results_.back() != smallest);
}

void SoftmaxRow::operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const {
  require(range_error("words of a softmax", static_cast<int>(std::min<std::size_t>(row.size(), 1 << 16)), 1, 65535));
  if (result.size() != row.size()) throw FormatError("the result of a softmax must be as long as its row");
  if (spread_nar(words_, output_, row, result, events)) return;

  std::int32_t largest = std::numeric_limits<std::int32_t>::min();
  for (const Word word : row) largest = std::max(largest, scaled_[word]);
  std::uint32_t sum = 0;  // 65535 ones at most
  for (const Word word : row) {
    const std::int32_t difference = scaled_[word] - largest;
    sum += power_[static_cast<std::size_t>(difference & q8_mask)] >> std::min(-(difference >> q8_bits), 31);
  }
  constexpr int fraction_bits = 16;
  const std::int32_t sum_log = encoder_.magnitude_log_q8(sum) - fraction_bits * (1 << q8_bits);
  const std::size_t last = results_.size() - 1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    result[i] = results_[std::min(static_cast<std::size_t>(largest + sum_log - scaled_[row[i]]), last)];
  }
}

LayerNormRow::LayerNormRow(const Arithmetic& arithmetic, const TensorFormat& input, const TensorFormat& output,
                           std::vector<NormTerm> parameters, int epsilon_log_q8)
    : output_(output),
      parameters_(std::move(parameters)),
      epsilon_log_q8_(epsilon_log_q8),
      count_log_q8_(log2_q8(static_cast<int>(parameters_.size()))),
      words_(row_words(input)),
      encoder_(PsumEncoder::for_ppu(arithmetic, output, -output.sf_q8)) {
  const Accumulator adder = Accumulator::for_ppu(arithmetic);
  fraction_bits_ = adder.fraction_bits();
  largest_ = (std::int64_t{1} << (adder.total_bits() - 1)) - 1;
  const int shift = fraction_bits_ - arithmetic.lf_bits;
  for (std::size_t i = 0; i < power_.size(); ++i) {
    const std::int64_t power = adder.lf_table()[i];
    power_[i] = shift < 0 ? power >> -shift : power << shift;
  }
}

inline void LayerNormRow::add(Sum& sum, std::int32_t log_q8, bool negative, std::uint64_t& saturations) const {
  const std::int32_t exponent = log_q8 >> q8_bits;
  const std::int32_t kept = std::max(sum.exponent, exponent);
  const std::int64_t power = shift_right(power_[static_cast<std::size_t>(log_q8 & q8_mask)], kept - exponent);
  const std::int64_t total = shift_right(sum.value, kept - sum.exponent) + with_sign(power, negative);
  const std::int64_t fitting = std::clamp(total, -largest_ - 1, largest_);
  saturations += static_cast<std::uint64_t>(fitting != total);
  sum = {static_cast<std::int32_t>(fitting), kept};
}

inline std::int32_t LayerNormRow::log_q8(const Sum& sum) const {
  const auto magnitude = static_cast<std::uint32_t>(with_sign(sum.value, sum.value < 0));
  return encoder_.magnitude_log_q8(magnitude) + (sum.exponent - fraction_bits_) * (1 << q8_bits);
}

inline LayerNormRow::Deviation LayerNormRow::deviation(const RowWord& word, const Sum& sum, std::int32_t mean_log_q8,
                                                       std::uint64_t& saturations) const {
  Sum difference;
  if (!word.zero) add(difference, word.log_q8, word.negative, saturations);
  if (sum.value != 0) add(difference, mean_log_q8, sum.value > 0, saturations);
  if (difference.value == 0) return {};
  return {log_q8(difference), difference.value < 0, false};
}

void LayerNormRow::operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const {
  if (row.size() != parameters_.size() || result.size() != row.size()) {
    throw FormatError(fmt::format("a layer normalisation of {} channels has a row of {} words and a result of {}",
                                  parameters_.size(), row.size(), result.size()));
  }
  if (spread_nar(words_, output_, row, result, events)) return;

  std::uint64_t saturations = 0;
  Sum sum;
  for (const Word word : row) {
    if (const RowWord& x = words_[word]; !x.zero) add(sum, x.log_q8, x.negative, saturations);
  }
  const std::int32_t mean_log = sum.value == 0 ? 0 : log_q8(sum) - count_log_q8_;

  std::vector<Deviation> deviations(row.size());
  std::uint64_t of_differences = 0;
  Sum squares;
  for (std::size_t i = 0; i < row.size(); ++i) {
    deviations[i] = deviation(words_[row[i]], sum, mean_log, of_differences);
    if (!deviations[i].zero) add(squares, 2 * deviations[i].log_q8, false, saturations);
  }
  if (epsilon_log_q8_ != no_epsilon) add(squares, epsilon_log_q8_ + count_log_q8_, false, saturations);

  const bool flat = squares.value == 0;
  const std::int32_t root = flat ? 0 : -((log_q8(squares) - count_log_q8_) >> 1);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& [gamma, beta] = parameters_[i];
    const Deviation& x = deviations[i];
    Sum value;
    if (!x.zero && !gamma.zero && !flat) {
      add(value, x.log_q8 + root + gamma.log_q8, x.negative != gamma.negative, saturations);
    }
    if (!beta.zero) add(value, beta.log_q8, beta.negative, saturations);
    result[i] = encoder_({value.value, static_cast<std::int16_t>(value.exponent), false});
  }
  events.saturations += saturations + 2 * of_differences;
}

}  // namespace lpa::formats
