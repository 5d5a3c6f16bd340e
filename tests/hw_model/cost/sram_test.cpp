#include "hw_model/cost/sram.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace lpa::cost {
namespace {

class SramTest : public testing::Test {
 protected:
  Sram sram_{Constants::shipped()};
};

TEST_F(SramTest, BanksOfTheDataFilesAreWhatTheySay) {
  const SramCost small = sram_.cost(128, 32);
  EXPECT_DOUBLE_EQ(small.read_pj, 0.295);
  EXPECT_DOUBLE_EQ(small.write_pj, 0.416);
  EXPECT_DOUBLE_EQ(small.leakage_mw, 0.128);
  EXPECT_DOUBLE_EQ(small.area_mm2, 0.00103);
  const SramCost bank = sram_.cost(4096, 512);
  EXPECT_NEAR(bank.read_pj, 16.89, 1e-12);
  EXPECT_NEAR(bank.area_mm2, 0.0461, 1e-12);
  const SramCost large = sram_.cost(8192, 512);
  EXPECT_NEAR(large.write_pj, 24.89, 1e-12);
  EXPECT_NEAR(large.leakage_mw, 5.50, 1e-12);
}

TEST_F(SramTest, InBetweenItIsTheGeometricMean) {
  const double middle = sram_.cost(1024, 512).read_pj;  // 256 B and 4 KiB: two octaves from either.
  EXPECT_NEAR(middle, std::sqrt(0.324 * 512 / 32 * 16.89), 1e-12);
}

TEST_F(SramTest, LargerMemoriesAreBanks) {
  const SramCost bank = sram_.cost(8192, 512), four = sram_.cost(32768, 512), five = sram_.cost(32769, 512);
  EXPECT_DOUBLE_EQ(four.area_mm2, 4 * bank.area_mm2);
  EXPECT_DOUBLE_EQ(four.leakage_mw, 4 * bank.leakage_mw);
  EXPECT_DOUBLE_EQ(four.read_pj, bank.read_pj) << "one of them is accessed";
  EXPECT_DOUBLE_EQ(five.area_mm2, 5 * bank.area_mm2);
}

TEST_F(SramTest, EverythingGrowsWithSizeAndPort) {
  std::mt19937_64 random(20261127);
  for (int i = 0; i < 20000; ++i) {
    const auto bytes = static_cast<std::int64_t>(std::exp2(std::uniform_real_distribution(0.0, 26.0)(random)));
    const int port = 1 << std::uniform_int_distribution(0, 13)(random);
    const auto more = bytes + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(bytes + 1));
    const SramCost a = sram_.cost(bytes, port);
    ASSERT_GT(a.read_pj, 0);
    ASSERT_TRUE(std::isfinite(a.read_pj + a.write_pj + a.leakage_mw + a.area_mm2));
    for (const SramCost& b : {sram_.cost(more, port), sram_.cost(bytes, 2 * port)}) {
      const double slack = 1 - 1e-12;
      EXPECT_GE(b.read_pj, a.read_pj * slack) << bytes << ' ' << more << ' ' << port;
      EXPECT_GE(b.write_pj, a.write_pj * slack) << bytes << ' ' << more << ' ' << port;
      EXPECT_GE(b.leakage_mw, a.leakage_mw * slack) << bytes << ' ' << more << ' ' << port;
      EXPECT_GE(b.area_mm2, a.area_mm2 * slack) << bytes << ' ' << more << ' ' << port;
    }
  }
}

}  // namespace
}  // namespace lpa::cost
