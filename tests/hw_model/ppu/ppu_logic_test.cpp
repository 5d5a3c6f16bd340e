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
    schedule->set_parameters(descriptor_parameters);
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
  std::vector<std::uint8_t> descriptor_parameters;
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

TEST_F(PpuLogicTest, ATableTakesTheWordAsItsIndex) {
  descriptor_parameters.resize(256);
  for (std::size_t word = 0; word < 256; ++word) descriptor_parameters[word] = static_cast<std::uint8_t>(255 - word);
  start(flag_table);
  step(4);
  EXPECT_EQ(output->results.take(edge + 1).bytes, (std::vector<std::uint8_t>{255, 254, 253, 252, 251, 250, 249, 248}));
}

TEST_F(PpuLogicTest, WithoutValuesResultsAreZerosAndNothingElseChanges) {
  start();
  ppu->set_values(false);
  step(4);
  EXPECT_EQ(output->results.take(edge + 1).bytes, std::vector<std::uint8_t>(8, 0));
  EXPECT_EQ(ppu->elements(), 16u);
}

/// Rows of eight channels in the input buffer.
class PpuRowTest : public ::testing::Test {
 protected:
  void start(LayerOp op, int lanes) {
    config.ppu.lanes = lanes;
    descriptor = test::gemm(config, 3, 8, 8);
    descriptor.op = static_cast<std::int64_t>(op);
    descriptor.encoded = descriptor.output = descriptor.input;
    schedule.emplace(descriptor, config);
    schedule->set_parameters(std::vector<std::uint8_t>(static_cast<std::size_t>(descriptor.parameter_bytes())));
    output.emplace(config, port, store);
    input.emplace(FillKind::inputs, config, input_port);
    ppu.emplace(config, *input, store, *output);
    level.fetch = {0, -1};
    step();
  }
  void step() {
    ppu->step(++edge, {&*schedule, 1},
              {.words_ready = 0, .input_level = level, .residual_level = none, .visits_drained = 0});
  }
  /// Edges until `rows` rows are out, the first edge of work included.
  int edges_until(std::size_t rows) {
    int edges = 0;
    while (output->results.size(edge) < rows && edges < 1000) {
      step();
      ++edges;
    }
    return edges;
  }

  MachineConfig config;
  Descriptor descriptor;
  std::optional<Schedule> schedule;
  DmaPort port, input_port;
  OutputStore store{config.output_buffer};
  std::optional<OutputLogic> output;
  std::optional<FillLogic> input;
  std::optional<PpuLogic> ppu;
  FillLevel level, none;
  std::uint64_t edge = 0;
};

TEST_F(PpuRowTest, AChannelTakesThreeLaneCycles) {
  for (const LayerOp op : {LayerOp::softmax, LayerOp::layer_norm}) {
    for (const int lanes : {1, 4, 8, 24}) {
      edge = 0;
      start(op, lanes);
      level.bytes = {24, 0};
      EXPECT_EQ(edges_until(1), 24 / lanes) << "the third pass ends with the last channel";
      EXPECT_EQ(edges_until(3), 48 / lanes);
      EXPECT_EQ(ppu->elements(), 72u);
    }
  }
}

TEST_F(PpuRowTest, ARowWaitsForAllItsWords) {
  start(LayerOp::softmax, 8);
  level.bytes = {15, 0};  // The second row lacks a byte.
  EXPECT_EQ(edges_until(1), 3);
  step();
  EXPECT_EQ(ppu->state(), PpuState::waits_for_input);
  EXPECT_EQ(ppu->elements(), 24u);
  level.bytes = {16, 0};
  EXPECT_EQ(edges_until(2), 3);
}

TEST_F(PpuRowTest, ACopyTakesOneLaneCycle) {
  start(LayerOp::copy, 4);
  level.bytes = {24, 0};
  EXPECT_EQ(edges_until(3), 6);
}

TEST_F(PpuRowTest, EqualWordsShareASoftmaxEvenly) {
  start(LayerOp::softmax, 24);
  level.bytes = {24, 0};
  step();
  const formats::LpFormat format{8, 1, 3};
  const auto eighth = static_cast<std::uint8_t>(formats::encode(format, 0.125, formats::Rounding::nearest_log));
  EXPECT_EQ(output->results.take(edge + 1).bytes, std::vector<std::uint8_t>(8, eighth));
}

}  // namespace
}  // namespace lpa::hw
