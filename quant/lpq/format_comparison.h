// How well number formats of equal width represent a tensor.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "quant/formats/number_format.h"

namespace lpa::lpq {

/// Kinds of formats, each with the parameters of least squared error that it has for a tensor.
enum class FormatKind {
  lp,             ///< es, rs and sf.
  adaptiv_float,  ///< Width of the exponent; its bias follows from the largest magnitude.
  posit,          ///< es; the standard has no scale.
  lns,            ///< Integer bits of the logarithm, and the scale.
  integer,        ///< The scale.
  ant,            ///< int, power of two or flint, and the scale.
};
inline constexpr std::array all_format_kinds{FormatKind::lp,  FormatKind::adaptiv_float, FormatKind::posit,
                                             FormatKind::lns, FormatKind::integer,       FormatKind::ant};
/// "LP", "AdaptivFloat", "posit", "LNS", "int", "ANT"
const char* to_string(FormatKind kind);

struct FormatFit {
  formats::NumberFormat format;
  double rmse = 0;  ///< Root of the mean squared difference to the values.
};

/// The best format of a kind for `values`, whose number must not be 0. Rounding is the kind's own, to the nearest value
/// for LP. Throws formats::FormatError if a value is not finite or the kind has no format of `bits` (4..8) bits.
FormatFit best_format(FormatKind kind, int bits, const std::vector<float>& values);

}  // namespace lpa::lpq
