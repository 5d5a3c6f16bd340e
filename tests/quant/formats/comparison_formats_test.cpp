// What each of the comparison formats promises beyond rounding to the nearest word.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/adaptiv_float.h"
#include "quant/formats/ant.h"
#include "quant/formats/format_error.h"
#include "quant/formats/int_format.h"
#include "quant/formats/lns.h"
#include "quant/formats/number_format.h"
#include "quant/formats/posit.h"
#include "quant/formats/scale_search.h"

namespace lpa::formats {
namespace {

/// A posit's value by the closed formula of the 2022 standard, which reads negative words without complementing them:
/// ((1 - 3s) + f) * 2^((1 - 2s) * (2^es * r + e + s)).
double standard_value(int n, int es, unsigned word) {
  std::string bits;
  for (int i = n - 1; i >= 0; --i) bits += (word >> i) & 1 ? '1' : '0';
  const int s = bits[0] - '0';
  std::size_t run = 1;
  while (1 + run < bits.size() && bits[1 + run] == bits[1]) ++run;
  const int r = bits[1] == '0' ? -static_cast<int>(run) : static_cast<int>(run) - 1;
  std::string rest = bits.size() > run + 2 ? bits.substr(run + 2) : "";
  rest += "00000";
  int e = 0;
  for (int i = 0; i < es; ++i) e = 2 * e + (rest[static_cast<std::size_t>(i)] - '0');
  double f = 0;
  for (std::size_t i = static_cast<std::size_t>(es); i < rest.size(); ++i) {
    f += std::ldexp(rest[i] - '0', es - static_cast<int>(i) - 1);
  }
  return (1 - 3 * s + f) * std::exp2((1 - 2 * s) * ((r << es) + e + s));
}

TEST(Posit, ValuesFollowTheStandardsFormula) {
  for (int n = 2; n <= 12; ++n) {
    for (int es = 0; es <= 4; ++es) {
      for (unsigned word = 1; word < 1u << n; ++word) {
        if (word == 1u << (n - 1)) continue;
        ASSERT_EQ(decode(PositFormat{n, es}, static_cast<Word>(word)), standard_value(n, es, word))
            << n << ',' << es << ' ' << word;
      }
    }
  }
}

TEST(Posit, RoundsAtTheWordBetweenInOneBitMore) {
  for (const PositFormat format : {PositFormat{8, 0}, PositFormat{8, 1}, PositFormat{8, 2}, PositFormat{8, 3},
                                   PositFormat{5, 2}, PositFormat{3, 1}, PositFormat{2, 0}}) {
    const unsigned nar = 1u << (format.n - 1);
    for (unsigned word = 1; word < nar; ++word) {
      const double value = standard_value(format.n, format.es, word);
      ASSERT_EQ(encode(format, value), word);
      ASSERT_EQ(encode(format, -value), 2 * nar - word);
      if (word + 1 == nar) break;
      const double between = standard_value(format.n + 1, format.es, 2 * word + 1);
      const unsigned even = word % 2 == 0 ? word : word + 1;
      ASSERT_EQ(encode(format, between), even) << to_string(format) << ' ' << word;
      ASSERT_EQ(encode(format, std::nextafter(between, 0)), word);
      ASSERT_EQ(encode(format, std::nextafter(between, 1e300)), word + 1);
      ASSERT_EQ(encode(format, -std::nextafter(between, 1e300)), 2 * nar - word - 1);
    }
    EXPECT_EQ(encode(format, 1e-300), 1);
    EXPECT_EQ(encode(format, 1e300), nar - 1);
    EXPECT_EQ(encode(format, 0), 0);
    EXPECT_EQ(encode(format, NAN), nar);
    EXPECT_EQ(encode(format, -INFINITY), nar);
  }
}

TEST(Posit, KnownValues) {
  EXPECT_EQ(decode(PositFormat{8, 2}, 0x7f), std::exp2(24));
  EXPECT_EQ(decode(PositFormat{8, 1}, 0x40), 1);
  EXPECT_EQ(decode(PositFormat{16, 1}, 0x7fff), std::exp2(28));
  EXPECT_EQ(encode(PositFormat{16, 2}, 3.1415926535), 0b0100110010010001);  // 1.5707963 * 2: 0 10 01 10010010001.
}

std::vector<double> magnitudes(const std::vector<GridPoint>& points) {
  std::vector<double> result;
  for (const GridPoint& point : points) {
    if (point.value >= 0) result.push_back(point.value);
  }
  std::sort(result.begin(), result.end());
  return result;
}

TEST(Flint, GridsAreThePublishedOnes) {
  EXPECT_THAT(magnitudes(grid(FlintFormat{4, 1})), testing::ElementsAre(0, 1, 2, 3, 4, 6, 8, 16));
  EXPECT_THAT(magnitudes(grid(FlintFormat{5, 1})),
              testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24, 32, 64));
}

TEST(Pot, GridIsZeroAndPowers) {
  EXPECT_THAT(magnitudes(grid(PotFormat{4, 0.5})), testing::ElementsAre(0, 0.5, 1, 2, 4, 8, 16, 32));
  EXPECT_EQ(magnitudes(grid(PotFormat{8, 1})).back(), std::exp2(126));
}

TEST(Int, GridIsSymmetric) {
  const auto points = grid(IntFormat{4, 0.5});
  EXPECT_EQ(points.size(), 15u);
  EXPECT_EQ(points.front(), (GridPoint{-3.5, 9}));
  EXPECT_EQ(points.back(), (GridPoint{3.5, 7}));
}

TEST(Lns, IsUniformInLog) {
  const auto values = magnitudes(grid(LnsFormat{8, 3, 0.25}));
  ASSERT_EQ(values.size(), 128u);
  EXPECT_EQ(values[0], 0);
  for (std::size_t i = 2; i < values.size(); ++i) EXPECT_NEAR(std::log2(values[i] / values[i - 1]), 1.0 / 16, 1e-12);
  EXPECT_DOUBLE_EQ(values.back(), 0.25 * std::exp2(4 - 1.0 / 16));
  EXPECT_DOUBLE_EQ(values[1], 0.25 * std::exp2(-4 + 1.0 / 16));
}

TEST(AdaptivFloat, TopExponentIsThatOfTheLargestMagnitude) {
  for (const double largest : {1.0, 1.99, 2.0, 0.3, 1e-6, 12345.0}) {
    for (int e = 1; e <= 7; ++e) {
      const AdaptivFloatFormat format = fit_adaptiv_float(8, e, largest);
      const double top = decode(format, 0x7f);
      const int exponent = std::ilogb(largest);
      EXPECT_EQ(top, std::ldexp(2 - std::ldexp(1.0, -format.mantissa_bits()), exponent)) << largest << ' ' << e;
      EXPECT_EQ(encode(format, 1e30), 0x7f);
      EXPECT_EQ(encode(format, -1e30), 0xff);
    }
  }
  EXPECT_EQ(fit_adaptiv_float(8, 4, 0).bias, 0);
  EXPECT_THROW(fit_adaptiv_float(8, 9, 1), FormatError);
  EXPECT_THROW(fit_adaptiv_float(8, 4, NAN), FormatError);
}

TEST(AdaptivFloat, HalfOfTheSmallestMagnitudeIsKept) {
  const AdaptivFloatFormat format{8, 4, -10};
  const double smallest = std::ldexp(1 + std::ldexp(1.0, -3), -10);
  EXPECT_EQ(decode(format, 1), smallest);
  EXPECT_EQ(encode(format, smallest / 2), 1);
  EXPECT_EQ(encode(format, -smallest / 2), 0x81);
  EXPECT_EQ(encode(format, std::nextafter(smallest / 2, 0)), 0);
  EXPECT_EQ(encode(format, -std::nextafter(smallest / 2, 0)), 0);
}

template <class Distribution>
std::vector<float> draw(Distribution distribution, std::size_t count) {
  std::mt19937 random(2024);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(distribution(random));
  return values;
}

double squared_error(const NumberFormat& format, const std::vector<float>& values) {
  const NumberEncoder encoder(format);
  double error = 0;
  for (const float value : values) error += std::pow(encoder.quantize(value) - value, 2);
  return error;
}

TEST(ScaleSearch, ErrorEqualsThatOfTheEncoder) {
  const auto values = draw(std::normal_distribution<>(0, 0.1), 5000);
  const MagnitudeSums tensor(values);
  for (const double scale : {0.02, 0.003, 0.5}) {
    const auto of_int = magnitudes(grid(IntFormat{6, 1}));
    EXPECT_NEAR(tensor.squared_error(of_int, scale), squared_error(IntFormat{6, scale}, values), 1e-9);
    const auto of_flint = magnitudes(grid(FlintFormat{4, 1}));
    EXPECT_NEAR(tensor.squared_error(of_flint, scale), squared_error(FlintFormat{4, scale}, values), 1e-9);
  }
}

TEST(ScaleSearch, FindsNoWorseThanAFineScan) {
  const auto values = draw(std::normal_distribution<>(0, 0.1), 3000);
  const MagnitudeSums tensor(values);
  for (const int n : {2, 3, 4, 8}) {
    const auto unit = grid(IntFormat{n, 1});
    const ScaleChoice choice = search_scale(unit, tensor);
    EXPECT_NEAR(choice.squared_error, squared_error(IntFormat{n, choice.scale}, values), 1e-9);
    double least = std::numeric_limits<double>::infinity();
    for (int i = 1; i <= 400; ++i) {
      const double scale = tensor.largest() / magnitudes(unit).back() * i / 400;
      least = std::min(least, tensor.squared_error(magnitudes(unit), scale));
    }
    EXPECT_LE(choice.squared_error, least * 1.01) << n;
  }
}

TEST(Ant, PicksTheTypeThatFitsTheDistribution) {
  const auto uniform = draw(std::uniform_real_distribution<>(-1, 1), 4000);
  EXPECT_TRUE(std::holds_alternative<IntFormat>(fit_ant(4, uniform)));
  const auto normal = draw(std::normal_distribution<>(0, 1), 4000);
  std::vector<float> laplace = draw(std::exponential_distribution<>(1), 4000);
  for (std::size_t i = 0; i < laplace.size(); i += 2) laplace[i] = -laplace[i];
  EXPECT_TRUE(std::holds_alternative<FlintFormat>(fit_ant(4, laplace)));
  std::vector<float> powers = draw(std::normal_distribution<>(0, 1), 4000);
  for (float& value : powers) value = std::copysign(std::exp2(std::round(4 * value)), value);
  EXPECT_TRUE(std::holds_alternative<PotFormat>(fit_ant(4, powers)));
  EXPECT_TRUE(std::holds_alternative<IntFormat>(fit_ant(8, normal))) << "wider than 6 bits";
}

TEST(Ant, ChoiceIsTheLeastErrorOfTheThree) {
  const auto values = draw(std::normal_distribution<>(0, 0.02), 2000);
  const AntFormat best = fit_ant(4, values);
  const double error = std::visit([&](const auto& format) { return squared_error(format, values); }, best);
  const MagnitudeSums tensor(values);
  EXPECT_LE(error, search_scale(grid(IntFormat{4, 1}), tensor).squared_error + 1e-9);
  EXPECT_LE(error, search_scale(grid(PotFormat{4, 1}), tensor).squared_error + 1e-9);
  EXPECT_LE(error, search_scale(grid(FlintFormat{4, 1}), tensor).squared_error + 1e-9);
}

TEST(Ant, TakesDegenerateTensors) {
  EXPECT_EQ(fit_int_format(8, std::vector<float>{}).scale, 1);
  EXPECT_EQ(fit_int_format(8, std::vector<float>(3, 0.0f)).scale, 1);
  const std::vector<float> one(1, -0.75f);
  EXPECT_EQ(std::visit([](const auto& f) { return decode(f, encode(f, -0.75)); }, fit_ant(2, one)), -0.75);
  EXPECT_THROW(fit_ant(4, std::vector<float>{NAN}), FormatError);
  EXPECT_THROW(fit_ant(1, one), FormatError);
}

}  // namespace
}  // namespace lpa::formats
