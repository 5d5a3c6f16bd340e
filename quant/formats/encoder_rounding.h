// The encoder's rounding of values that are known in fp32, for networks that are simulated in fp32.
#pragma once

#include <span>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/lp_format.h"

namespace lpa::formats {

/// Replaces a value by that of the word which PsumEncoder emits for a sum of exactly that value. Subnormals count as
/// zero; infinities and NaN give NaN.
class EncoderRounding {
 public:
  /// Throws FormatError on bad parameters.
  EncoderRounding(const Arithmetic& arithmetic, const LpFormat& output);

  void operator()(std::span<float> values) const;

 private:
  int shift_;                  ///< Fraction bits that the encoder drops.
  std::vector<float> values_;  ///< Of words, by the exponent and the fraction bits that it sees.
};

}  // namespace lpa::formats
