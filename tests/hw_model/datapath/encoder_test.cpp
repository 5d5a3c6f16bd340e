#include "hw_model/datapath/encoder.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "quant/formats/arithmetic.h"
#include "tests/hw_model/datapath/hardware_formats.h"

namespace lpa::datapath {
namespace {

using formats::Arithmetic;
using formats::LpFormat;
using formats::Psum;

constexpr std::int32_t one_q12 = 1 << 12;

/// Whether an encoder may produce the positive word: in a terminated regime no run reaches rs.
bool produced(const LpFormat& format, int word) {
  if (format.regime == formats::Regime::bounded) return true;
  const formats::WordFields fields = formats::decode_fields(format, static_cast<formats::Word>(word));
  return fields.k >= -(format.rs - 1) && fields.k <= format.rs - 2;
}

/// The positive words that an encoder may produce, with their logarithms in units of 2^-12.
struct Grid {
  explicit Grid(const LpFormat& format) {
    for (int word = 1; word < (1 << (format.n - 1)); ++word) {
      if (!produced(format, word)) continue;
      words.push_back(word);
      logs.push_back(formats::log2_q14(format, static_cast<formats::Word>(word)) / 4);
    }
  }
  /// The nearest word by trying all of them; a tie goes to the even word.
  int nearest(std::int32_t log, bool flush) const {
    if (flush && log < logs.front() - one_q12) return 0;
    std::size_t best = 0;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::int32_t distance = std::abs(log - logs[i]) - std::abs(log - logs[best]);
      if (distance < 0 || (distance == 0 && words[i] % 2 == 0)) best = i;
    }
    return words[best];
  }
  std::vector<int> words;
  std::vector<std::int32_t> logs;
};

/// A sum's logarithm as the contract has it, in doubles: the bits below the leading one truncated, log2 rounded.
std::int32_t log_oracle(std::uint32_t magnitude, int exponent_of_lsb, int log_bits) {
  int leading = 0;
  std::frexp(static_cast<double>(magnitude), &leading);
  --leading;
  const double significand = std::ldexp(magnitude, -leading);
  const double truncated = std::floor(std::ldexp(significand - 1, log_bits));
  const double rounded = std::nearbyint(std::ldexp(std::log2(1 + std::ldexp(truncated, -log_bits)), log_bits));
  return (leading + exponent_of_lsb) * one_q12 + static_cast<std::int32_t>(std::ldexp(rounded, 12 - log_bits));
}

Arithmetic with(bool flush, int log_bits = 8) {
  Arithmetic arithmetic;
  arithmetic.flush = flush;
  arithmetic.encoder_log_bits = log_bits;
  return arithmetic;
}

int negated(const LpFormat& format, int word) {
  return word == 0 ? 0 : (1 << format.n) - word;
}

class Flush : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Switch, Flush, ::testing::Bool(), [](const auto& test) { return test.param ? "on" : "off"; });

TEST_P(Flush, EveryFormatAtEveryWordEveryTieAndOneStepBesideThem) {
  // The scale moves the sum 1.0 to any logarithm in steps of 2^-8; words stand on steps of 2^-6, ties on 2^-7.
  const Arithmetic arithmetic = with(GetParam());
  const LinearLogConverter converter(8);
  for (const LpFormat& format : test::hardware_formats()) {
    const Grid grid(format);
    std::vector<std::int32_t> logs_q8;
    const auto around = [&logs_q8](std::int32_t log_q12) {
      for (int step = -2; step <= 2; ++step) logs_q8.push_back(log_q12 / 16 + step);
    };
    for (std::size_t i = 0; i < grid.words.size(); ++i) {
      around(grid.logs[i]);
      if (i > 0) around((grid.logs[i - 1] + grid.logs[i]) / 2);
    }
    around(grid.logs.front() - one_q12);  // Where flush begins.
    around(grid.logs.front() - 100 * one_q12);
    around(grid.logs.back() + 100 * one_q12);
    for (const std::int32_t log_q8 : logs_q8) {
      const Encoder encoder(converter, arithmetic, to_word_format(format), 8, 0, -log_q8);
      const int expected = grid.nearest(log_q8 * 16, GetParam());
      ASSERT_EQ(encoder(Psum{65536, 0, false}), expected) << to_string(format) << " log2 " << log_q8 / 256.0;
      ASSERT_EQ(encoder(Psum{-65536, 0, false}), negated(format, expected))
          << to_string(format) << " negative, log2 " << log_q8 / 256.0;
    }
  }
}

TEST_P(Flush, EverySmallMagnitudeAndManyExponentsEqualOracleAndScalarModel) {
  struct Case {
    int log_bits, scale_q8;
  };
  for (const auto& [log_bits, scale_q8] : {Case{8, 0}, {8, 37}, {4, -1001}, {10, 13}, {12, 259}}) {
    const Arithmetic arithmetic = with(GetParam(), log_bits);
    const LinearLogConverter converter(log_bits);
    for (const LpFormat& format : test::hardware_formats()) {
      // The scalar model takes long to build its wide tables.
      if (log_bits > 8 && (format.rs != 3 || format.es > 2)) continue;
      const Grid grid(format);
      const Encoder encoder(converter, arithmetic, to_word_format(format), 8, 0, scale_q8);
      const formats::PsumEncoder golden(arithmetic, format, 8, 0, scale_q8);
      for (std::int32_t magnitude = 1; magnitude < 1100; ++magnitude) {
        // The exponents sweep the format's range and leave it at both ends.
        const int exponent = (magnitude * 7) % (4 << format.es) - (2 << format.es) + (magnitude % 3) * 6;
        const int expected = grid.nearest(
            log_oracle(static_cast<std::uint32_t>(magnitude), exponent - 16, log_bits) - scale_q8 * 16, GetParam());
        for (const std::int32_t value : {magnitude, -magnitude}) {
          const Psum psum{value, static_cast<std::int16_t>(exponent), false};
          ASSERT_EQ(encoder(psum), value > 0 ? expected : negated(format, expected))
              << to_string(format) << " value " << value << " exponent " << exponent << " log_bits " << log_bits;
          ASSERT_EQ(encoder(psum), golden(psum)) << to_string(format) << " value " << value << " exponent " << exponent;
        }
      }
    }
  }
}

TEST_P(Flush, RandomSumsOfAllWidthsEqualTheScalarModel) {
  constexpr std::uint64_t seed = 99;
  std::mt19937_64 random(seed);
  Arithmetic fixed = formats::arithmetic_preset("fixed"), poster = formats::arithmetic_preset("poster");
  fixed.flush = poster.flush = GetParam();
  for (const Arithmetic& arithmetic : {with(GetParam()), poster, fixed}) {
    const LinearLogConverter converter(arithmetic.encoder_log_bits);
    for (const LpFormat& format : test::hardware_formats()) {
      const int mode = 2 << (random() % 3);
      const int lsb = static_cast<int>(random() % 60) - 40;
      const int scale_q8 = static_cast<int>(random() % 8192) - 4096;
      const Encoder encoder(converter, arithmetic, to_word_format(format), mode, lsb, scale_q8);
      const auto own_q8 = static_cast<std::int16_t>(random() % 2 == 0 ? 0 : static_cast<int>(random() % 65535) - 32767);
      const formats::PsumEncoder golden(arithmetic, format, mode, lsb, scale_q8 + own_q8);
      for (int i = 0; i < 2000; ++i) {
        const auto value = static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) >> (random() % 32));
        const Psum psum{(random() & 1) != 0 ? value : -(value & 0x7fffffff),
                        static_cast<std::int16_t>(static_cast<int>(random() % 200) - 100), false};
        ASSERT_EQ(encoder(psum, own_q8), golden(psum))
            << "seed " << seed << ' ' << to_string(format) << " mode " << mode << " lsb " << lsb << " scale_q8 "
            << scale_q8 << " + " << own_q8 << " value " << psum.value << " exponent " << psum.exponent;
      }
    }
  }
}

TEST_P(Flush, BehindThePpuItEqualsTheScalarModel) {
  constexpr std::uint64_t seed = 5;
  std::mt19937_64 random(seed);
  Arithmetic arithmetic = formats::arithmetic_preset("fixed");  // The PPU's adder is aligned whatever the PEs are.
  arithmetic.flush = GetParam();
  arithmetic.ppu = {10, 12};
  const LinearLogConverter converter(arithmetic.encoder_log_bits);
  for (const LpFormat& format : test::hardware_formats()) {
    const int scale_q8 = static_cast<int>(random() % 4096) - 2048;
    const Encoder encoder = Encoder::for_ppu(converter, arithmetic, to_word_format(format), scale_q8);
    const formats::PsumEncoder golden = formats::PsumEncoder::for_ppu(arithmetic, format, scale_q8);
    for (int i = 0; i < 1000; ++i) {
      const Psum psum{static_cast<std::int32_t>(random() % (1 << 22)) - (1 << 21),
                      static_cast<std::int16_t>(static_cast<int>(random() % 60) - 30), false};
      ASSERT_EQ(encoder(psum), golden(psum)) << "seed " << seed << ' ' << to_string(format) << " value " << psum.value;
    }
  }
}

TEST(Encoder, AZeroSumIsZeroAndNarIsNarInEveryFormat) {
  const LinearLogConverter converter(8);
  for (const LpFormat& format : test::hardware_formats()) {
    const Encoder encoder(converter, Arithmetic{}, to_word_format(format), 8, 0, 100);
    EXPECT_EQ(encoder(Psum{}), 0) << to_string(format);
    EXPECT_EQ(encoder(Psum{0, 40, false}), 0) << to_string(format);
    EXPECT_EQ(encoder(Psum{1, 3, true}), 1u << (format.n - 1)) << to_string(format);
  }
}

TEST(Encoder, TheMostNegativeSumHasAMagnitudeOf32Bits) {
  const LinearLogConverter converter(8);
  const Encoder encoder(converter, Arithmetic{}, {.n = 8, .es = 2, .rs = 7}, 8, 0, 0);
  // -2^31 * 2^-16 = -2^15: k = 3, e = 3: 0 11110 11 -> its two's complement.
  EXPECT_EQ(encoder(Psum{std::numeric_limits<std::int32_t>::min(), 0, false}), 256 - 0b01111011);
}

TEST(Encoder, ATieGoesToTheEvenWord) {
  const LinearLogConverter converter(8);
  // LP<4,0,2>: words 1..7 are -1.5, -1, ... 1.5; the scale moves the sum 1.0 to log2 = -scale / 256.
  const auto at = [&](int log_q8) {
    return Encoder(converter, Arithmetic{}, {.n = 4, .es = 0, .rs = 2}, 8, 0, -log_q8)(Psum{65536, 0, false});
  };
  EXPECT_EQ(at(64), 4) << "0.25 lies between word 4 (0) and word 5 (0.5)";
  EXPECT_EQ(at(65), 5);
  EXPECT_EQ(at(192), 6) << "0.75 lies between word 5 (0.5) and word 6 (1)";
  EXPECT_EQ(at(191), 5);
}

TEST(Encoder, FlushBeginsBelowHalfOfMinpos) {
  const LinearLogConverter converter(8);
  const auto at = [&](int log_q8, bool flush) {
    return Encoder(converter, with(flush), {.n = 4, .es = 0, .rs = 2}, 8, 0, -log_q8)(Psum{-65536, 0, false});
  };
  constexpr int half_minpos = -5 * 128;  // -1.5 - 1
  EXPECT_EQ(at(half_minpos, true), 15) << "-minpos";
  EXPECT_EQ(at(half_minpos - 1, true), 0);
  EXPECT_EQ(at(half_minpos - 1, false), 15);
}

TEST(Encoder, ATerminatedRegimeSaturatesBeforeARunReachesRs) {
  const LinearLogConverter converter(8);
  const WordFormat format{.n = 8, .es = 0, .rs = 3, .regime = formats::Regime::terminated};
  const Encoder encoder(converter, with(false), format, 8, 0, 0);
  EXPECT_EQ(encoder(Psum{65536, 100, false}), 0b01101111);
  EXPECT_EQ(encoder(Psum{65536, -100, false}), 0b00010000);
}

TEST(Encoder, AFixedSumsExponentIsTheLayersLsb) {
  const LinearLogConverter converter(8);
  const Arithmetic fixed = formats::arithmetic_preset("fixed");
  const WordFormat format{.n = 8, .es = 2, .rs = 7};
  const Encoder encoder(converter, fixed, format, 8, -5, 0);
  EXPECT_EQ(encoder(Psum{32, 0, false}), 0b01000000) << "32 * 2^-5 = 1";
  EXPECT_EQ(encoder(Psum{32, Psum::no_exponent, false}), 0b01000000) << "the sum's exponent is not looked at";
}

}  // namespace
}  // namespace lpa::datapath
