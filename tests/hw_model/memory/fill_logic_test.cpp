// The weight and input buffers at single edges: what is requested when, what is there when, and what a port costs.
#include "hw_model/memory/fill_logic.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

/// A layer whose inputs come in several fetches: one per band.
class FillLogicTest : public ::testing::Test {
 protected:
  void SetUp() override { build(4); }

  void build(std::int64_t bands) {
    descriptor = test::gemm(config, 8 * bands, 8, 32);
    descriptor.band_rows = 8;  // 8 rows of 32 bytes: four bursts of 64 bytes.
    schedule.emplace(descriptor, config);
    ASSERT_EQ(schedule->input_fetches().size(), static_cast<std::size_t>(bands));
    ASSERT_EQ(schedule->input_fetches()[0].bytes, 256);
    buffer.emplace(FillKind::inputs, config, port);
    buffer->step(edge, {&*schedule, 1}, 0);  // The edge that sees the job.
  }

  void step(std::int64_t released = 0) { buffer->step(++edge, {&*schedule, 1}, released); }
  /// Answers the oldest request; its data are the low bytes of their addresses.
  void answer() {
    ASSERT_TRUE(port.requests.ready(edge + 1));
    Burst burst = port.requests.take(edge + 1);
    for (std::size_t i = 0; i < burst.data.size(); ++i) burst.data[i] = static_cast<std::uint8_t>(burst.address + i);
    port.done.push(edge, std::move(burst));
  }

  MachineConfig config;
  Descriptor descriptor;
  std::optional<Schedule> schedule;
  DmaPort port;
  std::optional<FillLogic> buffer;
  std::uint64_t edge = 1;
};

TEST_F(FillLogicTest, RequestsOneBurstAnEdgeFromTheEdgeAfterTheJobOn) {
  EXPECT_EQ(port.requests.size(edge), 0u);
  for (std::size_t burst = 1; burst <= DmaPort::queue_depth; ++burst) {
    step();
    EXPECT_EQ(port.requests.size(edge), burst);
  }
  step();
  EXPECT_EQ(port.requests.size(edge), DmaPort::queue_depth) << "the queue is full";
  port.requests.take(edge);
  step();
  EXPECT_EQ(port.requests.size(edge), DmaPort::queue_depth) << "room is there from the edge after the take on";
}

TEST_F(FillLogicTest, DataAreThereFromTheEdgeOn) {
  step();
  answer();
  EXPECT_FALSE(buffer->level().has(0, 1));
  step();
  EXPECT_TRUE(buffer->level().has(0, 64));
  EXPECT_FALSE(buffer->level().has(0, 65));
  EXPECT_EQ(buffer->byte(0, 5), static_cast<std::uint8_t>(descriptor.input_address + 5));
  EXPECT_EQ(buffer->writes(), 1u);
}

TEST_F(FillLogicTest, ANarrowPortTakesSeveralEdgesPerBurst) {
  config.input_buffer.port_bytes = 16;
  port = {};
  build(4);
  step();
  step();
  answer();
  answer();
  step();
  EXPECT_TRUE(buffer->level().has(0, 64));
  for (int busy = 0; busy < 3; ++busy) {
    step();
    EXPECT_FALSE(buffer->level().has(0, 65)) << "64 bytes take four accesses";
  }
  step();
  EXPECT_TRUE(buffer->level().has(0, 128));
  EXPECT_EQ(buffer->writes(), 8u);
}

TEST_F(FillLogicTest, AHalfIsFilledAgainAfterItsRelease) {
  // Two fetches of four bursts each, all answered at once.
  for (int burst = 0; burst < 8; ++burst) {
    step();
    answer();
  }
  for (int i = 0; i < 4; ++i) step();
  EXPECT_EQ(buffer->level().complete, 2);
  EXPECT_EQ(port.requests.size(edge), 0u) << "both halves are taken";
  EXPECT_EQ(buffer->next(edge, 0), never);
  EXPECT_EQ(buffer->next(edge, 1), edge + 1);
  step(1);
  ASSERT_EQ(port.requests.size(edge), 1u);
  EXPECT_EQ(port.requests.front().address, static_cast<std::uint64_t>(schedule->input_fetches()[2].address));
  EXPECT_FALSE(buffer->level().has(0, 1));
}

TEST_F(FillLogicTest, ASinglePortServesTheReadFirst) {
  for (const int ports : {2, 1}) {
    config.input_buffer.ports = ports;
    port = {};
    edge = 1;
    build(4);
    step();
    answer();
    buffer->use_port(edge, 0);  // Read at the edge before the one that would write.
    step();
    EXPECT_EQ(buffer->level().has(0, 64), ports == 2);
    step();
    EXPECT_TRUE(buffer->level().has(0, 64));
    step();
    answer();
    buffer->use_port(edge, 1);      // The other half is no obstacle,
    buffer->use_port(edge + 1, 0);  // nor is a read that begins with the write.
    step();
    EXPECT_TRUE(buffer->level().has(0, 128));
  }
}

/// Stepped at the edges that next() names and when somebody acts, it does what it does when stepped at every edge.
TEST_F(FillLogicTest, NothingHappensBetweenTheEdgesItAsksFor) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    config.input_buffer.port_bytes = 8 << random() % 4;
    config.stall.permille = seed % 3 == 0 ? 300 : 0;
    DmaPort other_port;
    port = {};
    edge = 1;
    build(6);
    FillLogic sparse(FillKind::inputs, config, other_port);
    sparse.step(edge, {&*schedule, 1}, 0);
    std::uint64_t due = sparse.next(edge, 0);
    std::int64_t released = 0;
    while (buffer->level().complete < 6 && edge < 5000) {
      bool wake = false;
      if (random() % 3 == 0 && port.requests.ready(edge + 1)) {
        for (DmaPort* p : {&port, &other_port}) p->done.push(edge, p->requests.take(edge));
        wake = true;
      }
      if (random() % 20 == 0 && released < buffer->level().complete) {
        ++released;
        wake = true;
      }
      step(released);
      if (wake || edge >= due) {
        sparse.step(edge, {&*schedule, 1}, released);
        due = sparse.next(edge, released);
      }
      ASSERT_EQ(buffer->level(), sparse.level()) << "edge " << edge;
      ASSERT_EQ(port.requests.size(edge), other_port.requests.size(edge)) << "edge " << edge;
    }
    EXPECT_EQ(buffer->level().complete, 6);
    EXPECT_EQ(buffer->writes(), sparse.writes());
  }
}

}  // namespace
}  // namespace lpa::hw
