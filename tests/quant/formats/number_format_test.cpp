#include "quant/formats/number_format.h"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

const std::vector<std::string> texts = {
    "LP<8,1,3,-0.25>", "LP<4,0,2,0>",           "LP<5,1,3,0,terminated>", "posit<8,0>",  "posit<8,1>",
    "posit<6,2>",      "adaptivfloat<8,4,-15>", "adaptivfloat<4,3,-7>",   "int<8,0.05>", "int<4,1>",
    "pot<4,0.01>",     "pot<8,1e-20>",          "flint<4,0.01>",          "flint<7,2>",  "lns<8,4>",
    "lns<8,3,0.25>"};

TEST(NumberFormat, TextsRoundTrip) {
  for (const std::string& text : texts) {
    const NumberFormat format = parse_number_format(text);
    EXPECT_EQ(to_string(format), text);
    EXPECT_EQ(parse_number_format(to_string(format)), format);
    EXPECT_EQ(check(format), "");
  }
}

struct BadText {
  const char* text;
  const char* message;
};

class NumberTextErrors : public testing::TestWithParam<BadText> {};

TEST_P(NumberTextErrors, SayWhatWouldBeRight) {
  try {
    parse_number_format(GetParam().text);
    FAIL() << "no exception";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
    EXPECT_THAT(error.what(), testing::StartsWith("format \"" + std::string(GetParam().text) + "\": "));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Each, NumberTextErrors,
    testing::Values(BadText{"8", "must look like"}, BadText{"<8>", "must look like"},
                    BadText{"float<8>", "must be LP, posit, adaptivfloat, int, pot, flint or lns"},
                    BadText{"LP<8,9,3,0>", "es is 9"}, BadText{"posit<8>", "posit<n,es>"},
                    BadText{"posit<17,1>", "n is 17 but must be 2..16"},
                    BadText{"posit<8,5>", "es is 5 but must be 0..4"},
                    BadText{"adaptivfloat<8,8,0>", "e is 8 but must be 1..7 for n = 8"},
                    BadText{"adaptivfloat<8,4,600>", "bias is 600 but must be -512..512"},
                    BadText{"int<8,0>", "scale is 0 but must be"}, BadText{"int<8,nan>", "scale is nan but must be"},
                    BadText{"int<1,1>", "n is 1 but must be 2..16"}, BadText{"pot<9,1>", "n is 9 but must be 2..8"},
                    BadText{"flint<2,1>", "n is 2 but must be 3..16"}, BadText{"lns<8,0>", "i is 0 but must be 1..7"},
                    BadText{"lns<8,4,x>", "scale is \"x\" but must be a number"}));

/// The produced words by a search over all of them, for every format but posit (which has a rule of its own).
Word nearest(const std::vector<WordDescription>& rows, double x, bool zero_wins_ties) {
  if (std::isnan(x)) x = 0;
  int best = -1;
  double best_value = 0;
  for (std::size_t word = 0; word < rows.size(); ++word) {
    if (rows[word].kind == "unused" || rows[word].kind == "NaR") continue;
    const double value = rows[word].value;
    const long double near = std::min(std::max(x, -1e6), 1e6);  // No format of this test reaches so far.
    const long double gain = std::abs(near - best_value) - std::abs(near - value);
    bool better = best < 0 || gain > 0;
    if (best >= 0 && gain == 0 && value != best_value) {
      if (value == 0 || best_value == 0) {
        better = (value == 0) == zero_wins_ties;
      } else if ((best + static_cast<int>(word)) % 2 != 0) {
        better = word % 2 == 0;
      } else {
        better = std::abs(value) < std::abs(best_value);
      }
    }
    if (better) {
      best = static_cast<int>(word);
      best_value = value;
    }
  }
  return static_cast<Word>(best);
}

/// Neighbours whose distances to what lies between them are exact in long doubles.
TEST(NumberFormat, GridFormatsRoundToTheNearestWord) {
  for (const char* text : {"adaptivfloat<8,4,-7>", "adaptivfloat<6,2,3>", "adaptivfloat<5,4,0>", "adaptivfloat<2,1,0>",
                           "int<8,0.5>", "int<5,1>", "int<2,4>", "pot<4,1>", "pot<3,0.25>", "pot<2,1>", "flint<4,1>",
                           "flint<5,2>", "flint<8,1>", "flint<3,1>", "lns<6,5>", "lns<7,3,0.3>", "int<6,0.05>"}) {
    const NumberFormat format = parse_number_format(text);
    const bool zero_wins = !std::holds_alternative<AdaptivFloatFormat>(format);
    const NumberEncoder encoder(format);
    std::vector<double> values = {0.0, -0.0, infinity, -infinity, NAN, 1e300, -1e300};
    const auto rows = describe_words(format);
    const auto add = [&values](double x) {
      values.insert(values.end(), {std::nextafter(x, -infinity), x, std::nextafter(x, infinity)});
    };
    for (const auto& a : rows) {
      add(a.value);
      add(a.value / 2);
      for (const auto& b : rows) {
        if (rows.size() <= 64) add((a.value + b.value) / 2);
      }
      if (rows.size() > 64) add(a.value + 0.5), add(a.value * 1.03125), add(a.value * 0.96875);
    }
    for (const double x : values) {
      const Word got = encoder(x);
      const Word expected = nearest(rows, x, zero_wins);
      ASSERT_EQ(got, expected) << text << " x " << std::hexfloat << x;
      ASSERT_EQ(encode(format, x), got);
    }
  }
}

TEST(NumberFormat, EveryProducedWordEncodesToItself) {
  for (const std::string& text : texts) {
    const NumberFormat format = parse_number_format(text);
    const NumberEncoder encoder(format);
    const auto rows = describe_words(format);
    ASSERT_EQ(rows.size(), std::size_t{1} << word_width(format));
    for (std::size_t word = 0; word < rows.size(); ++word) {
      if (rows[word].kind == "unused") continue;
      ASSERT_EQ(encoder(rows[word].value), word) << text;
      ASSERT_EQ(encode(format, rows[word].value), word) << text;
      if (rows[word].kind == "NaR") continue;
      ASSERT_EQ(encoder.quantize(rows[word].value), rows[word].value);
    }
  }
}

TEST(NumberFormat, DescribesFields) {
  const auto lp = describe_words(parse_number_format("LP<4,0,2,0>"));
  EXPECT_EQ(lp[0].kind, "zero");
  EXPECT_EQ(lp[8].kind, "NaR");
  EXPECT_TRUE(std::isnan(lp[8].value));
  EXPECT_EQ(lp[15].bits, "1111");
  EXPECT_EQ(lp[15].sign, "-");
  EXPECT_EQ(lp[15].k, "-2");
  EXPECT_EQ(lp[15].e, "0");
  EXPECT_EQ(lp[15].f, "1");
  EXPECT_DOUBLE_EQ(lp[15].value, -std::exp2(-1.5));
  EXPECT_EQ(describe_words(parse_number_format("LP<4,0,2,0,terminated>"))[7].kind, "unused");

  const auto adaptive = describe_words(parse_number_format("adaptivfloat<6,3,0>"));
  EXPECT_EQ(adaptive[0b010111].e, "5");
  EXPECT_EQ(adaptive[0b010111].f, "11");
  EXPECT_EQ(adaptive[0b010111].k, "");
  EXPECT_EQ(adaptive[0b100000].kind, "unused");

  const auto integers = describe_words(parse_number_format("int<3,1>"));
  EXPECT_EQ(integers[0b100].kind, "unused");
  EXPECT_EQ(integers[0b101].value, -3);
  EXPECT_EQ(integers[0b101].e, "");

  const auto lns = describe_words(parse_number_format("lns<4,2>"));
  EXPECT_EQ(lns[0b0111].e, "-1");
  EXPECT_EQ(lns[0b0111].f, "1");
  EXPECT_EQ(lns[0b0100].kind, "zero");
}

}  // namespace
}  // namespace lpa::formats
