#include "quant/lpq/format_comparison.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/format_error.h"
#include "tests/workloads/temporary_folder.h"

namespace lpa::lpq {
namespace {

using formats::FormatError;
using formats::NumberFormat;
using ::testing::HasSubstr;
using workloads::testing::message_of;

std::vector<float> values(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> result;
  for (int i = 0; i < 300; ++i) result.push_back(normal(random));
  return result;
}

template <class Round>
double error(const std::vector<float>& of, Round round) {
  double sum = 0;
  for (const double x : of) sum += std::pow(round(x) - x, 2);
  return std::sqrt(sum / static_cast<double>(of.size()));
}

/// Any format of the kind.
NumberFormat draw(FormatKind kind, int bits, std::mt19937_64& random) {
  const auto below = [&random](int count) { return static_cast<int>(random() % static_cast<unsigned>(count)); };
  const double scale = std::exp2(-below(2000) / 200.0);
  switch (kind) {
    case FormatKind::lp: {
      const auto all = formats::all_lp_formats(bits);
      formats::LpFormat format = all[static_cast<std::size_t>(below(static_cast<int>(all.size())))];
      format.sf_q8 = below(4096) - 1024;
      return format;
    }
    case FormatKind::adaptiv_float: {
      const int e = 1 + below(bits - 1);
      return formats::AdaptivFloatFormat{bits, e, -(1 << e) + below(8) - 4};
    }
    case FormatKind::posit:
      return formats::PositFormat{bits, below(5)};
    case FormatKind::lns:
      return formats::LnsFormat{bits, 1 + below(bits - 1), scale};
    case FormatKind::integer:
      return formats::IntFormat{bits, scale / (1 << bits)};
    case FormatKind::ant:
      if (bits <= 6 && below(2) == 0) return formats::FlintFormat{bits, scale / (1 << bits)};
      return formats::IntFormat{bits, scale / (1 << bits)};
  }
  return {};
}

class EveryKind : public ::testing::TestWithParam<FormatKind> {};

INSTANTIATE_TEST_SUITE_P(BestFormat, EveryKind, ::testing::ValuesIn(all_format_kinds),
                         [](const auto& test) { return to_string(test.param); });

TEST_P(EveryKind, HasTheErrorThatIsSaidAndNoneIsMuchBetter) {
  for (const int bits : {4, 6, 8}) {
    std::mt19937_64 random(static_cast<std::uint64_t>(bits));
    const std::vector<float> of = values(random());
    const FormatFit best = best_format(GetParam(), bits, of);
    EXPECT_EQ(check(best.format), "");
    EXPECT_EQ(word_width(best.format), bits);
    EXPECT_NEAR(best.rmse, error(of, [&](double x) { return decode(best.format, encode(best.format, x)); }), 1e-12);
    // AdaptivFloat's exponent bias follows from the largest value and need not be the best; LP's search below its grid
    // is not exhaustive.
    const double allowed = GetParam() == FormatKind::adaptiv_float ? 0.5 : 0.98;
    for (int i = 0; i < 200; ++i) {
      const NumberFormat other = draw(GetParam(), bits, random);
      const formats::NumberEncoder encoder(other);
      EXPECT_GE(error(of, [&](double x) { return encoder.quantize(x); }), allowed * best.rmse)
          << to_string(other) << " against " << to_string(best.format);
    }
  }
}

TEST_P(EveryKind, TakesValuesThatAreAllZero) {
  EXPECT_EQ(best_format(GetParam(), 8, {0, 0, 0}).rmse, 0);
}

TEST_P(EveryKind, RefusesWhatCannotBe) {
  EXPECT_THAT(message_of<FormatError>([] { best_format(GetParam(), 3, {1}); }), HasSubstr("4..8"));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message_of<FormatError>([&] { best_format(GetParam(), 8, {1, nan}); }), HasSubstr("finite"));
}

}  // namespace
}  // namespace lpa::lpq
