#include "hw_model/datapath/linear.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "hw_model/datapath/decoder.h"

namespace lpa::datapath {
namespace {

using formats::Family;

/// An integer times a power of two.
struct Magnitude {
  unsigned significand = 0;
  int exponent = 0;
};

/// A leading one makes the exponent, and of what is behind it the leading one in turn.
Magnitude decode_flint(unsigned code, int bits) {
  const unsigned half = 1u << (bits - 1);
  if (code < half) return {code, 0};
  const unsigned rest = code - half;
  if (rest == 0) return {1, 2 * bits - 2};
  return {rest, 2 * (bits - 1 - static_cast<int>(std::bit_width(rest))) + 1};
}

Magnitude decode_sign_magnitude(unsigned code, const WordFormat& format) {
  const int bits = format.n - 1;
  if (format.family == Family::flint) return decode_flint(code, bits);
  if (format.family == Family::pot) return {1, static_cast<int>(code) - 1};
  const int mantissa_bits = bits - format.es;
  const unsigned hidden = 1u << mantissa_bits;
  return {hidden | (code & (hidden - 1)), static_cast<int>(code >> mantissa_bits) - mantissa_bits};
}

Lane to_lane(const Magnitude& magnitude, bool negative) {
  return {.r = static_cast<std::int16_t>(magnitude.exponent),
          .u = static_cast<std::uint16_t>(magnitude.significand),
          .negative = negative,
          .zero = false,
          .nar = false};
}

/// Regime, exponent and fraction stand where LP has them; the fraction is that of a significand.
Lane decode_posit(std::uint8_t word, const WordFormat& format) {
  const Lane fields = decode_lane(word, format);
  if (fields.zero || fields.nar) return fields;
  constexpr int fraction_bits = 4;  // All that 8 bits leave.
  constexpr unsigned one = 1u << log_fraction_bits;
  const unsigned significand = (one | (fields.u & (one - 1))) >> (log_fraction_bits - fraction_bits);
  return to_lane({significand, fields.r + (fields.u >> log_fraction_bits) - fraction_bits}, fields.negative);
}

int sign_extended(unsigned word, int bits) {
  const int value = static_cast<int>(word & ((1u << bits) - 1));
  return value >= 1 << (bits - 1) ? value - (1 << bits) : value;
}

/// A two's complement number's parts, the lowest one first.
std::array<int, 4> parts_of(int number, int bits, int part) {
  std::array<int, 4> parts{};
  const auto word = static_cast<unsigned>(number);
  for (int low = 0; low < bits; low += part) {
    const unsigned piece = (word >> low) & ((1u << part) - 1);
    const bool highest = low + part >= bits;
    parts.at(static_cast<std::size_t>(low / part)) = highest ? sign_extended(piece, part) : static_cast<int>(piece);
  }
  return parts;
}

/// 2^(i/256) with 15 fraction bits.
const std::array<std::uint32_t, 256>& factors() {
  static const auto all = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = static_cast<std::uint32_t>(std::lround(std::exp2(static_cast<double>(i) / 256) * (1 << 15)));
    }
    return table;
  }();
  return all;
}

/// The magnitude between two posits that the posit of one bit more has: their fields read as one number, which is
/// halved.
std::int64_t between_posits(std::uint8_t lower, std::uint8_t upper, const WordFormat& format) {
  const auto string = [&format](std::uint8_t word) {
    const Lane fields = decode_lane(word, format);
    return fields.r * (1 << log_fraction_bits) + fields.u;
  };
  constexpr int bits = log_fraction_bits + 1;
  const int sum = string(lower) + string(upper);
  const std::int64_t significand = (1 << bits) + (sum & ((1 << bits) - 1));
  return significand << ((sum >> bits) - bits - MagnitudeSteps::unit);
}

}  // namespace

Lane decode_linear(std::uint8_t word, const WordFormat& format) {
  const unsigned code = word & ((2u << (format.n - 1)) - 1);
  const unsigned top = 1u << (format.n - 1);
  if (format.family == Family::posit) return decode_posit(static_cast<std::uint8_t>(code), format);
  if (formats::is_sign_magnitude(format.family)) {
    const unsigned magnitude = code & (top - 1);
    return magnitude == 0 ? Lane{} : to_lane(decode_sign_magnitude(magnitude, format), (code & top) != 0);
  }
  const int number = sign_extended(code, format.n);
  return number == 0 ? Lane{} : to_lane({static_cast<unsigned>(std::abs(number)), 0}, number < 0);
}

DecodedWord decode_linear_word(std::uint8_t word, const WordFormat& format) {
  DecodedWord decoded;
  for (int lane = 0; lane < lanes(format.n); ++lane) {
    decoded.lane[static_cast<std::size_t>(lane)] =
        decode_linear(static_cast<std::uint8_t>(word >> (lane * format.n)), format);
  }
  return decoded;
}

int fused_product(int a, int a_bits, int b, int b_bits, int part) {
  const std::array<int, 4> of_a = parts_of(a, a_bits, part), of_b = parts_of(b, b_bits, part);
  int sum = 0;
  for (int i = 0; i * part < a_bits; ++i) {
    for (int j = 0; j * part < b_bits; ++j) {
      sum += of_a.at(static_cast<std::size_t>(i)) * of_b.at(static_cast<std::size_t>(j)) * (1 << (part * (i + j)));
    }
  }
  return sum;
}

Product multiply(Multiplier multiplier, const Lane& weight, int weight_bits, const Lane& activation,
                 int activation_bits) {
  const bool nar = weight.nar || activation.nar;
  Product product{static_cast<std::int16_t>(weight.r + activation.r), 0, weight.negative != activation.negative,
                  !nar && (weight.zero || activation.zero), nar};
  if (multiplier == Multiplier::significands) {
    product.u = static_cast<std::uint16_t>(weight.u * activation.u);
    return product;
  }
  const auto number = [](const Lane& lane) { return lane.negative ? -int{lane.u} : int{lane.u}; };
  const int part = multiplier == Multiplier::nibbles ? 4 : 2;
  const int fused = fused_product(number(weight), weight_bits, number(activation), activation_bits, part);
  product.negative = fused < 0;
  product.u = static_cast<std::uint16_t>(std::abs(fused));
  return product;
}

MagnitudeSteps::MagnitudeSteps(const WordFormat& format) {
  struct Point {
    std::int64_t magnitude;
    std::uint8_t word;
  };
  std::vector<Point> points{{0, 0}};
  for (unsigned code = 1; code < 1u << (format.n - 1); ++code) {
    const auto word = static_cast<std::uint8_t>(code);
    const Lane lane = decode_linear(word, format);
    points.push_back({std::int64_t{lane.u} << (lane.r - unit), word});
  }
  std::ranges::sort(points, {}, &Point::magnitude);
  const bool posit = format.family == Family::posit;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point &lower = points[i - 1], &upper = points[i];
    Step step{(lower.magnitude + upper.magnitude) / 2, (upper.word & 1u) == 0 && (lower.word & 1u) != 0, upper.word};
    if (lower.magnitude == 0) {
      if (posit) step.limit = 0;
      step.included = posit || format.family == Family::adaptivfloat;
    } else if (posit) {
      step.limit = between_posits(lower.word, upper.word, format);
    }
    steps_.push_back(step);
  }
}

std::uint8_t MagnitudeSteps::nearest(std::uint64_t magnitude, int exponent) const {
  // In units, with a flag for what is below them. No limit reaches 2^top.
  constexpr int top = 62;
  const int shift = exponent - unit;
  std::int64_t units = 0;
  bool more = false;
  if (static_cast<int>(std::bit_width(magnitude)) + shift > top) {
    units = std::numeric_limits<std::int64_t>::max();
  } else if (shift >= 0) {
    units = static_cast<std::int64_t>(magnitude << shift);
  } else {
    units = shift > -64 ? static_cast<std::int64_t>(magnitude >> -shift) : 0;
    more = shift > -64 ? (magnitude & ((std::uint64_t{1} << -shift) - 1)) != 0 : magnitude != 0;
  }
  const auto reached = [&](const Step& step) {
    return units > step.limit || (units == step.limit && (more || step.included));
  };
  const auto end = std::ranges::partition_point(steps_, reached);
  return end == steps_.begin() ? std::uint8_t{0} : std::prev(end)->word;
}

LinearEncoder::LinearEncoder(const WordFormat& output, int point, int scale_q8)
    : steps_(output), output_(output), point_(point), scale_q8_(scale_q8) {}

std::uint8_t LinearEncoder::operator()(std::int32_t sum, std::int16_t channel_scale_q8) const {
  constexpr int factor_bits = 15;
  const std::int32_t log = -(scale_q8_ + channel_scale_q8);
  const std::uint64_t factor = factors()[static_cast<std::size_t>(log & 255)];
  const auto bits = static_cast<std::uint32_t>(sum);
  const std::uint32_t magnitude = sum < 0 ? 0u - bits : bits;
  const std::uint8_t word = steps_.nearest(magnitude * factor, point_ + (log >> 8) - factor_bits);
  return sum < 0 ? negated(word, output_) : word;
}

LogSteps::LogSteps(const WordFormat& format, int log_bits) {
  const MagnitudeSteps magnitudes(format);
  for (const MagnitudeSteps::Step& step : magnitudes.steps()) {
    if (step.limit == 0) {
      steps_.push_back({std::numeric_limits<std::int32_t>::min(), step.word});
      continue;
    }
    const double log = std::ldexp(std::log2(static_cast<double>(step.limit)) + MagnitudeSteps::unit, log_bits);
    // Only of a power of two it is a whole number.
    const bool power = std::has_single_bit(static_cast<std::uint64_t>(step.limit));
    const auto least = static_cast<std::int32_t>(std::ceil(log)) + (power && !step.included ? 1 : 0);
    steps_.push_back({least, step.word});
  }
}

std::uint8_t LogSteps::nearest(std::int32_t log) const {
  const auto end = std::ranges::partition_point(steps_, [log](const Step& step) { return step.log <= log; });
  return end == steps_.begin() ? std::uint8_t{0} : std::prev(end)->word;
}

std::uint8_t negated(std::uint8_t word, const WordFormat& format) {
  if (word == 0) return 0;
  if (formats::is_sign_magnitude(format.family)) return static_cast<std::uint8_t>(word | (1u << (format.n - 1)));
  return static_cast<std::uint8_t>((~unsigned{word} + 1u) & ((2u << (format.n - 1)) - 1));
}

}  // namespace lpa::datapath
