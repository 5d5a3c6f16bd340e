// Words of the machines that LPA is compared with: their decoders, multipliers and encoder. Integers only, but for the
// making of tables.
#pragma once

#include <cstdint>
#include <vector>

#include "hw_model/datapath/word.h"

namespace lpa::datapath {

/// Decodes a single word, right-aligned, of any family but lp; bits above its width are ignored. The most negative
/// integer is a number, the negative zero of sign and magnitude is zero.
Lane decode_linear(std::uint8_t word, const WordFormat& format);
/// A packed word.
DecodedWord decode_linear_word(std::uint8_t word, const WordFormat& format);

/// The product of two two's complement numbers of so many bits out of products of their parts of `part` bits, of which
/// the highest are signed: shifted to their places and added.
int fused_product(int a, int a_bits, int b, int b_bits, int part);

/// MUL of a lane whose operands' words have so many bits. NaR wins over zero.
Product multiply(Multiplier multiplier, const Lane& weight, int weight_bits, const Lane& activation,
                 int activation_bits);

/// The positive words of a format, and between which magnitudes they are the nearest ones by the format's rule: ties go
/// to the even word, of two alike to the smaller magnitude; zero gives way to an adaptivfloat and to every posit.
class MagnitudeSteps {
 public:
  explicit MagnitudeSteps(const WordFormat& format);

  struct Step {
    std::int64_t limit = 0;  ///< Where the word begins, in units of 2^unit;
    bool included = false;   ///< whether there or beyond it.
    std::uint8_t word = 0;
  };
  static constexpr int unit = -20;
  const std::vector<Step>& steps() const { return steps_; }  ///< Ascending.

  /// The word for magnitude * 2^exponent.
  std::uint8_t nearest(std::uint64_t magnitude, int exponent) const;

 private:
  std::vector<Step> steps_;
};

/// The encoder behind an array: |sum| times 2^(i/256) with 15 fraction bits, then the nearest word.
class LinearEncoder {
 public:
  /// `point`: exponent of a sum's least bit.
  LinearEncoder(const WordFormat& output, int point, int scale_q8);
  /// Of a sum that is neither zero nor NaR.
  std::uint8_t operator()(std::int32_t sum, std::int16_t channel_scale_q8) const;

 private:
  MagnitudeSteps steps_;
  WordFormat output_;
  int point_;
  std::int32_t scale_q8_;
};

/// The encoder of the post-processing unit, which has logarithms: comparators.
class LogSteps {
 public:
  /// `log_bits`: fraction bits of the logarithms.
  LogSteps(const WordFormat& format, int log_bits);
  /// The positive word, or zero, for 2^log.
  std::uint8_t nearest(std::int32_t log) const;

 private:
  struct Step {
    std::int32_t log = 0;  ///< The least that takes the word.
    std::uint8_t word = 0;
  };
  std::vector<Step> steps_;  ///< Ascending.
};

/// The word of -x.
std::uint8_t negated(std::uint8_t word, const WordFormat& format);

}  // namespace lpa::datapath
