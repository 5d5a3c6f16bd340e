#include "quant/formats/exp2_table.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/quant/formats/oracle.h"

namespace lpa::formats {
namespace {

TEST(Exp2Table, BracketsEveryPowerOfTheFineGrid) {
  const oracle::Wide step = oracle::exp2_q15(1);
  oracle::Wide power = 1;
  for (std::int32_t i = 0; i < 1 << 15; ++i, power *= step) {
    const BracketedReal real = exp2_q15(i);
    const double up = std::nextafter(real.down, std::numeric_limits<double>::infinity());
    ASSERT_EQ(real.exact, i == 0);
    if (i == 0) {
      ASSERT_EQ(real.nearest, 1.0);
      ASSERT_EQ(real.down, 1.0);
      continue;
    }
    ASSERT_LT(oracle::Wide(real.down), power) << i;
    ASSERT_GT(oracle::Wide(up), power) << i;
    const bool down_is_nearer = power - real.down < up - power;
    ASSERT_EQ(real.nearest, down_is_nearer ? real.down : up) << i;
  }
  EXPECT_LT(abs(power - 2), oracle::Wide(1e-80));
}

TEST(Exp2Table, ScalesByTheIntegerPart) {
  EXPECT_EQ(exp2_q15(-3 << 15).nearest, 0.125);
  EXPECT_TRUE(exp2_q15(-3 << 15).exact);
  EXPECT_EQ(exp2_q15((-4 << 15) + (1 << 14)).nearest, std::sqrt(2.0) / 16);
  EXPECT_EQ(exp2_q15((600 << 15) + 12345).down, std::ldexp(exp2_q15(12345).down, 600));
}

}  // namespace
}  // namespace lpa::formats
