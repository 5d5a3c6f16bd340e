#include "quant/formats/row_functions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

std::vector<double> values(const LpFormat& format, const std::vector<Word>& words) {
  std::vector<double> result;
  for (const Word word : words) result.push_back(decode(format, word));
  return result;
}

/// Words of normally distributed values.
std::vector<Word> random_row(const LpFormat& format, std::size_t count, double mean, double deviation,
                             std::mt19937_64& random) {
  std::normal_distribution<double> normal(mean, deviation);
  std::vector<Word> row(count);
  for (Word& word : row) word = encode(format, normal(random), Rounding::nearest_linear);
  return row;
}

struct Result {
  std::vector<Word> words;
  AccumulateEvents events;
};

template <class Row>
Result run_row(const Row& function, const std::vector<Word>& row) {
  Result result{std::vector<Word>(row.size()), {}};
  function(row, result.words, result.events);
  return result;
}

/// The most accurate arithmetic there is.
Arithmetic precise() {
  Arithmetic arithmetic;
  arithmetic.lf_bits = 16;
  arithmetic.encoder_log_bits = 12;
  arithmetic.ppu = {.integer_bits = 12, .fraction_bits = 20};
  return arithmetic;
}

Arithmetic coarse() {
  Arithmetic arithmetic;
  arithmetic.converter = Converter::mitchell;
  arithmetic.lf_bits = 5;
  arithmetic.encoder_log_bits = 5;
  arithmetic.ppu = {.integer_bits = 3, .fraction_bits = 8};
  return arithmetic;
}

/// Softmax.

const LpFormat softmax_in{.n = 8, .es = 1, .rs = 5, .sf_q8 = 40};
const LpFormat softmax_out{.n = 8, .es = 2, .rs = 5, .sf_q8 = 256 * 5};

std::vector<double> softmax(const std::vector<double>& x) {
  const double largest = *std::ranges::max_element(x);
  std::vector<double> y;
  for (const double value : x) y.push_back(std::exp(value - largest));
  const double sum = std::accumulate(y.begin(), y.end(), 0.0);
  for (double& value : y) value /= sum;
  return y;
}

/// Half the largest step in log2 between two neighbouring words from `smallest` on.
double half_step(const LpFormat& format, double smallest) {
  double step = 0;
  for (int word = format.minpos_word(); word < format.maxpos_word(); ++word) {
    const double low = decode(format, static_cast<Word>(word)), high = decode(format, static_cast<Word>(word + 1));
    if (high > smallest) step = std::max(step, std::log2(high / low));
  }
  return step / 2;
}

/// Compares results that are neither flushed nor saturated; `bound` is that of the logarithm's error before rounding.
void expect_near(const LpFormat& format, const std::vector<double>& expected, const std::vector<Word>& words,
                 double smallest, double bound) {
  const double tolerance = bound + half_step(format, smallest);
  const double largest = decode(format, format.maxpos_word());
  for (std::size_t i = 0; i < words.size(); ++i) {
    const double magnitude = std::abs(expected[i]);
    if (magnitude < smallest || magnitude > largest) continue;
    ASSERT_NE(words[i], format.zero_word()) << "instead of " << expected[i];
    const double result = decode(format, words[i]);
    EXPECT_EQ(result < 0, expected[i] < 0);
    EXPECT_NEAR(std::log2(std::abs(result)), std::log2(magnitude), tolerance) << expected[i];
  }
}

TEST(SoftmaxRow, IsNearTheRealFunction) {
  std::mt19937_64 random(1);
  for (const auto& [arithmetic, relative, absolute] :
       {std::tuple{Arithmetic{}, 0.0045, 0.02}, std::tuple{precise(), 0.002, 0.01}, std::tuple{coarse(), 0.12, 0.2}}) {
    const SoftmaxRow function(arithmetic, softmax_in, softmax_out);
    for (const std::size_t count : {1UL, 2UL, 7UL, 65UL, 1000UL}) {
      for (const double deviation : {0.1, 1.0, 3.0}) {
        const std::vector<Word> row = random_row(softmax_in, count, 0.5, deviation, random);
        const std::vector<double> x = values(softmax_in, row);
        // The converter's error is relative to x, whose distance from the largest is the result's log.
        const double widest = std::abs(*std::ranges::max_element(x, {}, [](double v) { return std::abs(v); }));
        const double bound = absolute + 2 * relative * widest / std::log(2.0);
        expect_near(softmax_out, softmax(x), run_row(function, row).words, 1e-4, bound);
      }
    }
  }
}

TEST(SoftmaxRow, GivesEveryWordItsOwnResultWhereverItStands) {
  std::mt19937_64 random(2);
  const SoftmaxRow function({}, softmax_in, softmax_out);
  std::vector<Word> row = random_row(softmax_in, 300, 0, 2, random);
  const Result first = run_row(function, row);
  std::vector<std::size_t> order(row.size());
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::shuffle(order, random);
  std::vector<Word> shuffled;
  for (const std::size_t i : order) shuffled.push_back(row[i]);
  const Result second = run_row(function, shuffled);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(second.words[i], first.words[order[i]]);
  for (std::size_t i = 0; i < row.size(); ++i) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (decode(softmax_in, row[i]) < decode(softmax_in, row[j])) {
        EXPECT_LE(first.words[i], first.words[j]);
      }
    }
  }
}

TEST(SoftmaxRow, OfEqualWordsIsOneOverTheirNumber) {
  const SoftmaxRow function({}, softmax_in, softmax_out);
  for (const std::size_t count : {1UL, 2UL, 4UL, 64UL, 1024UL, 32768UL}) {
    for (int word = 0; word < 256; ++word) {
      if (word == softmax_in.nar_word()) continue;
      const Result result = run_row(function, std::vector<Word>(count, static_cast<Word>(word)));
      const Word expected = encode(softmax_out, 1.0 / static_cast<double>(count), Rounding::nearest_log, true);
      EXPECT_EQ(result.words, std::vector<Word>(count, expected)) << count << " times " << word;
      if (count > 64 && word > 4) break;
    }
  }
}

TEST(SoftmaxRow, TakesTheLongestRow) {
  const SoftmaxRow function({}, softmax_in, LpFormat{.n = 8, .es = 1, .rs = 7, .sf_q8 = 16 * 256});
  const Result result = run_row(function, std::vector<Word>(65535, Word{5}));
  EXPECT_NEAR(decode({.n = 8, .es = 1, .rs = 7, .sf_q8 = 16 * 256}, result.words.back()) * 65535, 1, 0.02);
  EXPECT_THROW(run_row(function, std::vector<Word>(65536)), FormatError);
  EXPECT_THROW(run_row(function, {}), FormatError);
  std::vector<Word> row(3), shorter(2);
  AccumulateEvents events;
  EXPECT_THROW(function(row, shorter, events), FormatError);
}

TEST(SoftmaxRow, OfHugeWordsTakesTheLargestOnly) {
  const LpFormat input{.n = 8, .es = 5, .rs = 5, .sf_q8 = 0};
  const SoftmaxRow function({}, input, LpFormat{.n = 8, .es = 0, .rs = 7, .sf_q8 = 0});
  const Word huge = input.maxpos_word(), low = static_cast<Word>(256 - huge);
  EXPECT_EQ(run_row(function, {huge, 0, low}).words, (std::vector<Word>{64, 0, 0}));
  EXPECT_EQ(run_row(function, {low, 0, low}).words, (std::vector<Word>{0, 64, 0}));
}

TEST(SoftmaxRow, SpreadsNotARealAndCountsIt) {
  const SoftmaxRow function({}, softmax_in, softmax_out);
  const Result result = run_row(function, {1, softmax_in.nar_word(), 5, softmax_in.nar_word()});
  EXPECT_EQ(result.words, std::vector<Word>(4, softmax_out.nar_word()));
  EXPECT_EQ(result.events.nar_products, 2U);
  EXPECT_EQ(result.events.saturations, 0U);
}

/// Layer normalisation.

const LpFormat norm_in{.n = 8, .es = 1, .rs = 4, .sf_q8 = -100};
const LpFormat norm_out{.n = 8, .es = 1, .rs = 4, .sf_q8 = 64};
constexpr double epsilon = 1e-5;
const int epsilon_log = static_cast<int>(std::lround(256 * std::log2(epsilon)));

struct Parameters {
  std::vector<NormTerm> terms;
  std::vector<double> gamma, beta;
};

Parameters random_parameters(std::size_t count, std::mt19937_64& random) {
  std::normal_distribution<double> normal;
  Parameters result;
  for (std::size_t i = 0; i < count; ++i) {
    result.gamma.push_back(i % 11 == 3 ? 0.0 : 1 + 0.3 * normal(random));
    result.beta.push_back(i % 7 == 2 ? 0.0 : 0.2 * normal(random));
    result.terms.push_back({to_log_number(result.gamma.back()), to_log_number(result.beta.back())});
  }
  return result;
}

std::vector<NormTerm> plain(std::size_t count) {
  return std::vector<NormTerm>(count, {to_log_number(1), {}});
}

std::vector<double> normalized(const std::vector<double>& x, const Parameters& parameters, double eps) {
  const auto count = static_cast<double>(x.size());
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / count;
  double variance = eps;
  for (const double value : x) variance += (value - mean) * (value - mean) / count;
  std::vector<double> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    y.push_back((x[i] - mean) / std::sqrt(variance) * parameters.gamma[i] + parameters.beta[i]);
  }
  return y;
}

/// In linear value, relative to a result of 1: the sums are linear.
void expect_near_linear(const LpFormat& format, const std::vector<double>& expected, const std::vector<Word>& words,
                        double bound) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const double y = decode(format, words[i]);
    EXPECT_NEAR(y, expected[i], bound * (1 + std::abs(expected[i]))) << i;
  }
}

TEST(LayerNormRow, IsNearTheRealFunction) {
  std::mt19937_64 random(3);
  const double rounding = half_step(norm_out, 0.02) * std::log(2.0);
  for (const auto& [arithmetic, bound] : {std::pair{Arithmetic{}, 0.02}, std::pair{precise(), 0.008}}) {
    for (const std::size_t count : {2UL, 5UL, 64UL, 768UL}) {
      const Parameters parameters = random_parameters(count, random);
      const LayerNormRow function(arithmetic, norm_in, norm_out, parameters.terms, epsilon_log);
      for (const double mean : {0.0, 0.5, -2.0}) {
        const std::vector<Word> row = random_row(norm_in, count, mean, 1, random);
        const Result result = run_row(function, row);
        expect_near_linear(norm_out, normalized(values(norm_in, row), parameters, epsilon), result.words,
                           bound * (1 + std::abs(mean)) + rounding);
        EXPECT_EQ(result.events.saturations, 0U);
      }
    }
  }
}

TEST(LayerNormRow, OfEqualWordsIsBetaUpToTheMeansRounding) {
  std::mt19937_64 random(4);
  for (const std::size_t count : {1UL, 2UL, 64UL, 256UL}) {
    Parameters parameters = random_parameters(count, random);
    const LayerNormRow function({}, norm_in, norm_out, parameters.terms, 0);  // epsilon is 1
    for (int word = 0; word < 256; ++word) {
      if (word == norm_in.nar_word()) continue;
      const std::vector<Word> row(count, static_cast<Word>(word));
      const double x = std::abs(decode(norm_in, row[0]));
      const double rounding = half_step(norm_out, 0.005) * std::log(2.0);
      std::vector<double> expected;
      for (const double beta : parameters.beta) expected.push_back(beta);
      const Result result = run_row(function, row);
      if (x < 1) expect_near_linear(norm_out, expected, result.words, 0.02 * x + rounding);
    }
  }
}

TEST(LayerNormRow, OfZerosIsBeta) {
  std::mt19937_64 random(5);
  const Parameters parameters = random_parameters(40, random);
  const PsumEncoder encoder = PsumEncoder::for_ppu({}, norm_out, -norm_out.sf_q8);
  for (const int eps : {epsilon_log, no_epsilon}) {
    const LayerNormRow function({}, norm_in, norm_out, parameters.terms, eps);
    const Result result = run_row(function, std::vector<Word>(40, Word{0}));
    const Accumulator adder = Accumulator::for_ppu({});
    for (std::size_t i = 0; i < 40; ++i) {
      const LogNumber& beta = parameters.terms[i].beta;
      EXPECT_EQ(result.words[i], beta.zero ? 0 : encoder(adder.add({}, beta.log_q8, beta.negative)));
    }
  }
}

TEST(LayerNormRow, OfASingleChannelWithoutSpreadIsBeta) {
  // The mean of one word is the word itself, or its neighbour on the logarithmic grid: nothing to divide by.
  const LayerNormRow function({}, norm_in, norm_out, {{to_log_number(1), to_log_number(0.5)}}, no_epsilon);
  const Word half = encode(norm_out, 0.5, Rounding::nearest_log, true);
  const Word one = encode(norm_in, std::exp2(-norm_in.sf()), Rounding::nearest_log);  // log2 is an integer
  EXPECT_EQ(run_row(function, {one}).words, std::vector<Word>{half});
}

TEST(LayerNormRow, IsOddWithoutBeta) {
  std::mt19937_64 random(6);
  const LayerNormRow function({}, norm_in, norm_out, plain(100), epsilon_log);
  const std::vector<Word> row = random_row(norm_in, 100, 0.3, 1, random);
  std::vector<Word> negated = row;
  for (Word& word : negated) word = static_cast<Word>((256 - word) & 255);
  const Result first = run_row(function, row), second = run_row(function, negated);
  for (std::size_t i = 0; i < row.size(); ++i) EXPECT_EQ(second.words[i], (256 - first.words[i]) & 255);
}

TEST(LayerNormRow, DoesNotDependOnTheInputsScaleFactorInWholeOctaves) {
  std::mt19937_64 random(7);
  const std::vector<Word> row = random_row(norm_in, 200, 0.3, 1, random);
  const Result reference = run_row(LayerNormRow({}, norm_in, norm_out, plain(200), no_epsilon), row);
  for (const int octaves : {-100, -1, 3, 120}) {
    LpFormat scaled = norm_in;
    scaled.sf_q8 += 256 * octaves;
    EXPECT_EQ(run_row(LayerNormRow({}, scaled, norm_out, plain(200), no_epsilon), row).words, reference.words);
  }
}

TEST(LayerNormRow, SpreadsNotARealAndCountsIt) {
  const LayerNormRow function({}, norm_in, norm_out, plain(3), epsilon_log);
  const Result result = run_row(function, {norm_in.nar_word(), norm_in.nar_word(), 3});
  EXPECT_EQ(result.words, std::vector<Word>(3, norm_out.nar_word()));
  EXPECT_EQ(result.events.nar_products, 2U);
}

TEST(LayerNormRow, CountsSaturations) {
  Arithmetic arithmetic;
  arithmetic.ppu = {.integer_bits = 2, .fraction_bits = 10};
  const LayerNormRow function(arithmetic, norm_in, norm_out, plain(64), epsilon_log);
  EXPECT_GT(run_row(function, std::vector<Word>(64, Word{70})).events.saturations, 30U);
}

TEST(LayerNormRow, RejectsRowsOfAnotherLengthAndBadParameters) {
  const LayerNormRow function({}, norm_in, norm_out, plain(3), epsilon_log);
  EXPECT_THROW(run_row(function, {1, 2}), FormatError);
  std::vector<Word> row(3), shorter(2);
  AccumulateEvents events;
  EXPECT_THROW(function(row, shorter, events), FormatError);
  EXPECT_THROW(LayerNormRow({}, norm_in, norm_out, {}, epsilon_log), FormatError);
  EXPECT_THROW(LayerNormRow({}, LpFormat{.n = 16}, norm_out, plain(3), epsilon_log), FormatError);
  EXPECT_THROW(LayerNormRow({}, norm_in, LpFormat{.n = 1}, plain(3), epsilon_log), FormatError);
  EXPECT_THROW(SoftmaxRow({.lf_bits = 17}, norm_in, norm_out), FormatError);
}

}  // namespace
}  // namespace lpa::formats
