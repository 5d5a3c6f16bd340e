#include "hw_model/datapath/multi_precision.h"

#include <gtest/gtest.h>

namespace lpa::datapath {
namespace {

/// The circuits' oracle: lanes taken out, worked on as plain integers, put back.
unsigned lane_of(unsigned word, int lane, int mode) {
  return (word >> (lane * mode)) & ((1u << mode) - 1);
}

unsigned negate_if_negative(unsigned value, int bits) {
  const unsigned sign = 1u << (bits - 1);
  return value >= sign ? (2 * sign - value) & (2 * sign - 1) : value;
}

unsigned zeros_in_front(unsigned value, int bits) {
  unsigned count = 0;
  for (int bit = bits - 1; bit >= 0 && ((value >> bit) & 1u) == 0; --bit) ++count;
  return count;
}

class EveryMode : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Mode, EveryMode, ::testing::Values(8, 4, 2), ::testing::PrintToStringParamName());

TEST_P(EveryMode, TwosComplementNegatesExactlyTheNegativeLanesOfEveryWord) {
  const int mode = GetParam();
  for (unsigned word = 0; word < 256; ++word) {
    const unsigned result = twos_complement(static_cast<std::uint8_t>(word), mode);
    for (int lane = 0; lane < 8 / mode; ++lane) {
      EXPECT_EQ(lane_of(result, lane, mode), negate_if_negative(lane_of(word, lane, mode), mode))
          << "word " << word << " lane " << lane;
    }
  }
}

TEST_P(EveryMode, LeadingZerosCountsEveryLaneOfEveryWord) {
  const int mode = GetParam();
  for (unsigned word = 0; word < 256; ++word) {
    const auto counts = leading_zeros(static_cast<std::uint8_t>(word), mode);
    for (int lane = 0; lane < max_lanes; ++lane) {
      const unsigned expected = lane < 8 / mode ? zeros_in_front(lane_of(word, lane, mode), mode) : 0;
      EXPECT_EQ(counts[static_cast<std::size_t>(lane)], expected) << "word " << word << " lane " << lane;
    }
  }
}

TEST(TwosComplement, CarryPassesBetweenSlicesOfALaneOnly) {
  // -1 in the upper nibble, 0 in the lower: as one byte -16, as nibbles -1 and 0, as pairs -1, -1, 0, 0.
  EXPECT_EQ(twos_complement(0xF0, 8), 0x10);
  EXPECT_EQ(twos_complement(0xF0, 4), 0x10);
  EXPECT_EQ(twos_complement(0xF0, 2), 0x50);
  // The lower lane is negative, the upper is not: nothing may leak upwards.
  EXPECT_EQ(twos_complement(0x0F, 4), 0x01);
  EXPECT_EQ(twos_complement(0x03, 2), 0x01);
}

TEST(TwosComplement, NarStaysNarInEveryMode) {
  EXPECT_EQ(twos_complement(0x80, 8), 0x80);
  EXPECT_EQ(twos_complement(0x88, 4), 0x88);
  EXPECT_EQ(twos_complement(0xAA, 2), 0xAA);
}

TEST(LeadingZeros, ALaneOfZerosCountsItsWidth) {
  EXPECT_EQ(leading_zeros(0, 8), (std::array<std::uint8_t, 4>{8, 0, 0, 0}));
  EXPECT_EQ(leading_zeros(0, 4), (std::array<std::uint8_t, 4>{4, 4, 0, 0}));
  EXPECT_EQ(leading_zeros(0, 2), (std::array<std::uint8_t, 4>{2, 2, 2, 2}));
}

}  // namespace
}  // namespace lpa::datapath
