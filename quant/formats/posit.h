// The posit of the 2022 standard, with a free exponent width, as a format to compare with.
#pragma once

#include <string>
#include <string_view>

#include "quant/formats/lp_format.h"

namespace lpa::formats {

/// posit<n,es>: x = (-1)^sign * 2^(2^es*k + e) * (1 + f). Words as in Posit Standard 2022, where es = 2.
struct PositFormat {
  int n = 8;   ///< Word width in bits, 2..16.
  int es = 2;  ///< Exponent field width in bits, 0..4.
  friend bool operator==(const PositFormat&, const PositFormat&) = default;
};

/// As check(LpFormat): empty, or what is wrong.
std::string check(const PositFormat& format);
std::string to_string(const PositFormat& format);

/// Parses "posit<8,1>". Throws FormatError.
PositFormat parse_posit(std::string_view text);

WordFields decode_fields(const PositFormat& format, Word word);

/// The value, exactly; NaN for NaR.
double decode(const PositFormat& format, Word word);

/// The standard's rounding: 0 for 0 only, saturation to minpos and maxpos, and in between the pattern nearest in the
/// sense of the (n+1)-bit posit that lies between two neighbours; ties to the even pattern. NaN and infinities: NaR.
Word encode(const PositFormat& format, double x);

}  // namespace lpa::formats
