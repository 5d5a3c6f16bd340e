#include "hw_model/datapath/converters.h"

#include <cmath>

#include <boost/multiprecision/cpp_bin_float.hpp>
#include <boost/multiprecision/cpp_int.hpp>
#include <gtest/gtest.h>

namespace lpa::datapath {
namespace {

using boost::multiprecision::cpp_int;
using Wide = boost::multiprecision::cpp_bin_float_100;

cpp_int power(unsigned base, unsigned exponent) {
  return pow(cpp_int(base), exponent);
}

cpp_int power_of_two(unsigned exponent) {
  return cpp_int(1) << exponent;
}

TEST(LogLinearConverter, ExactTableIsCorrectlyRoundedForEveryWidth) {
  // v = round(2^(lf + i/N)) <=> (2v - 1)^N < 2^(N (lf + 1) + i) < (2v + 1)^N, in integers.
  for (const int index_bits : {6, 8}) {
    const unsigned entries = 1u << index_bits;
    for (unsigned lf_bits = 1; lf_bits <= 16; ++lf_bits) {
      const LogLinearConverter converter(formats::Converter::exact_table, static_cast<int>(lf_bits), index_bits);
      for (unsigned i = 0; i < entries; ++i) {
        const unsigned value = converter(i);
        const cpp_int exact = power_of_two(entries * (lf_bits + 1) + i);
        ASSERT_LT(power(2 * value - 1, entries), exact) << "lf_bits " << lf_bits << " entry " << i;
        ASSERT_GT(power(2 * value + 1, entries), exact) << "lf_bits " << lf_bits << " entry " << i;
      }
    }
  }
}

TEST(LogLinearConverter, FiveToEightBitsAreThePublishedTable) {
  const LogLinearConverter converter(formats::Converter::exact_table, 8, 6);
  constexpr unsigned published[32] = {0,   6,   11,  17,  23,  29,  36,  42,  48,  55,  62,  69,  76,  83,  91,  98,
                                      106, 114, 122, 130, 139, 147, 156, 165, 175, 184, 194, 203, 214, 224, 234, 245};
  for (unsigned i = 0; i < 32; ++i) EXPECT_EQ(converter(2 * i), 256 + published[i]) << "2^(" << i << "/32)";
}

TEST(LogLinearConverter, MitchellIsOnePlusTheFractionTruncated) {
  for (const int index_bits : {6, 8}) {
    for (int lf_bits = 1; lf_bits <= 16; ++lf_bits) {
      const LogLinearConverter converter(formats::Converter::mitchell, lf_bits, index_bits);
      for (unsigned i = 0; i < (1u << index_bits); ++i) {
        const double exact = std::ldexp(1.0 + std::ldexp(i, -index_bits), lf_bits);
        ASSERT_EQ(converter(i), std::floor(exact)) << "lf_bits " << lf_bits << " entry " << i;
      }
    }
  }
}

TEST(LogLinearConverter, TheWideIndexHoldsTheNarrowOne) {
  const LogLinearConverter narrow(formats::Converter::exact_table, 8, 6), wide(formats::Converter::exact_table, 8, 8);
  for (unsigned i = 0; i < 64; ++i) EXPECT_EQ(wide(4 * i), narrow(i));
}

TEST(LinearLogConverter, NarrowTablesAreCorrectlyRounded) {
  // v = round(N log2((N + f) / N)) <=> 2^(2v - 1) N^2N < (N + f)^2N < 2^(2v + 1) N^2N, in integers; f = 0 gives v = 0.
  for (unsigned log_bits = 4; log_bits <= 8; ++log_bits) {
    const LinearLogConverter converter(static_cast<int>(log_bits));
    const unsigned size = 1u << log_bits;
    EXPECT_EQ(converter(0), 0u);
    for (unsigned f = 1; f < size; ++f) {
      const unsigned value = converter(f);
      const cpp_int exact = power(size + f, 2 * size);
      ASSERT_LT(power_of_two(2 * value - 1 + 2 * size * log_bits), exact) << "log_bits " << log_bits << " f " << f;
      ASSERT_GT(power_of_two(2 * value + 1 + 2 * size * log_bits), exact) << "log_bits " << log_bits << " f " << f;
    }
  }
}

TEST(LinearLogConverter, WideTablesAreCorrectlyRounded) {
  for (int log_bits = 9; log_bits <= 12; ++log_bits) {
    const LinearLogConverter converter(log_bits);
    const unsigned size = 1u << log_bits;
    for (unsigned f = 0; f < size; f += log_bits == 12 ? 3 : 1) {
      const Wide exact = log2(Wide(size + f) / size) * size;
      ASSERT_LT(abs(exact - converter(f)), Wide(0.5)) << "log_bits " << log_bits << " f " << f;
    }
  }
}

}  // namespace
}  // namespace lpa::datapath
