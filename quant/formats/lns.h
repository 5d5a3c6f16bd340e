// A fixed-point logarithmic number system: the logarithm without the posit's tapering.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/formats/value_grid.h"

namespace lpa::formats {

/// lns<n,i> or lns<n,i,scale>: a sign and log2(|x| / scale) in two's complement with i integer bits, its sign included,
/// and n-1-i fraction bits. The most negative logarithm stands for zero.
struct LnsFormat {
  int n = 8;         ///< Word width in bits, 3..16.
  int i = 4;         ///< Integer bits of the logarithm, 1..min(8, n-1).
  double scale = 1;  ///< Value of the logarithm 0; positive.

  int fraction_bits() const { return n - 1 - i; }
  friend bool operator==(const LnsFormat&, const LnsFormat&) = default;
};

std::string check(const LnsFormat& format);
std::string to_string(const LnsFormat& format);

/// Parses "lns<8,4>" and "lns<8,4,0.25>". Throws FormatError.
LnsFormat parse_lns(std::string_view text);

/// The words an encoder produces. Zero is the positive word of the two; word 0 is the number `scale`.
std::vector<GridPoint> grid(const LnsFormat& format);

/// scale * 2^log with a correctly rounded power of two.
double decode(const LnsFormat& format, Word word);

/// Nearest value, zero included, ties to the even word, saturating. NaN gives zero. For many values: NumberEncoder.
Word encode(const LnsFormat& format, double x);

}  // namespace lpa::formats
