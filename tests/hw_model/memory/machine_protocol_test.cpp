// Both models of the machine and both memories keep to the base protocol, seen from between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/driver/host.h"
#include "hw_model/fast/fast_machine.h"
#include "hw_model/machine.h"
#include "hw_model/memory/external_memory.h"
#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/memory/protocol_checker.h"

namespace lpa::hw {
namespace {

using driver::Host;
using ::testing::IsEmpty;

/// Runs a layer on a machine whose memory traffic is judged. Returns its counters.
template <typename M>
Counters run_judged(const MachineConfig& config, Protocol protocol) {
  sc_core::sc_signal<bool> irq("irq");
  const sc_core::sc_time period(static_cast<double>(config.period_ps()), sc_core::SC_PS);
  sc_core::sc_clock clock("clock", period, 0.5, period);
  M machine("machine", config);
  test::ProtocolChecker checker("checker");
  ExternalMemory memory("memory", config, protocol);
  Counters counters;
  const Descriptor layer = test::gemm(config, 100, 40, 60);
  Host host("host", [&](Host& self) {
    self.write_memory(test::weights_at, test::unit_weights(layer, config));
    counters = self.run(test::descriptor_at, {layer, layer});
  });
  if constexpr (std::is_same_v<M, Machine>) machine.clk(clock);
  machine.irq(irq);
  machine.memory_socket().bind(checker.initiator);
  checker.target.bind(memory.machine);
  host.irq(irq);
  host.memory.bind(memory.host);
  host.registers.bind(machine.control_socket());
  sc_core::sc_start();
  host.rethrow();
  checker.finish();
  EXPECT_THAT(checker.errors(), IsEmpty());
  EXPECT_GT(checker.transactions(), 100u);
  return counters;
}

MachineConfig machine_with(const std::string& memory) {
  MachineConfig config;
  if (memory == "ideal") return config;
  config.memory.type = MemoryType::dram;
  config.dram.set_preset(memory);
  return config;
}

TEST(MachineProtocol, PinLevelWithIdealMemory) {
  EXPECT_GT(run_judged<Machine>(machine_with("ideal"), Protocol::four_phase).cycles, 0u);
}
TEST(MachineProtocol, PinLevelWithDdr4) {
  EXPECT_GT(run_judged<Machine>(machine_with("ddr4-2400"), Protocol::four_phase).cycles, 0u);
}
TEST(MachineProtocol, PinLevelWithHbm2) {
  EXPECT_GT(run_judged<Machine>(machine_with("hbm2"), Protocol::four_phase).cycles, 0u);
}
TEST(MachineProtocol, PinLevelWithAnnotatedDdr4) {
  EXPECT_GT(run_judged<Machine>(machine_with("ddr4-2400"), Protocol::annotated).cycles, 0u);
}
TEST(MachineProtocol, FastWithIdealMemory) {
  EXPECT_GT(run_judged<FastMachine>(machine_with("ideal"), Protocol::annotated).cycles, 0u);
}
TEST(MachineProtocol, FastWithDdr4) {
  EXPECT_GT(run_judged<FastMachine>(machine_with("ddr4-2400"), Protocol::annotated).cycles, 0u);
}
TEST(MachineProtocol, FastWithLpddr4InFourPhases) {
  EXPECT_GT(run_judged<FastMachine>(machine_with("lpddr4-3200"), Protocol::four_phase).cycles, 0u);
}

}  // namespace
}  // namespace lpa::hw
