#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "quant/formats/row_functions.h"
#include "tests/quant/formats/oracle.h"

namespace lpa::formats {
namespace {

using Function = std::function<double(double)>;

double gelu(double x) {
  return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
}

/// The nearest word in log2 by looking at all of them. Both neighbours of a near-tie are right.
void expect_nearest(const LpFormat& to, double y, Word word) {
  if (y == 0) {
    EXPECT_EQ(word, to.zero_word());
    return;
  }
  const double minpos = decode(to, to.minpos_word());
  if (std::abs(y) < minpos / 2 * (1 - 1e-12)) {
    EXPECT_EQ(word, to.zero_word()) << y;
    return;
  }
  if (word == to.zero_word()) {
    EXPECT_LE(std::abs(y), minpos / 2 * (1 + 1e-12));
    return;
  }
  const double result = decode(to, word);
  EXPECT_EQ(result < 0, y < 0);
  const auto distance = [y](double x) { return std::abs(std::log2(std::abs(x)) - std::log2(std::abs(y))); };
  for (int other = to.minpos_word(); other <= to.maxpos_word(); ++other) {
    EXPECT_LE(distance(result), distance(decode(to, static_cast<Word>(other))) + 1e-12) << y;
  }
}

TEST(WordTable, HoldsTheNearestWordInLogForEveryWord) {
  const std::vector<LpFormat> formats = {{.n = 8, .es = 0, .rs = 7, .sf_q8 = 100},
                                         {.n = 8, .es = 2, .rs = 3, .sf_q8 = -700},
                                         {.n = 4, .es = 1, .rs = 2},
                                         {.n = 2, .es = 0, .rs = 1, .sf_q8 = 33},
                                         {.n = 8, .es = 5, .rs = 2, .sf_q8 = 500}};
  const std::vector<Function> functions = {gelu, [](double x) { return std::clamp(x, 0.0, 6.0); },
                                           [](double x) { return x; },
                                           [](double x) { return std::clamp(x, -1.0, 2.0); }};
  for (const LpFormat& from : formats) {
    for (const LpFormat& to : formats) {
      for (const Function& function : functions) {
        SCOPED_TRACE(to_string(from) + " to " + to_string(to));
        const std::vector<Word> table = word_table(from, to, function);
        ASSERT_EQ(table.size(), static_cast<std::size_t>(from.word_count()));
        for (int word = 0; word < from.word_count(); ++word) {
          const Word result = table[static_cast<std::size_t>(word)];
          if (word == from.nar_word()) {
            EXPECT_EQ(result, to.nar_word());
          } else {
            expect_nearest(to, function(decode(from, static_cast<Word>(word))), result);
          }
        }
      }
    }
  }
}

TEST(WordTable, OfTheSameFormatAndNoFunctionIsTheIdentity) {
  for (const int n : {2, 4, 8}) {
    for (LpFormat format : all_lp_formats(n)) {
      format.sf_q8 = 77;
      const std::vector<Word> table = word_table(format, format, [](double x) { return x; });
      for (std::size_t word = 0; word < table.size(); ++word) EXPECT_EQ(table[word], word) << to_string(format);
    }
  }
}

TEST(WordTable, RejectsIllegalFormats) {
  const LpFormat good, bad{.n = 1};
  EXPECT_THROW(word_table(good, bad, gelu), FormatError);
  EXPECT_THROW(word_table(bad, good, gelu), FormatError);
}

TEST(ToLogNumber, RoundsFloatsToTheNearestLog) {
  // No float is so near a tie that log2 in double precision could miss it.
  for (int i = 0; i < 256; ++i) {
    const auto tie = oracle::exp2_q15((2 * i + 1) << 6).convert_to<float>();
    for (const float x : {std::nextafter(tie, 0.0F), tie, std::nextafter(tie, 2.0F)}) {
      EXPECT_GT(std::abs(std::log2(double{x}) * 256 - i - 0.5), 1e-9);
      const bool upper = oracle::compare_with_exp2(x, (2 * i + 1) / 512.0) > 0;
      for (const int exponent : {-100, -1, 0, 100}) {
        const LogNumber number = to_log_number(std::ldexp(x, exponent));
        EXPECT_EQ(number, (LogNumber{static_cast<std::int16_t>(256 * exponent + i + (upper ? 1 : 0)), false, false}));
      }
    }
  }
  EXPECT_EQ(to_log_number(-8), (LogNumber{3 * 256, true, false}));
}

TEST(ToLogNumber, KnowsItsRange) {
  EXPECT_EQ(to_log_number(0), LogNumber{});
  EXPECT_EQ(to_log_number(-0.0), LogNumber{});
  EXPECT_EQ(to_log_number(std::ldexp(0.999, -120)), LogNumber{});
  EXPECT_EQ(to_log_number(std::ldexp(-1, -120)), (LogNumber{-120 * 256, true, false}));
  EXPECT_EQ(to_log_number(std::ldexp(0.999, 120)).log_q8, 120 * 256);
  for (const double bad : {std::ldexp(1.0, 120), -std::numeric_limits<double>::infinity(), std::nan("")}) {
    EXPECT_THROW(to_log_number(bad), FormatError);
  }
}

}  // namespace
}  // namespace lpa::formats
