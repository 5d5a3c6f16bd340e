// AdaptivFloat (Tambe et al., DAC 2020): a small float whose exponent bias is chosen per tensor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/formats/value_grid.h"

namespace lpa::formats {

/// adaptivfloat<n,e,bias>: sign, e exponent bits, m = n-1-e mantissa bits; x = (-1)^sign * 2^(exponent + bias) * 1.f.
/// No denormals; the pattern of the smallest magnitude stands for zero.
struct AdaptivFloatFormat {
  int n = 8;     ///< Word width in bits, 2..16.
  int e = 4;     ///< Exponent field width in bits, 1..min(8, n-1).
  int bias = 0;  ///< Added to the exponent field; -512..512.

  int mantissa_bits() const { return n - 1 - e; }
  friend bool operator==(const AdaptivFloatFormat&, const AdaptivFloatFormat&) = default;
};

std::string check(const AdaptivFloatFormat& format);
std::string to_string(const AdaptivFloatFormat& format);

/// Parses "adaptivfloat<8,4,-15>". Throws FormatError.
AdaptivFloatFormat parse_adaptiv_float(std::string_view text);

/// The format whose largest exponent is that of the tensor's largest magnitude; bias 0 for a tensor of zeros. Throws
/// FormatError if n, e or the magnitude cannot be.
AdaptivFloatFormat fit_adaptiv_float(int n, int e, double largest_magnitude);

/// The words an encoder produces; the negative zero is none of them.
std::vector<GridPoint> grid(const AdaptivFloatFormat& format);
double decode(const AdaptivFloatFormat& format, Word word);

/// Nearest value, ties to the even mantissa; below half the smallest magnitude 0, from there on the smallest magnitude;
/// clipped to the largest. NaN gives zero. For many values: NumberEncoder.
Word encode(const AdaptivFloatFormat& format, double x);

}  // namespace lpa::formats
