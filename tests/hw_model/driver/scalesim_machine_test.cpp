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

#include <gtest/gtest.h>

#include "hw_model/driver/system.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::driver {
namespace {

using hw::Cause;
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
        << text(config, products[i]) << ", output_wait " << counters[i].cause(Cause::output_wait) << " psum_wait "
        << counters[i].cause(Cause::psum_wait) << " input_wait " << counters[i].cause(Cause::input_wait)
        << " weight_wait " << counters[i].cause(Cause::weight_wait);
  }
}

TEST(ScalesimMachine, PrintsTheCyclesThatScaleSimPrinted) {
  std::ifstream file(LPA_TEST_DATA "/scalesim_ws_cycles.csv");
  std::vector<Product> products;
  std::vector<std::uint64_t> printed;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::int64_t rows = 0, columns = 0;
    Product p{};
    std::uint64_t cycles = 0;
    char comma = 0;
    if (!(fields >> rows >> comma >> columns >> comma >> p.m >> comma >> p.n >> comma >> p.k >> comma >> cycles))
      continue;
    ASSERT_EQ(rows, 32);
    ASSERT_EQ(columns, 32);
    products.push_back(p);
    printed.push_back(cycles);
  }
  ASSERT_EQ(products.size(), 17u);
  const std::vector<Counters> counters = run(scalesim_machine(32, 32), ModelKind::fast, products);
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_EQ(counters[i].array_span, printed[i]) << text(scalesim_machine(32, 32), products[i]);
  }
}

class ScalesimRule : public ::testing::TestWithParam<std::array<int, 2>> {
 protected:
  MachineConfig config() const { return scalesim_machine(GetParam()[0], GetParam()[1]); }
  /// Sizes of every magnitude up to the given ones.
  std::vector<Product> products(std::size_t count, const Product& largest) const {
    std::mt19937 random(static_cast<unsigned>(1000 * GetParam()[0] + GetParam()[1]));
    const auto draw = [&](std::int64_t high) {
      const double exponent = std::uniform_real_distribution<>(0, std::log2(static_cast<double>(high)))(random);
      return static_cast<std::int64_t>(std::exp2(exponent));
    };
    std::vector<Product> result;
    for (std::size_t i = 0; i < count; ++i) result.push_back({draw(largest.m), draw(largest.n), draw(largest.k)});
    return result;
  }
};

INSTANTIATE_TEST_SUITE_P(Shape, ScalesimRule,
                         ::testing::Values(std::array{32, 32}, std::array{8, 8}, std::array{16, 4}, std::array{4, 16},
                                           std::array{128, 128}, std::array{256, 256}, std::array{5, 3},
                                           std::array{3, 40}, std::array{64, 7}, std::array{2, 2}, std::array{1, 1},
                                           std::array{1, 8}, std::array{256, 1}),
                         [](const auto& test) {
                           std::ostringstream name;
                           name << 'R' << test.param[0] << "_C" << test.param[1];
                           return name.str();
                         });

TEST_P(ScalesimRule, HoldsForRandomProducts) {
  expect_rule(config(), ModelKind::fast, products(40, {4000, 1200, 2000}));
}

}  // namespace
}  // namespace lpa::driver
