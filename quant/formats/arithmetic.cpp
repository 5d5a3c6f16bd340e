#include "quant/formats/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <fmt/format.h>

#include "quant/formats/exp2_table.h"
#include "quant/formats/format_error.h"
#include "quant/formats/format_text.h"

namespace lpa::formats {
namespace {

using Quad = boost::multiprecision::cpp_bin_float_quad;

constexpr int q8_bits = 8;
constexpr int q8_mask = (1 << q8_bits) - 1;

/// 2^(i/256): a layer's biases all need the same one.
const std::vector<Quad>& q8_powers() {
  static const std::vector<Quad> powers = [] {
    std::vector<Quad> all;
    for (int i = 0; i <= q8_mask; ++i) all.push_back(exp2(Quad(i / 256.0)));
    return all;
  }();
  return powers;
}

/// 2^(i/256) times 2^15, rounded: the factors of a linear encoder.
const std::array<double, q8_mask + 1>& q15_factors() {
  static const auto factors = [] {
    std::array<double, q8_mask + 1> all{};
    for (int i = 0; i <= q8_mask; ++i) {
      all.at(static_cast<std::size_t>(i)) =
          std::round(std::ldexp(exp2_q15(i << (exp2_fraction_bits - q8_bits)).nearest, 15));
    }
    return all;
  }();
  return factors;
}

void require(const std::string& wrong) {
  if (!wrong.empty()) throw FormatError("arithmetic: " + wrong);
}

/// value * 2^shift towards zero, for value >= 0; anything that does not fit in 62 bits becomes 2^62.
std::int64_t scale_magnitude(std::int64_t value, int shift) {
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  if (shift <= 0) return shift <= -63 ? 0 : value >> -shift;
  if (value == 0) return 0;
  return shift >= 62 || value > (huge >> shift) ? huge : value << shift;
}

std::int64_t scale_towards_zero(std::int64_t value, int shift) {
  return value < 0 ? -scale_magnitude(-value, shift) : scale_magnitude(value, shift);
}

/// The value if it fits in `bits` bits of two's complement, else the nearest one that does.
std::int32_t saturate(std::int64_t value, int bits, AccumulateEvents* events) {
  const std::int64_t highest = (std::int64_t{1} << (bits - 1)) - 1;
  const std::int64_t fitting = std::clamp(value, -highest - 1, highest);
  if (fitting != value && events != nullptr) ++events->saturations;
  return static_cast<std::int32_t>(fitting);
}

Psum not_a_real(const Arithmetic& arithmetic) {
  return {0, arithmetic.psum == PsumKind::aligned ? Psum::no_exponent : std::int16_t{0}, true};
}

/// The arithmetic in which every sum has the widths of the post-processing unit.
Arithmetic ppu_arithmetic(Arithmetic arithmetic) {
  arithmetic.psum = PsumKind::aligned;
  arithmetic.aligned.fill(arithmetic.ppu);
  return arithmetic;
}

std::int32_t lf_entry(Converter converter, int index, int lf_bits) {
  if (converter == Converter::mitchell) return ((256 + index) << lf_bits) >> q8_bits;
  // 17 bits are taken of a double that is correctly rounded; no entry is so near a tie (the test says so).
  const double exact = exp2_q15(index << (exp2_fraction_bits - q8_bits)).nearest;
  return static_cast<std::int32_t>(std::lround(std::ldexp(exact, lf_bits)));
}

std::int32_t log_entry(int index, int log_bits) {
  // No entry of up to 12 bits is so near a tie that a double could miss it (the test says so).
  return static_cast<std::int32_t>(std::lround(std::ldexp(std::log2(1 + std::ldexp(index, -log_bits)), log_bits)));
}

void require_weight_bits(int weight_bits) {
  if (weight_bits != 2 && weight_bits != 4 && weight_bits != 8) {
    require(fmt::format("weight_bits is {} but must be 2, 4 or 8", weight_bits));
  }
}

}  // namespace

Arithmetic arithmetic_preset(std::string_view name) {
  Arithmetic arithmetic;
  if (name == "wide") return arithmetic;
  if (name == "poster") {
    arithmetic.aligned = {AlignedWidths{8, 8}, AlignedWidths{4, 4}, AlignedWidths{2, 2}};
    return arithmetic;
  }
  if (name == "fixed") {
    arithmetic.psum = PsumKind::fixed;
    return arithmetic;
  }
  throw FormatError(fmt::format("arithmetic preset \"{}\" must be wide, poster or fixed", name));
}

std::string check(const Arithmetic& arithmetic) {
  const auto check_widths = [](const std::string& name, const AlignedWidths& widths) -> std::string {
    if (auto wrong = range_error(name + ".integer_bits", widths.integer_bits, 2, 31); !wrong.empty()) return wrong;
    if (auto wrong = range_error(name + ".fraction_bits", widths.fraction_bits, 1, 30); !wrong.empty()) return wrong;
    return range_error(name + ".integer_bits + fraction_bits", widths.integer_bits + widths.fraction_bits, 3, 32);
  };
  std::string wrong = range_error("lf_bits", arithmetic.lf_bits, 1, 16);
  for (std::size_t i = 0; i < arithmetic.aligned.size() && wrong.empty(); ++i) {
    wrong = check_widths(fmt::format("aligned[{}]", i), arithmetic.aligned[i]);
  }
  if (wrong.empty()) wrong = range_error("fixed_bits", arithmetic.fixed_bits, 8, 32);
  if (wrong.empty()) wrong = range_error("encoder_log_bits", arithmetic.encoder_log_bits, 4, 12);
  if (wrong.empty()) wrong = check_widths("ppu", arithmetic.ppu);
  return wrong;
}

namespace {

/// A word that is not zero.
Operand linear_operand(const TensorFormat& format, Word word) {
  int exponent = 0;
  // In [0.5, 1), with at most 8 bits.
  const double fraction = std::frexp(unscaled_magnitude(format, word), &exponent);
  constexpr int most_bits = 8;
  auto significand = static_cast<unsigned>(std::ldexp(fraction, most_bits));
  exponent -= most_bits;
  const int zeros = std::countr_zero(significand);
  significand >>= zeros;
  return {.log = static_cast<std::int16_t>((exponent + zeros) * (1 << log_fraction_bits)),
          .negative = format.order(word) < 0,
          .zero = false,
          .nar = false,
          .significand = static_cast<std::uint8_t>(significand)};
}

}  // namespace

Operand to_operand(const TensorFormat& format, Word word) {
  if (format.n > 8) throw FormatError(fmt::format("format {}: n must be at most 8 for an operand", to_string(format)));
  if (word == format.zero_word()) return {};
  if (format.is_nar(word)) return {.log = 0, .negative = false, .zero = false, .nar = true};
  if (format.linear()) return unscaled_magnitude(format, word) == 0 ? Operand{} : linear_operand(format, word);
  return {.log = static_cast<std::int16_t>(log2_q14(format.lp(), word) >> (14 - log_fraction_bits)),
          .negative = word > format.nar_word(),
          .zero = false,
          .nar = false};
}

int least_product_exponent(const TensorFormat& weight, const TensorFormat& activation) {
  const auto least = [](const TensorFormat& format) {
    int exponent = std::numeric_limits<int>::max();
    for (Word word = 1; word < format.nar_word(); ++word) {
      exponent = std::min(exponent, to_operand(format, word).log >> log_fraction_bits);
    }
    return exponent;
  };
  return least(weight) + least(activation);
}

BiasTerm to_bias_term(double value, int scale_q8) {
  constexpr int mantissa_bits = 24;
  constexpr int largest_exponent = 1000;
  if (!std::isfinite(value)) throw FormatError(fmt::format("bias is {} but must be finite", value));
  if (value == 0) return {};
  int exponent = 0;
  Quad scaled = frexp(Quad(std::abs(value)) * q8_powers()[static_cast<std::size_t>(scale_q8 & q8_mask)],
                      &exponent);  // In [0.5, 1).
  exponent += (scale_q8 >> q8_bits) - 1;
  if (exponent < -largest_exponent) return {};
  if (exponent > largest_exponent) {
    throw FormatError(fmt::format("bias {} * 2^{} must be below 2^{}", value, scale_q8 / 256.0, largest_exponent + 1));
  }
  const auto mantissa = static_cast<std::int32_t>(floor(ldexp(scaled, mantissa_bits + 1)).convert_to<double>());
  return {value < 0 ? -mantissa : mantissa, static_cast<std::int16_t>(exponent)};
}

Accumulator::Accumulator(const Arithmetic& arithmetic, int weight_bits, int lsb) : arithmetic_(arithmetic), lsb_(lsb) {
  require(check(arithmetic));
  require_weight_bits(weight_bits);
  require(range_error("lsb", lsb, -1024, 1024));
  const AlignedWidths& widths = arithmetic.widths(weight_bits);
  const bool aligned = arithmetic.psum == PsumKind::aligned;
  fraction_bits_ = aligned ? widths.fraction_bits : 0;
  total_bits_ = aligned ? widths.integer_bits + widths.fraction_bits : arithmetic.fixed_bits;
  for (int i = 0; i < 256; ++i) {
    lf_[static_cast<std::size_t>(i)] = lf_entry(arithmetic.converter, i, arithmetic.lf_bits);
  }
}

Accumulator Accumulator::for_ppu(const Arithmetic& arithmetic) {
  return {ppu_arithmetic(arithmetic), 8};
}

Psum Accumulator::start(const BiasTerm& bias) const {
  constexpr int mantissa_bits = 24;
  if (arithmetic_.psum == PsumKind::fixed) {
    const std::int64_t value = scale_towards_zero(bias.mantissa, bias.exponent - mantissa_bits - lsb_);
    return {saturate(value, total_bits_, nullptr), 0, false};
  }
  if (bias.mantissa == 0) return {};
  const std::int64_t value = scale_towards_zero(bias.mantissa, fraction_bits_ - mantissa_bits);
  return {saturate(value, total_bits_, nullptr), bias.exponent, false};
}

Psum Accumulator::mac(const Psum& psum, const Operand& weight, const Operand& activation,
                      AccumulateEvents* events) const {
  if (weight.nar || activation.nar) {
    if (events != nullptr) ++events->nar_products;
    return not_a_real(arithmetic_);
  }
  if (weight.zero || activation.zero) return psum;
  const int log = weight.log + activation.log;
  const bool negative = weight.negative != activation.negative;
  const int significand = weight.significand * activation.significand;
  if (significand != 1 && !psum.nar) {
    const std::int64_t magnitude = scale_magnitude(significand, (log >> log_fraction_bits) - lsb_);
    return {saturate(psum.value + (negative ? -magnitude : magnitude), total_bits_, events), psum.exponent, false};
  }
  constexpr int to_q8 = 1 << (q8_bits - log_fraction_bits);
  return add(psum, log * to_q8, negative, events);
}

Psum Accumulator::add(const Psum& psum, std::int32_t log_q8, bool negative, AccumulateEvents* events) const {
  if (psum.nar) return not_a_real(arithmetic_);
  const std::int64_t lf = lf_[static_cast<std::size_t>(log_q8 & q8_mask)];
  const int exponent = log_q8 >> q8_bits;

  if (arithmetic_.psum == PsumKind::fixed) {
    const std::int64_t magnitude = scale_magnitude(lf, exponent - arithmetic_.lf_bits - lsb_);
    return {saturate(psum.value + (negative ? -magnitude : magnitude), total_bits_, events), psum.exponent, false};
  }

  const int kept = std::max<int>(psum.exponent, exponent);
  const std::int64_t placed = scale_magnitude(lf, fraction_bits_ - arithmetic_.lf_bits);
  const std::int64_t magnitude = scale_magnitude(placed, exponent - kept);
  const std::int64_t sum = scale_towards_zero(psum.value, psum.exponent - kept);
  return {saturate(sum + (negative ? -magnitude : magnitude), total_bits_, events), static_cast<std::int16_t>(kept),
          false};
}

int log2_q8(int count) {
  if (count < 1) throw FormatError(fmt::format("count is {} but must be at least 1", count));
  return static_cast<int>(round(log2(Quad(count)) * 256).convert_to<double>());
}

std::int32_t scaled_log_q8(const TensorFormat& format, const Operand& operand) {
  static const auto significand_logs = [] {
    std::array<std::int32_t, 256> logs{};
    for (int i = 1; i < 256; ++i) logs.at(static_cast<std::size_t>(i)) = log2_q8(i);
    return logs;
  }();
  const std::int32_t significand = significand_logs[operand.significand];
  return operand.log * (1 << (q8_bits - log_fraction_bits)) + significand - format.sf_q8;
}

PsumEncoder::PsumEncoder(const Arithmetic& arithmetic, const TensorFormat& output, int weight_bits, int lsb,
                         int scale_q8)
    : output_(output), log_bits_(arithmetic.encoder_log_bits), scale_q8_(scale_q8) {
  require(check(arithmetic));
  require_weight_bits(weight_bits);
  if (const std::string wrong = check(output); !wrong.empty()) throw FormatError("output format: " + wrong);
  require(range_error("lsb", lsb, -1024, 1024));
  require(range_error("scale_q8", scale_q8, -(1 << 18), 1 << 18));

  const int work_bits = std::max(q8_bits, log_bits_);
  const bool aligned = arithmetic.psum == PsumKind::aligned;
  exponent_offset_ = aligned ? -arithmetic.widths(weight_bits).fraction_bits : lsb;
  exponent_used_ = aligned;
  work_bits_ = work_bits;
  scale_ = scale_q8 * (1 << (work_bits - q8_bits));
  log_table_.resize(std::size_t{1} << log_bits_);
  for (std::size_t i = 0; i < log_table_.size(); ++i) {
    log_table_[i] = log_entry(static_cast<int>(i), log_bits_) << (work_bits - log_bits_);
  }

  if (output.linear()) {
    multiplies_ = !aligned;
    TensorFormat unscaled = output;
    unscaled.sf_q8 = 0;
    nearest_.emplace(number_format(unscaled));
    sign_bit_ = output.sign_magnitude() ? output.nar_word() : 0;
  }
  // A posit other than 0 is never rounded to 0.
  const bool posit = output.family == Family::posit;
  make_cells(output.linear() ? linear_limits() : log_limits(), posit || (!output.linear() && !arithmetic.flush));
}

PsumEncoder::Limits PsumEncoder::log_limits() const {
  // Twice a word's log2 lies on a grid of 2^-15 at the finest; on the working grid a limit between two words becomes
  // the smallest value that takes the upper one.
  constexpr int fine_bits = 15;
  const auto first_at = [this](std::int64_t limit_q15, bool tie_rounds_up) {
    const int shift = fine_bits - work_bits_;
    const std::int64_t below = limit_q15 >> shift;
    const bool on_grid = (below << shift) == limit_q15;
    return static_cast<std::int32_t>(on_grid && tie_rounds_up ? below : below + 1);
  };
  const LpFormat lp = output_.lp();
  const std::int64_t smallest_q15 = std::int64_t{2} * log2_q14(lp, lp.minpos_word());
  Limits limits{{first_at(smallest_q15 - (1 << fine_bits), true)}, {lp.minpos_word()}};
  for (int word = lp.minpos_word(); word < lp.maxpos_word(); ++word) {
    const auto upper = static_cast<Word>(word + 1);
    const std::int64_t middle_q15 = log2_q14(lp, static_cast<Word>(word)) + log2_q14(lp, upper);
    limits.logs.push_back(first_at(middle_q15, upper % 2 == 0));
    limits.words.push_back(upper);
  }
  return limits;
}

PsumEncoder::Limits PsumEncoder::linear_limits() const {
  Limits limits;
  const auto value = [this](std::int64_t log) {
    return nearest_->quantize(std::exp2(std::ldexp(static_cast<double>(log), -work_bits_)));
  };
  const double largest = largest_magnitude(output_);
  const auto ceil_log = [this](double x) {
    return static_cast<std::int64_t>(std::ceil(std::ldexp(std::log2(x), work_bits_)));
  };
  std::int64_t last = ceil_log(smallest_magnitude(output_)) - 2 * (1 << work_bits_);
  double reached = value(last);  // What rounding does not take to zero: of a posit the smallest magnitude.
  if (reached != 0) {
    limits.logs.push_back(static_cast<std::int32_t>(last));
    limits.words.push_back((*nearest_)(reached));
  }
  // The words have rising limits: of the logs that take a larger one than the last, the least.
  for (std::int64_t high = ceil_log(largest); reached < largest;) {
    std::int64_t low = last, up = high;
    while (up - low > 1) {
      const std::int64_t middle = (low + up) / 2;
      (value(middle) > reached ? up : low) = middle;
    }
    last = up;
    reached = value(up);
    limits.logs.push_back(static_cast<std::int32_t>(up));
    limits.words.push_back((*nearest_)(reached));
  }
  return limits;
}

void PsumEncoder::make_cells(const Limits& all, bool least_is_limitless) {
  const std::vector<std::int32_t>& limits = all.logs;
  std::int32_t spacing = 1 << work_bits_;
  for (std::size_t i = 1; i < limits.size(); ++i) spacing = std::min(spacing, limits[i] - limits[i - 1]);
  const std::int32_t length =
      spacing <= 1 ? 1 : static_cast<std::int32_t>(std::bit_floor(static_cast<std::uint32_t>(spacing)));
  cell_bits_ = std::countr_zero(static_cast<std::uint32_t>(length));
  first_log_ = limits.front() - length;
  const auto word = [&](std::size_t reached) { return reached == 0 ? output_.zero_word() : all.words[reached - 1]; };
  std::size_t reached = 0;
  for (std::int32_t start = first_log_; start <= limits.back(); start += length) {
    while (reached < limits.size() && limits[reached] <= start) ++reached;
    const bool more = reached < limits.size() && limits[reached] < start + length;
    const Word below = word(reached == 0 && least_is_limitless ? 1 : reached);
    cells_.push_back(more ? Cell{limits[reached], below, word(reached + 1)} : Cell{start, below, below});
  }
  word_mask_ = output_.word_count() - 1;
}

PsumEncoder PsumEncoder::for_ppu(const Arithmetic& arithmetic, const TensorFormat& output, int scale_q8) {
  return {ppu_arithmetic(arithmetic), output, 8, 0, scale_q8};
}

Word PsumEncoder::operator()(const Psum& psum, int channel_scale_q8) const {
  if (psum.nar) return output_.nar_word();
  if (psum.value == 0) return output_.zero_word();
  if (multiplies_) return multiplied(psum, scale_q8_ + channel_scale_q8);
  const std::int32_t sign = psum.value < 0 ? -1 : 0;
  const auto magnitude = static_cast<std::uint32_t>((std::int64_t{psum.value} ^ sign) - sign);
  const int exponent = exponent_offset_ + (exponent_used_ ? psum.exponent : 0);
  const std::int32_t scale = scale_ + channel_scale_q8 * (1 << (work_bits_ - q8_bits));
  return from_work_log(sign, work_log(magnitude) + exponent * (1 << work_bits_) - scale);
}

Word PsumEncoder::multiplied(const Psum& psum, std::int32_t scale_q8) const {
  constexpr int factor_bits = 15;
  constexpr int far = 500;  // Beyond every word of every format.
  const std::int32_t log = -scale_q8;
  const double factor = q15_factors()[static_cast<std::size_t>(log & q8_mask)];
  const int exponent = std::clamp((log >> q8_bits) + exponent_offset_, -far, far);
  return (*nearest_)(std::ldexp(psum.value * factor, exponent - factor_bits));  // Exact: 32 bits times 16.
}

}  // namespace lpa::formats
