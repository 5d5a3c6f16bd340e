// ANT (Guo et al., MICRO 2022): adaptive numeric types. Per tensor the type of least error among int, power of two and
// flint, with the scale of least error.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quant/formats/int_format.h"
#include "quant/formats/lp_format.h"
#include "quant/formats/value_grid.h"

namespace lpa::formats {

/// pot<n,scale>: a sign and B = n-1 bits; magnitude code 0 is 0, code c is scale * 2^(c-1), so up to 2^(2^B - 2).
struct PotFormat {
  int n = 4;         ///< Word width in bits, 2..8.
  double scale = 1;  ///< Value of the smallest magnitude; positive.
  friend bool operator==(const PotFormat&, const PotFormat&) = default;
};

/// flint<n,scale>: a sign and B = n-1 bits whose first one tells the exponent and so how many mantissa bits follow. A
/// magnitude with its first bit clear is an integer; 1 r with z leading zeros in r is 2^(B-1+z) * 1.f, f behind the
/// first one of r; 10..0 is 2^(2B-2). Integers at small magnitudes, a float at large ones.
struct FlintFormat {
  int n = 4;         ///< Word width in bits, 3..16.
  double scale = 1;  ///< Value of the smallest magnitude; positive.
  friend bool operator==(const FlintFormat&, const FlintFormat&) = default;
};

std::string check(const PotFormat& format);
std::string check(const FlintFormat& format);
std::string to_string(const PotFormat& format);
std::string to_string(const FlintFormat& format);

/// Parse "pot<4,0.01>" and "flint<4,0.01>". Throw FormatError.
PotFormat parse_pot(std::string_view text);
FlintFormat parse_flint(std::string_view text);

/// The words an encoder produces; the negative zero is none of them.
std::vector<GridPoint> grid(const PotFormat& format);
std::vector<GridPoint> grid(const FlintFormat& format);
double decode(const PotFormat& format, Word word);
double decode(const FlintFormat& format, Word word);

/// Nearest value, ties to the even word (flint: to the smaller magnitude if both words are odd), saturating. NaN gives
/// zero. For many values: NumberEncoder.
Word encode(const PotFormat& format, double x);
Word encode(const FlintFormat& format, double x);

using AntFormat = std::variant<IntFormat, PotFormat, FlintFormat>;

/// Words wider than this are always integers in ANT.
inline constexpr int ant_widest_choice = 6;

/// The type and scale of least squared error; int on equal errors and above 6 bits. Throws FormatError if n or a value
/// cannot be.
AntFormat fit_ant(int n, std::span<const float> values);

}  // namespace lpa::formats
