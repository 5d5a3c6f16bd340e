#include "hw_model/datapath/mac.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "hw_model/datapath/decoder.h"
#include "quant/formats/arithmetic.h"
#include "tests/hw_model/datapath/hardware_formats.h"
#include "tests/hw_model/printers.h"

namespace lpa::datapath {
namespace {

using formats::AccumulateEvents;
using formats::Accumulator;
using formats::Arithmetic;
using formats::LpFormat;
using formats::Psum;

/// A lane with its configuration.
struct Stage {
  explicit Stage(const Arithmetic& arithmetic, int mode = 8, int lsb = 0)
      : converter(arithmetic.converter, arithmetic.lf_bits), add(converter, arithmetic, mode, lsb) {}
  Psum operator()(const Psum& sum, int r, unsigned u, bool negative = false) {
    return add.add(sum, Product{static_cast<std::int16_t>(r), static_cast<std::uint16_t>(u), negative, false, false},
                   events);
  }
  LogLinearConverter converter;
  AddStage add;
  AccumulateEvents events;
};

Arithmetic aligned(int integer_bits, int fraction_bits, int lf_bits = 8) {
  Arithmetic arithmetic;
  arithmetic.lf_bits = lf_bits;
  arithmetic.aligned.fill({integer_bits, fraction_bits});
  return arithmetic;
}

Arithmetic fixed(int bits) {
  Arithmetic arithmetic = formats::arithmetic_preset("fixed");
  arithmetic.fixed_bits = bits;
  return arithmetic;
}

/// Format pairs that differ in every parameter, sf included (which must not matter).
std::vector<std::pair<LpFormat, LpFormat>> format_pairs() {
  const auto lp = [](int es, int rs, int sf_q8 = 0, formats::Regime regime = formats::Regime::bounded) {
    return LpFormat{.n = 8, .es = es, .rs = rs, .sf_q8 = sf_q8, .regime = regime};
  };
  return {{lp(0, 1), lp(0, 1)},
          {lp(0, 7), lp(0, 7)},
          {lp(1, 3, 77), lp(0, 4, -300)},
          {lp(2, 7), lp(2, 7)},
          {lp(2, 3), lp(1, 5)},
          {lp(1, 4, -1000), lp(1, 4)},
          {lp(3, 2), lp(0, 6)},
          {lp(0, 2), lp(3, 5)},
          {lp(5, 7), lp(5, 7)},
          {lp(4, 1), lp(5, 1)},
          {lp(5, 3), lp(0, 1)},
          {lp(2, 4, 0, formats::Regime::terminated), lp(1, 2)},
          {lp(0, 3), lp(2, 6, 511, formats::Regime::terminated)}};
}

/// The product of two decoded values as psum of `wide` arithmetic, worked out in doubles.
Psum product_oracle(const LpFormat& wf, unsigned w, const LpFormat& af, unsigned a) {
  const auto word = [](unsigned value) { return static_cast<formats::Word>(value); };
  if (w == 0x80 || a == 0x80) return {0, Psum::no_exponent, true};
  if (w == 0 || a == 0) return {};
  const double log = std::ldexp(formats::log2_q14(wf, word(w)), -14) + std::ldexp(formats::log2_q14(af, word(a)), -14);
  const double exponent = std::floor(log);
  const double lf = std::nearbyint(256 * std::exp2(log - exponent)) * 256;  // 8 of the 16 fraction bits.
  const bool negative = (w > 0x80) != (a > 0x80);
  return {static_cast<std::int32_t>(negative ? -lf : lf), static_cast<std::int16_t>(exponent), false};
}

TEST(Mac, EveryPairOf8BitWordsGivesTheProductOfTheirValues) {
  for (const auto& [wf, af] : format_pairs()) {
    Stage stage((Arithmetic()));
    for (unsigned w = 0; w < 256; ++w) {
      const Lane weight = decode(static_cast<std::uint8_t>(w), 8, wf.es, wf.rs).lane[0];
      for (unsigned a = 0; a < 256; ++a) {
        const Lane activation = decode_lane(static_cast<std::uint8_t>(a), to_word_format(af));
        const Psum psum = stage.add.add({}, mul(weight, activation), stage.events);
        ASSERT_EQ(psum, product_oracle(wf, w, af, a)) << to_string(wf) << " word " << w << " by " << to_string(af)
                                                      << " word " << a << ": " << psum.value << "@" << psum.exponent;
      }
    }
    EXPECT_EQ(stage.events.saturations, 0u);
    EXPECT_EQ(stage.events.nar_products, 511u) << "NaR times anything, zero included";
  }
}

TEST(Mac, EveryPackedWordByEveryActivationEqualsTheScalarModelInEveryLane) {
  const LpFormat activations[] = {{.n = 8, .es = 2, .rs = 7}, {.n = 8, .es = 0, .rs = 3}, {.n = 8, .es = 5, .rs = 2}};
  for (const int mode : {4, 2}) {
    for (const LpFormat& wf : test::hardware_formats(mode)) {
      for (const LpFormat& af : activations) {
        Stage stage(Arithmetic{}, mode);
        const Accumulator accumulator(Arithmetic{}, mode);
        for (unsigned w = 0; w < 256; ++w) {
          const DecodedWord weight = decode(static_cast<std::uint8_t>(w), mode, wf.es, wf.rs);
          for (unsigned a = 0; a < 256; ++a) {
            const Lane activation = decode_lane(static_cast<std::uint8_t>(a), to_word_format(af));
            for (int lane = 0; lane < lanes(mode); ++lane) {
              const auto single = static_cast<formats::Word>((w >> (lane * mode)) & ((1u << mode) - 1));
              const Psum psum =
                  stage.add.add({}, mul(weight.lane[static_cast<std::size_t>(lane)], activation), stage.events);
              const Psum expected = accumulator.mac({}, formats::to_operand(wf, single),
                                                    formats::to_operand(af, static_cast<formats::Word>(a)));
              ASSERT_EQ(psum, expected) << to_string(wf) << " packed word " << w << " lane " << lane << " by "
                                        << to_string(af) << " word " << a;
            }
          }
        }
      }
    }
  }
}

TEST(Mul, AddsRegimesAndUlfxSeparatelyAndXorsSigns) {
  const Lane weight{.r = -28, .u = 250, .negative = true, .zero = false, .nar = false};
  const Lane activation{.r = 24, .u = 63, .negative = false, .zero = false, .nar = false};
  EXPECT_EQ(mul(weight, activation), (Product{.r = -4, .u = 313, .negative = true, .zero = false, .nar = false}));
  EXPECT_FALSE(mul(weight, weight).negative);
}

TEST(Mul, NarWinsOverZero) {
  const Lane zero, nar{.r = 0, .u = 0, .negative = false, .zero = false, .nar = true};
  for (const Product& product : {mul(zero, nar), mul(nar, zero), mul(nar, nar)}) {
    EXPECT_TRUE(product.nar);
    EXPECT_FALSE(product.zero);
  }
  EXPECT_TRUE(mul(zero, zero).zero);
}

TEST(Unpack, TheIntegerPartOfUlfxJoinsTheRegime) {
  const UnpackedLog log = unpack({.r = -8, .u = 3 * 64 + 17, .negative = false, .zero = false, .nar = false});
  EXPECT_EQ(log.exponent, -5);
  EXPECT_EQ(log.fraction, 17u);
}

TEST(AlignedAdd, ASumThatHasMetNoProductTakesTheProductAsItIs) {
  Stage stage(aligned(16, 16));
  EXPECT_EQ(stage({}, -200, 0, true), (Psum{-65536, -200, false}));
}

TEST(AlignedAdd, TheLargerExponentStaysWhicheverOperandHasIt) {
  Stage stage(aligned(16, 16));
  EXPECT_EQ(stage(Psum{65536, 3, false}, 1, 0), (Psum{65536 + 16384, 3, false}));
  EXPECT_EQ(stage(Psum{65536, 1, false}, 3, 0), (Psum{65536 + 16384, 3, false}));
}

TEST(AlignedAdd, CancellationKeepsTheExponent) {
  Stage stage(aligned(16, 16));
  EXPECT_EQ(stage(Psum{65536, 5, false}, 5, 0, true), (Psum{0, 5, false}));
}

TEST(AlignedAdd, BitsShiftedOutAreDroppedFromTheMagnitudeForBothSigns) {
  Stage stage(aligned(8, 8));
  // 256 at exponent 0 is 2^0; 3/256 of it shifted by one is 1, not 2 and, negative, -1 and not -2.
  EXPECT_EQ(stage(Psum{3, 0, false}, 1, 0), (Psum{256 + 1, 1, false}));
  EXPECT_EQ(stage(Psum{-3, 0, false}, 1, 0), (Psum{256 - 1, 1, false}));
  // lf = 2^(1/64) = 259/256: shifted by 8 it is 1.
  EXPECT_EQ(stage(Psum{0, 8, false}, 0, 1), (Psum{1, 8, false}));
  EXPECT_EQ(stage(Psum{0, 8, false}, 0, 1, true), (Psum{-1, 8, false}));
}

TEST(AlignedAdd, AnOperandThatIsFarSmallerVanishes) {
  Stage stage(aligned(16, 16));
  EXPECT_EQ(stage(Psum{1, 448, false}, -448, 63), (Psum{1, 448, false}));
  EXPECT_EQ(stage(Psum{-1, -448, false}, 448, 0), (Psum{65536, 448, false}));
}

TEST(AlignedAdd, TheMostNegativeSumShiftsAsAMagnitude) {
  Stage stage(aligned(16, 16));
  const Psum lowest{std::numeric_limits<std::int32_t>::min(), 0, false};
  EXPECT_EQ(stage(lowest, 1, 0), (Psum{-(1 << 30) + 65536, 1, false}));
}

TEST(AlignedAdd, AResultThatDoesNotFitSaturatesAndIsCounted) {
  Stage stage(formats::arithmetic_preset("poster"), 2);  // 2 + 2 bits: -8..7.
  Psum sum = stage({}, 0, 0);
  EXPECT_EQ(sum, (Psum{4, 0, false}));
  EXPECT_EQ(stage.events.saturations, 0u);
  sum = stage(sum, 0, 0);
  EXPECT_EQ(sum, (Psum{7, 0, false}));
  EXPECT_EQ(stage.events.saturations, 1u);
  sum = {-4, 0, false};
  sum = stage(sum, 0, 0, true);
  EXPECT_EQ(sum, (Psum{-8, 0, false}));
  EXPECT_EQ(stage.events.saturations, 1u) << "-8 fits";
  EXPECT_EQ(stage(sum, 0, 0, true), (Psum{-8, 0, false}));
  EXPECT_EQ(stage.events.saturations, 2u);
}

TEST(AlignedAdd, EveryWidthSaturatesAtItsOwnLimits) {
  for (int integer_bits = 2; integer_bits <= 16; ++integer_bits) {
    Stage stage(aligned(integer_bits, 16));
    Psum up, down;
    for (int i = 0; i < 70000 && stage.events.saturations < 1; ++i) up = stage(up, 0, 0);
    for (int i = 0; i < 70000 && stage.events.saturations < 2; ++i) down = stage(down, 0, 0, true);
    EXPECT_EQ(up.value, (std::int64_t{1} << (integer_bits + 15)) - 1) << integer_bits;
    EXPECT_EQ(down.value, -(std::int64_t{1} << (integer_bits + 15))) << integer_bits;
    EXPECT_EQ(stage.events.saturations, 2u);
  }
}

TEST(AlignedAdd, AnAdderNarrowerThanTheConverterTruncatesIt) {
  Stage stage(aligned(8, 4, 8));
  EXPECT_EQ(stage({}, 0, 1), (Psum{16, 0, false})) << "259/256 is 16/16";
  EXPECT_EQ(stage({}, 0, 63, true), (Psum{-31, 0, false})) << "506/256 is 31.6/16";
}

TEST(FixedAdd, BitsBelowTheLsbAreDroppedFromTheMagnitudeForBothSigns) {
  Stage stage(fixed(32), 8, -3);
  EXPECT_EQ(stage(Psum{100, 0, false}, 0, 0), (Psum{108, 0, false}));
  EXPECT_EQ(stage(Psum{100, 0, false}, -3, 63), (Psum{101, 0, false})) << "1.98 lsb";
  EXPECT_EQ(stage(Psum{100, 0, false}, -3, 63, true), (Psum{99, 0, false})) << "-1.98 lsb";
  EXPECT_EQ(stage(Psum{100, 0, false}, -4, 63, true), (Psum{100, 0, false})) << "below the lsb";
  EXPECT_EQ(stage(Psum{100, 0, false}, -448, 0), (Psum{100, 0, false})) << "far below";
}

TEST(FixedAdd, TheExponentIsNotUsedAndPassesThrough) {
  Stage stage(fixed(32), 8, 0);
  EXPECT_EQ(stage(Psum{}, 3, 0), (Psum{8, Psum::no_exponent, false}));
  EXPECT_EQ(stage(Psum{1, 0, false}, 3, 0), (Psum{9, 0, false}));
}

TEST(FixedAdd, AProductBeyondTheRangeSaturates) {
  for (const int bits : {8, 12, 31, 32}) {
    Stage stage(fixed(bits), 8, 0);
    const Psum zero{0, 0, false};
    const auto highest = static_cast<std::int32_t>((std::int64_t{1} << (bits - 1)) - 1);
    EXPECT_EQ(stage(zero, bits - 1, 0), (Psum{highest, 0, false})) << bits;
    EXPECT_EQ(stage(zero, bits - 1, 0, true), (Psum{-highest - 1, 0, false})) << bits << ", fits";
    EXPECT_EQ(stage(zero, 448, 63), (Psum{highest, 0, false})) << bits;
    EXPECT_EQ(stage(zero, 448, 63, true), (Psum{-highest - 1, 0, false})) << bits;
    EXPECT_EQ(stage.events.saturations, 3u) << bits;
  }
}

TEST(Add, AZeroProductLeavesSumAndExponentAsTheyAre) {
  for (const Arithmetic& arithmetic : {aligned(16, 16), aligned(2, 2), fixed(8)}) {
    Stage stage(arithmetic);
    for (const Psum& sum : {Psum{}, Psum{5, -7, false}, Psum{-1, 300, false}, Psum{0, Psum::no_exponent, true}}) {
      EXPECT_EQ(stage.add.add(sum, Product{}, stage.events), sum);
    }
    EXPECT_EQ(stage.events.saturations + stage.events.nar_products, 0u);
  }
}

TEST(Add, NarMakesTheSumNarForGoodAndIsCountedOnce) {
  for (const Arithmetic& arithmetic : {aligned(16, 16), fixed(32)}) {
    Stage stage(arithmetic);
    const Product nar{.r = 0, .u = 0, .negative = false, .zero = false, .nar = true};
    Psum sum = stage.add.add(Psum{5, 2, false}, nar, stage.events);
    EXPECT_TRUE(sum.nar);
    sum = stage(sum, 3, 0);
    EXPECT_TRUE(sum.nar);
    EXPECT_EQ(stage.events.nar_products, 1u);
    EXPECT_EQ(stage.events.saturations, 0u);
  }
}

/// A machine's arithmetic, and the exponents from which a layer's fixed lsb might come.
struct ChainCase {
  const char* name;
  Arithmetic arithmetic;
  int lsb;
};

void PrintTo(const ChainCase& chain, std::ostream* out) {
  *out << chain.name;
}

class Chain : public ::testing::TestWithParam<ChainCase> {};

Arithmetic mitchell(Arithmetic arithmetic) {
  arithmetic.converter = formats::Converter::mitchell;
  return arithmetic;
}

INSTANTIATE_TEST_SUITE_P(
    Arithmetic, Chain,
    ::testing::Values(ChainCase{"wide", Arithmetic{}, 0}, ChainCase{"poster", formats::arithmetic_preset("poster"), 0},
                      ChainCase{"fixed", fixed(32), -20}, ChainCase{"fixed_coarse", fixed(32), 3},
                      ChainCase{"fixed_narrow", fixed(12), -4}, ChainCase{"narrow", aligned(2, 1, 1), 0},
                      ChainCase{"fine", aligned(2, 30, 16), 0}, ChainCase{"long_integer", aligned(31, 1, 16), 0},
                      ChainCase{"mitchell", mitchell(Arithmetic{}), 0},
                      ChainCase{"mitchell_fixed", mitchell(fixed(24)), -8}),
    [](const auto& test) { return std::string(test.param.name); });

TEST_P(Chain, LongSumsOfPackedLanesEqualTheScalarModelStepByStep) {
  const auto& [name, arithmetic, lsb] = GetParam();
  constexpr std::uint64_t seed = 20240517;
  std::mt19937_64 random(seed);
  const auto below = [&random](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
  for (const int mode : {8, 4, 2}) {
    const auto weight_formats = test::hardware_formats(mode);
    Stage stage(arithmetic, mode, lsb);
    const Accumulator accumulator(arithmetic, mode, lsb);
    AccumulateEvents expected_events;
    for (int chain = 0; chain < 150; ++chain) {
      const LpFormat wf = weight_formats[below(weight_formats.size())];
      const auto activation_formats = test::hardware_formats(chain % 3 == 0 ? 4 : chain % 7 == 0 ? 2 : 8);
      const LpFormat af = activation_formats[below(activation_formats.size())];
      const bool allow_nar = chain % 5 == 0;
      std::array<Psum, max_lanes> actual, expected;
      const auto start = accumulator.start({static_cast<std::int32_t>(below(1u << 25)) - (1 << 24),
                                            static_cast<std::int16_t>(static_cast<int>(below(20)) - 10)});
      actual.fill(chain % 2 == 0 ? Psum{} : start);
      expected = actual;
      for (int step = 0; step < 200; ++step) {
        const auto w = static_cast<std::uint8_t>(random());
        const auto a = static_cast<std::uint8_t>(below(1u << af.n));
        if (!allow_nar && a == af.nar_word()) continue;
        const DecodedWord weight = decode(w, mode, wf.es, wf.rs);
        const Lane activation = decode_lane(a, to_word_format(af));
        for (int lane = 0; lane < lanes(mode); ++lane) {
          const auto i = static_cast<std::size_t>(lane);
          const auto single = static_cast<formats::Word>((w >> (lane * mode)) & ((1 << mode) - 1));
          if (!allow_nar && single == wf.nar_word()) continue;
          actual[i] = stage.add.add(actual[i], mul(weight.lane[i], activation), stage.events);
          expected[i] = accumulator.mac(expected[i], formats::to_operand(wf, single), formats::to_operand(af, a),
                                        &expected_events);
          ASSERT_EQ(actual[i], expected[i])
              << name << " seed " << seed << " mode " << mode << " chain " << chain << " step " << step << " lane "
              << lane << ": " << actual[i].value << "@" << actual[i].exponent << " but the scalar model has "
              << expected[i].value << "@" << expected[i].exponent;
        }
      }
    }
    EXPECT_EQ(stage.events.saturations, expected_events.saturations);
    EXPECT_EQ(stage.events.nar_products, expected_events.nar_products);
    EXPECT_GT(expected_events.nar_products, 0u);
  }
}

TEST(PpuAdd, EqualsTheScalarModelOnLogarithmsOf8FractionBits) {
  constexpr std::uint64_t seed = 7;
  for (const formats::AlignedWidths widths : {formats::AlignedWidths{16, 16}, {8, 8}, {2, 6}}) {
    Arithmetic arithmetic = fixed(32);  // The PPU's adder is aligned whatever the PEs are.
    arithmetic.ppu = widths;
    const LogLinearConverter converter(arithmetic.converter, arithmetic.lf_bits, 8);
    const AddStage stage = AddStage::for_ppu(converter, arithmetic);
    const Accumulator accumulator = Accumulator::for_ppu(arithmetic);
    AccumulateEvents events, expected_events;
    std::mt19937_64 random(seed);
    Psum actual, expected;
    for (int step = 0; step < 100000; ++step) {
      if (step % 50 == 0) actual = expected = Psum{};
      const auto log = static_cast<std::int32_t>(random() % 8192) - 4096;
      const bool negative = (random() & 1) != 0;
      actual = stage.add(actual, UnpackedLog{log >> 8, static_cast<unsigned>(log & 255)}, negative, events);
      expected = accumulator.add(expected, log, negative, &expected_events);
      ASSERT_EQ(actual, expected) << "seed " << seed << " step " << step << " log " << log;
    }
    EXPECT_EQ(events.saturations, expected_events.saturations);
  }
}

}  // namespace
}  // namespace lpa::datapath
