#include "hw_model/datapath/decoder.h"

#include <gtest/gtest.h>

#include "quant/formats/lp_format.h"
#include "tests/hw_model/datapath/hardware_formats.h"

namespace lpa::datapath {
namespace {

using formats::LpFormat;

/// What the codec says of a single word, in the decoder's terms.
Lane expected(const LpFormat& format, unsigned word) {
  const formats::WordFields fields = formats::decode_fields(format, static_cast<formats::Word>(word));
  if (fields.kind == formats::WordKind::zero) return {.r = 0, .u = 0, .negative = false, .zero = true, .nar = false};
  if (fields.kind == formats::WordKind::nar) return {.r = 0, .u = 0, .negative = false, .zero = false, .nar = true};
  return {.r = static_cast<std::int16_t>(fields.k * (1 << format.es)),
          .u = static_cast<std::uint16_t>(64 * fields.e + 64 * fields.fraction / (1 << fields.fraction_bits)),
          .negative = fields.negative,
          .zero = false,
          .nar = false};
}

::testing::AssertionResult same(const Lane& actual, const Lane& wanted) {
  if (actual == wanted) return ::testing::AssertionSuccess();
  const auto print = [](const Lane& lane) {
    return ::testing::Message() << "{r " << lane.r << ", u " << lane.u << ", negative " << lane.negative << ", zero "
                                << lane.zero << ", nar " << lane.nar << "}";
  };
  return ::testing::AssertionFailure() << print(actual).GetString() << " but the codec says "
                                       << print(wanted).GetString();
}

class EveryMode : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Mode, EveryMode, ::testing::Values(8, 4, 2), ::testing::PrintToStringParamName());

TEST_P(EveryMode, EveryLaneOfEveryPackedWordOfEveryFormatIsWhatTheCodecSays) {
  const int mode = GetParam();
  for (const LpFormat& format : test::hardware_formats(mode)) {
    for (unsigned word = 0; word < 256; ++word) {
      const DecodedWord decoded = decode(static_cast<std::uint8_t>(word), mode, format.es, format.rs);
      for (int lane = 0; lane < max_lanes; ++lane) {
        const Lane& actual = decoded.lane[static_cast<std::size_t>(lane)];
        if (lane < 8 / mode) {
          const unsigned single = (word >> (lane * mode)) & ((1u << mode) - 1);
          ASSERT_TRUE(same(actual, expected(format, single)))
              << to_string(format) << " word " << word << " lane " << lane;
        } else {
          ASSERT_TRUE(same(actual, Lane{})) << "unused lane " << lane;
        }
      }
    }
  }
}

TEST_P(EveryMode, AnActivationIsDecodedWhateverStandsInTheBitsAboveIt) {
  const int n = GetParam();
  for (const LpFormat& format : test::hardware_formats(n)) {
    for (unsigned word = 0; word < 256; ++word) {
      const unsigned single = word & ((1u << n) - 1);
      ASSERT_TRUE(same(decode_lane(static_cast<std::uint8_t>(word), to_word_format(format)), expected(format, single)))
          << to_string(format) << " word " << word;
    }
  }
}

TEST(Decoder, ALaneDoesNotDependOnItsNeighbours) {
  for (const int mode : {4, 2}) {
    for (const LpFormat& format : test::hardware_formats(mode)) {
      for (unsigned word = 0; word < 256; ++word) {
        const DecodedWord before = decode(static_cast<std::uint8_t>(word), mode, format.es, format.rs);
        for (int bit = 0; bit < 8; ++bit) {
          const auto flipped = static_cast<std::uint8_t>(word ^ (1u << bit));
          const DecodedWord after = decode(flipped, mode, format.es, format.rs);
          for (int lane = 0; lane < 8 / mode; ++lane) {
            const auto i = static_cast<std::size_t>(lane);
            if (lane == bit / mode) continue;
            ASSERT_EQ(after.lane[i], before.lane[i]) << "word " << word << " bit " << bit;
          }
        }
      }
    }
  }
}

TEST(Decoder, PositiveWordsOfLp402RunFromMinus1p5To1p5InSteps) {
  for (unsigned word = 1; word <= 7; ++word) {
    const Lane lane = decode_lane(static_cast<std::uint8_t>(word), {.n = 4, .es = 0, .rs = 2});
    EXPECT_EQ(lane.r * 64 + lane.u, (static_cast<int>(word) - 4) * 32) << "word " << word;
  }
}

TEST(Decoder, ARunThatReachesRsHasNoTerminator) {
  // LP<8,0,3>: 0 111 0101 is k = 2 and fraction 0101; with a terminator it would be 101.
  const Lane lane = decode_lane(0b01110101, {.n = 8, .es = 0, .rs = 3});
  EXPECT_EQ(lane.r, 2);
  EXPECT_EQ(lane.u, 64 * 5 / 16);
}

TEST(Decoder, ExponentBitsThatNoLongerFitReadAsZero) {
  // LP<8,2,7>: 0 111110 1 leaves one exponent bit: e = 2.
  const Lane lane = decode_lane(0b01111101, {.n = 8, .es = 2, .rs = 7});
  EXPECT_EQ(lane.r, 4 * 4);
  EXPECT_EQ(lane.u, 2 * 64);
}

TEST(Decoder, ZeroAndNarAreFlagsWithoutSignOrLogarithm) {
  for (const int n : {8, 4, 2}) {
    for (const LpFormat& format : test::hardware_formats(n)) {
      const Lane zero = decode_lane(0, to_word_format(format));
      const Lane nar = decode_lane(static_cast<std::uint8_t>(1u << (n - 1)), to_word_format(format));
      EXPECT_EQ(zero, (Lane{.r = 0, .u = 0, .negative = false, .zero = true, .nar = false})) << to_string(format);
      EXPECT_EQ(nar, (Lane{.r = 0, .u = 0, .negative = false, .zero = false, .nar = true})) << to_string(format);
    }
  }
}

}  // namespace
}  // namespace lpa::datapath
