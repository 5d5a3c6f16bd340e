// Rows, refresh, channels, addresses and bandwidth of the DRAM.
#include <map>
#include <set>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/machine_config.h"
#include "tests/hw_model/memory/dram_lab.h"
#include "tests/hw_model/memory/dram_trace.h"

namespace lpa::hw {
namespace {

using test::dram_lab;
using test::DramBench;
using test::Kind;
using test::LabPlace;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::uint64_t statistic(const MemoryTiming& timing, const std::string& name) {
  for (const MemoryStatistic& s : timing.statistics()) {
    if (s.name == name) return s.value;
  }
  throw std::out_of_range(name);
}

std::vector<Kind> kinds(const DramBench& bench) {
  std::vector<Kind> list;
  for (const auto& command : bench.trace()) list.push_back(command.kind);
  return list;
}

DramConfig preset(const std::string& name) {
  DramConfig config;
  config.set_preset(name);
  return config;
}

TEST(DramRows, StayOpenWithTheOpenPolicy) {
  DramBench bench(dram_lab());
  bench.serve(0, 64, false, 0);
  EXPECT_EQ(bench.serve(LabPlace{.column = 1}.address(), 64, false, 500), 500 + 11 + 2) << "hit";
  EXPECT_EQ(bench.serve(LabPlace{.row = 1}.address(), 64, false, 1000), 1000 + 8 + 10 + 11 + 2) << "conflict";
  EXPECT_EQ(bench.serve(LabPlace{.bank = 1}.address(), 64, false, 1500), 1500 + 10 + 11 + 2) << "miss";
  EXPECT_EQ(statistic(bench.timing(), "row_hits"), 1u);
  EXPECT_EQ(statistic(bench.timing(), "row_conflicts"), 1u);
  EXPECT_EQ(statistic(bench.timing(), "row_misses"), 2u);
  EXPECT_EQ(statistic(bench.timing(), "activates"), 3u);
  EXPECT_EQ(statistic(bench.timing(), "reads"), 4u);
  EXPECT_EQ(statistic(bench.timing(), "writes"), 0u);
}

TEST(DramRows, AreClosedAfterATransactionWithTheClosedPolicy) {
  DramConfig config = dram_lab();
  config.page_policy = PagePolicy::closed;
  DramBench bench(config);
  for (const LabPlace place : {LabPlace{}, LabPlace{.column = 1}, LabPlace{.row = 1}}) {
    const std::int64_t arrival = 500 * static_cast<std::int64_t>(bench.trace().size());
    EXPECT_EQ(bench.serve(place.address(), 64, false, arrival), arrival + 10 + 11 + 2);
  }
  EXPECT_EQ(statistic(bench.timing(), "row_misses"), 3u);
  EXPECT_THAT(test::violations(bench.trace(), config), IsEmpty());
}

TEST(DramRows, StayOpenWithinATransactionWithTheClosedPolicy) {
  DramConfig config = dram_lab();
  config.page_policy = PagePolicy::closed;
  DramBench bench(config);
  bench.serve(0, 256, false, 0);  // Two bursts in each of two bank groups.
  EXPECT_THAT(kinds(bench), ElementsAre(Kind::activate, Kind::read, Kind::activate, Kind::read, Kind::read, Kind::read,
                                        Kind::precharge, Kind::precharge));
}

TEST(DramBanks, ArePreparedWhileOthersTransfer) {
  DramConfig config = dram_lab();
  DramBench bench(config);
  for (const LabPlace place : {LabPlace{}, LabPlace{.row = 1}, LabPlace{.group = 1}}) {
    bench.serve(place.address(), 64, false, 0);
  }
  // The third request's ACT keeps the order of arrival, but its RD follows the second one's as soon as the bus can.
  std::vector<std::int64_t> reads;
  for (const auto& command : bench.trace()) {
    if (command.kind == Kind::read) reads.push_back(command.cycle);
  }
  EXPECT_THAT(reads, ElementsAre(10, 50, 55));  // ACTs at 0, 40 and 45.

  DramBench banks(config);
  banks.serve(0, 64, false, 0);
  banks.serve(LabPlace{.row = 1}.address(), 64, false, 0);
  for (int column = 0; column < 20; ++column) banks.serve(LabPlace{.row = 1}.address(), 64, false, 0);
  const auto busy_until = banks.serve(LabPlace{.row = 1}.address(), 64, false, 0);
  EXPECT_EQ(banks.serve(LabPlace{.group = 1, .bank = 3}.address(), 64, false, 100), busy_until + 4)
      << "its row was opened meanwhile: tCCD_S is all that it waits for";
}

TEST(DramRefresh, TakesAllBanksOfARankWhenItIsDue) {
  DramConfig config = dram_lab();
  config.refresh = true;
  // tREFI = 2000, tRFC = 150. A hit whose RD would come at 1999 goes before it, ...
  for (const std::int64_t arrival : {1999, 2000}) {
    DramBench bench(config);
    bench.serve(0, 64, false, 1000);
    const std::int64_t response = bench.serve(0, 64, false, arrival);
    if (arrival == 1999) {
      EXPECT_EQ(response, 1999 + 11 + 2);
      EXPECT_EQ(statistic(bench.timing(), "refreshes"), 0u);
    } else {  // ... one at 2000 after PREA, REF and ACT.
      EXPECT_EQ(response, 2000 + 12 + 150 + 10 + 11 + 2);
      EXPECT_EQ(statistic(bench.timing(), "refreshes"), 1u);
    }
  }
}

TEST(DramRefresh, HappensThroughIdleTimes) {
  DramConfig config = dram_lab();
  config.refresh = true;
  DramBench bench(config);
  EXPECT_EQ(bench.serve(0, 64, false, 2000 * 100 + 150), 2000 * 100 + 150 + 10 + 11 + 2) << "the last one is just over";
  EXPECT_EQ(statistic(bench.timing(), "refreshes"), 100u);
  EXPECT_EQ(bench.serve(LabPlace{.bank = 1}.address(), 64, false, 2000 * 101 + 149),
            2000 * 101 + 12 + 150 + 10 + 11 + 2);
  EXPECT_THAT(test::violations(bench.trace(), config), IsEmpty());
}

TEST(DramRefresh, CanBeOff) {
  DramBench bench(dram_lab());
  bench.serve(0, 64, false, 1'000'000);
  EXPECT_EQ(statistic(bench.timing(), "refreshes"), 0u);
}

TEST(DramRefresh, TakesRanksInTurn) {
  DramConfig config = dram_lab();
  config.refresh = true;
  config.ranks = 2;
  DramBench bench(config);
  EXPECT_EQ(bench.serve(LabPlace{.rank = 0}.address(2), 64, false, 3010), 3010 + 10 + 11 + 2);
  EXPECT_EQ(bench.serve(LabPlace{.rank = 1}.address(2), 64, false, 3040), 3150 + 10 + 11 + 2) << "due at 3000";
}

TEST(DramAddresses, OfTheLabAreWhereTheyShouldBe) {
  DramConfig config = dram_lab();
  config.ranks = 2;
  const DramMapping mapping(config);
  const auto place = mapping.place(LabPlace{1, 1, 2, 77, 5}.address(2) / 64);
  EXPECT_EQ(std::tuple(place.rank, place.group, place.bank, place.row), std::tuple(1, 1, 2, 77));
}

TEST(DramAddresses, AreAllDifferentAndFillEveryRow) {
  for (const char* name : {"ddr4-2400", "lpddr4-3200", "hbm2"}) {
    for (const bool rotation : {false, true}) {
      DramConfig config = preset(name);
      config.bank_rotation = rotation;
      config.ranks = 2;
      const DramMapping mapping(config);
      const auto& d = config.device;
      const int rows = 3;
      const std::int64_t row_set = std::int64_t{d.row_bytes} * d.banks() * config.ranks * config.channels;
      std::map<std::tuple<int, int, int, int, std::int64_t>, int> bursts;
      for (std::int64_t burst = 0; burst < rows * row_set / d.burst_bytes(); ++burst) {
        const DramPlace p = mapping.place(static_cast<std::uint64_t>(burst));
        ++bursts[{p.channel, p.rank, p.group, p.bank, p.row}];
      }
      EXPECT_EQ(bursts.size(), static_cast<std::size_t>(rows * d.banks() * config.ranks * config.channels)) << name;
      for (const auto& [place, count] : bursts) ASSERT_EQ(count, d.row_bytes / d.burst_bytes()) << name;
    }
  }
}

TEST(DramAddresses, InterleaveChannelsAndBankGroupsBurstByBurst) {
  const DramMapping mapping(preset("hbm2"));
  std::set<std::pair<int, int>> seen;
  for (std::uint64_t burst = 0; burst < 64; ++burst) {
    const DramPlace p = mapping.place(burst);
    EXPECT_EQ(p.channel, static_cast<int>(burst % 16));
    EXPECT_EQ(p.row, 0);
    seen.emplace(p.channel, p.group);
  }
  EXPECT_EQ(seen.size(), 64u);
}

TEST(DramAddresses, OfOneBankSpreadOverBanksWithTheRotation) {
  DramConfig config = dram_lab();
  std::set<int> banks;
  for (const bool rotation : {false, true}) {
    config.bank_rotation = rotation;
    banks.clear();
    for (std::uint64_t row = 0; row < 4; ++row) {
      banks.insert(DramMapping(config).place(LabPlace{.row = row}.address() / 64).bank);
    }
    EXPECT_EQ(banks.size(), rotation ? 4u : 1u);
  }
}

TEST(DramChannels, ShareATransactionAndAnswerWithTheLast) {
  DramConfig config = dram_lab();
  config.channels = 2;
  DramBench bench(config);
  EXPECT_EQ(bench.serve(0, 128, false, 0), 10 + 11 + 2) << "both at the same time";
  EXPECT_EQ(bench.serve(0, 64, false, 100), 100 + 11 + 2) << "channel 0 is busy up to then";
  // Channel 0 delays its half.
  EXPECT_EQ(bench.serve(0, 128, false, 100), 100 + 4 + 3 + 11 + 2) << "tCCD_L after the read before";
}

TEST(DramTransactions, TakeEveryBurstThatTheyTouch) {
  DramBench bench(dram_lab());
  bench.serve(63, 1, false, 0);
  EXPECT_EQ(statistic(bench.timing(), "reads"), 1u);
  bench.serve(63, 2, true, 0);
  EXPECT_EQ(statistic(bench.timing(), "writes"), 2u);
  bench.serve(0, 1024, true, 0);
  EXPECT_EQ(statistic(bench.timing(), "writes"), 2u + 16);
}

/// Bytes per ns of a stream of 64-byte transactions, all there from the start.
double bandwidth(const DramConfig& config, bool write) {
  DramTiming timing(config);
  constexpr std::uint64_t count = 100'000;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < count; ++i) last = std::max(last, timing.serve(64 * i, 64, write, 0));
  return 64.0 * count / (static_cast<double>(last) * 1e-3);
}

TEST(DramBandwidth, OfAStreamIsNearThePeak) {
  for (const char* name : {"ddr4-2400", "lpddr4-3200", "hbm2"}) {
    for (const bool write : {false, true}) {
      DramConfig config = preset(name);
      const double peak = config.peak_bandwidth() * 1e-9;
      const auto& d = config.device;
      const double refreshed = 1.0 - static_cast<double>(d.rfc + d.rp_all + d.rcd + d.rtp) / d.refi;
      const double with_refresh = bandwidth(config, write);
      EXPECT_GT(with_refresh, 0.97 * refreshed * peak) << name << (write ? " writes" : " reads");
      EXPECT_LT(with_refresh, (1.0 - static_cast<double>(d.rfc) / d.refi) * peak) << name;
      config.refresh = false;
      const double without = bandwidth(config, write);
      EXPECT_GT(without, 0.99 * peak) << name << (write ? " writes" : " reads");
      EXPECT_LE(without, peak) << name;
      RecordProperty(std::string(name) + (write ? " write" : " read"), std::to_string(with_refresh));
      std::cout << name << (write ? " writes " : " reads ") << with_refresh << " of " << peak
                << " GB/s, without refresh " << without << "\n";
    }
  }
}

TEST(DramBandwidth, OfRowConflictsIsARowCycleEach) {
  DramConfig config = dram_lab();
  DramBench bench(config);
  std::int64_t last = 0;
  for (std::uint64_t i = 0; i < 101; ++i) last = bench.serve(LabPlace{.row = i}.address(), 64, false, 0);
  EXPECT_EQ(last, 100 * 40 + 10 + 11 + 2);
}

TEST(DramConfigTest, PeakOfThePresetsIsWhatTheirNamesSay) {
  EXPECT_DOUBLE_EQ(preset("ddr4-2400").peak_bandwidth(), 19.2e9);
  EXPECT_DOUBLE_EQ(preset("lpddr4-3200").peak_bandwidth(), 12.8e9);
  EXPECT_DOUBLE_EQ(preset("hbm2").peak_bandwidth(), 256e9);
  EXPECT_EQ(preset("ddr4-2400").bytes(), std::int64_t{8} << 30);
  EXPECT_EQ(preset("lpddr4-3200").bytes(), std::int64_t{1} << 30);
  EXPECT_EQ(preset("hbm2").bytes(), std::int64_t{8} << 30);
}

TEST(DramLatencies, OfThePresetsAreThoseOfTheManual) {
  const std::pair<const char*, std::array<double, 3>> manual[] = {
      {"ddr4-2400", {17.5, 31.7, 45.8}}, {"lpddr4-3200", {26.25, 44.4, 62.5}}, {"hbm2", {16, 30, 44}}};
  for (const auto& [name, ns] : manual) {
    DramConfig config = preset(name);
    config.refresh = config.bank_rotation = false;
    DramTiming timing(config);
    const auto next_row = static_cast<std::uint64_t>(config.device.row_bytes * config.device.banks() * config.channels);
    const auto latency = [&timing](std::uint64_t address, std::uint64_t at) {
      return static_cast<double>(timing.serve(address, 64, false, at) - at) * 1e-3;
    };
    EXPECT_NEAR(latency(0, 0), ns[1], 0.051) << name << ", closed bank";
    EXPECT_NEAR(latency(0, 10'000'000), ns[0], 0.051) << name << ", open row";
    EXPECT_NEAR(latency(next_row, 20'000'000), ns[2], 0.051) << name << ", conflict";
  }
}

TEST(DramConfigTest, PresetsAreValidAndNamed) {
  for (const DramPreset& candidate : dram_presets()) {
    const DramConfig config = preset(candidate.name);
    EXPECT_NO_THROW(config.validate()) << candidate.name;
    EXPECT_EQ(config.preset(), candidate.name);
  }
  EXPECT_NO_THROW(dram_lab().validate());
  EXPECT_EQ(dram_lab().preset(), "custom");
}

TEST(DramConfigTest, ADeviceThatContradictsItselfIsNamed) {
  const auto error_of = [](int DramDevice::*member, int value) {
    DramConfig config = dram_lab();
    config.device.*member = value;
    try {
      config.validate();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(error_of(&DramDevice::ccd_s, 1), "dram.ccd_s = 1: expected a value from 2 to 1000000");
  EXPECT_EQ(error_of(&DramDevice::rtw, 3), "dram.rtw = 3: expected a value from 4 to 1000000");
  EXPECT_EQ(error_of(&DramDevice::bank_groups, 3), "dram.bank_groups = 3: expected a power of two from 1 to 16");
  EXPECT_EQ(error_of(&DramDevice::row_bytes, 32), "dram.row_bytes = 32: expected a power of two from 64 to 1048576");
  EXPECT_NE(error_of(&DramDevice::refi, 200), "");
}

}  // namespace
}  // namespace lpa::hw
