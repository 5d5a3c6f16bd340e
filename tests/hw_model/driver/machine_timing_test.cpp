// The whole machine's cycles: hw_model/README.md, "Array timing", "Buffers" and "Cycle causes".
#include <cstdint>

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/machine_bench.h"

namespace lpa::hw {
namespace {

using driver::Host;

/// Memory that never makes the array wait, once the first data are there.
MachineConfig fast_memory(int rows, int columns) {
  MachineConfig config;
  config.array.rows = rows;
  config.array.columns = columns;
  config.memory.latency = 0;
  config.memory.bytes_per_cycle = 4096;
  config.dma.burst_bytes = config.weight_buffer.port_bytes = config.input_buffer.port_bytes = 1024;
  return config;
}

Counters run_layer(Host& host, const Descriptor& descriptor, const MachineConfig& config) {
  host.write_memory(test::weights_at, test::unit_weights(descriptor, config));
  return host.run(test::descriptor_at, {descriptor});
}

std::uint64_t sum_of_causes(const Counters& counters) {
  std::uint64_t sum = 0;
  for (const std::uint64_t cycles : counters.by_cause) sum += cycles;
  return sum;
}

/// Runs M x C by K x C for K = R * tiles and expects that every further k-tile costs `interval` cycles.
void expect_interval_per_k_tile(const MachineConfig& config, std::int64_t m, std::uint64_t interval) {
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const std::int64_t rows = config.array.rows;
    const std::int64_t columns = config.array.columns;
    const auto cycles_of = [&](std::int64_t tiles) {
      const Counters counters = run_layer(host, test::gemm(config, m, columns, rows * tiles), config);
      EXPECT_EQ(counters.tiles, static_cast<std::uint64_t>(tiles));
      EXPECT_EQ(counters.cause(Cause::busy), static_cast<std::uint64_t>(m * tiles));
      EXPECT_EQ(sum_of_causes(counters), counters.cycles);
      return counters.cycles;
    };
    // Differences of equal numbers of bursts of everything that is fetched before the first vector.
    const std::uint64_t three = cycles_of(3);
    for (const std::int64_t tiles : {4, 5, 8}) {
      EXPECT_EQ(cycles_of(tiles) - three, static_cast<std::uint64_t>(tiles - 3) * interval) << tiles << " tiles";
    }
  });
  EXPECT_EQ(bench.machine.array().hazards(), 0u);
}

// A tile of M vectors follows after max(M, R + 1) cycles; sums return after R + C + 3, which is the bound of short
// chains.

TEST(TileInterval, OfALongTileIsItsVectors_8x8) {
  expect_interval_per_k_tile(fast_memory(8, 8), 40, 40);
}
TEST(TileInterval, OfALongTileIsItsVectors_16x4) {
  expect_interval_per_k_tile(fast_memory(16, 4), 40, 40);
}
TEST(TileInterval, OfALongTileIsItsVectors_4x16) {
  expect_interval_per_k_tile(fast_memory(4, 16), 40, 40);
}
TEST(TileInterval, IsTheSumsRoundTripAtTheBound_8x8) {
  expect_interval_per_k_tile(fast_memory(8, 8), 19, 19);
}
TEST(TileInterval, OfAShortTileIsTheSumsRoundTrip_8x8) {
  expect_interval_per_k_tile(fast_memory(8, 8), 18, 19);
}
TEST(TileInterval, OfAShortTileIsTheSumsRoundTrip_5x3) {
  expect_interval_per_k_tile(fast_memory(5, 3), 1, 11);
}
TEST(TileInterval, OfASingleVectorIsTheSumsRoundTrip_8x8) {
  expect_interval_per_k_tile(fast_memory(8, 8), 1, 19);
}

TEST(TileInterval, WithoutDoubleBufferingIsVectorsPlusRows_8x8) {
  MachineConfig config = fast_memory(8, 8);
  config.array.double_buffer_weights = false;
  expect_interval_per_k_tile(config, 40, 48);
}

TEST(TileInterval, OfANarrowWeightPortIsItsLoadingTime_4x16) {
  MachineConfig config = fast_memory(4, 16);
  config.weight_buffer.port_bytes = 8;  // Two accesses a row.
  config.array.double_buffer_weights = false;
  expect_interval_per_k_tile(config, 30, 30 + 8);
}

TEST(VectorInterval, OfANarrowInputPortIsItsAccesses) {
  MachineConfig config = fast_memory(32, 4);
  config.input_buffer.port_bytes = 16;  // 32 words of 8 bits take two accesses.
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const auto cycles_of = [&](std::int64_t n_tiles) {
      return run_layer(host, test::gemm(config, 60, 4 * n_tiles, 32), config).cycles;
    };
    const std::uint64_t three = cycles_of(3);
    EXPECT_EQ(cycles_of(4) - three, 120u);
    EXPECT_EQ(cycles_of(7) - three, 480u);
  });
}

TEST(Causes, SumToCyclesAndBusyCountsVectors) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    for (const auto& [m, n, k] : {std::array{1, 1, 1}, {50, 20, 30}, {7, 64, 9}, {100, 8, 8}}) {
      const Counters counters = run_layer(host, test::gemm(config, m, n, k), config);
      EXPECT_EQ(sum_of_causes(counters), counters.cycles);
      EXPECT_EQ(counters.cause(Cause::busy), counters.vectors);
      EXPECT_EQ(counters.macs, static_cast<std::uint64_t>(m * n * k));
    }
  });
}

TEST(Causes, FillDrainIsThePipelineBehindTheLastVector) {
  // From the cycle after the last vector was presented: R + C + 2 cycles to the words, one to store them, one to see
  // it.
  const MachineConfig config = fast_memory(5, 9);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters counters = run_layer(host, test::gemm(config, 40, 9, 5 * 2), config);
    EXPECT_EQ(counters.cause(Cause::fill_drain), 5u + 9 + 3);
  });
}

TEST(Causes, ShortTilesWaitForWeightsUpToRPlus1AndThenForSums) {
  const MachineConfig config = fast_memory(8, 8);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters one = run_layer(host, test::gemm(config, 4, 8, 8), config);
    const Counters five = run_layer(host, test::gemm(config, 4, 8, 8 * 5), config);
    EXPECT_EQ(five.cause(Cause::weight_wait) - one.cause(Cause::weight_wait), 4u * (8 + 1 - 4));
    EXPECT_EQ(five.cause(Cause::psum_wait), 4u * (8 + 8 + 3 - (8 + 1)));
  });
}

TEST(Causes, SlowMemoryIsInputWait) {
  MachineConfig config;
  config.memory.bytes_per_cycle = 1;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    // 64 rows of 64 bytes at a byte per cycle; 8 n-tiles of 8 k-tiles of 64 vectors are 4096 cycles.
    const Counters counters = run_layer(host, test::gemm(config, 64, 8, 64), config);
    EXPECT_GT(counters.cause(Cause::input_wait), 3000u);
  });
}

TEST(Causes, SlowMemoryIsOutputWaitIfTheOutputIsLarge) {
  MachineConfig config;
  config.memory.bytes_per_cycle = 1;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters counters = run_layer(host, test::gemm(config, 64, 128, 8), config);
    EXPECT_GT(counters.cause(Cause::output_wait), 6000u) << "8192 bytes at a byte per cycle";
  });
}

TEST(Causes, ALayerWithoutArrayIsNeverBusy) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    Descriptor d = test::gemm(config, 8, 16, 16);
    d.op = static_cast<std::int64_t>(LayerOp::average_pool);
    d.kernel_h = d.in_h;
    d.out_h = 1;
    driver::map_layer(d, config, "pool");
    const Counters counters = host.run(test::descriptor_at, {d});
    EXPECT_EQ(counters.cause(Cause::busy), 0u);
    EXPECT_EQ(counters.ppu_elements, 8u * 16) << "window positions";
    EXPECT_EQ(counters.cause(Cause::ppu), 8u) << "16 lanes";
    EXPECT_EQ(sum_of_causes(counters), counters.cycles);
  });
}

TEST(Machine, APoolOfManyBandsWaitsForItsHalfOfTheOutputBuffer) {
  // Outputs of 8 bits take four times as long as inputs of 2 bits: without the wait, inputs would run ahead.
  MachineConfig config;
  config.memory.latency = 0;
  config.memory.bytes_per_cycle = 1;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    Descriptor d = test::gemm(config, 24, 64, 64);
    d.op = static_cast<std::int64_t>(LayerOp::average_pool);
    d.input = {2, 0, 1, 0, 0};
    d.input_pitch = 16;
    d.block_tiles = 1;
    d.band_rows = 1;
    host.write_memory(test::input_at, std::vector<std::uint8_t>(24 * 16, 0x55));
    const Counters counters = host.run(test::descriptor_at, {d});
    EXPECT_EQ(host.read_memory(test::output_at, 24 * 64), std::vector<std::uint8_t>(24 * 64, 0x40)) << "ones";
    EXPECT_GT(counters.cause(Cause::output_wait), 24u * 64 / 2);
    EXPECT_EQ(sum_of_causes(counters), counters.cycles);
  });
}

TEST(Machine, RunsSeveralDescriptorsInOneGo) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = test::gemm(config, 20, 8, 16);
    host.write_memory(test::weights_at, test::unit_weights(d, config));
    const Counters one = host.run(test::descriptor_at, {d});
    const Counters three = host.run(test::descriptor_at, {d, d, d});
    EXPECT_EQ(three.macs, 3 * one.macs);
    EXPECT_EQ(three.dram_read_bytes, 3 * one.dram_read_bytes);
  });
}

TEST(Machine, TakesTheSameCyclesEveryTime) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = test::gemm(config, 50, 30, 40);
    const Counters first = run_layer(host, d, config);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(run_layer(host, d, config), first);
  });
}

}  // namespace
}  // namespace lpa::hw
