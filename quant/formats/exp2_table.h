// Powers of two with a fractional exponent, as exact as doubles can be: what every rounding threshold is made of.
#pragma once

#include <cstdint>

namespace lpa::formats {

/// Finest exponent grid: midpoints between the log2 of two words of up to 16 bits are multiples of 2^-15.
inline constexpr int exp2_fraction_bits = 15;

/// A real number between two neighbouring doubles, or a double.
struct BracketedReal {
  double nearest = 0;  ///< Rounded to nearest.
  double down = 0;     ///< Largest double that is not above it.
  bool exact = false;  ///< The number is a double (nearest == down).
};

/// 2^(exponent * 2^-15). Exact if and only if the exponent is an integer; irrational otherwise. The result must be a
/// normal double: |exponent * 2^-15| < 1022.
BracketedReal exp2_q15(std::int32_t exponent_q15);

}  // namespace lpa::formats
