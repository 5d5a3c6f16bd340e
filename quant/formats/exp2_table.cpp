#include "quant/formats/exp2_table.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include <boost/multiprecision/cpp_bin_float.hpp>

namespace lpa::formats {
namespace {

using Quad = boost::multiprecision::cpp_bin_float_quad;

/// 2^(i / 2^bits) for i in [0, 2^bits). 113 bits leave no doubt about how a 53-bit significand rounds: the test
/// compares every entry with a wider computation.
std::vector<BracketedReal> make_table(int bits) {
  const int low_bits = bits / 2;
  const std::size_t low_count = std::size_t{1} << low_bits;
  const std::size_t high_count = std::size_t{1} << (bits - low_bits);
  const auto power = [](std::size_t numerator, int denominator_bits) {
    return Quad(pow(Quad(2), ldexp(Quad(numerator), -denominator_bits)));
  };
  std::vector<Quad> low(low_count);
  for (std::size_t i = 0; i < low_count; ++i) low[i] = power(i, bits);

  std::vector<BracketedReal> table;
  table.reserve(low_count * high_count);
  for (std::size_t h = 0; h < high_count; ++h) {
    const Quad high = power(h, bits - low_bits);
    for (std::size_t l = 0; l < low_count; ++l) {
      const Quad value = high * low[l];
      const double nearest = value.convert_to<double>();
      const bool above = Quad(nearest) > value;
      table.push_back({nearest, above ? std::nextafter(nearest, 0.0) : nearest, h == 0 && l == 0});
    }
  }
  return table;
}

}  // namespace

BracketedReal exp2_q15(std::int32_t exponent_q15) {
  // Words of up to 8 bits need multiples of 2^-8 only; most programs never build the fine table.
  constexpr int coarse_bits = 8;
  constexpr int finer_bits = exp2_fraction_bits - coarse_bits;
  static const std::vector<BracketedReal> coarse = make_table(coarse_bits);

  const auto fraction = static_cast<std::uint32_t>(exponent_q15) & ((1u << exp2_fraction_bits) - 1);
  const int integer = exponent_q15 >> exp2_fraction_bits;
  const auto scaled = [integer](const BracketedReal& real) {
    return BracketedReal{std::ldexp(real.nearest, integer), std::ldexp(real.down, integer), real.exact};
  };
  if ((fraction & ((1u << finer_bits) - 1)) == 0) return scaled(coarse[fraction >> finer_bits]);
  static const std::vector<BracketedReal> fine = make_table(exp2_fraction_bits);
  return scaled(fine[fraction]);
}

}  // namespace lpa::formats
