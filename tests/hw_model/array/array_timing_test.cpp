// The data sheet of the array's timing, statement by statement, for several shapes. Contract: hw_model/README.md,
// "Array timing": a bundle presented in cycle x is issued in cycle t = x + E; weights presented in cycle y stand at row
// 0's input of column 0 in cycle s = y + E; E are the edges' register stages, P those of a PE. Every statement is
// tested from both sides: not a cycle earlier, not one later.
#include <gtest/gtest.h>

#include "hw_model/datapath/decoder.h"
#include "tests/hw_model/array/array_bench.h"

namespace lpa::test {
namespace {

constexpr std::uint8_t one = 0b01000000;  // 1 in LP<8,2,7>.

hw::LayerControl layer() {
  hw::LayerControl control;
  control.weight = control.activation = control.encoded = {8, 2, 7};
  return control;
}

class ArrayTiming : public ::testing::TestWithParam<Shape> {
 protected:
  int rows() const { return GetParam().rows; }
  int columns() const { return GetParam().columns; }
  std::uint64_t edge() const { return static_cast<std::uint64_t>(GetParam().stages.edge); }
  int pe_stages() const { return GetParam().stages.pe; }
  std::uint64_t r_plus_c() const { return static_cast<std::uint64_t>(rows() + columns()); }
  /// R + C + E + P - 2
  std::uint64_t latency() const { return plus(r_plus_c() + edge(), pe_stages() - 2); }
  Words words(std::uint8_t word) const { return Words(static_cast<std::size_t>(rows()), word); }
  /// Sums that differ by column and by `salt`.
  Sums sums(int salt) const {
    Sums result(static_cast<std::size_t>(columns()));
    for (int c = 0; c < columns(); ++c) result[static_cast<std::size_t>(c)].lane[0] = {1000 * salt + c, 0, false};
    return result;
  }
  /// Words that differ by row, by column and by `salt` (0 or 1).
  std::vector<Words> tile(int salt) const {
    std::vector<Words> result(static_cast<std::size_t>(rows()));
    std::uint8_t word = salt == 0 ? 1 : 129;
    for (Words& row : result) {
      for (int c = 0; c < columns(); ++c) row.push_back(word++);
    }
    return result;
  }
  datapath::DecodedWord decoded(int salt, int r, int c) const {
    return datapath::decode(tile(salt)[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)], 8, 2, 7);
  }
  std::string at(int r, int c, std::uint64_t cycle) const {
    return (::testing::Message() << name_of(GetParam()) << " PE(" << r << ',' << c << ") in cycle " << cycle)
        .GetString();
  }
  static std::uint64_t plus(std::uint64_t cycle, int more) { return cycle + static_cast<std::uint64_t>(more); }
};

INSTANTIATE_TEST_SUITE_P(Shape, ArrayTiming,
                         ::testing::Values(Shape{8, 8}, Shape{16, 4}, Shape{4, 16}, Shape{1, 1}, Shape{3, 5},
                                           Shape{8, 8, {1, 1}}, Shape{8, 8, {2, 0}}, Shape{8, 8, {1, 0}},
                                           Shape{16, 4, {1, 0}}, Shape{4, 16, {1, 0}}, Shape{3, 5, {1, 1}},
                                           Shape{3, 5, {2, 0}}, Shape{1, 1, {1, 1}}, Shape{1, 1, {2, 0}},
                                           Shape{1, 1, {1, 0}}, Shape{1, 4, {1, 0}}, Shape{4, 1, {1, 0}}),
                         [](const auto& test) { return name_of(test.param); });

TEST_P(ArrayTiming, ActivationReachesPeRCInCycle_t_plus_r_plus_c) {
  ArrayBench bench(GetParam(), layer());
  bench.step(3);
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  const std::uint64_t t = bench.cycle() + edge();
  while (bench.cycle() < t + r_plus_c() + 2) {
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        const hw::ActivationWire& wire = bench.array.pe(r, c).activation_in.read();
        EXPECT_EQ(wire.valid, bench.cycle() == plus(t, r + c)) << at(r, c, bench.cycle());
        EXPECT_EQ(wire.swap, wire.valid) << at(r, c, bench.cycle());
      }
    }
    bench.step();
  }
}

TEST_P(ArrayTiming, ProductStandsInTheMulRegisterOfPeRCInCycle_t_plus_r_plus_c_plus_1_IfThereIsOne) {
  ArrayBench bench(GetParam(), layer());
  bench.bundle({true, false, false, 0}, words(one), sums(0));
  const std::uint64_t t = bench.cycle() + edge();
  while (bench.cycle() < t + r_plus_c() + 2) {
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        const bool there = pe_stages() == 2 && bench.cycle() == plus(t, r + c + 1);
        EXPECT_EQ(bench.array.pe(r, c).product_valid(), there) << at(r, c, bench.cycle());
      }
    }
    bench.step();
  }
}

TEST_P(ArrayTiming, SumStandsInTheAddRegisterOfPeRCInCycle_t_plus_r_plus_c_plus_P) {
  ArrayBench bench(GetParam(), layer());
  bench.bundle({true, false, false, 0}, words(one), sums(1));  // Active weights are zero: sums pass.
  const std::uint64_t t = bench.cycle() + edge();
  while (bench.cycle() < t + r_plus_c() + 2) {
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        const bool there = bench.array.pe(r, c).psum_out.read() == sums(1)[static_cast<std::size_t>(c)];
        EXPECT_EQ(there, bench.cycle() >= plus(t, r + c + pe_stages())) << at(r, c, bench.cycle());
      }
    }
    bench.step();
  }
}

TEST_P(ArrayTiming, PartialSumIsInjectedIntoColumnCInCycle_t_plus_c_plus_P_minus_1) {
  ArrayBench bench(GetParam(), layer());
  bench.bundle({true, false, false, 0}, words(one), sums(1));
  const std::uint64_t t = bench.cycle() + edge();
  bench.step();
  bench.bundle({true, false, false, 0}, words(one), sums(2));
  for (; bench.cycle() < t + r_plus_c() + 2; bench.step()) {
    for (int c = 0; c < columns(); ++c) {
      const bool there = bench.array.pe(0, c).psum_in.read() == sums(1)[static_cast<std::size_t>(c)];
      EXPECT_EQ(there, bench.cycle() == plus(t, c + pe_stages() - 1)) << at(0, c, bench.cycle());
    }
  }
}

TEST_P(ArrayTiming, ColumnCDeliversInCycle_t_plus_R_plus_c_plus_P_minus_1) {
  ArrayBench bench(GetParam(), layer());
  bench.bundle({true, false, false, 0}, words(one), sums(1));
  const std::uint64_t t = bench.cycle() + edge();
  bench.step();
  bench.bundle({true, false, false, 0}, words(one), sums(2));
  for (; bench.cycle() < t + r_plus_c() + 3; bench.step()) {
    for (int c = 0; c < columns(); ++c) {
      const bool there = bench.array.pe(rows() - 1, c).psum_out.read() == sums(1)[static_cast<std::size_t>(c)];
      EXPECT_EQ(there, bench.cycle() == plus(t, rows() + c + pe_stages() - 1)) << at(rows() - 1, c, bench.cycle());
    }
  }
}

TEST_P(ArrayTiming, WholeVectorStandsOnTheOutputPinsInCycle_x_plus_R_plus_C_plus_E_plus_P_minus_2) {
  ArrayBench bench(GetParam(), layer());
  const std::uint64_t x = bench.cycle();
  for (; bench.cycle() < x + r_plus_c() + 5; bench.step()) {
    const std::uint64_t i = bench.cycle() - x;
    if (i < 3) bench.bundle({true, false, false, 0}, words(one), sums(static_cast<int>(i) + 1));
    for (int bundle = 1; bundle <= 3; ++bundle) {
      const bool due = i == plus(latency(), bundle - 1) || (bundle == 3 && i > latency() + 2);
      EXPECT_EQ(bench.sums_out() == sums(bundle), due) << "bundle " << bundle << " in cycle x + " << i;
    }
  }
}

TEST_P(ArrayTiming, TagStandsOnTheOutputPinsInTheSumsCycleOnly) {
  ArrayBench bench(GetParam(), layer());
  bench.step(5);
  const hw::BundleTag tag{true, true, false, 77};
  const std::uint64_t x = bench.cycle();
  bench.bundle(tag, words(one), sums(0));
  for (; bench.cycle() < x + r_plus_c() + 5; bench.step()) {
    EXPECT_EQ(bench.tag_out.read(), bench.cycle() == x + latency() ? tag : hw::BundleTag{})
        << "cycle x + " << bench.cycle() - x;
  }
}

TEST_P(ArrayTiming, EncodedWordsStandOnThePins_E_CyclesAfterTheSumsIfTheTagSaysLastK) {
  ArrayBench bench(GetParam(), layer());
  Sums ones(static_cast<std::size_t>(columns()));
  for (hw::PsumWord& sum : ones) sum.lane[0] = {65536, 0, false};
  const std::uint64_t x = bench.cycle();
  bench.bundle({true, false, true, 5}, words(one), ones);
  bench.step();
  bench.bundle({true, false, false, 6}, words(one), sums(1));
  for (; bench.cycle() < x + r_plus_c() + 6; bench.step()) {
    const bool due = bench.cycle() == x + latency() + edge();
    EXPECT_EQ(bench.word_tag_out.read(), due ? (hw::BundleTag{true, false, true, 5}) : hw::BundleTag{})
        << "cycle x + " << bench.cycle() - x;
    for (const auto& column : bench.word_out) {
      const bool stays = edge() == 1 && bench.cycle() > x + latency() + edge();
      EXPECT_EQ(column.read().lane[0], due || stays ? one : 0) << "cycle x + " << bench.cycle() - x;
    }
  }
}

TEST_P(ArrayTiming, WeightsReachTheirShadowRegistersAtTheEndOfCycle_s_plus_R_minus_1_plus_c_AllRowsAtOnce) {
  ArrayBench bench(GetParam(), layer());
  bench.step(2);
  const std::uint64_t s = bench.cycle() + edge();
  for (int row = rows() - 1; bench.cycle() < s + r_plus_c() + 4; --row, bench.step()) {
    if (row >= 0) bench.weight_row(row, tile(0)[static_cast<std::size_t>(row)]);
    for (int c = 0; c < columns(); ++c) {
      for (int r = 0; r < rows(); ++r) {
        const bool loaded = bench.array.pe(r, c).shadow_weight() == decoded(0, r, c);
        EXPECT_EQ(loaded, bench.cycle() >= plus(s, rows() + c)) << at(r, c, bench.cycle());
      }
    }
  }
}

TEST_P(ArrayTiming, WeightRowStandsAtColumnCsInputInCycle_s_plus_c) {
  ArrayBench bench(GetParam(), layer());
  const std::uint64_t s = bench.cycle() + edge();
  bench.weight_row(0, tile(0)[0]);
  for (; bench.cycle() < s + r_plus_c(); bench.step()) {
    for (int c = 0; c < columns(); ++c) {
      const hw::WeightWire& wire = bench.array.pe(0, c).weight_in.read();
      EXPECT_EQ(wire.tag.valid, bench.cycle() == plus(s, c)) << at(0, c, bench.cycle());
    }
  }
}

TEST_P(ArrayTiming, SwapTakesTheShadowWeightOfPeRCAtTheEndOfCycle_t_plus_r_plus_c) {
  ArrayBench bench(GetParam(), layer());
  bench.load(tile(0));
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  bench.step(rows() + columns() + 3);
  bench.load(tile(1));
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  const std::uint64_t t = bench.cycle() + edge();
  for (; bench.cycle() < t + r_plus_c() + 2; bench.step()) {
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        const int salt = bench.cycle() <= plus(t, r + c) ? 0 : 1;
        EXPECT_EQ(bench.array.pe(r, c).active_weight(), decoded(salt, r, c)) << at(r, c, bench.cycle());
      }
    }
  }
}

TEST_P(ArrayTiming, FirstProductOfATileIsMadeWithTheNewWeight) {
  ArrayBench bench(GetParam(), layer());
  bench.load(tile(0));
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  const std::uint64_t t = bench.cycle() + edge();
  for (; bench.cycle() < t + r_plus_c() + 2; bench.step()) {
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        if (bench.cycle() != plus(t, r + c + 1)) continue;
        const datapath::Lane weight = decoded(0, r, c).lane[0];
        EXPECT_EQ(bench.array.pe(r, c).product()[0].r, weight.r) << at(r, c, bench.cycle());
        EXPECT_EQ(bench.array.pe(r, c).product()[0].u, weight.u) << at(r, c, bench.cycle());
      }
    }
  }
}

TEST_P(ArrayTiming, LatestWeightsAreLoadedInTheCycleBeforeTheSwap) {
  // The last load ends with cycle s + R - 1, so the swap may be issued in t' = s + R, presented in y + R.
  ArrayBench bench(GetParam(), layer());
  for (int row = rows() - 1; row >= 0; --row) {
    bench.weight_row(row, tile(0)[static_cast<std::size_t>(row)]);
    bench.step();
  }
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  bench.step(rows() + columns() + 3);
  EXPECT_EQ(bench.array.hazards(), 0u);
  for (int r = 0; r < rows(); ++r) {
    for (int c = 0; c < columns(); ++c) {
      EXPECT_EQ(bench.array.pe(r, c).active_weight(), decoded(0, r, c)) << at(r, c, bench.cycle());
    }
  }
}

TEST_P(ArrayTiming, SwapOneCycleBeforeTheLatestWeightsArriveIsAHazardInTheWholeArray) {
  ArrayBench bench(GetParam(), layer());
  for (int row = rows() - 1; row > 0; --row) {
    bench.weight_row(row, tile(0)[static_cast<std::size_t>(row)]);
    bench.step();
  }
  bench.weight_row(0, tile(0)[0]);
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  bench.step(rows() + columns() + 3);
  EXPECT_EQ(bench.array.hazards(), static_cast<std::uint64_t>(columns())) << "row 0 of every column";
}

TEST_P(ArrayTiming, NextWeightsMayStandAtRow0InTheCycleAfterTheSwap) {
  ArrayBench bench(GetParam(), layer());
  bench.load(tile(0));
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  bench.step();
  bench.load(tile(1));
  EXPECT_EQ(bench.array.hazards(), 0u);
  for (int r = 0; r < rows(); ++r) {
    for (int c = 0; c < columns(); ++c) {
      EXPECT_EQ(bench.array.pe(r, c).active_weight(), decoded(0, r, c)) << at(r, c, bench.cycle());
      EXPECT_EQ(bench.array.pe(r, c).shadow_weight(), decoded(1, r, c)) << at(r, c, bench.cycle());
    }
  }
}

TEST_P(ArrayTiming, NextWeightsInTheCycleOfTheSwapAreAHazardInTheWholeArray) {
  ArrayBench bench(GetParam(), layer());
  bench.load(tile(0));
  bench.bundle({true, true, false, 0}, words(one), sums(0));
  bench.load(tile(1));
  EXPECT_EQ(bench.array.hazards(), static_cast<std::uint64_t>(rows() * columns()));
}

TEST_P(ArrayTiming, ResetDropsEverythingInFlight) {
  ArrayBench bench(GetParam(), layer());
  bench.load(tile(0));
  for (int i = 0; i < rows() + columns(); ++i) {
    bench.bundle({true, i == 0, true, 0}, words(one), sums(1));
    bench.weight_row(i % rows(), tile(1)[static_cast<std::size_t>(i % rows())]);
    if (i == 0) bench.weight_tag_in.write({});
    bench.step();
  }
  EXPECT_FALSE(bench.array.idle());
  bench.reset.write(true);
  bench.step();
  bench.reset.write(false);
  EXPECT_TRUE(bench.array.idle());
  for (std::uint64_t i = 0; i < 2 * r_plus_c() + 4; ++i) {
    EXPECT_FALSE(bench.tag_out.read().valid);
    EXPECT_FALSE(bench.word_tag_out.read().valid);
    for (int r = 0; r < rows(); ++r) {
      for (int c = 0; c < columns(); ++c) {
        EXPECT_TRUE(bench.array.pe(r, c).idle()) << at(r, c, bench.cycle());
        EXPECT_EQ(bench.array.pe(r, c).shadow_weight(), datapath::DecodedWord{}) << at(r, c, bench.cycle());
      }
    }
    bench.step();
  }
}

TEST_P(ArrayTiming, IdleFromTheCycleAfterTheLastWordsToTheNextBundle) {
  ArrayBench bench(GetParam(), layer());
  bench.step(3);
  EXPECT_TRUE(bench.array.idle());
  const std::uint64_t x = bench.cycle();
  bench.bundle({true, false, true, 0}, words(one), sums(1));
  bench.step();
  for (; bench.cycle() < x + latency() + edge() + 1; bench.step())
    EXPECT_FALSE(bench.array.idle()) << bench.cycle() - x;
  EXPECT_TRUE(bench.array.idle());
}

}  // namespace
}  // namespace lpa::test
