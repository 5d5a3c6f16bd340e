// Wide arithmetic for the oracles of this room's tests; shares nothing with the code under test.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <boost/multiprecision/cpp_bin_float.hpp>

namespace lpa::formats::oracle {

using Wide = boost::multiprecision::cpp_bin_float_100;  // 333 bits.

/// 2^(numerator / 2^15): square roots of two, multiplied by the bits of the numerator.
inline Wide exp2_q15(std::int32_t numerator) {
  static const std::vector<Wide> roots = [] {
    std::vector<Wide> r(15);
    Wide root = 2;
    for (int bit = 14; bit >= 0; --bit) r[static_cast<std::size_t>(bit)] = root = sqrt(root);
    return r;
  }();
  Wide result = 1;
  for (int bit = 0; bit < 15; ++bit) {
    if ((numerator >> bit) & 1) result *= roots[static_cast<std::size_t>(bit)];
  }
  return ldexp(result, numerator >> 15);
}

/// The same for multiples of 2^-8, from a table.
inline const Wide& exp2_fraction_q8(int index) {
  static const std::vector<Wide> table = [] {
    std::vector<Wide> t;
    for (int i = 0; i < 256; ++i) t.push_back(exp2_q15(i << 7));
    return t;
  }();
  return table[static_cast<std::size_t>(index)];
}

/// -1, 0 or 1 as x < 2^log, = or >, for x > 0 and log a multiple of 2^-15.
inline int compare_with_exp2(double x, double log) {
  const auto numerator = static_cast<std::int32_t>(std::ldexp(log, 15));
  if (numerator % 128 != 0) return Wide(x).compare(exp2_q15(numerator));
  int exponent = 0;
  const double significand = std::frexp(x, &exponent);
  const int q8 = numerator / 128;
  const int fraction = q8 & 255;
  return Wide(std::ldexp(significand, exponent - (q8 - fraction) / 256)).compare(exp2_fraction_q8(fraction));
}

}  // namespace lpa::formats::oracle
