// The register file as its users see it: through the TLM socket.
#include "hw_model/control/registers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/driver/machine_error.h"
#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/machine_bench.h"

namespace lpa::hw {
namespace {

using driver::Host;
using driver::MachineError;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Runs a layer of unit weights on what is in memory.
Counters run_layer(Host& host, const Descriptor& descriptor, const MachineConfig& config) {
  host.write_memory(test::weights_at, test::unit_weights(descriptor, config));
  return host.run(test::descriptor_at, {descriptor});
}

/// Everything but the doorbell.
void prepare(Host& host, const Descriptor& descriptor, const MachineConfig& config) {
  host.write_memory(test::weights_at, test::unit_weights(descriptor, config));
  const DescriptorImage image = to_image(descriptor);
  host.write_memory(test::descriptor_at, {image.begin(), image.end()});
  host.write_register(reg::descriptor_base, test::descriptor_at);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const MachineError& error) {
    return error.what();
  }
  return "";
}

TEST(Registers, IdentifyTheMachine) {
  MachineConfig config;
  config.array.rows = 4;
  config.array.columns = 12;
  test::MachineBench bench(config);
  bench.run([](Host& host) {
    EXPECT_EQ(host.read_register(reg::id), reg::id_value);
    EXPECT_EQ(host.read_register(reg::version), reg::version_value);
    EXPECT_EQ(host.read_register(reg::array_shape), 4u | 12u << 16);
    EXPECT_EQ(host.read_register(reg::clock_mhz), 500u);
    EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::idle));
  });
}

TEST(Registers, AWriteToAReadOnlyOneIsRefusedAndChangesNothing) {
  test::MachineBench bench(MachineConfig{});
  bench.run([](Host& host) {
    for (const std::uint32_t address : {reg::id, reg::version, reg::array_shape, reg::status, reg::error_code,
                                        reg::error_descriptor, reg::error_field, reg::counters}) {
      const std::uint32_t before = host.read_register(address);
      EXPECT_THAT(error_of([&] { host.write_register(address, 1); }), HasSubstr("TLM_COMMAND_ERROR_RESPONSE"))
          << address;
      EXPECT_EQ(host.read_register(address), before);
    }
  });
}

TEST(Registers, AccessesOutsideTheFileOrUnalignedAreRefused) {
  test::MachineBench bench(MachineConfig{});
  bench.run([](Host& host) {
    for (const std::uint32_t address : {std::uint32_t{0x12}, reg::end, std::uint32_t{0x10000}}) {
      EXPECT_THAT(error_of([&] { host.read_register(address); }), HasSubstr("TLM_ADDRESS_ERROR_RESPONSE")) << address;
    }
    EXPECT_THAT(error_of([&] { host.read_register(0x34); }), HasSubstr("TLM_COMMAND_ERROR_RESPONSE")) << "a hole";
  });
}

TEST(Registers, IllegalValuesAreRefusedAndKeepTheOldOnes) {
  test::MachineBench bench(MachineConfig{});
  bench.run([](Host& host) {
    host.write_register(reg::descriptor_base, 0x40);
    EXPECT_NE(error_of([&] { host.write_register(reg::descriptor_base, 0x41); }), "");
    EXPECT_EQ(host.read_register(reg::descriptor_base), 0x40u);
    EXPECT_NE(error_of([&] { host.write_register(reg::descriptor_count, 0); }), "");
    EXPECT_EQ(host.read_register(reg::descriptor_count), 1u);
    EXPECT_NE(error_of([&] { host.write_register(reg::control, 1u << 7); }), "");
  });
}

TEST(Controller, RefusesADescriptorAndNamesItsField) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    Descriptor bad = test::gemm(config, 4, 4, 4);
    bad.stride_w = 0;
    EXPECT_THAT(error_of([&] { run_layer(host, bad, config); }),
                AllOf(HasSubstr("descriptor 0"), HasSubstr("stride_w")));
    EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::error));
    EXPECT_EQ(host.read_register(reg::error_code), static_cast<std::uint32_t>(reg::Error::descriptor));

    bad = test::gemm(config, 4, 4, 4);
    bad.magic = 0;
    EXPECT_THAT(error_of([&] {
                  host.run(test::descriptor_at, {test::gemm(config, 4, 4, 4), bad});
                }),
                AllOf(HasSubstr("descriptor 1"), HasSubstr("magic")));
  });
}

TEST(Controller, NamesTheTileThatDoesNotFit) {
  MachineConfig config;
  const Descriptor d = test::gemm(config, 1000, 8, 100);
  config.input_buffer.kib = 32;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    EXPECT_THAT(error_of([&] { run_layer(host, d, config); }), HasSubstr("band_rows does not fit a buffer"));
  });
}

TEST(Controller, RunsAgainAfterAnError) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor good = test::gemm(config, 4, 4, 4);
    Descriptor bad = good;
    bad.op = 9;
    EXPECT_NE(error_of([&] { run_layer(host, bad, config); }), "");
    EXPECT_EQ(run_layer(host, good, config).macs, 64u);
    EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::done));
    EXPECT_EQ(host.read_register(reg::error_code), 0u);
  });
}

TEST(Controller, StopsWithAnErrorIfMemoryRefusesTheDescriptor) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    host.write_register(reg::irq_enable, 1);
    host.write_register(reg::descriptor_base, 0xffffffc0);
    host.write_register(reg::control, reg::control_start);
    while (!bench.irq.read()) sc_core::wait(bench.irq.posedge_event());
    EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::error));
    EXPECT_EQ(host.read_register(reg::error_code), static_cast<std::uint32_t>(reg::Error::memory));
    host.write_register(reg::irq_status, 1);
    EXPECT_EQ(run_layer(host, test::gemm(config, 4, 4, 4), config).macs, 64u) << "and can be used again";
  });
}

TEST(Controller, RefusesADoorbellWhileRunning) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = test::gemm(config, 4, 4, 4);
    prepare(host, d, config);
    host.write_register(reg::control, reg::control_start);
    EXPECT_NE(error_of([&] { host.write_register(reg::control, reg::control_start); }), "");
    bench.wait_cycles(20);
    EXPECT_NE(error_of([&] { host.write_register(reg::control, reg::control_start); }), "");
    EXPECT_NE(error_of([&] { host.write_register(reg::control, reg::control_clear_counters); }), "");
    EXPECT_NE(error_of([&] { host.write_register(reg::descriptor_count, 7); }), "");
    EXPECT_NE(error_of([&] { host.write_register(reg::descriptor_base, 0x80); }), "");
    EXPECT_EQ(host.read_register(reg::descriptor_count), 1u);
  });
}

TEST(Controller, ResetInTheMiddleOfALayerDropsItAndTheNextRunIsRight) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = test::gemm(config, 40, 40, 40);
    const std::vector<std::uint8_t> ones(40 * 40, 0x40);
    host.write_memory(test::input_at, ones);
    const Counters undisturbed = run_layer(host, d, config);
    const auto words = host.read_memory(test::output_at, 1600);
    for (int cycles = 1; cycles < 700; cycles = cycles * 3 / 2 + 3) {
      host.write_memory(test::output_at, std::vector<std::uint8_t>(1600));
      host.write_register(reg::control, reg::control_start);
      bench.wait_cycles(cycles);
      host.write_register(reg::control, reg::control_reset);
      EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::idle));
      // Without a pause: what was dropped must not count, though memory is still busy with it.
      const Counters at_once = host.run(test::descriptor_at, {d});
      EXPECT_EQ(host.read_memory(test::output_at, 1600), words) << "reset after " << cycles << " cycles";
      EXPECT_EQ(at_once.macs, undisturbed.macs);
      EXPECT_EQ(at_once.vectors, undisturbed.vectors);
      EXPECT_EQ(at_once.tiles, undisturbed.tiles);
      EXPECT_EQ(at_once.dram_read_bytes, undisturbed.dram_read_bytes);
      EXPECT_EQ(at_once.dram_write_bytes, undisturbed.dram_write_bytes);
      bench.wait_cycles(1000);
      const Counters again = host.run(test::descriptor_at, {d});
      EXPECT_EQ(host.read_memory(test::output_at, 1600), words) << "reset after " << cycles << " cycles";
      EXPECT_EQ(again, undisturbed) << "reset after " << cycles << " cycles";
    }
    EXPECT_EQ(bench.machine.array().hazards(), 0u);
  });
}

TEST(Controller, IgnoresTheFormatsThatALayerWithoutArrayDoesNotHave) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    Descriptor d = test::gemm(config, 8, 8, 8);
    d.op = static_cast<std::int64_t>(LayerOp::max_pool);
    d.weight = {5, 5, 7, 1, 0};
    d.encoded = {2, 5, 7, 1, 0};
    host.write_memory(test::input_at, std::vector<std::uint8_t>(64, 0x21));
    host.run(test::descriptor_at, {d});
    EXPECT_EQ(host.read_memory(test::output_at, 64), std::vector<std::uint8_t>(64, 0x21));
  });
}

TEST(Interrupt, RisesOnlyIfEnabledAndFallsWhenAcknowledged) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Descriptor d = test::gemm(config, 4, 4, 4);
    prepare(host, d, config);
    host.write_register(reg::irq_enable, 0);
    host.write_register(reg::control, reg::control_start);
    bench.wait_cycles(1000);
    EXPECT_EQ(host.read_register(reg::status), static_cast<std::uint32_t>(reg::Status::done));
    EXPECT_EQ(host.read_register(reg::irq_status), 1u);
    EXPECT_FALSE(bench.irq.read());
    host.write_register(reg::irq_enable, 1);
    bench.wait_cycles(2);
    EXPECT_TRUE(bench.irq.read());
    host.write_register(reg::irq_status, 1);
    bench.wait_cycles(2);
    EXPECT_FALSE(bench.irq.read());
  });
}

TEST(Counters, AreClearedOnRequestOnly) {
  const MachineConfig config;
  test::MachineBench bench(config);
  bench.run([&](Host& host) {
    const Counters first = run_layer(host, test::gemm(config, 4, 4, 4), config);
    host.write_register(reg::control, reg::control_start);
    bench.wait_cycles(2000);
    EXPECT_EQ(host.read_counters().macs, 2 * first.macs);
    EXPECT_EQ(host.read_counters().cycles, 2 * first.cycles);
    host.write_register(reg::control, reg::control_clear_counters);
    EXPECT_EQ(host.read_counters(), Counters{});
  });
}

}  // namespace
}  // namespace lpa::hw
