#include "quant/formats/gemm.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

TEST(GemmKernel, EqualsTheAccumulator) {
  std::mt19937 random(1);
  const LpFormat format{.n = 8, .es = 1, .rs = 3};
  for (const char* preset : {"wide", "poster", "fixed"}) {
    SCOPED_TRACE(preset);
    const GemmKernel kernel(arithmetic_preset(preset), format, format, -10);
    GemmWeights weights(kernel, 30, 5);
    GemmPanel panel(kernel, 30, 70);
    std::vector<std::vector<Word>> w(30, std::vector<Word>(5)), a(30, std::vector<Word>(70));
    for (std::size_t k = 0; k < 30; ++k) {
      for (Word& word : w[k]) word = static_cast<Word>(random() % 256);
      for (Word& word : a[k]) word = static_cast<Word>(random() % 256);
      weights.set_row(k, w[k]);
      panel.set(k, 0, a[k]);
    }
    const std::vector<Psum> start(5, kernel.scalar().start({}));
    std::vector<Psum> sums(66 * 5);
    AccumulateEvents events, expected_events;
    kernel.run(panel, 3, 66, weights, start, sums, events);
    for (std::size_t m = 0; m < 66; ++m) {
      for (std::size_t n = 0; n < 5; ++n) {
        Psum expected = start[n];
        for (std::size_t k = 0; k < 30; ++k) {
          expected = kernel.scalar().mac(expected, to_operand(format, w[k][n]), to_operand(format, a[k][m + 3]),
                                         &expected_events);
        }
        ASSERT_EQ(sums[m * 5 + n], expected) << m << ' ' << n;
      }
    }
    EXPECT_EQ(events.saturations, expected_events.saturations);
    EXPECT_EQ(events.nar_products, expected_events.nar_products);
  }
}

TEST(GemmKernel, RefusesSizesThatDoNotFit) {
  const GemmKernel kernel({}, {}, {});
  GemmWeights weights(kernel, 2, 3);
  GemmPanel panel(kernel, 2, 4);
  EXPECT_THROW(weights.set_row(2, std::vector<Word>(3)), FormatError);
  EXPECT_THROW(panel.set(0, 3, std::vector<Word>(2)), FormatError);
  const std::vector<Psum> start(3);
  std::vector<Psum> sums(6);
  AccumulateEvents events;
  EXPECT_NO_THROW(kernel.run(panel, 2, 2, weights, start, sums, events));
  EXPECT_THROW(kernel.run(panel, 3, 2, weights, start, sums, events), FormatError);
  EXPECT_THROW(kernel.run(panel, 2, 1, weights, start, sums, events), FormatError);
  EXPECT_THROW(GemmKernel({}, {}, {}).run(panel, 2, 2, weights, start, sums, events), FormatError);
}

}  // namespace
}  // namespace lpa::formats
