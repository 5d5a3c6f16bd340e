#include "quant/formats/arithmetic.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/quant/formats/oracle.h"

namespace lpa::formats {
namespace {

/// 2^(index / 256) as the converter of the page gives it, with lf_bits fraction bits.
double oracle_lf(Converter converter, int index, int lf_bits) {
  if (converter == Converter::mitchell) return std::floor(std::ldexp(1 + index / 256.0, lf_bits));
  return floor(ldexp(oracle::exp2_fraction_q8(index), lf_bits) + 0.5).convert_to<double>();
}

/// The arithmetic on doubles that hold integers below 2^53: no shifts, no words.
class Oracle {
 public:
  Oracle(const Arithmetic& arithmetic, int weight_bits, int lsb) : arithmetic_(arithmetic), lsb_(lsb) {
    const AlignedWidths widths = arithmetic.widths(weight_bits);
    fraction_ = widths.fraction_bits;
    bits_ = arithmetic.psum == PsumKind::aligned ? fraction_ + widths.integer_bits : arithmetic.fixed_bits;
    for (int i = 0; i < 256; ++i) lf_.push_back(oracle_lf(arithmetic.converter, i, arithmetic.lf_bits));
  }

  Psum mac(const Psum& psum, const Operand& w, const Operand& a, AccumulateEvents& events) const {
    if (w.nar || a.nar) {
      ++events.nar_products;
      return nar();
    }
    if (psum.nar) return nar();
    if (w.zero || a.zero) return psum;
    return add(psum, 4 * (w.log + a.log), w.negative != a.negative, events);
  }

  Psum add(const Psum& psum, int log_q8, bool negative, AccumulateEvents& events) const {
    if (psum.nar) return nar();
    const int exponent = static_cast<int>(std::floor(log_q8 / 256.0));
    const double lf = lf_[static_cast<std::size_t>(log_q8 - 256 * exponent)] * (negative ? -1 : 1);
    if (arithmetic_.psum == PsumKind::fixed) {
      return {clamp(psum.value + std::trunc(std::ldexp(lf, exponent - arithmetic_.lf_bits - lsb_)), events), 0, false};
    }
    const int kept = std::max<int>(exponent, psum.exponent);
    const double product = std::trunc(std::ldexp(lf, fraction_ - arithmetic_.lf_bits + exponent - kept));
    const double sum = std::trunc(std::ldexp(psum.value, psum.exponent - kept));
    return {clamp(sum + product, events), static_cast<std::int16_t>(kept), false};
  }

  Psum start(const BiasTerm& bias) const {
    AccumulateEvents ignored;
    if (arithmetic_.psum == PsumKind::fixed) {
      return {clamp(std::trunc(std::ldexp(bias.mantissa, bias.exponent - 24 - lsb_)), ignored), 0, false};
    }
    if (bias.mantissa == 0) return {};
    return {clamp(std::trunc(std::ldexp(bias.mantissa, fraction_ - 24)), ignored), bias.exponent, false};
  }

 private:
  Psum nar() const { return {0, arithmetic_.psum == PsumKind::fixed ? std::int16_t{0} : Psum::no_exponent, true}; }

  std::int32_t clamp(double value, AccumulateEvents& events) const {
    const double limit = std::ldexp(1.0, bits_ - 1);
    const double fitting = std::min(std::max(value, -limit), limit - 1);
    events.saturations += fitting != value;
    return static_cast<std::int32_t>(fitting);
  }

  Arithmetic arithmetic_;
  int lsb_;
  int fraction_;
  int bits_;
  std::vector<double> lf_;
};

struct Machine {
  std::string name;
  Arithmetic arithmetic;
  int weight_bits = 8;
  int lsb = 0;
};

std::vector<Machine> machines() {
  std::vector<Machine> all = {{"wide", arithmetic_preset("wide")},
                              {"poster 8", arithmetic_preset("poster"), 8},
                              {"poster 4", arithmetic_preset("poster"), 4},
                              {"poster 2", arithmetic_preset("poster"), 2},
                              {"fixed", arithmetic_preset("fixed"), 8, -12},
                              {"fixed, coarse", arithmetic_preset("fixed"), 8, 6},
                              {"fixed, saturating", arithmetic_preset("fixed"), 8, -27}};
  Machine mitchell{"mitchell", {}};
  mitchell.arithmetic.converter = Converter::mitchell;
  Machine narrow{"narrow fixed", arithmetic_preset("fixed"), 4, -2};
  narrow.arithmetic.fixed_bits = 8;
  Machine cut{"more lf than fraction", {}, 2};
  cut.arithmetic.lf_bits = 16;
  cut.arithmetic.aligned[2] = {3, 5};
  Machine rough{"one bit of lf", {}, 8};
  rough.arithmetic.lf_bits = 1;
  rough.arithmetic.aligned[0] = {2, 30};
  all.insert(all.end(), {mitchell, narrow, cut, rough});
  return all;
}

const std::vector<LpFormat> operand_formats = {
    {.n = 8, .es = 0, .rs = 7}, {.n = 8, .es = 1, .rs = 3}, {.n = 8, .es = 2, .rs = 5}, {.n = 8, .es = 5, .rs = 7},
    {.n = 4, .es = 0, .rs = 2}, {.n = 4, .es = 1, .rs = 3}, {.n = 2, .es = 0, .rs = 1}, {.n = 8, .es = 0, .rs = 1}};

TEST(Converter, TablesAreCorrectlyRounded) {
  for (const Converter converter : {Converter::exact_table, Converter::mitchell}) {
    for (int lf_bits = 1; lf_bits <= 16; ++lf_bits) {
      Arithmetic arithmetic;
      arithmetic.converter = converter;
      arithmetic.lf_bits = lf_bits;
      const Accumulator accumulator(arithmetic, 8);
      const auto& table = accumulator.lf_table();
      for (int i = 0; i < 256; ++i) {
        ASSERT_EQ(table[static_cast<std::size_t>(i)], oracle_lf(converter, i, lf_bits))
            << lf_bits << " bits, entry " << i;
      }
    }
  }
}

TEST(Converter, MatchesThePublishedTables) {
  Arithmetic arithmetic;
  const auto fractions = [&](int index_bits, int lf_bits) {
    arithmetic.lf_bits = lf_bits;
    const Accumulator accumulator(arithmetic, 8);
    const auto& table = accumulator.lf_table();
    std::vector<int> result;
    for (std::size_t i = 0; i < 256; i += 256u >> index_bits) result.push_back(table[i] - (1 << lf_bits));
    return result;
  };
  EXPECT_THAT(fractions(4, 5), testing::ElementsAre(0, 1, 3, 4, 6, 8, 9, 11, 13, 15, 17, 20, 22, 24, 27, 29));
  EXPECT_THAT(fractions(5, 8),
              testing::ElementsAre(0, 6, 11, 17, 23, 29, 36, 42, 48, 55, 62, 69, 76, 83, 91, 98, 106, 114, 122, 130,
                                   139, 147, 156, 165, 175, 184, 194, 203, 214, 224, 234, 245));
}

TEST(Operand, IsTheLogOfEveryWord) {
  for (const LpFormat& format : operand_formats) {
    for (int word = 0; word < format.word_count(); ++word) {
      const Operand operand = to_operand(format, static_cast<Word>(word));
      const double value = decode(format, static_cast<Word>(word));
      ASSERT_EQ(operand.nar, std::isnan(value));
      ASSERT_EQ(operand.zero, value == 0);
      if (operand.nar || operand.zero) {
        ASSERT_EQ(operand.log, 0);
        ASSERT_FALSE(operand.negative);
        continue;
      }
      ASSERT_EQ(operand.negative, value < 0);
      ASSERT_DOUBLE_EQ(std::exp2(operand.log / 64.0), std::abs(value));
    }
  }
  EXPECT_THROW(to_operand(LpFormat{.n = 9, .es = 0, .rs = 8}, 0), FormatError);
}

TEST(Accumulator, ProductsOfAllPairsOfWords) {
  for (const Machine& machine : machines()) {
    const Accumulator accumulator(machine.arithmetic, machine.weight_bits, machine.lsb);
    const Oracle oracle(machine.arithmetic, machine.weight_bits, machine.lsb);
    const Psum empty = accumulator.start({});
    for (const LpFormat& format : operand_formats) {
      for (int w = 0; w < format.word_count(); ++w) {
        for (int a = 0; a < format.word_count(); ++a) {
          const Operand weight = to_operand(format, static_cast<Word>(w));
          const Operand activation = to_operand(format, static_cast<Word>(a));
          AccumulateEvents events, expected_events;
          const Psum psum = accumulator.mac(empty, weight, activation, &events);
          const Psum expected = oracle.mac(empty, weight, activation, expected_events);
          ASSERT_EQ(psum, expected) << machine.name << ' ' << to_string(format) << ' ' << w << " x " << a;
          ASSERT_EQ(events.saturations, expected_events.saturations);
          ASSERT_EQ(events.nar_products, expected_events.nar_products);
        }
      }
    }
  }
}

TEST(Accumulator, WideProductsAreAccurateToHalfAnLf) {
  const Accumulator accumulator(arithmetic_preset("wide"), 8);
  const LpFormat format{.n = 8, .es = 1, .rs = 4};
  for (int w = 1; w <= format.maxpos_word(); ++w) {
    for (int a = 1; a <= format.maxpos_word(); ++a) {
      const Psum psum =
          accumulator.mac({}, to_operand(format, static_cast<Word>(w)), to_operand(format, static_cast<Word>(a)));
      const double real = decode(format, static_cast<Word>(w)) * decode(format, static_cast<Word>(a));
      ASSERT_NEAR(std::ldexp(psum.value, psum.exponent - 16) / real, 1, std::ldexp(1.0, -9)) << w << " x " << a;
    }
  }
}

TEST(Accumulator, ChainsEqualTheOracle) {
  for (const Machine& machine : machines()) {
    const std::uint32_t seed = 99;
    SCOPED_TRACE(machine.name + ", seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const Accumulator accumulator(machine.arithmetic, machine.weight_bits, machine.lsb);
    const Oracle oracle(machine.arithmetic, machine.weight_bits, machine.lsb);
    for (int chain = 0; chain < 300; ++chain) {
      const LpFormat& of_weight = operand_formats[random() % operand_formats.size()];
      const LpFormat& of_activation = operand_formats[random() % operand_formats.size()];
      const auto draw = [&random](const LpFormat& format) {
        const auto word = static_cast<Word>(random() % static_cast<unsigned>(format.word_count()));
        const bool keep = word != format.nar_word() || random() % 50 == 0;
        return to_operand(format, keep ? word : format.zero_word());
      };
      const double bias =
          std::ldexp(std::uniform_real_distribution<>(-2, 2)(random), static_cast<int>(random() % 50) - 30);
      const BiasTerm term = chain % 3 == 0 ? BiasTerm{} : to_bias_term(bias, static_cast<int>(random() % 512) - 256);
      Psum psum = accumulator.start(term);
      ASSERT_EQ(psum, oracle.start(term));
      AccumulateEvents events, expected_events;
      Psum expected = psum;
      for (int k = 0; k < 60; ++k) {
        const Operand weight = draw(of_weight);
        const Operand activation = draw(of_activation);
        psum = accumulator.mac(psum, weight, activation, &events);
        expected = oracle.mac(expected, weight, activation, expected_events);
        ASSERT_EQ(psum, expected) << "chain " << chain << " step " << k;
      }
      ASSERT_EQ(events.saturations, expected_events.saturations);
      ASSERT_EQ(events.nar_products, expected_events.nar_products);
    }
  }
}

TEST(Accumulator, AddsRealLogsInThePostProcessingUnit) {
  Arithmetic arithmetic = arithmetic_preset("fixed");
  arithmetic.ppu = {6, 10};
  Arithmetic as_ppu = arithmetic_preset("wide");
  as_ppu.aligned[0] = {6, 10};
  const Accumulator ppu = Accumulator::for_ppu(arithmetic);
  const Oracle oracle(as_ppu, 8, 0);
  std::mt19937 random(3);
  Psum psum = ppu.start({});
  AccumulateEvents events, expected_events;
  Psum expected = psum;
  EXPECT_EQ(psum, Psum{});
  for (int i = 0; i < 5000; ++i) {
    if (i % 40 == 0) psum = expected = ppu.start({});
    const int log = static_cast<int>(random() % 2048) - 1024;
    const bool negative = random() % 2 == 0;
    psum = ppu.add(psum, log, negative, &events);
    expected = oracle.add(expected, log, negative, expected_events);
    ASSERT_EQ(psum, expected) << "seed 3, step " << i;
  }
  EXPECT_EQ(events.saturations, expected_events.saturations);
}

TEST(Accumulator, NaRIsForGood) {
  const Operand one{.log = 0, .negative = false, .zero = false};
  const Operand nar{.log = 0, .negative = false, .zero = false, .nar = true};
  for (const char* preset : {"wide", "fixed"}) {
    const Accumulator accumulator(arithmetic_preset(preset), 8);
    AccumulateEvents events;
    Psum psum = accumulator.mac(accumulator.start(to_bias_term(1, 0)), one, nar, &events);
    EXPECT_TRUE(psum.nar);
    EXPECT_EQ(psum.value, 0);
    EXPECT_EQ(accumulator.mac(psum, one, one, &events), psum);
    EXPECT_EQ(accumulator.mac(psum, Operand{}, one, &events), psum);
    EXPECT_TRUE(accumulator.mac(accumulator.start({}), Operand{}, nar, &events).nar) << "zero times NaR";
    EXPECT_EQ(events.nar_products, 2u);
    EXPECT_EQ(events.saturations, 0u);
  }
}

TEST(Accumulator, CancelledSumsKeepTheirExponent) {
  const Accumulator accumulator({}, 8);
  const Operand big{.log = 640, .negative = false, .zero = false};
  const Operand minus_one{.log = 0, .negative = true, .zero = false};
  const Operand one{.log = 0, .negative = false, .zero = false};
  const Psum psum = accumulator.mac(accumulator.mac({}, big, one), big, minus_one);
  EXPECT_EQ(psum, (Psum{0, 10, false}));
}

TEST(BiasTerm, TruncatesTheScaledValue) {
  std::mt19937 random(17);
  for (int i = 0; i < 3000; ++i) {
    const double value =
        std::ldexp(std::uniform_real_distribution<>(-1, 1)(random), static_cast<int>(random() % 80) - 40);
    const int scale = static_cast<int>(random() % 4096) - 2048;
    const BiasTerm term = to_bias_term(value, scale);
    const oracle::Wide scaled = abs(oracle::Wide(value)) * oracle::exp2_q15(scale * 128);
    const oracle::Wide unit = ldexp(oracle::Wide(1), term.exponent - 24);
    const int magnitude = std::abs(term.mantissa);
    ASSERT_GE(magnitude, 1 << 24);
    ASSERT_LT(magnitude, 1 << 25);
    ASSERT_EQ(term.mantissa < 0, value < 0);
    ASSERT_LE(unit * magnitude, scaled) << "seed 17, value " << value << " scale " << scale;
    ASSERT_GT(unit * (magnitude + 1), scaled) << "seed 17, value " << value << " scale " << scale;
  }
}

TEST(BiasTerm, EdgeCases) {
  EXPECT_EQ(to_bias_term(0, 100), BiasTerm{});
  EXPECT_EQ(to_bias_term(1, 0), (BiasTerm{1 << 24, 0}));
  EXPECT_EQ(to_bias_term(-3, -256), (BiasTerm{-(3 << 23), 0}));
  EXPECT_EQ(to_bias_term(std::nextafter(2.0, 0.0), 0), (BiasTerm{(1 << 25) - 1, 0}));
  EXPECT_EQ(to_bias_term(1e-310, 0), BiasTerm{}) << "below every sum";
  EXPECT_THROW(to_bias_term(NAN, 0), FormatError);
  EXPECT_THROW(to_bias_term(INFINITY, 0), FormatError);
  EXPECT_THROW(to_bias_term(1e308, 0), FormatError);
}

TEST(LogQ8, OfCountsIsRoundedToNearest) {
  for (int count = 1; count < 5000; ++count) {
    const int log = log2_q8(count);
    ASSERT_LT(oracle::compare_with_exp2(count, (log + 0.5) / 256), 0) << count;
    ASSERT_GT(oracle::compare_with_exp2(count, (log - 0.5) / 256), 0) << count;
  }
  EXPECT_THROW(log2_q8(0), FormatError);
}

TEST(LogQ8, OfOperandsSubtractsTheScaleFactor) {
  const LpFormat format{.n = 8, .es = 1, .rs = 3, .sf_q8 = 100};
  EXPECT_EQ(scaled_log_q8(format, {.log = -3, .negative = true, .zero = false}), -112);
}

TEST(ArithmeticPresets, AreLegalAndNamed) {
  for (const char* name : {"wide", "poster", "fixed"}) EXPECT_EQ(check(arithmetic_preset(name)), "");
  EXPECT_EQ(arithmetic_preset("wide"), Arithmetic{});
  EXPECT_EQ(arithmetic_preset("poster").widths(4), (AlignedWidths{4, 4}));
  EXPECT_EQ(arithmetic_preset("fixed").psum, PsumKind::fixed);
  EXPECT_THROW(arithmetic_preset("narrow"), FormatError);
}

TEST(ArithmeticCheck, NamesTheFieldAndItsRange) {
  Arithmetic arithmetic;
  arithmetic.lf_bits = 17;
  EXPECT_EQ(check(arithmetic), "lf_bits is 17 but must be 1..16");
  EXPECT_THROW(Accumulator(arithmetic, 8), FormatError);
  arithmetic = {};
  arithmetic.aligned[1] = {20, 16};
  EXPECT_EQ(check(arithmetic), "aligned[1].integer_bits + fraction_bits is 36 but must be 3..32");
  arithmetic = {};
  arithmetic.ppu.integer_bits = 1;
  EXPECT_EQ(check(arithmetic), "ppu.integer_bits is 1 but must be 2..31");
  arithmetic = {};
  arithmetic.encoder_log_bits = 3;
  EXPECT_EQ(check(arithmetic), "encoder_log_bits is 3 but must be 4..12");
  arithmetic = {};
  arithmetic.fixed_bits = 33;
  EXPECT_EQ(check(arithmetic), "fixed_bits is 33 but must be 8..32");
  EXPECT_THROW(Accumulator({}, 3), FormatError);
  EXPECT_THROW(PsumEncoder({}, LpFormat{.n = 8, .es = 9, .rs = 1}, 8, 0, 0), FormatError);
}

}  // namespace
}  // namespace lpa::formats
