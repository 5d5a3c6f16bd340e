// Layers like earlier ones, which the fast model does not run edge by edge: when it may, and what they leave.
#include <cstdint>
#include <functional>
#include <vector>

#include <gtest/gtest.h>
#include <systemc>

#include "hw_model/control/registers.h"
#include "hw_model/driver/system.h"
#include "hw_model/timeline.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

using driver::Host;

class LayerRepeat : public ::testing::Test {
 protected:
  /// Two layers of two visits, the same but for the place of the second one's results, one behind the other.
  void run(std::int64_t second_output = 2 * test::output_at) {
    driver::System system(config, driver::ModelKind::fast, [&](Host& host) {
      std::vector<Descriptor> layers(2, test::gemm(config, 5, 16, 24));
      layers[1].output_address = second_output;
      host.write_memory(test::weights_at, test::unit_weights(layers[0], config));
      std::vector<std::uint8_t> inputs;  // Another value in every position.
      for (std::int64_t i = 0; i < 5 * 24; ++i) inputs.push_back(static_cast<std::uint8_t>(0x30 + i / 24));
      host.write_memory(test::input_at, inputs);
      host.write_memory(static_cast<std::uint64_t>(second_output), std::vector<std::uint8_t>(5 * 16, 0xaa));
      counters = host.run(test::descriptor_at, layers);
      end = sc_core::sc_time_stamp();
      first = host.read_memory(test::output_at, 5 * 16);
      second = host.read_memory(static_cast<std::uint64_t>(second_output), 5 * 16);
    });
    if (prepare) prepare(system);
    system.run();
    repeated = system.fast_machine()->layers_repeated();
  }

  MachineConfig config;
  std::function<void(driver::System&)> prepare;
  Counters counters;
  sc_core::sc_time end;
  std::vector<std::uint8_t> first, second;
  std::uint64_t repeated = 0;
};

/// What is recorded is dropped; that somebody wants it is what counts.
class Nobody : public Timeline {
 public:
  void add(const Slice&) override {}
};

/// Something happens in every so many cycles.
SC_MODULE(Ticker) {
  Ticker(const sc_core::sc_module_name& name, const sc_core::sc_time& period) : sc_module(name), period_(period) {
    SC_HAS_PROCESS(Ticker);
    SC_METHOD(tick);
  }
  void tick() {
    if (sc_core::sc_time_stamp() < sc_core::sc_time(1, sc_core::SC_MS)) next_trigger(period_);
  }

 private:
  sc_core::sc_time period_;
};

TEST_F(LayerRepeat, ALayerLikeTheOneBeforeIsNotRunAgain) {
  run();
  EXPECT_EQ(repeated, 1u);
  EXPECT_EQ(first, second);
  EXPECT_NE(second, std::vector<std::uint8_t>(second.size(), 0xaa));
  EXPECT_EQ(counters.tiles, 2u * 2 * 3);
  EXPECT_EQ(counters.macs, 2u * 5 * 16 * 24);
  std::uint64_t causes = 0;
  for (const std::uint64_t cause : counters.by_cause) causes += cause;
  EXPECT_EQ(causes, counters.cycles);
}

TEST_F(LayerRepeat, WithATimelineEveryLayerIsRun) {
  Nobody timeline;
  prepare = [&](driver::System& system) { system.set_timeline(&timeline); };
  run();
  EXPECT_EQ(repeated, 0u);
  EXPECT_EQ(first, second);
}

TEST_F(LayerRepeat, AnotherPlaceInABurstMakesAnotherLayer) {
  run(2 * test::output_at + 8);
  EXPECT_EQ(repeated, 0u);
  EXPECT_EQ(first, second);
}

TEST_F(LayerRepeat, WithRandomStallsEveryLayerIsRun) {
  config.stall.permille = 10;
  run();
  EXPECT_EQ(repeated, 0u);
}

TEST_F(LayerRepeat, OnADramEveryLayerIsRun) {
  config.memory.type = MemoryType::dram;
  run();
  EXPECT_EQ(repeated, 0u);
}

TEST_F(LayerRepeat, WhereSomethingElseCanHappenInBetweenEveryLayerIsRun) {
  Ticker ticker("ticker", sc_core::sc_time(100, sc_core::SC_NS));
  run();
  EXPECT_EQ(repeated, 0u);
  EXPECT_EQ(first, second);
}

TEST_F(LayerRepeat, ResultsOverTheInputsAreFormedOneByOne) {
  run(test::input_at + 64);
  EXPECT_EQ(repeated, 0u);
}

TEST_F(LayerRepeat, WithoutValuesResultsAreZerosAsWell) {
  prepare = [](driver::System& system) { system.set_values(false); };
  run();
  EXPECT_EQ(repeated, 1u);
  EXPECT_EQ(second, std::vector<std::uint8_t>(second.size(), 0));
}

TEST_F(LayerRepeat, WithoutValuesSkippedVisitsLeaveZerosAsWell) {
  driver::System system(config, driver::ModelKind::fast, [&](Host& host) {
    const Descriptor layer = test::gemm(config, 20, 256, 64);
    host.write_memory(test::weights_at, test::unit_weights(layer, config));
    host.write_memory(test::output_at, std::vector<std::uint8_t>(20 * 256, 0xaa));
    counters = host.run(test::descriptor_at, {layer});
    first = host.read_memory(test::output_at, 20 * 256);
  });
  system.set_values(false);
  system.run();
  EXPECT_GT(system.fast_machine()->edges_skipped(), 0u);
  EXPECT_EQ(counters.macs, 20u * 256 * 64);
  EXPECT_EQ(first, std::vector<std::uint8_t>(first.size(), 0));
}

}  // namespace
}  // namespace lpa::hw
