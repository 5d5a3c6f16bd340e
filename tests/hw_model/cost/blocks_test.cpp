#include "hw_model/cost/blocks.h"

#include <array>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "hw_model/datapath/converters.h"

namespace lpa::cost {
namespace {

// Cells over the NAND2's 0.798 um2.
constexpr double inverter = 0.532 / 0.798, and2 = 1.064 / 0.798, xor2 = 1.596 / 0.798, mux2 = 1.862 / 0.798;
constexpr double half_adder = 2.66 / 0.798, full_adder = 4.256 / 0.798, flip_flop = 4.522 / 0.798;

class BlocksTest : public testing::Test {
 protected:
  Blocks blocks_{Constants::shipped()};
};

TEST_F(BlocksTest, AreCountedCellByCell) {
  EXPECT_DOUBLE_EQ(blocks_.adder(8), 8 * full_adder);
  EXPECT_DOUBLE_EQ(blocks_.exclusive_or(5), 5 * xor2);
  EXPECT_DOUBLE_EQ(blocks_.gate(3), 3 * and2);
  EXPECT_DOUBLE_EQ(blocks_.registers(9), 9 * flip_flop);
  EXPECT_DOUBLE_EQ(blocks_.multiplexer(8), 8 * mux2);
  EXPECT_DOUBLE_EQ(blocks_.multiplexer(8, 4), 24 * mux2);
  EXPECT_DOUBLE_EQ(blocks_.twos_complement(8), 8 * (xor2 + half_adder));
}

TEST_F(BlocksTest, AShifterHasARowForEachBitOfTheDistance) {
  EXPECT_DOUBLE_EQ(blocks_.shifter(8, 0), 0);
  EXPECT_DOUBLE_EQ(blocks_.shifter(8, 1), 8 * mux2);
  EXPECT_DOUBLE_EQ(blocks_.shifter(8, 7), 3 * 8 * mux2);
  EXPECT_DOUBLE_EQ(blocks_.shifter(8, 8), 4 * 8 * mux2);
  EXPECT_DOUBLE_EQ(blocks_.shifter(8, 1000), 4 * 8 * mux2) << "whatever goes further is cleared";
}

TEST_F(BlocksTest, LeadingZerosAreATreeOfPairs) {
  const double node = inverter + and2;
  EXPECT_DOUBLE_EQ(blocks_.leading_zeros(1), 0);
  EXPECT_DOUBLE_EQ(blocks_.leading_zeros(2), node);
  EXPECT_DOUBLE_EQ(blocks_.leading_zeros(4), 2 * node + (node + mux2));
  EXPECT_DOUBLE_EQ(blocks_.leading_zeros(8), 4 * node + 2 * (node + mux2) + (node + 2 * mux2));
}

TEST_F(BlocksTest, AMultiplierIsAnArray) {
  EXPECT_DOUBLE_EQ(blocks_.multiplier(1, 6), 6 * and2);
  EXPECT_DOUBLE_EQ(blocks_.multiplier(8, 8), 64 * and2 + 56 * full_adder);
  EXPECT_DOUBLE_EQ(blocks_.multiplier(4, 8), blocks_.multiplier(8, 4));
}

TEST_F(BlocksTest, NothingTakesNothing) {
  for (const Gates gates : {blocks_.adder(0), blocks_.shifter(0, 5), blocks_.leading_zeros(0), blocks_.table(0, 8),
                            blocks_.table(6, 0), blocks_.multiplier(0, 8), blocks_.registers(0)}) {
    EXPECT_EQ(gates, 0);
  }
}

TEST_F(BlocksTest, GrowWithEveryWidth) {
  for (int bits = 0; bits < 64; ++bits) {
    EXPECT_LT(blocks_.adder(bits), blocks_.adder(bits + 1));
    EXPECT_LE(blocks_.leading_zeros(bits), blocks_.leading_zeros(bits + 1));
    EXPECT_LE(blocks_.twos_complement(bits), blocks_.twos_complement(bits + 1));
    for (int other = 0; other < 64; ++other) {
      EXPECT_LE(blocks_.shifter(bits, other), blocks_.shifter(bits + 1, other));
      EXPECT_LE(blocks_.shifter(bits, other), blocks_.shifter(bits, other + 1));
      EXPECT_LE(blocks_.multiplier(bits, other), blocks_.multiplier(bits + 1, other));
      if (bits >= 16) continue;
      EXPECT_LE(blocks_.table(bits, other), blocks_.table(bits + 1, other));
      EXPECT_LE(blocks_.table(bits, other), blocks_.table(bits, other + 1));
    }
  }
}

/// Gates of a table made of multiplexers: the nodes of a reduced ordered binary decision diagram that all outputs
/// share, simplified where a branch is constant. A netlist that anyone could build.
class DecisionDiagram {
 public:
  double gates(const std::vector<std::uint32_t>& values, int outputs) {
    for (int output = 0; output < outputs; ++output) {
      std::vector<int> bits;
      for (const std::uint32_t value : values) bits.push_back(static_cast<int>(value >> output & 1));
      node(bits);
    }
    double sum = 0;
    for (const auto& [key, id] : nodes_) {
      const auto& [depth, low, high] = key;
      const int constants = (low < 2) + (high < 2);
      if (constants == 0) sum += mux2;
      if (constants == 1) sum += and2;
      if (constants == 2 && low > high) sum += inverter;
    }
    return sum;
  }

 private:
  /// 0 and 1 are the constants.
  int node(const std::vector<int>& bits) {
    if (bits.size() == 1) return bits.front();
    const auto middle = bits.begin() + static_cast<std::ptrdiff_t>(bits.size() / 2);
    const int low = node({bits.begin(), middle}), high = node({middle, bits.end()});
    if (low == high) return low;
    return nodes_.try_emplace({bits.size(), low, high}, static_cast<int>(nodes_.size()) + 2).first->second;
  }

  std::map<std::tuple<std::size_t, int, int>, int> nodes_;
};

TEST_F(BlocksTest, TablesAreWhatTheMachinesTablesTakeAsGates) {
  for (const int index_bits : {6, 8}) {
    for (const int lf_bits : {8, 16}) {
      const datapath::LogLinearConverter converter(formats::Converter::exact_table, lf_bits, index_bits);
      std::vector<std::uint32_t> fractions;
      for (unsigned i = 0; i < 1u << index_bits; ++i) fractions.push_back(converter(i) - (1u << lf_bits));
      const double ratio = blocks_.table(index_bits, lf_bits) / DecisionDiagram().gates(fractions, lf_bits);
      EXPECT_GT(ratio, 0.9) << index_bits << ' ' << lf_bits;
      EXPECT_LT(ratio, 1.3) << index_bits << ' ' << lf_bits;
    }
  }
  for (const auto& [log_bits, most] : {std::pair{6, 1.3}, {8, 1.3}, {10, 1.6}, {12, 2.0}}) {
    const datapath::LinearLogConverter converter(log_bits);
    std::vector<std::uint32_t> logs;
    for (unsigned i = 0; i < 1u << log_bits; ++i) logs.push_back(converter(i));
    const double ratio = blocks_.table(log_bits, log_bits) / DecisionDiagram().gates(logs, log_bits);
    EXPECT_GT(ratio, 0.9) << log_bits;
    EXPECT_LT(ratio, most) << log_bits;
  }
}

}  // namespace
}  // namespace lpa::cost
