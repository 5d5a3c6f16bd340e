// Visits like earlier ones, which the fast model does not run edge by edge: what they leave is what it leaves when it
// runs them all.
#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "tests/hw_model/differential/run_case.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

constexpr std::int64_t far_output = 0x400000;

std::vector<std::uint8_t> random_words(std::mt19937_64& random, std::int64_t bytes) {
  std::vector<std::uint8_t> words(static_cast<std::size_t>(bytes));
  for (auto& word : words) word = static_cast<std::uint8_t>(random());
  return words;
}

/// Runs a layer on random words on the fast model, all of it and with leave to skip visits. Both must be equal in all
/// that can be seen; returns the edges that were skipped.
std::uint64_t skipped_edges(const MachineConfig& config, const Descriptor& layer) {
  std::mt19937_64 random(1);
  test::Case test;
  test.config = config;
  test.layers = {layer};
  const std::int64_t positions = layer.out_h * layer.out_w;
  const auto place = [&](std::int64_t address, std::int64_t bytes) {
    test.memory.push_back({static_cast<std::uint64_t>(address), random_words(random, bytes)});
  };
  place(layer.weight_address, Tiling(layer, config).weight_bytes());
  place(layer.input_address, layer.in_h * layer.in_w * layer.input_pitch);
  if (layer.adds()) place(layer.addend_address, positions * layer.addend_pitch);
  test.output_address = static_cast<std::uint64_t>(layer.output_address);
  test.end_address = static_cast<std::uint64_t>(layer.output_address + positions * layer.output_pitch);
  test::RunningCase all(test, driver::ModelKind::fast, true);
  test::RunningCase some(test, driver::ModelKind::fast, false);
  const test::Record expected = all.take();
  const test::Record record = some.take();
  EXPECT_EQ(test::difference(expected, record), "");
  EXPECT_EQ(expected.skipped, 0u);
  return record.skipped;
}

TEST(VisitPeriods, VisitsLikeEarlierOnesAreNotRun) {
  MachineConfig config;
  config.memory.mib = 8;
  Descriptor d = test::gemm(config, 20, 256, 64);
  d.output_address = far_output;
  EXPECT_GT(skipped_edges(config, d), 32u * 20 * 8 / 2);  // More than half of the vectors.
}

TEST(VisitPeriods, WherePositionsFollowEachOtherInMemoryAllAreRun) {
  const MachineConfig config;
  EXPECT_EQ(skipped_edges(config, test::gemm(config, 2000, 8, 16)), 0u);
}

/// A layer of many visits on a machine that has its bottleneck anywhere.
Descriptor random_layer(std::mt19937_64& random, MachineConfig& config) {
  const auto pick = [&](std::initializer_list<int> values) { return values.begin()[random() % values.size()]; };
  config.array.rows = pick({8, 4, 16});
  config.array.columns = pick({8, 4, 2});
  config.array.double_buffer_weights = pick({1, 1, 0}) == 1;
  config.array.fold_overlap = pick({1, 1, 0}) == 1;
  config.weight_buffer = {pick({16, 4, 64}), pick({64, 8})};
  config.input_buffer = {pick({16, 4, 64}), pick({64, 8})};
  config.output_buffer = {pick({16, 4, 64}), pick({64, 8})};
  config.weight_buffer.ports = pick({2, 1});
  config.input_buffer.ports = pick({2, 1});
  config.memory.mib = 8;
  config.memory.latency = pick({40, 1, 200});
  config.memory.bytes_per_cycle = pick({64, 16, 4, 1});
  config.dma = {pick({64, 16}), pick({64, 2})};
  config.ppu.lanes = pick({16, 1, 64});
  const int bits = pick({8, 8, 4, 2});
  Descriptor d = test::gemm(config, 4, 16, 8, bits);
  d.in_c = pick({4, 16, 40, 64});
  d.out_c = pick({32, 64, 136, 256});
  d.in_h = pick({8, 15, 30});
  d.in_w = pick({1, 7, 16});
  d.kernel_h = d.kernel_w = d.in_w == 1 ? 1 : pick({1, 3});
  d.pad_top = d.pad_left = d.kernel_h / 2;
  d.stride_h = d.stride_w = pick({1, 1, 2});
  d.out_h = (d.in_h + 2 * d.pad_top - d.kernel_h) / d.stride_h + 1;
  d.out_w = (d.in_w + 2 * d.pad_left - d.kernel_w) / d.stride_w + 1;
  if (pick({1, 2, 3}) == 1) d.flags |= flag_addend;
  d.input_pitch = d.in_c;
  d.output_pitch = d.addend_pitch = d.out_c + pick({0, 0, 8, 3});
  d.output_address = far_output + pick({0, 8, 5});
  d.addend_address = 2 * far_output - 0x100000;
  d.weight_address = 0x200000;
  driver::map_layer(d, config, "random");
  return d;
}

TEST(VisitPeriods, AnyLayerOnAnyMachineLeavesTheSame) {
  int skipping = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    MachineConfig config;
    Descriptor layer;
    try {
      layer = random_layer(random, config);
    } catch (const driver::MachineError&) {
      continue;  // It does not fit.
    }
    if (skipped_edges(config, layer) > 0) ++skipping;
    if (HasFailure()) return;
  }
  EXPECT_GT(skipping, 5);
}

}  // namespace
}  // namespace lpa::hw
