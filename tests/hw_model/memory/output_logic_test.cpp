// The output engine at single edges: how results become writes, when a visit is drained, when residuals are fetched.
#include "hw_model/memory/output_logic.h"

#include <numeric>

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

/// A GEMM of three bands of eight rows and 16 channels: on 8 columns, two visits a band.
class OutputLogicTest : public ::testing::Test {
 protected:
  void start(std::int64_t flags = 0) {
    descriptor = test::gemm(config, 24, 16, 4);
    descriptor.band_rows = 8;
    descriptor.flags = flags;
    descriptor.addend_address = 0x90000;
    schedule.emplace(descriptor, config);
    store.start(schedule->tiling());
    logic.emplace(config, port, store);
    logic->step(edge, {&*schedule, 1});
  }
  void step() { logic->step(++edge, {&*schedule, 1}); }
  /// Eight result bytes of a position of an n-tile.
  void result(std::int64_t position, std::int64_t n_tile, bool ends = false) {
    Segment segment;
    segment.address = static_cast<std::uint64_t>(descriptor.output_address + position * 16 + n_tile * 8);
    segment.bytes.resize(8);
    std::iota(segment.bytes.begin(), segment.bytes.end(), static_cast<std::uint8_t>(position * 8));
    segment.ends_visit = ends;
    logic->results.push(edge, std::move(segment));
  }
  Burst take() { return port.requests.take(edge + 1); }
  void acknowledge(Burst burst) { port.done.push(edge, std::move(burst)); }

  MachineConfig config;
  Descriptor descriptor;
  std::optional<Schedule> schedule;
  OutputStore store{config.output_buffer};
  DmaPort port;
  std::optional<OutputLogic> logic;
  std::uint64_t edge = 1;
};

TEST_F(OutputLogicTest, ResultsThatDoNotTouchAreWritesOfTheirOwn) {
  start();
  result(0, 0);
  result(1, 0);
  step();
  ASSERT_EQ(port.requests.size(edge), 1u) << "the second shows that the first is complete";
  const Burst burst = take();
  EXPECT_TRUE(burst.write);
  EXPECT_EQ(burst.address, static_cast<std::uint64_t>(descriptor.output_address));
  EXPECT_EQ(burst.data.size(), 8u);
  EXPECT_EQ(burst.data[3], 3);
  EXPECT_EQ(store.reads(), 1u);
}

TEST_F(OutputLogicTest, ResultsThatTouchAreGatheredUpToTheBurstBoundary) {
  config.dma.burst_bytes = 16;
  start();
  // Bytes 0 to 7, 8 to 15, 16 to 23 of the same pixels' channels.
  result(0, 0);
  result(0, 1);
  result(1, 0);
  step();
  const Burst burst = take();
  EXPECT_EQ(burst.data.size(), 16u);
  step();
  EXPECT_TRUE(port.requests.empty()) << "the third waits for more";
}

TEST_F(OutputLogicTest, AVisitIsDrainedAtTheEdgeThatSeesTheLastAcknowledgement) {
  start();
  result(0, 0);
  result(1, 0, true);
  step();
  step();
  Burst first = take();
  Burst last = take();
  acknowledge(std::move(first));
  step();
  EXPECT_EQ(logic->visits_drained(), 0);
  EXPECT_EQ(logic->next(edge), never);
  acknowledge(std::move(last));
  EXPECT_EQ(logic->next(edge), edge + 1);
  EXPECT_EQ(logic->visits_drained(), 0);
  step();
  EXPECT_EQ(logic->visits_drained(), 1);
}

TEST_F(OutputLogicTest, ResidualsOfTwoVisitsAreFetchedAhead) {
  start(flag_addend);
  std::size_t requests = 0;
  for (int i = 0; i < 40; ++i) {
    step();
    while (port.requests.ready(edge + 1)) {
      Burst burst = take();
      EXPECT_FALSE(burst.write);
      EXPECT_EQ(burst.data.size(), 8u) << "a position's eight channels of sixteen";
      EXPECT_GE(burst.address, 0x90000u);
      std::ranges::fill(burst.data, static_cast<std::uint8_t>(7));
      acknowledge(std::move(burst));
      ++requests;
    }
  }
  EXPECT_EQ(requests, 16u) << "eight positions of visits 0 and 1; visit 2 needs the half of visit 0";
  EXPECT_TRUE(logic->residual_level().has(1, 64));
  EXPECT_FALSE(logic->residual_level().has(2, 1));
  EXPECT_EQ(logic->residuals(1)[63], 7);
  result(7, 0, true);
  step();
  acknowledge(take());
  EXPECT_TRUE(port.requests.empty());
  step();
  EXPECT_EQ(logic->visits_drained(), 1);
  EXPECT_FALSE(port.requests.empty()) << "now visit 2 may begin";
}

TEST_F(OutputLogicTest, AStalledEngineAsksToBeSteppedAgain) {
  config.stall = {900, 3};
  start();
  result(0, 0, true);
  int edges = 0;
  while (port.requests.size(edge) == 0 && edges < 1000) {
    EXPECT_EQ(logic->next(edge), edge + 1);
    step();
    ++edges;
  }
  EXPECT_EQ(port.requests.size(edge), 1u);
}

}  // namespace
}  // namespace lpa::hw
