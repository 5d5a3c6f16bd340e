// Products, sums and encoders of words that are not logarithmic, against sums and roundings of real numbers.
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "quant/formats/arithmetic.h"
#include "quant/formats/format_error.h"
#include "quant/formats/gemm.h"
#include "quant/formats/number_system.h"

namespace lpa::formats {
namespace {

std::vector<TensorFormat> linear_formats() {
  std::vector<TensorFormat> formats;
  for (const auto system :
       {NumberSystem::integer, NumberSystem::ant, NumberSystem::adaptivfloat, NumberSystem::posit}) {
    for (const int bits : {8, 4, 2}) {
      for (const TensorFormat& format : formats_of(system, bits)) formats.push_back(format);
    }
  }
  return formats;
}

Arithmetic fixed(int bits) {
  Arithmetic arithmetic = arithmetic_preset("fixed");
  arithmetic.fixed_bits = bits;
  return arithmetic;
}

double value(const Operand& operand) {
  if (operand.zero) return 0;
  const double magnitude = std::ldexp(operand.significand, operand.log / 64);
  return operand.negative ? -magnitude : magnitude;
}

TEST(LinearArithmetic, OperandsAreTheWords) {
  for (const TensorFormat& format : linear_formats()) {
    for (int word = 0; word < format.word_count(); ++word) {
      const Operand operand = to_operand(format, static_cast<Word>(word));
      const double expected = decode(format, static_cast<Word>(word));
      ASSERT_EQ(operand.nar, std::isnan(expected)) << to_string(format) << ' ' << word;
      if (operand.nar) continue;
      ASSERT_EQ(value(operand), expected) << to_string(format) << ' ' << word;
      ASSERT_EQ(operand.log % 64, 0);
    }
  }
}

TEST(LinearArithmetic, EveryProductIsTruncatedAtTheLeastBitAndSaturates) {
  for (const TensorFormat& weight : linear_formats()) {
    for (const TensorFormat& activation : linear_formats()) {
      if (weight.family != activation.family) continue;
      for (const int bits : {32, 12}) {
        const int lsb = bits == 32 ? least_product_exponent(weight, activation) : 2;
        const Accumulator accumulator(fixed(bits), weight.n, lsb);
        const double most = std::ldexp(1, bits - 1) - 1;
        for (int w = 0; w < weight.word_count(); ++w) {
          for (int a = 0; a < activation.word_count(); ++a) {
            const Operand x = to_operand(weight, static_cast<Word>(w)),
                          y = to_operand(activation, static_cast<Word>(a));
            if (x.nar || y.nar) continue;
            AccumulateEvents events;
            const Psum sum = accumulator.mac({-5, 0, false}, x, y, &events);
            const double product = std::trunc(std::ldexp(value(x) * value(y), -lsb));
            ASSERT_TRUE(bits != 32 || product == std::ldexp(value(x) * value(y), -lsb)) << to_string(weight);
            const double expected = -5 + product;
            ASSERT_EQ(sum.value, std::max(-most - 1, std::min(most, expected))) << to_string(weight) << w << ' ' << a;
            ASSERT_EQ(events.saturations, expected > most || expected < -most - 1 ? 1u : 0u);
          }
        }
      }
    }
  }
}

/// The word that is nearest to x; of two equally near ones the even one, of two alike the smaller; an adaptivfloat
/// rather than zero.
Word nearest(const TensorFormat& format, long double x) {
  Word best = 0;
  long double least = std::fabs(x);
  for (int code = 1; code < format.word_count(); ++code) {
    const auto word = static_cast<Word>(code);
    if (word == format.nar_word()) continue;
    const long double distance = std::fabs(static_cast<long double>(decode(format, word)) - x);
    bool wins = distance < least;
    if (distance == least) {
      if (best == 0) {
        wins = format.family == Family::adaptivfloat;
      } else if (word % 2 != best % 2) {
        wins = word % 2 == 0;
      } else {
        wins = std::abs(decode(format, word)) < std::abs(decode(format, best));
      }
    }
    if (!wins) continue;
    best = word;
    least = distance;
  }
  return best;
}

TEST(LinearArithmetic, TheArraysEncoderMultipliesAndTakesTheNearestWord) {
  const unsigned seed = 20261127;
  std::mt19937_64 random(seed);
  for (const TensorFormat& format : linear_formats()) {
    for (int i = 0; i < 3000; ++i) {
      const int lsb = static_cast<int>(random() % 30) - 20;
      const int scale_q8 = static_cast<int>(random() % 8192) - 4096,
                channel_q8 = static_cast<int>(random() % 512) - 256;
      const PsumEncoder encoder(fixed(32), format, 8, lsb, scale_q8);
      for (int j = 0; j < 8; ++j) {
        const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) >> (random() % 32));
        const int log = -(scale_q8 + channel_q8);
        const int fraction = log & 255;
        const auto factor = std::round(std::exp2(fraction / 256.0L) * 32768);
        const long double real = std::ldexp(factor * sum, lsb + (log - fraction) / 256 - 15);
        const Word expected = format.family == Family::posit
                                  ? encode(PositFormat{format.n, format.es}, static_cast<double>(real))
                                  : nearest(format, real);
        ASSERT_EQ(encoder({sum, 0, false}, channel_q8), expected)
            << to_string(format) << ", sum " << sum << ", lsb " << lsb << ", scale " << scale_q8 << " + " << channel_q8
            << ", seed " << seed;
      }
    }
    EXPECT_EQ(PsumEncoder(fixed(32), format, 8, 0, 0)({0, 0, false}), 0);
  }
}

TEST(LinearArithmetic, TiesGoWhereTheFormatSays) {
  const auto word = [](const TensorFormat& format, int sum, int lsb) {
    return PsumEncoder(fixed(32), format, 8, lsb, 0)({sum, 0, false});
  };
  const TensorFormat integer(Family::integer, 8, 0, 0), flint(Family::flint, 4, 0, 0),
      af(Family::adaptivfloat, 8, 4, 0);
  EXPECT_EQ(word(integer, 1, -1), 0);
  EXPECT_EQ(word(integer, 3, -1), 2);
  EXPECT_EQ(word(integer, 5, -1), 2);
  EXPECT_EQ(word(integer, -5, -1), 0xfe);
  EXPECT_EQ(word(integer, 1000, 0), 127);
  EXPECT_EQ(word(integer, -1000, 0), 0x81);
  EXPECT_EQ(decode(flint, word(flint, 5, 0)), 4);    // Between 4 (110) and 6 (111).
  EXPECT_EQ(decode(flint, word(flint, 12, 0)), 16);  // Between 8 (101) and 16 (100).
  EXPECT_EQ(word(af, 9, -4), 1);                     // Half of the smallest magnitude, 9/8.
  EXPECT_EQ(word(af, -9, -4), 0x81);
  EXPECT_EQ(word(af, 17, -5), 0);
}

TEST(LinearArithmetic, ThePostProcessingUnitTakesTheWordNearestToThePower) {
  for (const TensorFormat& format : linear_formats()) {
    const PsumEncoder encoder = PsumEncoder::for_ppu(arithmetic_preset("fixed"), format, 0);
    for (int log = -30 * 256; log <= 30 * 256; ++log) {
      const double real = std::exp2(log / 256.0);
      const Word expected =
          format.family == Family::posit ? encode(PositFormat{format.n, format.es}, real) : nearest(format, real);
      ASSERT_EQ(encoder.from_log(false, log), expected) << to_string(format) << ' ' << log;
      const Word negative =
          format.family == Family::posit ? encode(PositFormat{format.n, format.es}, -real) : nearest(format, -real);
      ASSERT_EQ(encoder.from_log(true, log), negative) << to_string(format) << ' ' << log;
    }
  }
}

TEST(LinearArithmetic, LogarithmsOfSignificandsAreRounded) {
  const TensorFormat format(Family::integer, 8, 0, 300);
  for (int word = 1; word < 128; ++word) {
    const Operand operand = to_operand(format, static_cast<Word>(word));
    EXPECT_EQ(scaled_log_q8(format, operand), std::lround(256 * std::log2(word)) - 300) << word;
  }
}

TEST(LinearArithmetic, AGemmIsTheAccumulatorOverAllSteps) {
  const unsigned seed = 5;
  std::mt19937_64 random(seed);
  constexpr std::size_t depth = 75, positions = 37, channels = 41;
  for (const TensorFormat& weight : linear_formats()) {
    for (const TensorFormat& activation : linear_formats()) {
      const bool ant = weight.n == 4 && activation.family == Family::integer;
      if (weight.family != activation.family && !ant) continue;
      for (const int bits : {32, 14}) {
        for (const bool any_word : {false, true}) {
          const int lsb = least_product_exponent(weight, activation) + (bits == 32 ? 0 : 3);
          const GemmKernel kernel(fixed(bits), weight, activation, lsb);
          if (bits == 32) {
            const char* name = weight.n == 8 ? "floats" : weight.n == 4 ? "table" : "ternary";
            EXPECT_TRUE(kernel.name() == name || kernel.name() == "table" || kernel.name() == "ordered");
          }
          const auto draw = [&](const TensorFormat& format) {
            const auto word = static_cast<Word>(random() % static_cast<unsigned>(format.word_count()));
            return word == format.nar_word() && !(any_word && random() % 8 == 0) ? Word{1} : word;
          };
          GemmWeights weights(kernel, depth, channels);
          GemmPanel panel(kernel, depth, positions);
          std::vector<std::vector<Word>> w(depth, std::vector<Word>(channels)), a(depth, std::vector<Word>(positions));
          for (std::size_t k = 0; k < depth; ++k) {
            for (Word& word : w[k]) word = draw(weight);
            for (Word& word : a[k]) word = draw(activation);
            weights.set_row(k, std::span<const Word>(w[k]));
            panel.set(k, 0, std::span<const Word>(a[k]));
          }
          std::vector<Psum> start(channels, kernel.scalar().start({1 << 24, 3})), sums(positions * channels);
          AccumulateEvents events, expected_events;
          kernel.run(panel, 0, positions, weights, start, sums, events);
          for (std::size_t p = 0; p < positions; ++p) {
            for (std::size_t n = 0; n < channels; ++n) {
              Psum sum = start[n];
              for (std::size_t k = 0; k < depth; ++k) {
                sum = kernel.scalar().mac(sum, to_operand(weight, w[k][n]), to_operand(activation, a[k][p]),
                                          &expected_events);
              }
              ASSERT_EQ(sums[p * channels + n], sum)
                  << to_string(weight) << " times " << to_string(activation) << " by " << kernel.name() << ", " << bits
                  << " bits, position " << p << ", channel " << n << ", seed " << seed;
            }
          }
          EXPECT_EQ(events.saturations, expected_events.saturations);
          EXPECT_EQ(events.nar_products, expected_events.nar_products);
        }
      }
    }
  }
}

TEST(LinearArithmetic, AGemmRefusesAlignedSumsAndOtherKindsOfWords) {
  const TensorFormat integer(Family::integer, 8, 0, 0), lp = LpFormat{};
  EXPECT_THROW(GemmKernel(arithmetic_preset("wide"), integer, integer), FormatError);
  EXPECT_THROW(GemmKernel(fixed(32), integer, lp), FormatError);
  EXPECT_THROW(GemmKernel(fixed(32), lp, integer), FormatError);
}

}  // namespace
}  // namespace lpa::formats
