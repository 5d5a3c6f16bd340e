#include "quant/formats/gemm.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/quant/formats/chosen_targets.h"

namespace lpa::formats {
namespace {

/// The best ones, down to one for which there are no fast kernels.
std::vector<std::int64_t> supported_targets() {
  std::vector<std::int64_t> targets;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    targets.push_back(left & -left);
    if (targets.back() > HWY_AVX2) break;
  }
  return targets;
}

bool has_fast_kernels(std::int64_t target) {
  return target <= HWY_AVX2;
}

Arithmetic fixed(int bits = 32, int lf_bits = 8, Converter converter = Converter::exact_table) {
  Arithmetic arithmetic = arithmetic_preset("fixed");
  arithmetic.fixed_bits = bits;
  arithmetic.lf_bits = lf_bits;
  arithmetic.converter = converter;
  return arithmetic;
}

using Words = std::vector<std::vector<Word>>;  // [k][lane]

/// Operands beside what the accumulator makes of them.
class Gemm {
 public:
  Gemm(const GemmKernel& kernel, const LpFormat& weight, const LpFormat& activation, Words weights, Words activations,
       std::vector<Psum> start)
      : kernel_(kernel),
        weight_format_(weight),
        activation_format_(activation),
        weights_(std::move(weights)),
        activations_(std::move(activations)),
        start_(std::move(start)),
        gemm_weights_(kernel, weights_.size(), start_.size()),
        panel_(kernel, weights_.size(), activations_.empty() ? 3 : activations_.front().size()) {
    for (std::size_t k = 0; k < weights_.size(); ++k) {
      gemm_weights_.set_row(k, weights_[k]);
      // In two parts, the second one first, once as words, once as bytes.
      const std::span<const Word> row(activations_[k]);
      const std::size_t middle = row.size() / 3;
      const std::vector<std::uint8_t> bytes(row.begin() + static_cast<std::ptrdiff_t>(middle), row.end());
      panel_.set(k, middle, bytes);
      panel_.set(k, 0, row.first(middle));
    }
  }

  void check(std::size_t first, std::size_t count) {
    std::vector<Psum> sums(count * start_.size()), expected(sums.size());
    AccumulateEvents events, expected_events;
    kernel_.run(panel_, first, count, gemm_weights_, start_, sums, events);
    for (std::size_t n = 0; n < start_.size(); ++n) {
      for (std::size_t m = 0; m < count; ++m) expected[m * start_.size() + n] = start_[n];
    }
    std::vector<Operand> operands(start_.size());
    for (std::size_t k = 0; k < weights_.size(); ++k) {
      for (std::size_t n = 0; n < operands.size(); ++n) operands[n] = to_operand(weight_format_, weights_[k][n]);
      for (std::size_t m = 0; m < count; ++m) {
        const Operand activation = to_operand(activation_format_, activations_[k][first + m]);
        for (std::size_t n = 0; n < operands.size(); ++n) {
          Psum& sum = expected[m * start_.size() + n];
          sum = kernel_.scalar().mac(sum, operands[n], activation, &expected_events);
        }
      }
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(sums[i], expected[i]) << "position " << first + i / start_.size() << ", channel " << i % start_.size()
                                      << ": " << sums[i].value << " is not " << expected[i].value;
    }
    ASSERT_EQ(events.saturations, expected_events.saturations);
    ASSERT_EQ(events.nar_products, expected_events.nar_products);
    saturations += events.saturations;
    nar_products += events.nar_products;
  }

  std::uint64_t saturations = 0, nar_products = 0;

 private:
  const GemmKernel& kernel_;
  LpFormat weight_format_, activation_format_;
  Words weights_, activations_;
  std::vector<Psum> start_;
  GemmWeights gemm_weights_;
  GemmPanel panel_;
};

/// Every word of both formats, NaR left out or not, at one of the steps.
void check_all_pairs(const GemmKernel& kernel, const LpFormat& weight, const LpFormat& activation, std::size_t step,
                     bool with_nar) {
  Words weights(step + 1, std::vector<Word>(static_cast<std::size_t>(weight.word_count())));
  Words activations(step + 1, std::vector<Word>(static_cast<std::size_t>(activation.word_count())));
  for (std::size_t word = 0; word < weights[step].size(); ++word) {
    if (with_nar || word != weight.nar_word()) weights[step][word] = static_cast<Word>(word);
  }
  for (std::size_t word = 0; word < activations[step].size(); ++word) {
    if (with_nar || word != activation.nar_word()) activations[step][word] = static_cast<Word>(word);
  }
  const std::vector<Psum> start(weights[step].size(), kernel.scalar().start({}));
  const std::size_t positions = activations[step].size();
  Gemm(kernel, weight, activation, std::move(weights), std::move(activations), start).check(0, positions);
}

std::vector<LpFormat> weight_formats() {
  std::vector<LpFormat> formats;
  for (const int n : {2, 4, 8}) {
    for (const LpFormat& format : all_lp_formats(n)) formats.push_back(format);
  }
  formats.push_back({.n = 4, .es = 0, .rs = 3, .sf_q8 = 0, .regime = Regime::terminated});
  formats.push_back({.n = 8, .es = 1, .rs = 4, .sf_q8 = 0, .regime = Regime::terminated});
  return formats;
}

const std::vector<LpFormat> activation_formats = {{.n = 8, .es = 0, .rs = 7},
                                                  {.n = 8, .es = 1, .rs = 3},
                                                  {.n = 8, .es = 1, .rs = 7},
                                                  {.n = 8, .es = 2, .rs = 5},
                                                  {.n = 4, .es = 1, .rs = 2},
                                                  {.n = 2, .es = 0, .rs = 1},
                                                  {.n = 8, .es = 0, .rs = 5, .sf_q8 = 0, .regime = Regime::terminated}};

TEST(GemmKernel, FormsEveryProductOfEveryFormat) {
  int fast = 0, all = 0;
  for (const LpFormat& weight : weight_formats()) {
    for (const LpFormat& activation : activation_formats) {
      for (const int lsb : {-30, -16, -3}) {
        const GemmKernel kernel(fixed(), weight, activation, lsb);
        SCOPED_TRACE(to_string(weight) + " x " + to_string(activation) + ", lsb " + std::to_string(lsb) + ", " +
                     std::string(kernel.name()));
        ASSERT_NO_FATAL_FAILURE(check_all_pairs(kernel, weight, activation, 0, false));
        fast += kernel.name() == "ordered" ? 0 : 1;
        ++all;
      }
    }
  }
  if (has_fast_kernels(supported_targets().front())) {
    EXPECT_GT(fast, all * 9 / 10);
  }
}

TEST(GemmKernel, FormsEveryProductOnEveryInstructionSetAndAtEveryStep) {
  for (const std::int64_t target : supported_targets()) {
    const ChosenTargets limit(ChosenTargets::up_to(target));
    for (const LpFormat& weight : {LpFormat{.n = 2, .es = 0, .rs = 1}, LpFormat{.n = 4, .es = 0, .rs = 3},
                                   LpFormat{.n = 4, .es = 1, .rs = 2}, LpFormat{.n = 8, .es = 1, .rs = 3}}) {
      for (const LpFormat& activation : {activation_formats[0], activation_formats[1], activation_formats[4]}) {
        for (const int lsb : {-20, -12}) {
          const GemmKernel kernel(fixed(), weight, activation, lsb);
          SCOPED_TRACE(to_string(weight) + " x " + to_string(activation) + ", lsb " + std::to_string(lsb) + ", " +
                       std::string(kernel.name()) + " on " + hwy::TargetName(target));
          EXPECT_EQ(kernel.name() == "ordered", !has_fast_kernels(target));
          for (const std::size_t step : {0u, 1u, 2u, 3u, 7u}) {
            ASSERT_NO_FATAL_FAILURE(check_all_pairs(kernel, weight, activation, step, false));
          }
          ASSERT_NO_FATAL_FAILURE(check_all_pairs(kernel, weight, activation, 2, true));
        }
      }
    }
  }
}

TEST(GemmKernel, FormsEveryProductOfEveryConverter) {
  int fast = 0;
  for (int lf_bits = 1; lf_bits <= 16; ++lf_bits) {
    for (const Converter converter : {Converter::exact_table, Converter::mitchell}) {
      for (const int weight_bits : {8, 4, 2}) {
        const LpFormat weight{.n = weight_bits, .es = 0, .rs = weight_bits - 1};
        const LpFormat activation{.n = 8, .es = 1, .rs = 3};
        for (const int lsb : {-18, -5}) {
          const GemmKernel kernel(fixed(32, lf_bits, converter), weight, activation, lsb);
          SCOPED_TRACE(to_string(weight) + ", lf_bits " + std::to_string(lf_bits) + ", lsb " + std::to_string(lsb) +
                       (converter == Converter::mitchell ? ", mitchell, " : ", ") + std::string(kernel.name()));
          ASSERT_NO_FATAL_FAILURE(check_all_pairs(kernel, weight, activation, 0, false));
          fast += kernel.name() == "ordered" ? 0 : 1;
        }
      }
    }
  }
  if (has_fast_kernels(supported_targets().front())) {
    EXPECT_GT(fast, 16 * 2 * 2 * 2);
  }
}

struct Case {
  std::string name;
  Arithmetic arithmetic;
  LpFormat weight, activation;
  int lsb = 0;
};

const std::vector<Case> cases = {
    {"8", fixed(), {.n = 8, .es = 1, .rs = 3}, {.n = 8, .es = 1, .rs = 7}, -14},
    {"8, near the limit", fixed(), {.n = 8, .es = 1, .rs = 3}, {.n = 8, .es = 1, .rs = 3}, -23},
    {"8, saturating", fixed(14), {.n = 8, .es = 0, .rs = 7}, {.n = 8, .es = 0, .rs = 7}, -10},
    {"8, 10 bits", fixed(10), {.n = 8, .es = 0, .rs = 7}, {.n = 8, .es = 1, .rs = 3}, -2},
    {"8, mitchell", fixed(32, 8, Converter::mitchell), {.n = 8, .es = 1, .rs = 3}, {.n = 8, .es = 0, .rs = 7}, -16},
    {"8, huge range", fixed(), {.n = 8, .es = 4, .rs = 7}, {.n = 8, .es = 5, .rs = 7}, -10},
    {"4", fixed(), {.n = 4, .es = 0, .rs = 3}, {.n = 8, .es = 1, .rs = 7}, -14},
    {"4, near the limit", fixed(24), {.n = 4, .es = 0, .rs = 3}, {.n = 8, .es = 0, .rs = 7}, -13},
    {"4, saturating", fixed(12), {.n = 4, .es = 1, .rs = 2}, {.n = 8, .es = 0, .rs = 7}, -8},
    {"4 x 4", fixed(), {.n = 4, .es = 1, .rs = 3}, {.n = 4, .es = 1, .rs = 3}, -12},
    {"2, one digit", fixed(32, 4), {.n = 2, .es = 0, .rs = 1}, {.n = 4, .es = 0, .rs = 3}, -4},
    {"2, two digits", fixed(), {.n = 2, .es = 0, .rs = 1}, {.n = 8, .es = 0, .rs = 3}, -11},
    {"2, three digits", fixed(), {.n = 2, .es = 0, .rs = 1}, {.n = 8, .es = 1, .rs = 3}, -16},
    {"2, four digits", fixed(), {.n = 2, .es = 0, .rs = 1}, {.n = 8, .es = 0, .rs = 7}, -20},
    {"2, saturating", fixed(13), {.n = 2, .es = 0, .rs = 1}, {.n = 8, .es = 1, .rs = 3}, -9},
    {"aligned", arithmetic_preset("wide"), {.n = 8, .es = 1, .rs = 3}, {.n = 8, .es = 1, .rs = 7}},
    {"aligned, narrow", arithmetic_preset("poster"), {.n = 4, .es = 1, .rs = 3}, {.n = 8, .es = 1, .rs = 3}}};

class RandomGemm {
 public:
  RandomGemm(const Case& c, std::uint32_t seed)
      : case_(c), random_(seed), kernel_(c.arithmetic, c.weight, c.activation, c.lsb) {}

  /// Words around the middle of the formats' ranges, NaR in that share of the words.
  void check(std::size_t depth, std::size_t positions, std::size_t channels, double nar_share = 0) {
    const LpEncoder weight(case_.weight, Rounding::nearest_linear);
    const LpEncoder activation(case_.activation, Rounding::nearest_linear);
    const auto draw = [&](const LpEncoder& encode, std::size_t lanes) {
      Words words(depth, std::vector<Word>(lanes));
      std::normal_distribution<> values(0, 1);
      std::bernoulli_distribution nar(nar_share);
      for (auto& row : words) {
        for (Word& word : row) word = nar(random_) ? encode.format().nar_word() : encode(values(random_));
      }
      return words;
    };
    std::vector<Psum> start(channels);
    for (Psum& psum : start) {
      const double mantissa = std::uniform_real_distribution<>(-2, 2)(random_);
      psum = kernel_.scalar().start(to_bias_term(random_() % 4 == 0 ? 0 : mantissa, 0));
      if (nar_share > 0 && random_() % 16 == 0) {
        psum = {0, case_.arithmetic.psum == PsumKind::fixed ? std::int16_t{0} : Psum::no_exponent, true};
      }
    }
    Words weights = draw(weight, channels);
    Words activations = draw(activation, positions);
    Gemm gemm(kernel_, case_.weight, case_.activation, std::move(weights), std::move(activations), start);
    ASSERT_NO_FATAL_FAILURE(gemm.check(0, positions));
    const std::size_t first = random_() % positions;
    const std::size_t count = random_() % (positions - first + 1);
    ASSERT_NO_FATAL_FAILURE(gemm.check(first, count)) << "positions " << first << " to " << first + count;
    saturations += gemm.saturations;
    nar_products += gemm.nar_products;
  }

  std::uint64_t saturations = 0, nar_products = 0;

 private:
  Case case_;
  std::mt19937 random_;
  GemmKernel kernel_;
};

TEST(GemmKernel, EqualsTheAccumulatorOnEveryInstructionSet) {
  for (const std::int64_t target : supported_targets()) {
    const ChosenTargets limit(ChosenTargets::up_to(target));
    for (const Case& c : cases) {
      const std::uint32_t seed = 20241123;
      SCOPED_TRACE(c.name + " on " + hwy::TargetName(target) + ", seed " + std::to_string(seed));
      RandomGemm gemm(c, seed);
      for (const std::size_t positions : {1u, 3u, 17u, 64u, 65u, 150u}) {
        for (const std::size_t channels : {1u, 8u, 16u, 33u}) {
          ASSERT_NO_FATAL_FAILURE(gemm.check(70, positions, channels)) << positions << " x " << channels;
        }
      }
      for (const std::size_t depth : {1u, 2u, 5u, 31u, 32u, 33u}) {
        ASSERT_NO_FATAL_FAILURE(gemm.check(depth, 20, 20)) << "depth " << depth;
      }
      ASSERT_NO_FATAL_FAILURE(gemm.check(300, 9, 100));
      ASSERT_NO_FATAL_FAILURE(gemm.check(40, 70, 70, 0.0004));
      ASSERT_NO_FATAL_FAILURE(gemm.check(3, 40, 40, 0.01));
      EXPECT_GT(gemm.nar_products, 0u);
      if (c.name.find("saturating") != std::string::npos) {
        EXPECT_GT(gemm.saturations, 0u);
      }
      if (c.name.find("near") != std::string::npos) {
        EXPECT_EQ(gemm.saturations, 0u);
      }
    }
  }
}

/// All products are 1 at step `switch_at`, -1 behind it.
class Ramp {
 public:
  Ramp(int weight_bits, int fixed_bits) : format_{.n = weight_bits, .es = 0, .rs = weight_bits - 1} {
    const LpEncoder weight(format_, Rounding::nearest_linear), activation(activation_, Rounding::nearest_linear);
    one_ = weight(1);
    minus_one_ = weight(-1);
    up_ = activation(1);
    kernel_.emplace(fixed(fixed_bits), format_, activation_, 0);
  }

  void check(std::size_t depth, std::size_t switch_at, std::int32_t start, std::uint64_t saturations) {
    SCOPED_TRACE(format_.n);
    constexpr std::size_t channels = 20, positions = 40;
    Words weights(depth, std::vector<Word>(channels));
    for (std::size_t k = 0; k < depth; ++k) weights[k][7] = k < switch_at ? one_ : minus_one_;
    Words activations(depth, std::vector<Word>(positions));
    for (auto& row : activations) row[13] = up_;
    Gemm gemm(*kernel_, format_, activation_, weights, activations, std::vector<Psum>(channels, {start, 0, false}));
    ASSERT_NO_FATAL_FAILURE(gemm.check(0, positions));
    EXPECT_EQ(gemm.saturations, saturations);
  }

 private:
  LpFormat format_;
  LpFormat activation_{.n = 8, .es = 0, .rs = 7};
  Word one_, minus_one_, up_;
  std::optional<GemmKernel> kernel_;
};

TEST(GemmKernel, SeesASumThatLeavesItsRangeForASingleStep) {
  for (const std::int64_t target : supported_targets()) {
    const ChosenTargets limit(ChosenTargets::up_to(target));
    SCOPED_TRACE(hwy::TargetName(target));
    for (const int weight_bits : {8, 4}) {  // 1 is a word of theirs.
      Ramp ramp(weight_bits, 12);
      // The largest sum is 2047: it is reached, passed for one step and passed for three, in the middle of a chunk.
      for (const std::size_t peak : {3u, 32u, 47u, 100u}) {
        const auto start = 2047 - static_cast<std::int32_t>(peak);
        ASSERT_NO_FATAL_FAILURE(ramp.check(150, peak, start, 0));
        ASSERT_NO_FATAL_FAILURE(ramp.check(150, peak + 1, start, 1));
        ASSERT_NO_FATAL_FAILURE(ramp.check(150, peak + 3, start, 3));
      }
    }
  }
}

TEST(GemmKernel, TakesStartValuesAtTheEndsOfTheRange) {
  Ramp ramp(8, 32);
  ASSERT_NO_FATAL_FAILURE(ramp.check(40, 20, 2147483647, 20));
  ASSERT_NO_FATAL_FAILURE(ramp.check(40, 0, -2147483647, 39));
  ASSERT_NO_FATAL_FAILURE(ramp.check(40, 0, -2147483647 - 1, 40));
}

TEST(GemmKernel, PanelsAndWeightsMayBeFilledAgain) {
  const LpFormat activation{.n = 8, .es = 1, .rs = 3};
  for (const int weight_bits : {8, 4, 2}) {
    const LpFormat weight{.n = weight_bits, .es = 0, .rs = weight_bits - 1};
    const GemmKernel kernel(fixed(), weight, activation, -10);
    GemmWeights used(kernel, 40, 10), fresh(kernel, 40, 10);
    GemmPanel used_panel(kernel, 40, 30), fresh_panel(kernel, 40, 30);
    std::mt19937 random(5);
    for (std::size_t k = 0; k < 40; ++k) {
      std::vector<std::uint8_t> w(10), a(30);
      for (auto& word : w) word = static_cast<std::uint8_t>(random());
      for (auto& word : a) word = static_cast<std::uint8_t>(random());
      used.set_row(k, w);
      used_panel.set(k, 0, a);
      for (auto& word : w) word = weight_bits == 2 ? 1 : static_cast<std::uint8_t>(random() % 3);
      for (auto& word : a) word = static_cast<std::uint8_t>(random() % 128);
      used.set_row(k, w);
      used_panel.set(k, 0, a);
      fresh.set_row(k, w);
      fresh_panel.set(k, 0, a);
    }
    const std::vector<Psum> start(10, kernel.scalar().start({}));
    std::vector<Psum> sums(300), expected(300);
    AccumulateEvents events, expected_events;
    kernel.run(used_panel, 0, 30, used, start, sums, events);
    kernel.run(fresh_panel, 0, 30, fresh, start, expected, expected_events);
    EXPECT_EQ(sums, expected) << weight_bits;
    EXPECT_EQ(events.saturations, expected_events.saturations);
    EXPECT_EQ(events.nar_products, 0u);
    EXPECT_EQ(expected_events.nar_products, 0u);
  }
}

TEST(GemmKernel, OfNoStepsGivesTheStartValues) {
  for (const char* preset : {"wide", "fixed"}) {
    const GemmKernel kernel(arithmetic_preset(preset), {}, {});
    const std::vector<Psum> start = {kernel.scalar().start(to_bias_term(3, 0)), kernel.scalar().start({})};
    std::vector<Psum> sums(4);
    AccumulateEvents events;
    kernel.run(GemmPanel(kernel, 0, 2), 0, 2, GemmWeights(kernel, 0, 2), start, sums, events);
    EXPECT_EQ(sums, (std::vector<Psum>{start[0], start[1], start[0], start[1]})) << preset;
  }
}

TEST(GemmKernel, TakesNoPositionsAndNoChannels) {
  for (const char* preset : {"wide", "fixed"}) {
    const GemmKernel kernel(arithmetic_preset(preset), {}, {});
    AccumulateEvents events;
    EXPECT_NO_THROW(kernel.run(GemmPanel(kernel, 3, 0), 0, 0, GemmWeights(kernel, 3, 0), {}, {}, events));
    EXPECT_NO_THROW(kernel.run(GemmPanel(kernel, 3, 9), 2, 5, GemmWeights(kernel, 3, 0), {}, {}, events));
  }
}

TEST(GemmKernel, RefusesSizesThatDoNotFit) {
  const GemmKernel kernel({}, {}, {});
  GemmWeights weights(kernel, 2, 3);
  GemmPanel panel(kernel, 2, 4);
  EXPECT_THROW(weights.set_row(2, std::vector<Word>(3)), FormatError);
  EXPECT_THROW(weights.set_row(0, std::vector<Word>(4)), FormatError);
  EXPECT_THROW(panel.set(0, 3, std::vector<Word>(2)), FormatError);
  EXPECT_THROW(panel.set(0, 5, std::vector<std::uint8_t>()), FormatError);
  const std::vector<Psum> start(3);
  std::vector<Psum> sums(6);
  AccumulateEvents events;
  EXPECT_NO_THROW(kernel.run(panel, 2, 2, weights, start, sums, events));
  EXPECT_THROW(kernel.run(panel, 3, 2, weights, start, sums, events), FormatError);
  EXPECT_THROW(kernel.run(panel, 2, 1, weights, start, sums, events), FormatError);
  EXPECT_THROW(kernel.run(GemmPanel(kernel, 3, 4), 2, 2, weights, start, sums, events), FormatError);
  EXPECT_THROW(GemmKernel({}, {}, {}).run(panel, 2, 2, weights, start, sums, events), FormatError);
  EXPECT_THROW(GemmKernel({}, LpFormat{.n = 5}, {}), FormatError);
  EXPECT_THROW(GemmKernel({}, {}, LpFormat{.n = 9}), FormatError);
}

}  // namespace
}  // namespace lpa::formats
