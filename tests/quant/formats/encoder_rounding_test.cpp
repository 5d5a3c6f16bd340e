#include "quant/formats/encoder_rounding.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lpa::formats {
namespace {

float rounded(const EncoderRounding& rounding, float value) {
  rounding(std::span(&value, 1));
  return value;
}

/// The value of the word that the encoder of a fixed sum emits for mantissa * 2^lsb.
double encoded(const Arithmetic& fixed, const LpFormat& format, std::int32_t mantissa, int lsb) {
  const PsumEncoder encoder(fixed, format, 8, lsb, -format.sf_q8);
  return decode(format, encoder({mantissa, 0, false}));
}

TEST(EncoderRounding, IsWhatTheEncoderMakesOfASumOfThatValue) {
  std::mt19937_64 random(1);
  for (const int log_bits : {8, 6, 10}) {
    for (const bool flush : {true, false}) {
      Arithmetic fixed = arithmetic_preset("fixed");
      fixed.encoder_log_bits = log_bits;
      fixed.flush = flush;
      for (int trial = 0; trial < 60; ++trial) {
        const int n = 2 << trial % 3;
        const std::vector<LpFormat> shapes = all_lp_formats(n);
        LpFormat format = shapes[random() % shapes.size()];
        format.sf_q8 = static_cast<int>(random() % 2048) - 1024;
        const EncoderRounding rounding(fixed, format);
        for (int i = 0; i < 200; ++i) {
          const auto magnitude = static_cast<std::int32_t>(random() % (1 << 24));
          const std::int32_t mantissa = random() % 2 == 0 ? magnitude : -magnitude;
          const int lsb = static_cast<int>(random() % 40) - 40;
          const auto value = static_cast<float>(std::ldexp(mantissa, lsb));
          ASSERT_EQ(rounded(rounding, value), static_cast<float>(encoded(fixed, format, mantissa, lsb)))
              << to_string(format) << " of " << value << ", " << log_bits << " bits";
        }
      }
    }
  }
}

TEST(EncoderRounding, KeepsTheValuesOfWords) {
  for (const LpFormat& shape : all_lp_formats(4)) {
    const EncoderRounding rounding(Arithmetic{}, shape);
    for (int word = 0; word < 16; ++word) {
      if (word == shape.nar_word()) continue;
      const auto value = static_cast<float>(decode(shape, static_cast<Word>(word)));
      // A word's log2 that is no multiple of 2^-8 is not met exactly, but is nearer than any other word.
      EXPECT_EQ(rounded(rounding, value), value) << to_string(shape) << " word " << word;
    }
  }
}

TEST(EncoderRounding, NeitherInfiniteNorNotANumberIsReal) {
  const EncoderRounding rounding(Arithmetic{}, LpFormat{});
  EXPECT_TRUE(std::isnan(rounded(rounding, std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(rounding, -std::numeric_limits<float>::infinity())));
  EXPECT_EQ(rounded(rounding, std::numeric_limits<float>::denorm_min()), 0.0f);
  EXPECT_EQ(rounded(rounding, 0.0f), 0.0f);
}

}  // namespace
}  // namespace lpa::formats
