#include "quant/formats/tensor_format.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "quant/formats/number_system.h"

namespace lpa::formats {
namespace {

using ::testing::HasSubstr;

std::vector<TensorFormat> some_formats() {
  std::vector<TensorFormat> formats{LpFormat{8, 1, 3, -64}, LpFormat{4, 0, 2, 37, Regime::terminated}};
  for (std::size_t system = 1; system < number_system_names().size(); ++system) {
    for (const int bits : {8, 4, 2}) {
      for (TensorFormat format : formats_of(static_cast<NumberSystem>(system), bits)) {
        formats.push_back(format);
        if (format.family == Family::posit) continue;
        format.sf_q8 = format.family == Family::adaptivfloat ? 9 * 256 : 1234;
        formats.push_back(format);
      }
    }
  }
  return formats;
}

TEST(TensorFormat, TextsOfItsFormatsAreReadBack) {
  for (const TensorFormat& format : some_formats()) {
    EXPECT_EQ(check(format), "") << to_string(format);
    EXPECT_EQ(parse_tensor_format(to_string(format)), format) << to_string(format);
    EXPECT_TRUE(to_string(format).starts_with(to_string(format.family))) << to_string(format);
  }
}

TEST(TensorFormat, EveryScaleIsReadBack) {
  for (int sf_q8 = -127 * 256; sf_q8 <= 127 * 256; ++sf_q8) {
    const TensorFormat format(Family::flint, 4, 0, sf_q8);
    ASSERT_EQ(parse_tensor_format(to_string(format)), format) << to_string(format);
  }
}

TEST(TensorFormat, ScalesBecomePowersOfThe256thRootOf2) {
  EXPECT_EQ(parse_tensor_format("int<8,0.25>").sf_q8, 512);
  EXPECT_EQ(parse_tensor_format("int<8,0.05>").sf_q8, std::lround(256 * std::log2(20)));
  EXPECT_EQ(parse_tensor_format("adaptivfloat<8,4,-15>").sf_q8, 15 * 256);
  EXPECT_EQ(decode(parse_tensor_format("int<8,0.25>"), 0xff), -0.25);
}

TEST(TensorFormat, RefusesWhatNoMachineHas) {
  EXPECT_THROW(parse_tensor_format("lns<8,4>"), FormatError);
  EXPECT_THROW(parse_tensor_format("int<16,1>"), FormatError);
  EXPECT_THROW(parse_tensor_format("adaptivfloat<8,4,-400>"), FormatError);
  EXPECT_THAT(check(TensorFormat(Family::adaptivfloat, 8, 4, -200 * 256)),
              HasSubstr("bias is 200 but must be -127..127"));
  EXPECT_THAT(check(TensorFormat(Family::integer, 8, 0, 200 * 256)), HasSubstr("scale is 2^-200"));
  EXPECT_THAT(check(TensorFormat(Family::posit, 8, 1, 256)), HasSubstr("sf must be 0"));
  EXPECT_THAT(check(TensorFormat(Family::adaptivfloat, 8, 4, 100)), HasSubstr("whole number"));
}

TEST(TensorFormat, OrderIsThatOfTheValues) {
  for (const TensorFormat& format : some_formats()) {
    for (int a = 0; a < format.word_count(); ++a) {
      for (int b = 0; b < format.word_count(); ++b) {
        if (a == format.nar_word() || b == format.nar_word()) continue;
        const auto first = static_cast<Word>(a), second = static_cast<Word>(b);
        ASSERT_EQ(format.order(first) < format.order(second), decode(format, first) < decode(format, second))
            << to_string(format) << ' ' << a << ' ' << b;
      }
    }
  }
}

TEST(TensorFormat, MagnitudesAreThoseOfTheWordsWithoutScale) {
  for (const TensorFormat& format : some_formats()) {
    double least = INFINITY, most = 0;
    for (int word = 1; word < format.word_count(); ++word) {
      const double value = std::abs(decode(format, static_cast<Word>(word))) * std::exp2(format.sf());
      if (std::isnan(value) || value == 0) continue;
      ASSERT_NEAR(unscaled_magnitude(format, static_cast<Word>(word)), value, 1e-12 * value) << to_string(format);
      if (word == format.nar_word() || format.regime == Regime::terminated) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
    if (format.regime == Regime::terminated) continue;
    EXPECT_NEAR(smallest_magnitude(format), least, 1e-12 * least) << to_string(format);
    EXPECT_NEAR(largest_magnitude(format), most, 1e-12 * most) << to_string(format);
  }
}

TEST(NumberSystem, HasTheFormatsOfItsMachine) {
  const auto names = [](NumberSystem system, int bits) {
    std::vector<std::string> texts;
    for (const TensorFormat& format : formats_of(system, bits)) texts.push_back(to_string(format));
    return texts;
  };
  using ::testing::ElementsAre;
  using ::testing::IsEmpty;
  EXPECT_THAT(names(NumberSystem::ant, 4), ElementsAre("int<4,1>", "pot<4,1>", "flint<4,1>"));
  EXPECT_THAT(names(NumberSystem::ant, 2), IsEmpty());
  EXPECT_THAT(names(NumberSystem::adaptivfloat, 8), ElementsAre("adaptivfloat<8,4,0>"));
  EXPECT_THAT(names(NumberSystem::adaptivfloat, 4), IsEmpty());
  EXPECT_THAT(names(NumberSystem::posit, 2), ElementsAre("posit<2,1>"));
  EXPECT_THAT(names(NumberSystem::integer, 3), IsEmpty());
  EXPECT_EQ(formats_of(NumberSystem::lp, 8).size(), all_lp_formats(8).size());
}

TEST(NumberSystem, ContainsItsFormatsWhateverTheirScale) {
  EXPECT_TRUE(contains(NumberSystem::integer, parse_tensor_format("int<4,0.1>")));
  EXPECT_TRUE(contains(NumberSystem::ant, parse_tensor_format("flint<4,0.1>")));
  EXPECT_FALSE(contains(NumberSystem::integer, parse_tensor_format("flint<4,0.1>")));
  EXPECT_FALSE(contains(NumberSystem::ant, parse_tensor_format("flint<8,0.1>")));
  EXPECT_FALSE(contains(NumberSystem::posit, parse_tensor_format("posit<8,2>")));
  EXPECT_FALSE(contains(NumberSystem::lp, parse_tensor_format("int<8,1>")));
  EXPECT_TRUE(contains(NumberSystem::lp, parse_tensor_format("LP<8,1,3,0,terminated>")));
  EXPECT_FALSE(contains(NumberSystem::integer, parse_tensor_format("LP<8,1,3,0>")));
}

TEST(NumberSystem, WidthsAreListed) {
  EXPECT_EQ(widths_of(NumberSystem::lp), "8, 4 or 2");
  EXPECT_EQ(widths_of(NumberSystem::ant), "8 or 4");
  EXPECT_EQ(widths_of(NumberSystem::adaptivfloat), "8");
}

TEST(CommonSystems, RefusesTheFirstFormatThatNoMachineHasBesideTheOthers) {
  CommonSystems systems;
  EXPECT_EQ(systems.add(parse_tensor_format("int<8,1>")), "");  // int or ant
  EXPECT_EQ(systems.add(parse_tensor_format("flint<4,1>")), "");
  EXPECT_THAT(systems.add(parse_tensor_format("int<2,1>")), HasSubstr("must be one of ant, as the formats before"));
  EXPECT_THAT(systems.add(parse_tensor_format("LP<8,1,3,0>")), HasSubstr("is LP<8,1,3,0>"));
  EXPECT_EQ(systems.add(parse_tensor_format("int<4,1>")), "");
  EXPECT_THAT(CommonSystems().add(parse_tensor_format("adaptivfloat<8,3,0>")), HasSubstr("one of lp, int, ant"));
}

TEST(NumberSystem, IsKnownByItsName) {
  for (const std::string& name : number_system_names()) EXPECT_EQ(to_string(parse_number_system(name)), name);
  EXPECT_THROW(parse_number_system("float"), FormatError);
}

}  // namespace
}  // namespace lpa::formats
