// Symmetric integers with a scale: the usual uniform quantizer.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/formats/value_grid.h"

namespace lpa::formats {

/// int<n,scale>: x = scale * q, q in two's complement, |q| <= 2^(n-1) - 1. The most negative word is never produced.
struct IntFormat {
  int n = 8;         ///< Word width in bits, 2..16.
  double scale = 1;  ///< Value of one step; positive.
  friend bool operator==(const IntFormat&, const IntFormat&) = default;
};

std::string check(const IntFormat& format);
std::string to_string(const IntFormat& format);

/// Parses "int<8,0.05>". Throws FormatError.
IntFormat parse_int_format(std::string_view text);

/// The words an encoder produces.
std::vector<GridPoint> grid(const IntFormat& format);
double decode(const IntFormat& format, Word word);

/// Nearest value, ties to the even word, saturating. NaN gives zero. For many values: NumberEncoder.
Word encode(const IntFormat& format, double x);

/// The scale of least squared error for these values (a search). Throws FormatError if n or a value cannot be.
IntFormat fit_int_format(int n, std::span<const float> values);

}  // namespace lpa::formats
