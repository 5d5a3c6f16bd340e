#include "hw_model/memory/external_memory.h"

#include <gtest/gtest.h>

#include "hw_model/memory/dma.h"

namespace lpa::hw {
namespace {

/// Holds the socket of a host that does nothing.
struct SilentHost : sc_core::sc_module {
  tlm_utils::simple_initiator_socket<SilentHost> socket{"socket"};
  explicit SilentHost(const sc_core::sc_module_name& name) : sc_module(name) {}
};

/// A DMA and a memory on one clock of 2 ns.
class MemoryBench {
 public:
  explicit MemoryBench(const MachineConfig& config)
      : clock_("clock", 2, sc_core::SC_NS), dma("dma", config), memory_("memory", config), host_("host") {
    dma.clk(clock_);
    dma.reset(reset);
    dma.socket.bind(memory_.machine);
    host_.socket.bind(memory_.host);
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_NS));  // Into cycle 1; edges fall on even nanoseconds.
  }

  void step() {
    sc_core::sc_start(sc_core::sc_time(2, sc_core::SC_NS));
    ++cycle;
  }
  void request(std::uint64_t address, std::size_t bytes, bool write = false, DmaEngine engine = DmaEngine::inputs) {
    dma.port(engine).requests.push(0, Burst{write, address, 0, std::vector<std::uint8_t>(bytes, 0x5a)});
  }
  std::size_t completed(DmaEngine engine = DmaEngine::inputs) { return dma.port(engine).done.size(0); }

  std::uint64_t cycle = 1;

 private:
  sc_core::sc_clock clock_;

 public:
  Dma dma;
  sc_core::sc_signal<bool> reset{"reset"};

 private:
  ExternalMemory memory_;
  SilentHost host_;
};

/// Cycles from the request to the completion of one read.
std::uint64_t read_latency(MemoryBench& bench, std::size_t bytes) {
  bench.request(0x100, bytes);
  const std::uint64_t from = bench.cycle;
  while (bench.completed() == 0 && bench.cycle < from + 1000) bench.step();
  return bench.cycle - from;
}

// The request leaves at the next edge (1), is transferred in ceil(bytes / bytes_per_cycle) cycles, waits `latency`
// cycles, and is seen by the DMA at the edge after the response (1).
TEST(IdealTiming, AReadTakesLatencyPlusTransfer) {
  MachineConfig config;
  config.memory.latency = 10;
  config.memory.bytes_per_cycle = 16;
  MemoryBench bench(config);
  EXPECT_EQ(read_latency(bench, 64), 1u + 4 + 10 + 1);
}

TEST(IdealTiming, LessThanACyclesWorthTakesACycle) {
  MachineConfig config;
  config.memory.latency = 0;
  config.memory.bytes_per_cycle = 16;
  MemoryBench bench(config);
  EXPECT_EQ(read_latency(bench, 1), 1u + 1 + 0 + 1);
}

TEST(IdealTiming, TransactionsShareTheBandwidthAndHideTheLatency) {
  MachineConfig config;
  config.memory.latency = 20;
  config.memory.bytes_per_cycle = 16;
  MemoryBench bench(config);
  for (std::uint64_t i = 0; i < 8; ++i) {
    bench.request(64 * i, 64, false, i % 2 == 0 ? DmaEngine::inputs : DmaEngine::weights);
  }
  std::vector<std::uint64_t> at;
  while (at.size() < 8 && bench.cycle < 200) {
    bench.step();
    const std::size_t seen = bench.completed() + bench.completed(DmaEngine::weights);
    while (at.size() < seen) at.push_back(bench.cycle);
  }
  ASSERT_EQ(at.size(), 8u);
  for (std::size_t i = 1; i < 8; ++i) EXPECT_EQ(at[i] - at[i - 1], 4u) << i;
}

TEST(ExternalMemory, GivesBackWhatWasWritten) {
  MemoryBench bench(MachineConfig{});
  bench.request(0x1234, 7, true);
  while (bench.completed() < 1 && bench.cycle < 500) bench.step();
  Burst read;
  read.address = 0x1233;
  read.data.resize(9);
  bench.dma.port(DmaEngine::inputs).requests.push(0, read);
  while (bench.completed() < 2 && bench.cycle < 500) bench.step();
  ASSERT_EQ(bench.completed(), 2u);
  bench.dma.port(DmaEngine::inputs).done.take(~0u);
  EXPECT_EQ(bench.dma.port(DmaEngine::inputs).done.take(~0u).data,
            (std::vector<std::uint8_t>{0, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a, 0}));
  EXPECT_EQ(bench.dma.read_bytes(), 9u);
  EXPECT_EQ(bench.dma.write_bytes(), 7u);
  EXPECT_EQ(bench.dma.bursts(), 2u);
}

TEST(ExternalMemory, AnAccessAcrossItsEndIsAnError) {
  MachineConfig config;
  config.memory.mib = 1;
  MemoryBench bench(config);
  bench.request((1 << 20) - 64, 64);
  for (int i = 0; i < 100; ++i) bench.step();
  EXPECT_FALSE(bench.dma.error());
  bench.request((1 << 20) - 63, 64);
  for (int i = 0; i < 100; ++i) bench.step();
  EXPECT_EQ(bench.dma.error(), (1u << 20) - 63);
}

}  // namespace
}  // namespace lpa::hw
