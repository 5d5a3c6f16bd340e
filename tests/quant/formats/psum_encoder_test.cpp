#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/arithmetic.h"
#include "tests/quant/formats/oracle.h"

namespace lpa::formats {
namespace {

struct Case {
  std::string name;
  Arithmetic arithmetic;
  LpFormat output;
  int weight_bits = 8;
  int lsb = 0;
  int scale_q8 = 0;
};

/// The encoder as its definition reads: logs are doubles that hold their bits exactly, every word is looked at.
class Oracle {
 public:
  explicit Oracle(const Case& c) : case_(c) {
    const int bits = c.arithmetic.encoder_log_bits;
    for (int i = 0; i < 1 << bits; ++i) {
      // The index whose neighbourhood of half a unit log2(1 + i / 2^bits) lies in.
      const double value = 1 + std::ldexp(i, -bits);
      double log = std::round(std::ldexp(std::log2(value), bits));
      while (oracle::compare_with_exp2(value, std::ldexp(log + 0.5, -bits)) > 0) ++log;
      while (oracle::compare_with_exp2(value, std::ldexp(log - 0.5, -bits)) < 0) --log;
      table_.push_back(std::ldexp(log, -bits));
    }
    for (int word = c.output.minpos_word(); word <= c.output.maxpos_word(); ++word) {
      logs_.push_back(log2_q14(c.output, static_cast<Word>(word)) / 16384.0);
    }
  }

  Word operator()(const Psum& psum, bool* tie) const {
    if (psum.nar) return case_.output.nar_word();
    if (psum.value == 0) return 0;
    int exponent = 0;
    const double magnitude = std::abs(static_cast<double>(psum.value));
    const double significand = 2 * std::frexp(magnitude, &exponent);
    const double fraction = std::floor(std::ldexp(significand - 1, case_.arithmetic.encoder_log_bits));
    const bool aligned = case_.arithmetic.psum == PsumKind::aligned;
    const int weight = aligned ? psum.exponent - case_.arithmetic.widths(case_.weight_bits).fraction_bits : case_.lsb;
    const double log = exponent - 1 + weight + table_[static_cast<std::size_t>(fraction)] - case_.scale_q8 / 256.0;

    const int minpos = case_.output.minpos_word();
    if (case_.arithmetic.flush && log < logs_[0] - 1) return 0;
    int best = 0;
    for (int i = 1; i < static_cast<int>(logs_.size()); ++i) {
      const double gain =
          std::abs(logs_[static_cast<std::size_t>(best)] - log) - std::abs(logs_[static_cast<std::size_t>(i)] - log);
      if (gain > 0 || (gain == 0 && (minpos + i) % 2 == 0)) best = i;
      if (gain == 0 && log < logs_[static_cast<std::size_t>(i)]) *tie = true;
    }
    const int word = minpos + best;
    return static_cast<Word>(psum.value < 0 ? case_.output.word_count() - word : word);
  }

 private:
  Case case_;
  std::vector<double> table_;
  std::vector<double> logs_;
};

std::vector<Case> cases() {
  Arithmetic fine;
  fine.encoder_log_bits = 12;
  fine.flush = false;
  Arithmetic rough = arithmetic_preset("poster");
  rough.encoder_log_bits = 4;
  Arithmetic fixed = arithmetic_preset("fixed");
  const LpFormat eight{.n = 8, .es = 1, .rs = 3};
  const LpFormat terminated{.n = 8, .es = 2, .rs = 4, .regime = Regime::terminated};
  return {{"wide", {}, eight},
          {"wide, steep", {}, {.n = 8, .es = 0, .rs = 1}, 8, 0, -333},
          {"wide, plain posit", {}, {.n = 8, .es = 2, .rs = 7}, 8, 0, 77},
          {"wide, four bits", {}, {.n = 4, .es = 0, .rs = 2}, 4, 0, 1024},
          {"wide, two bits", {}, {.n = 2, .es = 0, .rs = 1}, 2, 0, 2048},
          {"terminated", {}, terminated, 8, 0, 5},
          {"fine table", fine, eight, 8, 0, 3},
          {"fine table, wide word", fine, {.n = 12, .es = 1, .rs = 3}, 8, 0, 3},
          {"rough table", rough, eight, 8, 0, -1},
          {"poster 4", rough, {.n = 4, .es = 1, .rs = 3}, 4, 0, 0},
          {"fixed", fixed, eight, 8, -12, 64},
          {"fixed, far", fixed, {.n = 8, .es = 5, .rs = 7}, 8, 100, -3000}};
}

TEST(PsumEncoder, EqualsBruteForceOnDenseSums) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const PsumEncoder encoder(c.arithmetic, c.output, c.weight_bits, c.lsb, c.scale_q8);
    const Oracle oracle(c);
    bool tie = false;
    const auto expect_same = [&](std::int32_t value, int exponent) {
      const Psum psum{value, static_cast<std::int16_t>(exponent), false};
      ASSERT_EQ(encoder(psum), oracle(psum, &tie)) << "value " << value << " exponent " << exponent;
    };
    for (const int exponent : {-8, 0, 3}) {
      for (std::int32_t value = 1; value < 4096; ++value) {
        ASSERT_NO_FATAL_FAILURE(expect_same(value, exponent));
        ASSERT_NO_FATAL_FAILURE(expect_same(-value, exponent));
      }
    }
    for (int exponent = -40; exponent <= 40; ++exponent) {
      for (std::int32_t value = 1 << 16; value < 1 << 17; value += 509) {
        ASSERT_NO_FATAL_FAILURE(expect_same(value, exponent));
      }
    }
    for (const std::int32_t value : {INT32_MIN, INT32_MIN + 1, INT32_MAX, -1, 1}) {
      ASSERT_NO_FATAL_FAILURE(expect_same(value, 0));
    }
  }
}

TEST(PsumEncoder, AChannelsScaleAddsToTheLayers) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const PsumEncoder encoder(c.arithmetic, c.output, c.weight_bits, c.lsb, c.scale_q8);
    for (const int own : {-32767, -700, -1, 0, 1, 255, 32767}) {
      const PsumEncoder sum(c.arithmetic, c.output, c.weight_bits, c.lsb, c.scale_q8 + own);
      for (std::int32_t value = -(1 << 20); value < 1 << 20; value += 1013) {
        const Psum psum{value, static_cast<std::int16_t>(value % 20), false};
        ASSERT_EQ(encoder(psum, own), sum(psum)) << "value " << value << " scale " << own;
      }
    }
  }
}

/// Scales place the log of one sum at every point of the 2^-8 grid around every limit between two words.
TEST(PsumEncoder, EveryTieGoesToTheEvenWord) {
  for (const LpFormat output : {LpFormat{.n = 8, .es = 1, .rs = 3}, LpFormat{.n = 4, .es = 1, .rs = 2},
                                LpFormat{.n = 8, .es = 0, .rs = 1}, LpFormat{.n = 8, .es = 3, .rs = 7}}) {
    for (int word = output.minpos_word(); word < output.maxpos_word(); ++word) {
      const auto lower = static_cast<Word>(word);
      const auto upper = static_cast<Word>(word + 1);
      const int middle_q8 = (log2_q14(output, lower) + log2_q14(output, upper)) / 128;
      const Psum one{1 << 16, 0, false};
      for (int offset = -1; offset <= 1; ++offset) {
        const Word even = upper % 2 == 0 ? upper : lower;
        const Word expected = offset < 0 ? lower : offset > 0 ? upper : even;
        const PsumEncoder encoder({}, output, 8, 0, -middle_q8 - offset);
        ASSERT_EQ(encoder(one), expected) << to_string(output) << " word " << word << " offset " << offset;
        ASSERT_EQ(encoder({-(1 << 16), 0, false}), output.word_count() - expected);
      }
    }
  }
}

/// The table's entries, seen through words so fine that each log is a word of its own.
TEST(PsumEncoder, LogTablesOfEveryWidthAreCorrectlyRounded) {
  for (int log_bits = 4; log_bits <= 12; ++log_bits) {
    SCOPED_TRACE(log_bits);
    Case c{"", {}, {.n = 14, .es = 0, .rs = 1}};
    c.arithmetic.encoder_log_bits = log_bits;
    const PsumEncoder encoder(c.arithmetic, c.output, 8, 0, 0);
    for (int i = 0; i < 1 << log_bits; ++i) {
      const double value = 1 + std::ldexp(i, -log_bits);
      const Word word = encoder({static_cast<std::int32_t>(std::ldexp(value, 16)), 0, false});
      const double log = log2_q14(c.output, word) / 16384.0;
      ASSERT_EQ(std::fmod(std::ldexp(log, log_bits), 1), 0);
      ASSERT_LE(oracle::compare_with_exp2(value, log + std::ldexp(0.5, -log_bits)), 0) << i;
      ASSERT_GE(oracle::compare_with_exp2(value, log - std::ldexp(0.5, -log_bits)), 0) << i;
    }
  }
}

TEST(PsumEncoder, FlushesBelowHalfOfMinpos) {
  const LpFormat output{.n = 4, .es = 0, .rs = 2};  // minpos is 2^-1.5.
  Arithmetic arithmetic;
  const auto encode_log_q8 = [&](int log_q8) {
    return PsumEncoder(arithmetic, output, 8, 0, -log_q8)({1 << 16, 0, false});
  };
  EXPECT_EQ(encode_log_q8(-640), 1);
  EXPECT_EQ(encode_log_q8(-641), 0);
  arithmetic.flush = false;
  EXPECT_EQ(encode_log_q8(-641), 1);
  EXPECT_EQ(encode_log_q8(-5000), 1);
}

TEST(PsumEncoder, ZeroIsZeroAndNaRIsNaR) {
  const LpFormat output{.n = 8, .es = 1, .rs = 3};
  for (const char* preset : {"wide", "fixed"}) {
    Arithmetic arithmetic = arithmetic_preset(preset);
    arithmetic.flush = false;
    const PsumEncoder encoder(arithmetic, output, 8, 0, 0);
    EXPECT_EQ(encoder(Psum{}), 0);
    EXPECT_EQ(encoder({0, 30, false}), 0);
    EXPECT_EQ(encoder({0, Psum::no_exponent, true}), output.nar_word());
  }
}

TEST(PsumEncoder, BehindThePostProcessingUnitReadsItsWidths) {
  Arithmetic arithmetic = arithmetic_preset("fixed");
  arithmetic.ppu = {6, 10};
  const LpFormat output{.n = 8, .es = 1, .rs = 3};
  const PsumEncoder encoder = PsumEncoder::for_ppu(arithmetic, output, 0);
  EXPECT_EQ(encoder({1 << 10, 0, false}), encode(output, 1, Rounding::nearest_log));
  EXPECT_EQ(encoder({-(3 << 9), 1, false}), encode(output, -3, Rounding::nearest_log));
}

/// A product of two words encoded in a format that can hold it comes back as that word.
TEST(PsumEncoder, ReturnsTheWordsThatOneTimesAWordGives) {
  for (const LpFormat format : {LpFormat{.n = 8, .es = 1, .rs = 3, .sf_q8 = 100}, LpFormat{.n = 4, .es = 0, .rs = 3}}) {
    const Accumulator accumulator({}, format.n);
    const PsumEncoder encoder({}, format, format.n, 0, 0);
    const Operand one{.log = 0, .negative = false, .zero = false};
    for (int word = 0; word < format.word_count(); ++word) {
      const Psum psum = accumulator.mac({}, one, to_operand(format, static_cast<Word>(word)));
      EXPECT_EQ(encoder(psum), word) << to_string(format);
    }
  }
}

}  // namespace
}  // namespace lpa::formats
