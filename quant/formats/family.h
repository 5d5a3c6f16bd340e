// Kinds of words.
#pragma once

#include <cstdint>

namespace lpa::formats {

/// All but lp are linear: a word is an integer times a power of two, but for its scale factor.
enum class Family : std::uint8_t { lp, posit, adaptivfloat, integer, pot, flint };

/// Whether words are a sign bit and a magnitude instead of two's complement.
constexpr bool is_sign_magnitude(Family family) {
  return family == Family::adaptivfloat || family == Family::pot || family == Family::flint;
}

/// Whether 10..0 is NaR. Of other families no encoder produces it.
constexpr bool has_nar(Family family) {
  return family == Family::lp || family == Family::posit;
}

}  // namespace lpa::formats
