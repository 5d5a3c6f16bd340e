#include "quant/lpq/format_search.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace lpa::lpq {
namespace {

using formats::LpEncoder;
using formats::LpFormat;
using formats::Rounding;

/// The error as the words themselves give it.
double error_of_words(const std::vector<float>& values, const LpFormat& format, Quantizer quantizer) {
  const LpEncoder encode = quantizer == Quantizer::offline ? LpEncoder(format, Rounding::nearest_linear)
                                                           : LpEncoder(format, Rounding::nearest_log, true);
  double error = 0;
  for (const float value : values) error += std::pow(value - formats::decode(format, encode(value)), 2);
  return error / static_cast<double>(values.size());
}

std::vector<float> draw(std::mt19937_64& random, std::size_t count, double scale, bool heavy_tails) {
  std::normal_distribution<double> normal;
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) {
    double value = normal(random);
    if (heavy_tails) value *= value * value;
    values.push_back(static_cast<float>(scale * value));
  }
  return values;
}

TEST(ValueStatistics, GivesTheErrorOfTheWordsForEveryFormat) {
  std::mt19937_64 random(1);
  for (const bool heavy : {false, true}) {
    std::vector<float> values = draw(random, 3000, 0.3, heavy);
    values.insert(values.end(), 100, 0.0F);
    const ValueStatistics statistics(values);
    for (const int n : {2, 3, 4, 8}) {
      for (LpFormat format : formats::all_lp_formats(n)) {
        for (const int sf_q8 : {-300, 17, 512, 1800}) {
          format.sf_q8 = sf_q8;
          for (const Quantizer quantizer : {Quantizer::offline, Quantizer::encoder}) {
            const double expected = error_of_words(values, format, quantizer);
            EXPECT_NEAR(mean_squared_error(statistics, format, quantizer), expected, 1e-9 * expected)
                << to_string(format);
          }
        }
      }
    }
  }
}

TEST(ValueStatistics, KnowsCountLargestAndRms) {
  const ValueStatistics statistics({0, -3, 0, 4});
  EXPECT_EQ(statistics.count(), 4U);
  EXPECT_EQ(statistics.largest(), 4.0F);
  EXPECT_DOUBLE_EQ(statistics.rms(), std::sqrt(12.5));
  EXPECT_EQ(ValueStatistics({}).largest(), 0.0F);
  EXPECT_EQ(ValueStatistics({0, 0}).rms(), 0.0);
}

TEST(SearchFormat, FindsAFormatThatHasAllTheValues) {
  std::mt19937_64 random(2);
  for (const int n : {2, 4, 8}) {
    for (LpFormat format : formats::all_lp_formats(n)) {
      if (format.es > 2 || (n == 8 && format.rs % 3 != 1)) continue;  // for time's sake
      format.sf_q8 = std::uniform_int_distribution<int>(-1000, 1000)(random);
      std::vector<float> values;
      for (int word = 0; word < format.word_count(); ++word) {
        if (word == format.nar_word()) continue;
        values.push_back(static_cast<float>(formats::decode(format, static_cast<formats::Word>(word))));
      }
      for (const Quantizer quantizer : {Quantizer::offline, Quantizer::encoder}) {
        const FormatChoice choice = search_format(ValueStatistics(values), n, quantizer);
        // Floats round the values to 24 bits.
        const double rms = ValueStatistics(values).rms();
        EXPECT_LT(choice.mean_squared_error, 1e-13 * rms * rms) << to_string(format) << " " << to_string(choice.format);
        EXPECT_LT(error_of_words(values, choice.format, quantizer), 1e-13 * rms * rms) << to_string(format);
      }
    }
  }
}

TEST(SearchFormat, IsNeverWorseThanAGridOfFormatsOnSmallTensors) {
  std::mt19937_64 random(3);
  for (const std::size_t count : {1U, 2U, 7U, 40U}) {
    for (const bool heavy : {false, true}) {
      const std::vector<float> values = draw(random, count, 1.7, heavy);
      for (const int n : {2, 4, 8}) {
        for (const Quantizer quantizer : {Quantizer::offline, Quantizer::encoder}) {
          double best = INFINITY;
          LpFormat best_format;
          for (LpFormat format : formats::all_lp_formats(n)) {
            for (format.sf_q8 = -8 * 256; format.sf_q8 <= 8 * 256; format.sf_q8 += 24) {
              const double error = error_of_words(values, format, quantizer);
              if (error < best) best = error, best_format = format;
            }
          }
          const FormatChoice choice = search_format(ValueStatistics(values), n, quantizer);
          const double error = error_of_words(values, choice.format, quantizer);
          EXPECT_LE(error, best * (1 + 1e-9) + 1e-30)
              << count << " values, " << n << " bits: " << to_string(choice.format) << " against "
              << to_string(best_format);
        }
      }
    }
  }
}

TEST(SearchFormat, IsNotWorseThanAFineGridOnLargeTensors) {
  std::mt19937_64 random(4);
  for (const bool heavy : {false, true}) {
    const ValueStatistics values(draw(random, 20000, 0.02, heavy));
    for (const Quantizer quantizer : {Quantizer::offline, Quantizer::encoder}) {
      double best = INFINITY;
      LpFormat best_format;
      for (LpFormat format : formats::all_lp_formats(8)) {
        for (format.sf_q8 = -4 * 256; format.sf_q8 <= 16 * 256; format.sf_q8 += 8) {
          const double error = mean_squared_error(values, format, quantizer);
          if (error < best) best = error, best_format = format;
        }
      }
      const FormatChoice choice = search_format(values, 8, quantizer);
      EXPECT_LE(choice.mean_squared_error, best * 1.000001)
          << to_string(choice.format) << " against " << to_string(best_format);
    }
  }
}

TEST(SearchFormat, CentresATernaryFormatOnItsMagnitude) {
  const FormatChoice choice = search_format(ValueStatistics({0.5F, -0.5F, 0, 0.5F}), 2, Quantizer::offline);
  EXPECT_EQ(choice.format, (LpFormat{.n = 2, .es = 0, .rs = 1, .sf_q8 = 256}));
  EXPECT_EQ(choice.mean_squared_error, 0);
}

TEST(SearchFormat, GivesALegalFormatForZerosAndForExtremeScales) {
  const FormatChoice zeros = search_format(ValueStatistics({0, 0}), 4, Quantizer::encoder);
  EXPECT_EQ(zeros.format.n, 4);
  EXPECT_EQ(zeros.format.sf_q8, 0);
  for (const float scale : {1e-37F, 1e37F}) {
    for (const int n : {2, 4, 8}) {
      const FormatChoice choice = search_format(ValueStatistics({scale, -scale / 3}), n, Quantizer::offline);
      EXPECT_EQ(formats::check(choice.format), "") << to_string(choice.format);
      EXPECT_LT(std::sqrt(choice.mean_squared_error), 0.3 * double{scale});
    }
  }
}

}  // namespace
}  // namespace lpa::lpq
