// The peer's compute cycles, exactly: hw_model/README.md, "Compared with SCALE-Sim".
#include "hw_model/driver/scalesim_machine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hw_model/driver/system.h"
#include "tests/hw_model/layer_builder.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::driver {
namespace {

using hw::Counters;
using hw::MachineConfig;

struct Product {
  std::int64_t m, n, k;
};

/// What SCALE-Sim prints: ceil(K / R) * ceil(N / C) folds of 2R + C + M - 2 cycles, and the index of the last one.
std::int64_t rule(const MachineConfig& config, const Product& p) {
  const std::int64_t rows = config.array.rows;
  const std::int64_t columns = config.array.columns;
  return hw::ceil_div(p.k, rows) * hw::ceil_div(p.n, columns) * (2 * rows + columns + p.m - 2) - 1;
}

std::string text(const MachineConfig& config, const Product& p) {
  std::ostringstream out;
  out << config.array.rows << " x " << config.array.columns << ", M " << p.m << " N " << p.n << " K " << p.k;
  return out.str();
}

/// Runs the products one after the other; words mean nothing.
std::vector<Counters> run(const MachineConfig& config, ModelKind model, const std::vector<Product>& products) {
  std::vector<Counters> result;
  System system(config, model, [&](Host& host) {
    for (const Product& p : products) {
      hw::Descriptor d = test::gemm(config, p.m, p.n, p.k);
      d.weight_address = 0x1000;
      d.input_address = 0x20000000;
      d.output_address = 0x40000000;
      result.push_back(host.run(0, {d}));
    }
  });
  if (model == ModelKind::fast) system.set_values(false);
  system.run();
  return result;
}

void expect_rule(const MachineConfig& config, ModelKind model, const std::vector<Product>& products) {
  const std::vector<Counters> counters = run(config, model, products);
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_EQ(counters[i].array_span, static_cast<std::uint64_t>(rule(config, products[i])))
        << text(config, products[i]);
  }
}

struct Row {
  int rows, columns;
  Product product;
  std::uint64_t cycles;
};

std::vector<Row> golden_rows() {
  std::ifstream file(LPA_TEST_DATA "/scalesim_ws_cycles.csv");
  std::vector<Row> result;
  for (std::string line; std::getline(file, line);) {
    Row row{};
    char comma = 0;
    Product& p = row.product;
    std::istringstream fields(line);
    fields >> row.rows >> comma >> row.columns >> comma >> p.m >> comma >> p.n >> comma >> p.k >> comma >> row.cycles;
    if (fields) result.push_back(row);
  }
  return result;
}

TEST(ScalesimMachine, TakesTheCyclesThatScaleSimPrinted) {
  const MachineConfig config = scalesim_machine(32, 32);
  const std::vector<Row> rows = golden_rows();
  ASSERT_EQ(rows.size(), 17u);
  std::vector<Product> products;
  for (const Row& row : rows) {
    ASSERT_EQ(row.rows, 32);
    ASSERT_EQ(row.columns, 32);
    EXPECT_EQ(row.cycles, static_cast<std::uint64_t>(rule(config, row.product)));
    products.push_back(row.product);
  }
  const std::vector<Counters> counters = run(config, ModelKind::fast, products);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(counters[i].array_span, rows[i].cycles) << text(config, products[i]);
  }
}

class ScalesimRule : public ::testing::TestWithParam<std::array<int, 2>> {
 protected:
  MachineConfig config() const { return scalesim_machine(GetParam()[0], GetParam()[1]); }
  /// Sizes of every magnitude up to the given ones, for which the README promises the rule.
  std::vector<Product> products(std::size_t count, const Product& largest) const {
    const auto [rows, columns] = GetParam();
    std::mt19937 random(static_cast<unsigned>(1000 * rows + columns));
    const auto draw = [&](std::int64_t high) {
      const double exponent = std::uniform_real_distribution<>(0, std::log2(static_cast<double>(high)))(random);
      return static_cast<std::int64_t>(std::exp2(exponent));
    };
    std::vector<Product> result;
    while (result.size() < count) {
      const Product p{draw(largest.m), draw(largest.n), draw(largest.k)};
      const bool sums_return = rows > 1 || p.m > 1 || p.k == 1;
      const bool outputs_leave = 2 * rows + columns + p.m - 2 >= 10;
      if (sums_return && outputs_leave) result.push_back(p);
    }
    return result;
  }
};

std::string shape_name(const ::testing::TestParamInfo<std::array<int, 2>>& test) {
  std::ostringstream name;
  name << 'R' << test.param[0] << "_C" << test.param[1];
  return name.str();
}

INSTANTIATE_TEST_SUITE_P(Shape, ScalesimRule,
                         ::testing::Values(std::array{32, 32}, std::array{8, 8}, std::array{16, 4}, std::array{4, 16},
                                           std::array{128, 128}, std::array{256, 256}, std::array{5, 3},
                                           std::array{3, 40}, std::array{64, 7}, std::array{2, 2}, std::array{1, 1},
                                           std::array{1, 8}, std::array{256, 1}),
                         shape_name);

TEST_P(ScalesimRule, HoldsForRandomProducts) {
  const auto [rows, columns] = GetParam();
  expect_rule(config(), ModelKind::fast, products(40, {4000, 40 * columns, 60 * rows}));
}

using ScalesimRulePinByPin = ScalesimRule;
INSTANTIATE_TEST_SUITE_P(Shape, ScalesimRulePinByPin,
                         ::testing::Values(std::array{8, 8}, std::array{16, 4}, std::array{4, 16}, std::array{5, 3},
                                           std::array{3, 40}, std::array{2, 2}, std::array{1, 1}, std::array{1, 8}),
                         shape_name);

TEST_P(ScalesimRulePinByPin, HoldsForRandomProducts) {
  const auto [rows, columns] = GetParam();
  expect_rule(config(), ModelKind::pin, products(8, {60, 4 * columns, 4 * rows}));
}

TEST(ScalesimMachine, MapsOfLargeLayersAreOneBand) {
  const MachineConfig config = scalesim_machine(32, 32);
  EXPECT_EQ(test::gemm(config, 112 * 112, 64, 147).band_rows, 112 * 112);
  EXPECT_EQ(test::gemm(config, 197, 3072, 768).band_rows, 197);
}

TEST(ScalesimMachine, ShortFoldsWaitForTheOutputBufferOnly) {
  const MachineConfig config = scalesim_machine(2, 2);
  const std::vector<Product> products{{5, 18, 2}, {6, 18, 2}};
  const std::vector<Counters> counters = run(config, ModelKind::fast, products);
  EXPECT_GT(counters[0].array_span, static_cast<std::uint64_t>(rule(config, products[0]))) << "folds of 9 cycles";
  EXPECT_EQ(counters[1].array_span, static_cast<std::uint64_t>(rule(config, products[1]))) << "folds of 10 cycles";
}

class ScalesimFile : public ::testing::Test {
 protected:
  MachineConfig read(const std::string& presets, const std::string& mode) {
    workloads::testing::write_bytes(file_, "[general]\nrun_name = r\n[architecture_presets]\n" + presets +
                                               "Dataflow : ws\n[run_presets]\nInterfaceBandwidth: " + mode + "\n");
    return read_scalesim_machine(file_);
  }
  std::string error(const std::string& presets, const std::string& mode) {
    return workloads::testing::message_of<workloads::InputError>([&] { read(presets, mode); });
  }
  workloads::testing::TemporaryFolder folder_;
  std::filesystem::path file_ = folder_ / "scale.cfg";
};

std::string presets(int rows, int columns, int ifmap, int filter, int ofmap, int bandwidth) {
  return fmt::format(
      "ArrayHeight: {}\nArrayWidth: {}\nIfmapSramSzkB: {}\nFilterSramSzkB: {}\nOfmapSramSzkB: {}\nBandwidth : {}\n",
      rows, columns, ifmap, filter, ofmap, bandwidth);
}

/// What differs between two machines, as command-line options of the first one.
std::string differences(const MachineConfig& a, const MachineConfig& b) {
  std::string text;
  for (const hw::Parameter& p : hw::machine_parameters()) {
    if (p.get(a) != p.get(b)) text += fmt::format("{}={} ", p.name, p.get(a));
  }
  return text;
}

TEST_F(ScalesimFile, CalcIsTheArraysSizeOnly) {
  const MachineConfig machine = read(presets(12, 14, 108, 108, 64, 10), "CALC");
  EXPECT_EQ(differences(machine, scalesim_machine(12, 14)), "");
  EXPECT_EQ(machine.array.rows, 12);
  EXPECT_EQ(machine.array.columns, 14);
  machine.validate();
}

TEST_F(ScalesimFile, UserTakesTheBuffersAndTheBandwidth) {
  const MachineConfig machine = read(presets(256, 256, 6144, 6145, 2048, 10), "USER");
  EXPECT_EQ(differences(machine, scalesim_machine(256, 256)),
            "weight_buffer.kib=6145 input_buffer.kib=6144 output_buffer.kib=2048 memory.bytes_per_cycle=10 ");
  machine.validate();
}

TEST_F(ScalesimFile, WhatTheMachineCannotHaveIsNamedWithItsLine) {
  const std::string at = file_.string();
  EXPECT_EQ(error(presets(257, 8, 1, 1, 1, 1), "CALC"), at + ":4: 'ArrayHeight': 257; the machine can have 1 to 256");
  EXPECT_EQ(error(presets(8, 512, 1, 1, 1, 1), "CALC"), at + ":5: 'ArrayWidth': 512; the machine can have 1 to 256");
  const std::string kib = "; the machine can have 1 to 65536";
  EXPECT_EQ(error(presets(8, 8, 65537, 1, 1, 1), "USER"), at + ":6: 'IfmapSramSzkB': 65537" + kib);
  EXPECT_EQ(error(presets(8, 8, 1, 65537, 1, 1), "USER"), at + ":7: 'FilterSramSzkB': 65537" + kib);
  EXPECT_EQ(error(presets(8, 8, 1, 1, 65537, 1), "USER"), at + ":8: 'OfmapSramSzkB': 65537" + kib);
  EXPECT_EQ(error(presets(8, 8, 1, 1, 1, 4097), "USER"), at + ":9: 'Bandwidth': 4097; the machine can have 1 to 4096");
  EXPECT_EQ(error(presets(8, 8, 65537, 1, 1, 4097), "CALC"), "no error") << "not used";
}

}  // namespace
}  // namespace lpa::driver
