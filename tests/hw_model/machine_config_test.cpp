#include "hw_model/machine_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lpa::hw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const Parameter& parameter(const std::string& name) {
  for (const Parameter& p : machine_parameters()) {
    if (p.name == name) return p;
  }
  throw std::out_of_range(name);
}

std::string error_of(const MachineConfig& config) {
  try {
    config.validate();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(MachineConfig, DefaultsAreTheReferenceMachine) {
  const MachineConfig config;
  EXPECT_EQ(error_of(config), "");
  EXPECT_EQ(config.array.rows, 8);
  EXPECT_EQ(config.array.columns, 8);
  EXPECT_EQ(config.clock_mhz, 500);
  EXPECT_EQ(config.peak_macs(8), 64);
  EXPECT_EQ(config.peak_macs(4), 128);
  EXPECT_EQ(config.peak_macs(2), 256);
}

TEST(MachineConfig, EveryParameterReadsBackWhatItPrints) {
  MachineConfig config;
  for (const Parameter& p : machine_parameters()) {
    const std::string text = p.get(config);
    p.set(config, text);
    EXPECT_EQ(p.get(config), text) << p.name;
    EXPECT_FALSE(p.description.empty()) << p.name;
  }
  EXPECT_EQ(error_of(config), "");
}

TEST(MachineConfig, EveryNumberOutOfItsRangeIsNamed) {
  for (const Parameter& p : machine_parameters()) {
    MachineConfig config;
    try {
      p.set(config, "-1");
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(p.name), HasSubstr("-1"))) << "not a number, and says so";
      continue;
    }
    // The widths of the arithmetic speak for themselves; all other messages begin with the parameter's name.
    EXPECT_NE(error_of(config), "") << p.name;
  }
}

TEST(MachineConfig, StagesAreThoseThatTheArrayCanHave) {
  MachineConfig config;
  EXPECT_EQ(config.array.latency(), 8 + 8 + 1);
  EXPECT_TRUE(config.array.fold_overlap);
  parameter("pe.stages").set(config, "1");
  parameter("array.edge_stages").set(config, "0");
  parameter("array.fold_overlap").set(config, "off");
  EXPECT_EQ(config.array.latency(), 8 + 8 - 1);
  EXPECT_EQ(error_of(config), "");
  config.array.stages.pe = 3;
  EXPECT_EQ(error_of(config), "pe.stages = 3: expected a value from 1 to 2");
  config.array.stages = {.pe = 2, .edge = 2};
  EXPECT_EQ(error_of(config), "array.edge_stages = 2: expected a value from 0 to 1");
}

TEST(MachineConfig, ATextThatIsNoNumberIsRefused) {
  MachineConfig config;
  EXPECT_THROW(parameter("array.rows").set(config, "8x"), ConfigError);
  EXPECT_THROW(parameter("array.rows").set(config, ""), ConfigError);
  EXPECT_THROW(parameter("array.rows").set(config, "99999999999"), ConfigError);
  EXPECT_THROW(parameter("encoder.flush").set(config, "maybe"), ConfigError);
  EXPECT_THROW(parameter("pe.converter").set(config, "table"), ConfigError);
  EXPECT_THROW(parameter("psum.preset").set(config, "narrow"), ConfigError);
}

TEST(MachineConfig, LaneWidthsAreOneNumberOrThree) {
  MachineConfig config;
  parameter("psum.integer_bits").set(config, "10");
  EXPECT_EQ(parameter("psum.integer_bits").get(config), "10,10,10");
  parameter("psum.integer_bits").set(config, "8,4,2");
  EXPECT_EQ(config.arithmetic.widths(4).integer_bits, 4);
  EXPECT_THROW(parameter("psum.integer_bits").set(config, "8,4"), ConfigError);
  EXPECT_THROW(parameter("psum.integer_bits").set(config, "8,4,2,1"), ConfigError);
  EXPECT_THROW(parameter("psum.integer_bits").set(config, "8,,2"), ConfigError);
}

TEST(MachineConfig, PresetsSetTheAccumulatorsAndLeaveTheRest) {
  MachineConfig config;
  config.arithmetic.lf_bits = 6;
  parameter("psum.preset").set(config, "poster");
  EXPECT_EQ(parameter("psum.preset").get(config), "poster");
  EXPECT_EQ(config.arithmetic.widths(8).fraction_bits, 8);
  EXPECT_EQ(config.arithmetic.widths(2).integer_bits, 2);
  EXPECT_EQ(config.arithmetic.lf_bits, 6);
  parameter("psum.fraction_bits").set(config, "9,4,2");
  EXPECT_EQ(parameter("psum.preset").get(config), "custom");
}

TEST(MachineConfig, ADramPresetSetsDeviceChannelsAndRanksAndLeavesTheRest) {
  MachineConfig config;
  EXPECT_EQ(parameter("memory.type").get(config), "ideal");
  parameter("memory.type").set(config, "dram");
  parameter("dram.page_policy").set(config, "closed");
  parameter("dram.preset").set(config, "hbm2");
  EXPECT_EQ(config.memory.type, MemoryType::dram);
  EXPECT_EQ(parameter("dram.preset").get(config), "hbm2");
  EXPECT_EQ(parameter("dram.channels").get(config), "16");
  EXPECT_EQ(parameter("dram.page_policy").get(config), "closed");
  EXPECT_DOUBLE_EQ(config.peak_memory_bytes(), 512);
  parameter("dram.channels").set(config, "8");
  EXPECT_DOUBLE_EQ(config.peak_memory_bytes(), 256);
  EXPECT_EQ(error_of(config), "");
}

TEST(MachineConfig, ADramThatCannotBeIsNamedWithWhatWouldBe) {
  MachineConfig config;
  config.dram.channels = 3;
  EXPECT_EQ(error_of(config), "dram.channels = 3: expected a power of two from 1 to 64");
  config.dram.channels = 1;
  config.dram.ranks = 16;
  EXPECT_EQ(error_of(config), "dram.ranks = 16: expected a power of two from 1 to 8");
  config.dram.set_preset("lpddr4-3200");
  config.memory.mib = 1025;
  EXPECT_EQ(error_of(config), "") << "as long as memory is ideal";
  config.memory.type = MemoryType::dram;
  EXPECT_EQ(error_of(config), "memory.mib = 1025: expected at most 1024, the size of the DRAM");
  EXPECT_THROW(parameter("memory.type").set(config, "sram"), ConfigError);
  EXPECT_THROW(parameter("dram.page_policy").set(config, "ajar"), ConfigError);
  try {
    parameter("dram.preset").set(config, "ddr5");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "dram.preset = 'ddr5': expected one of ddr4-2400, lpddr4-3200, hbm2");
  }
}

TEST(MachineConfig, TheClocksPeriodIsRoundedToPicoseconds) {
  MachineConfig config;
  for (const auto& [mhz, ps] : {std::pair{500, 2000u}, {1, 1'000'000u}, {3, 333'333u}, {600, 1667u}, {10000, 100u}}) {
    config.clock_mhz = mhz;
    EXPECT_EQ(config.period_ps(), ps) << mhz;
  }
}

TEST(MachineConfig, ARawSumTakesItsBitsItsExponentAndAFlag) {
  MachineConfig config;
  EXPECT_EQ(config.psum_bytes(8), 6);  // 32 + 11 + 1 bits
  config.arithmetic = formats::arithmetic_preset("poster");
  EXPECT_EQ(config.psum_bytes(8), 4);  // 16 + 12
  EXPECT_EQ(config.psum_bytes(4), 3);  // 8 + 12
  EXPECT_EQ(config.psum_bytes(2), 2);  // 4 + 12
  config.arithmetic = formats::arithmetic_preset("fixed");
  EXPECT_EQ(config.psum_bytes(8), 5);  // 32 + 1
}

TEST(MachineConfig, ADatapathBringsItsWidths) {
  MachineConfig config;
  parameter("pe.datapath").set(config, "ant");
  EXPECT_EQ(parameter("pe.weight_bits").get(config), "8,4");
  EXPECT_THAT(error_of(config), HasSubstr("pe.psum = aligned: expected fixed"));
  parameter("pe.psum").set(config, "fixed");
  EXPECT_EQ(error_of(config), "");
  parameter("pe.weight_bits").set(config, "2,4");
  EXPECT_THAT(error_of(config), AllOf(HasSubstr("pe.weight_bits = 4,2"), HasSubstr("some of 8,4")));
  parameter("pe.weight_bits").set(config, "4");
  parameter("pe.datapath").set(config, "ant");
  EXPECT_EQ(parameter("pe.weight_bits").get(config), "4") << "nothing new";
  EXPECT_THROW(parameter("pe.weight_bits").set(config, "3"), ConfigError);
  EXPECT_THROW(parameter("pe.weight_bits").set(config, ""), ConfigError);
}

}  // namespace
}  // namespace lpa::hw
