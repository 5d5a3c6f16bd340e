// Tiles that do not overlap in the array, and the counter array_span: hw_model/README.md, "Array timing".
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "hw_model/control/registers.h"
#include "tests/hw_model/array/array_bench.h"
#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/machine_bench.h"

namespace lpa::hw {
namespace {

using driver::Host;
using test::Shape;

/// Memory that never makes the array wait, once the first data are there.
MachineConfig machine(const Shape& shape, bool fold_overlap) {
  MachineConfig config;
  config.array.rows = shape.rows;
  config.array.columns = shape.columns;
  config.array.stages = shape.stages;
  config.array.fold_overlap = fold_overlap;
  config.memory.latency = 0;
  config.memory.bytes_per_cycle = 4096;
  config.dma.burst_bytes = config.weight_buffer.port_bytes = config.input_buffer.port_bytes = 1024;
  return config;
}

Descriptor write_layer(Host& host, const MachineConfig& config, std::int64_t m, std::int64_t n, std::int64_t k) {
  const Descriptor d = test::gemm(config, m, n, k);
  host.write_memory(test::weights_at, test::unit_weights(d, config));
  std::vector<std::uint8_t> inputs;  // Another value in every position.
  for (std::int64_t i = 0; i < m * k; ++i) inputs.push_back(static_cast<std::uint8_t>(0x30 + i / k));
  host.write_memory(test::input_at, inputs);
  return d;
}

/// What a host that looks into every cycle sees on the pins of array and last PE.
struct Pins {
  std::vector<std::uint64_t> first_rows;  ///< Cycles in which the first row of a tile's weights is presented.
  std::vector<std::uint64_t> vectors;     ///< Those in which a vector is.
  std::vector<std::uint64_t> last_sums;   ///< Those in which the last PE forms a sum: the ones before it stands there.
};

Pins watch(test::MachineBench& bench, Host& host, const Descriptor& d) {
  const SystolicArray& array = bench.machine.array();
  const Pe& last = array.pe(array.rows() - 1, array.columns() - 1);
  const DescriptorImage image = to_image(d);
  host.write_memory(test::descriptor_at, {image.begin(), image.end()});
  host.write_register(reg::descriptor_base, test::descriptor_at);
  host.write_register(reg::descriptor_count, 1);
  host.write_register(reg::control, reg::control_clear_counters);
  host.write_register(reg::control, reg::control_start);
  sc_core::wait(sc_core::sc_time(1, sc_core::SC_NS));  // Into the middle of a cycle.
  Pins pins;
  PsumWord before = last.psum_out.read();
  for (std::uint64_t cycle = 0; host.read_register(reg::status) == static_cast<std::uint32_t>(reg::Status::running);
       ++cycle, bench.wait_cycles(1)) {
    const WeightTag& row = array.weight_tag_in.read();
    if (row.valid && row.hops == array.rows() - 1) pins.first_rows.push_back(cycle);
    if (array.tag_in.read().valid) pins.vectors.push_back(cycle);
    if (!(last.psum_out.read() == before)) pins.last_sums.push_back(cycle - 1);
    before = last.psum_out.read();
  }
  return pins;
}

class Folds : public ::testing::TestWithParam<Shape> {
 protected:
  std::uint64_t rows() const { return static_cast<std::uint64_t>(GetParam().rows); }
  /// From the last vector to the last PE's sum: R + C + E + P - 2.
  std::uint64_t latency() const {
    return rows() + static_cast<std::uint64_t>(GetParam().columns + GetParam().stages.edge + GetParam().stages.pe - 2);
  }
};

INSTANTIATE_TEST_SUITE_P(Shape, Folds,
                         ::testing::Values(Shape{8, 8}, Shape{8, 8, {1, 0}}, Shape{5, 3, {1, 1}}, Shape{3, 6, {2, 0}},
                                           Shape{4, 1, {1, 0}}, Shape{1, 4, {1, 0}}, Shape{1, 1, {1, 0}},
                                           Shape{2, 1, {2, 1}}),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(Folds, TheFirstRowIsPresentedInTheCycleAfterTheLastSumOfTheFoldBeforeWasFormed) {
  constexpr std::uint64_t m = 5, folds = 4;
  const MachineConfig config = machine(GetParam(), false);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Pins pins = watch(bench, host, write_layer(host, config, m, GetParam().columns, GetParam().rows * 4));
    ASSERT_EQ(pins.first_rows.size(), folds);
    ASSERT_EQ(pins.vectors.size(), m * folds);
    ASSERT_EQ(pins.last_sums.size(), m * folds);
    for (std::uint64_t fold = 0; fold < folds; ++fold) {
      for (std::uint64_t i = 0; i < m; ++i) {
        EXPECT_EQ(pins.vectors[fold * m + i], pins.first_rows[fold] + rows() + i) << "fold " << fold;
        EXPECT_EQ(pins.last_sums[fold * m + i], pins.vectors[fold * m + i] + latency() - 1) << "fold " << fold;
      }
      if (fold > 0) {
        EXPECT_EQ(pins.first_rows[fold], pins.last_sums[fold * m - 1] + 1) << "fold " << fold;
      }
    }
    EXPECT_EQ(host.read_counters().array_span, pins.last_sums.back() - pins.first_rows.front());
    EXPECT_EQ(host.read_counters().array_span, folds * (rows() + m + latency() - 1) - 1);
  });
}

TEST_P(Folds, AFoldTakesRCyclesOfWeightsItsVectorsAndTheDrain) {
  constexpr std::uint64_t m = 6;
  const MachineConfig config = machine(GetParam(), false);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const auto counters_of = [&](std::int64_t folds) {
      return host.run(test::descriptor_at, {write_layer(host, config, m, GetParam().columns, GetParam().rows * folds)});
    };
    const Counters three = counters_of(3);
    const Counters seven = counters_of(7);
    EXPECT_EQ(seven.cause(Cause::busy) - three.cause(Cause::busy), 4 * m);
    EXPECT_EQ(seven.cause(Cause::weight_wait) - three.cause(Cause::weight_wait), 4 * rows());
    EXPECT_EQ(seven.cause(Cause::fill_drain) - three.cause(Cause::fill_drain), 4 * (latency() - 1));
    EXPECT_EQ(seven.cause(Cause::psum_wait), 0u);
    EXPECT_EQ(seven.array_span - three.array_span, 4 * (rows() + m + latency() - 1));
  });
}

TEST(FoldsTiming, TheSumOfASingleVectorReturnsACycleLaterThanAnArrayOfOneRowCouldTakeIt) {
  const MachineConfig config = machine({1, 4, {1, 0}}, false);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters counters = host.run(test::descriptor_at, {write_layer(host, config, 1, 4, 6)});
    EXPECT_EQ(counters.array_span, 6u * (2 + 4 + 1 - 2) - 1 + 5);
    EXPECT_EQ(counters.cause(Cause::psum_wait), 5u);
  });
}

TEST(FoldsTiming, AFoldIsAskedForWhenAllItsInputsAreThere) {
  MachineConfig config = machine({8, 8, {1, 0}}, false);
  config.memory.bytes_per_cycle = 1;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Pins pins = watch(bench, host, write_layer(host, config, 40, 8, 8));
    ASSERT_EQ(pins.first_rows.size(), 1u);
    EXPECT_EQ(pins.vectors.front(), pins.first_rows.front() + 8);
    EXPECT_EQ(pins.vectors.back(), pins.vectors.front() + 39) << "no gap";
    EXPECT_EQ(host.read_counters().array_span, 2u * 8 + 8 + 40 - 2 - 1);
    EXPECT_GT(host.read_counters().cause(Cause::input_wait), 300u) << "320 bytes at a byte per cycle";
  });
}

TEST(FoldsTiming, AFoldIsAskedForWhenItsHalfOfTheOutputBufferIsFree) {
  MachineConfig config = machine({4, 4, {1, 0}}, false);
  config.memory.bytes_per_cycle = 1;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Pins pins = watch(bench, host, write_layer(host, config, 30, 32, 4));
    ASSERT_EQ(pins.first_rows.size(), 8u);
    for (std::size_t fold = 0; fold < 8; ++fold) {
      EXPECT_EQ(pins.vectors[30 * fold], pins.first_rows[fold] + 4) << "fold " << fold;
      EXPECT_EQ(pins.vectors[30 * fold + 29], pins.vectors[30 * fold] + 29) << "fold " << fold;
    }
    EXPECT_GT(host.read_counters().cause(Cause::output_wait), 300u) << "960 bytes at a byte per cycle";
    EXPECT_EQ(host.read_counters().array_span, pins.last_sums.back() - pins.first_rows.front());
  });
}

class ArraySpan : public ::testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(Shape, ArraySpan, ::testing::Values(Shape{8, 8}, Shape{8, 8, {1, 0}}, Shape{5, 3, {1, 1}}),
                         [](const auto& test) { return test::name_of(test.param); });

TEST_P(ArraySpan, IsFromTheFirstRowOfWeightsToTheLastSumOnThePinsWithOverlapToo) {
  const MachineConfig config = machine(GetParam(), true);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Pins pins = watch(bench, host, write_layer(host, config, 7, GetParam().columns, GetParam().rows * 4));
    ASSERT_EQ(pins.last_sums.size(), 28u);
    EXPECT_EQ(host.read_counters().array_span, pins.last_sums.back() - pins.first_rows.front());
  });
}

TEST(ArraySpanTiming, OfTheReferenceMachinesLongTilesIsTheirVectorsAndOneFillAndDrain) {
  const MachineConfig config = machine({8, 8}, true);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters counters = host.run(test::descriptor_at, {write_layer(host, config, 40, 24, 32)});
    EXPECT_EQ(counters.array_span, 12u * 40 + 8 + 8 + 8 - 1) << "T * M + 2R + C - 1";
  });
}

TEST(ArraySpanTiming, OfANarrowWeightPortBeginsWithTheFirstRowsLastAccess) {
  MachineConfig config = machine({4, 16}, true);
  config.weight_buffer.port_bytes = 8;  // Two accesses a row; none for rows beyond K.
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    for (const std::int64_t k : {4, 3}) {
      const Pins pins = watch(bench, host, write_layer(host, config, 7, 16, k));
      EXPECT_EQ(host.read_counters().array_span, pins.last_sums.back() - pins.first_rows.front()) << "K " << k;
      EXPECT_EQ(host.read_counters().array_span, 6u + 7 + (4 + 16 + 1) - 1) << "K " << k;
    }
  });
}

TEST(ArraySpanTiming, AddsUpOverDescriptorsAndIsNoneWithoutTheArray) {
  const MachineConfig config = machine({8, 8}, true);
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = write_layer(host, config, 20, 8, 8);
    const Counters one = host.run(test::descriptor_at, {d});
    EXPECT_EQ(one.array_span, 20u + 8 + 8 + 8 - 1);
    EXPECT_EQ(host.run(test::descriptor_at, {d, d, d}).array_span, 3 * one.array_span);
    Descriptor pool = test::gemm(config, 8, 16, 16);
    pool.op = static_cast<std::int64_t>(LayerOp::average_pool);
    pool.kernel_h = pool.in_h;
    pool.out_h = 1;
    driver::map_layer(pool, config, "pool");
    EXPECT_EQ(host.run(test::descriptor_at, {pool}).array_span, 0u);
    EXPECT_EQ(host.run(test::descriptor_at, {pool, d}).array_span, one.array_span);
  });
}

}  // namespace
}  // namespace lpa::hw
