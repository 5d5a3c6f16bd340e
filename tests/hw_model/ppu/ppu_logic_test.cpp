// The post-processing unit at single edges: lanes, what it waits for, what it hands on.
#include "hw_model/ppu/ppu_logic.h"

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

/// A GEMM of four rows and eight channels, one visit, whose words the test puts into the output buffer.
class PpuLogicTest : public ::testing::Test {
 protected:
  void start(std::int64_t flags = 0) {
    descriptor = test::gemm(config, 4, 8, 4);
    descriptor.flags = flags;
    schedule.emplace(descriptor, config);
    output.emplace(config, port, store);
    input.emplace(FillKind::inputs, config, input_port);
    ppu.emplace(config, *input, store, *output);
    store.start(schedule->tiling());
    for (std::int64_t position = 0; position < 4; ++position) {
      for (int lane = 0; lane < 8; ++lane)
        store.words(0, position)[lane] = static_cast<std::uint8_t>(32 * position + lane);
    }
    step(0);
  }
  void step(std::int64_t words_ready) {
    ppu->step(
        ++edge, {&*schedule, 1},
        {.words_ready = words_ready, .input_level = input->level(), .residual_level = residual, .visits_drained = 0});
  }

  MachineConfig config;
  Descriptor descriptor;
  std::optional<Schedule> schedule;
  DmaPort port, input_port;
  OutputStore store{config.output_buffer};
  std::optional<OutputLogic> output;
  std::optional<FillLogic> input;
  std::optional<PpuLogic> ppu;
  FillLevel residual;
  std::uint64_t edge = 0;
};

TEST_F(PpuLogicTest, TakesAsManyWordsAnEdgeAsItHasLanes) {
  config.ppu.lanes = 12;  // One and a half positions.
  start();
  EXPECT_EQ(ppu->next(edge, never), edge + 1);
  step(0);
  EXPECT_EQ(ppu->state(), PpuState::idle);
  EXPECT_EQ(ppu->next(edge, 77), 77u) << "it waits for the next word";
  step(4);
  EXPECT_EQ(ppu->state(), PpuState::working);
  EXPECT_EQ(ppu->elements(), 12u);
  EXPECT_EQ(ppu->vector(), 1);
  ASSERT_TRUE(output->results.ready(edge + 1));
  const Segment segment = output->results.take(edge + 1);
  EXPECT_EQ(segment.address, static_cast<std::uint64_t>(descriptor.output_address));
  EXPECT_EQ(segment.bytes, (std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_FALSE(output->results.ready(edge + 1)) << "the second position is not complete";
  step(4);
  step(4);
  EXPECT_EQ(ppu->elements(), 32u) << "12 + 12 + 8";
  EXPECT_EQ(ppu->state(), PpuState::working);
  step(4);
  EXPECT_EQ(ppu->state(), PpuState::idle);
  EXPECT_EQ(ppu->next(edge, never), never);
}

TEST_F(PpuLogicTest, TheLastPositionEndsTheVisit) {
  start();
  step(4);  // 16 lanes: two positions.
  step(4);
  for (int position = 0; position < 4; ++position) {
    EXPECT_EQ(output->results.take(edge + 1).ends_visit, position == 3);
  }
}

TEST_F(PpuLogicTest, NegativeWordsBecomeZeroAndNaRStays) {
  start(flag_relu);
  step(4);
  step(4);
  output->results.take(edge + 1);
  output->results.take(edge + 1);
  output->results.take(edge + 1);
  EXPECT_EQ(output->results.take(edge + 1).bytes[1], 0x61) << "96 and up are positive";
  store.words(0, 0)[0] = 0x80;
  store.words(0, 0)[1] = 0x81;
  edge = 0;
  ppu.emplace(config, *input, store, *output);
  step(0);
  step(4);
  const Segment segment = output->results.take(edge + 1);
  EXPECT_EQ(segment.bytes[0], 0x80) << "NaR";
  EXPECT_EQ(segment.bytes[1], 0) << "negative";
}

TEST_F(PpuLogicTest, WaitsForTheResidualOfItsPosition) {
  start(flag_addend);
  residual.fetch = {0, -1};
  residual.bytes = {7, 0};
  step(4);
  EXPECT_EQ(ppu->state(), PpuState::waits_for_residual);
  EXPECT_EQ(ppu->elements(), 0u);
  residual.bytes = {8, 0};
  // The residual's bytes themselves stand with the output engine, which has fetched none here.
  ppu->set_values(false);
  step(4);
  EXPECT_EQ(ppu->state(), PpuState::working);
  EXPECT_EQ(ppu->elements(), 8u);
}

TEST_F(PpuLogicTest, WithoutValuesResultsAreZerosAndNothingElseChanges) {
  start();
  ppu->set_values(false);
  step(4);
  EXPECT_EQ(output->results.take(edge + 1).bytes, std::vector<std::uint8_t>(8, 0));
  EXPECT_EQ(ppu->elements(), 16u);
}

}  // namespace
}  // namespace lpa::hw
