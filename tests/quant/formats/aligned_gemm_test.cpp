#include "quant/formats/aligned_gemm.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/quant/formats/chosen_targets.h"

namespace lpa::formats {
namespace {

std::vector<std::int64_t> supported_targets() {
  std::vector<std::int64_t> targets;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) targets.push_back(left & -left);
  return targets;
}

struct Case {
  std::string name;
  Arithmetic arithmetic;
  int weight_bits = 8;
  int lsb = 0;
};

Arithmetic aligned(int integer_bits, int fraction_bits, int lf_bits, Converter converter = Converter::exact_table) {
  Arithmetic arithmetic;
  arithmetic.aligned.fill({integer_bits, fraction_bits});
  arithmetic.lf_bits = lf_bits;
  arithmetic.converter = converter;
  return arithmetic;
}

Arithmetic fixed(int bits, int lf_bits = 8) {
  Arithmetic arithmetic = arithmetic_preset("fixed");
  arithmetic.fixed_bits = bits;
  arithmetic.lf_bits = lf_bits;
  return arithmetic;
}

std::vector<Case> cases() {
  return {{"wide", arithmetic_preset("wide")},
          {"poster 8", arithmetic_preset("poster")},
          {"poster 4", arithmetic_preset("poster"), 4},
          {"poster 2", arithmetic_preset("poster"), 2},
          {"fixed", fixed(32), 8, -10},
          {"fixed, tiny products", fixed(32), 8, 30},
          {"fixed, saturating", fixed(32), 8, -22},
          {"fixed, products beyond every shift", fixed(32), 8, -60},
          {"fixed 12 bits", fixed(12), 8, -6},
          {"fixed 31 bits", fixed(31, 15), 8, -20},
          {"fixed, extreme lsb", fixed(32), 8, -1024},
          {"mitchell", aligned(16, 16, 8, Converter::mitchell)},
          {"saturates at 32 bits", aligned(3, 29, 8)},
          {"fraction cut", aligned(8, 4, 12)},
          {"largest fraction", aligned(2, 30, 15)},
          {"a product of 2^31", aligned(2, 30, 1)},
          {"lf of 16 bits", aligned(16, 16, 16)},
          {"31 bits", aligned(2, 29, 8)}};
}

class Chains {
 public:
  Chains(const Case& c, std::uint32_t seed) : case_(c), random_(seed), batch_(c.arithmetic, c.weight_bits, c.lsb) {}

  void check(std::size_t depth, std::size_t positions, double nar_share) {
    const LpFormat formats[] = {{.n = 8, .es = 0, .rs = 7},
                                {.n = 8, .es = 2, .rs = 3},
                                {.n = 8, .es = 5, .rs = 7},
                                {.n = 4, .es = 1, .rs = 3},
                                {.n = 2, .es = 0, .rs = 1}};
    const LpFormat& of_row = formats[random_() % 5];
    const LpFormat& of_panel = formats[random_() % 5];
    OperandPanel panel(depth, positions);
    std::vector<PackedOperand> row(depth);
    for (std::size_t k = 0; k < depth; ++k) {
      row[k] = draw(of_row, nar_share);
      for (PackedOperand& operand : panel.row(k))
        operand = random_() % 2 == 0 ? draw(of_panel, nar_share) : packed_zero;
    }
    std::vector<Psum> sums(positions);
    for (Psum& sum : sums) sum = draw_start(nar_share);

    std::vector<Psum> expected = sums;
    AccumulateEvents expected_events;
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t m = 0; m < positions; ++m) {
        expected[m] = batch_.scalar().mac(expected[m], unpack(row[k]), unpack(panel.row(k)[m]), &expected_events);
      }
    }
    AccumulateEvents events;
    batch_.mac_row(sums, row, panel, &events);
    ASSERT_EQ(sums, expected) << to_string(of_row) << " x " << to_string(of_panel);
    ASSERT_EQ(events.saturations, expected_events.saturations);
    ASSERT_EQ(events.nar_products, expected_events.nar_products);
    saturations += events.saturations;
  }

  std::uint64_t saturations = 0;

 private:
  PackedOperand draw(const LpFormat& format, double nar_share) {
    if (std::bernoulli_distribution(nar_share)(random_)) return packed_nar;
    const auto word = static_cast<Word>(random_() % static_cast<unsigned>(format.word_count()));
    return word == format.nar_word() ? packed_zero : pack(to_operand(format, word));
  }

  Psum draw_start(double nar_share) {
    if (std::bernoulli_distribution(nar_share)(random_)) return {0, Psum::no_exponent, true};
    const double mantissa = std::uniform_real_distribution<>(-2, 2)(random_);
    const int exponent = static_cast<int>(random_() % 60) - 40;
    switch (random_() % 4) {
      case 0:
        return batch_.scalar().start({});
      case 1:
        return batch_.scalar().start(to_bias_term(std::ldexp(mantissa, -900), 0));
      default:
        return batch_.scalar().start(to_bias_term(std::ldexp(mantissa, exponent), 0));
    }
  }

  Case case_;
  std::mt19937 random_;
  BatchAccumulator batch_;
};

TEST(BatchAccumulator, EqualsTheScalarAccumulatorOnEveryInstructionSet) {
  for (const std::int64_t target : supported_targets()) {
    const ChosenTargets only(target);
    for (const Case& c : cases()) {
      const std::uint32_t seed = 20240601;
      SCOPED_TRACE(c.name + " on " + hwy::TargetName(target) + ", seed " + std::to_string(seed));
      Chains chains(c, seed);
      for (int round = 0; round < 3; ++round) {
        for (const std::size_t positions : {1u, 15u, 16u, 17u, 49u, 64u, 65u, 196u}) {
          ASSERT_NO_FATAL_FAILURE(chains.check(40, positions, 0));
        }
        ASSERT_NO_FATAL_FAILURE(chains.check(1, 70, 0));
        ASSERT_NO_FATAL_FAILURE(chains.check(300, 20, 0));
        ASSERT_NO_FATAL_FAILURE(chains.check(20, 150, 0.0005));
      }
    }
  }
}

TEST(BatchAccumulator, CountsTheSaturationsThatHappen) {
  for (const char* preset : {"poster", "fixed"}) {
    SCOPED_TRACE(preset);
    Chains chains({preset, arithmetic_preset(preset), 2, -22}, 7);
    for (int round = 0; round < 20; ++round) ASSERT_NO_FATAL_FAILURE(chains.check(200, 64, 0));
    EXPECT_GT(chains.saturations, 0u);
  }
}

TEST(BatchAccumulator, MeetsNaRBesideZero) {
  const BatchAccumulator batch({}, 8);
  OperandPanel panel(1, 3);
  panel.row(0)[1] = packed_nar;
  panel.row(0)[2] = pack({.log = 64, .negative = true, .zero = false});
  std::vector<Psum> sums(3);
  AccumulateEvents events;
  batch.mac_row(sums, std::vector<PackedOperand>{packed_zero}, panel, &events);
  EXPECT_EQ(sums, (std::vector<Psum>{{}, {0, Psum::no_exponent, true}, {}}));
  EXPECT_EQ(events.nar_products, 1u);
}

TEST(BatchAccumulator, RefusesSizesThatDoNotFit) {
  const BatchAccumulator batch({}, 8);
  const OperandPanel panel(2, 3);
  std::vector<Psum> sums(3);
  EXPECT_THROW(batch.mac_row(sums, std::vector<PackedOperand>(3), panel), FormatError);
  sums.resize(4);
  EXPECT_THROW(batch.mac_row(sums, std::vector<PackedOperand>(2), panel), FormatError);
}

TEST(PackedOperand, RoundTripsEveryWord) {
  for (int n = 2; n <= 8; ++n) {
    for (const LpFormat& format : all_lp_formats(n)) {
      const auto packed = pack_words(format);
      for (int word = 0; word < format.word_count(); ++word) {
        const Operand operand = to_operand(format, static_cast<Word>(word));
        ASSERT_EQ(unpack(packed[static_cast<std::size_t>(word)]), operand) << to_string(format) << " word " << word;
      }
    }
  }
}

}  // namespace
}  // namespace lpa::formats
