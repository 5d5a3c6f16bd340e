#include "hw_model/memory/dram_config.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>

#include "hw_model/config_error.h"

namespace lpa::hw {
namespace {

/// JESD79-4B, speed bin 2400T (17-17-17), 8 Gb devices x8, page 1 KiB: eight make a rank of 64 bits and 8 GiB.
constexpr DramDevice ddr4_2400() {
  DramDevice d;
  d.clock_mhz = 1200;  // tCK 0.833 ns
  d.bus_bytes = 8;
  d.burst_length = 8;
  d.bank_groups = d.banks_per_group = 4;
  d.row_bytes = 8 * 1024;
  d.rows = 65536;
  d.cl = d.rcd = d.rp = d.rp_all = 17;  // 14.16 ns
  d.cwl = 12;                           // First of the two settings (12, 16) of the bin.
  d.ras = 39;                           // 32 ns
  d.rc = 56;                            // tRAS + tRP
  d.ccd_s = 4;
  d.ccd_l = 6;  // 5 ns
  d.rrd_s = 4;  // 3.3 ns, page of 1 KiB
  d.rrd_l = 6;  // 4.9 ns
  d.faw = 26;   // 21 ns
  d.wr = 18;    // 15 ns
  d.wtr_s = 3;  // 2.5 ns
  d.wtr_l = 9;  // 7.5 ns
  d.rtp = 9;    // 7.5 ns
  d.rtw = d.cl + d.burst_clocks() + 2 - d.cwl;
  d.rank_switch = 2;  // The controller's choice: preamble and one clock.
  d.refi = 9360;      // 7.8 us
  d.rfc = 420;        // tRFC1, 350 ns
  return d;
}

/// JESD209-4B at 3200 Mb/s, read DBI off, write latency set A, a die of 8 Gb: two channels of 16 bits, 4 Gb each.
constexpr DramDevice lpddr4_3200() {
  DramDevice d;
  d.clock_mhz = 1600;  // tCK 0.625 ns
  d.bus_bytes = 2;
  d.burst_length = 16;
  d.bank_groups = 1;
  d.banks_per_group = 8;
  d.row_bytes = 2 * 1024;
  d.rows = 32768;
  d.cl = 28 + 6;      // RL, and tDQSCK of at most 3.5 ns.
  d.cwl = 14 + 1;     // WL, and tDQSS of one clock.
  d.rcd = d.rp = 29;  // 18 ns; tRPpb
  d.rp_all = 34;      // tRPab, 21 ns
  d.ras = 68;         // 42 ns
  d.rc = 97;          // tRAS + tRPpb
  d.ccd_s = d.ccd_l = 8;
  d.rrd_s = d.rrd_l = 16;                    // 10 ns
  d.faw = 64;                                // 40 ns
  d.wr = 29;                                 // 18 ns
  d.wtr_s = d.wtr_l = 16;                    // 10 ns
  d.rtp = 12;                                // 7.5 ns
  d.rtw = d.cl + d.burst_clocks() + 2 - 14;  // RL + tDQSCK + BL/2 + tWPRE - WL
  d.rank_switch = 4;                         // The controller's choice.
  d.refi = 6246;                             // 3.904 us
  d.rfc = 288;                               // tRFCab of 4 Gb per channel, 180 ns
  return d;
}

/// JESD235A at 2 Gb/s, pseudo-channel mode, 8 Gb per channel: 16 pseudo channels of 64 bits, page 1 KiB, together 8
/// GiB. The standard leaves most analog timings to the vendor: these are the ones that public simulators use for a 2
/// Gb/s part.
constexpr DramDevice hbm2() {
  DramDevice d;
  d.clock_mhz = 1000;
  d.bus_bytes = 8;
  d.burst_length = 4;
  d.bank_groups = d.banks_per_group = 4;
  d.row_bytes = 1024;
  d.rows = 32768;
  d.cl = d.rcd = d.rp = d.rp_all = 14;
  d.cwl = 4;
  d.ras = 34;
  d.rc = 48;
  d.ccd_s = 2;
  d.ccd_l = 4;
  d.rrd_s = 4;
  d.rrd_l = 6;
  d.faw = 30;
  d.wr = 16;
  d.wtr_s = 6;
  d.wtr_l = 8;
  d.rtp = 6;
  d.rtw = d.cl + d.burst_clocks() + 2 - d.cwl;
  d.rank_switch = 2;
  d.refi = 3900;  // 3.9 us
  d.rfc = 350;    // 8 Gb per channel
  return d;
}

void require(bool ok, const char* name, int value, const std::string& legal) {
  if (!ok) throw ConfigError(fmt::format("dram.{} = {}: expected {}", name, value, legal));
}

void require_at_least(const char* name, int value, int low) {
  require(value >= low && value <= 1'000'000, name, value, fmt::format("a value from {} to 1000000", low));
}

void require_power_of_two(const char* name, int value, int low, int high) {
  require(low <= value && value <= high && std::has_single_bit(static_cast<unsigned>(value)), name, value,
          fmt::format("a power of two from {} to {}", low, high));
}

void validate_organization(const DramDevice& d) {
  require(d.clock_mhz >= 1 && d.clock_mhz <= 10000, "clock_mhz", d.clock_mhz, "a value from 1 to 10000");
  require_power_of_two("bus_bytes", d.bus_bytes, 1, 128);
  require_power_of_two("burst_length", d.burst_length, 2, 64);
  require_power_of_two("bank_groups", d.bank_groups, 1, 16);
  require_power_of_two("banks_per_group", d.banks_per_group, 1, 64);
  require_power_of_two("row_bytes", d.row_bytes, d.burst_bytes(), 1 << 20);
  require_power_of_two("rows", d.rows, 1, 1 << 24);
}

void validate_timings(const DramDevice& d) {
  const std::pair<const char*, int> at_least_one[] = {
      {"cl", d.cl},       {"cwl", d.cwl}, {"rcd", d.rcd},     {"rp", d.rp},   {"rp_all", d.rp_all},
      {"ras", d.ras},     {"rc", d.rc},   {"rrd_s", d.rrd_s}, {"faw", d.faw}, {"wr", d.wr},
      {"wtr_s", d.wtr_s}, {"rtp", d.rtp}, {"rfc", d.rfc}};
  for (const auto& [name, value] : at_least_one) require_at_least(name, value, 1);
  require_at_least("ccd_s", d.ccd_s, d.burst_clocks());
  require_at_least("ccd_l", d.ccd_l, d.ccd_s);
  require_at_least("rrd_l", d.rrd_l, d.rrd_s);
  require_at_least("wtr_l", d.wtr_l, d.wtr_s);
  require_at_least("rtw", d.rtw, std::max(1, d.cl + d.burst_clocks() - d.cwl));
  require_at_least("rank_switch", d.rank_switch, 0);
  // A refresh, the precharge before it and whatever runs into it end before the next one is due.
  require_at_least("refi", d.refi, 2 * (d.rfc + d.rc + d.cwl + d.burst_clocks() + d.wr + d.rp_all));
}

}  // namespace

const std::array<DramPreset, 3>& dram_presets() {
  static constexpr std::array<DramPreset, 3> presets{
      {{"ddr4-2400", ddr4_2400(), 1, 1}, {"lpddr4-3200", lpddr4_3200(), 2, 1}, {"hbm2", hbm2(), 16, 1}}};
  return presets;
}

void DramConfig::set_preset(const std::string& name) {
  if (name == "custom") return;  // What a report of a machine with a device of its own says.
  std::string legal;
  for (const DramPreset& candidate : dram_presets()) {
    if (name == candidate.name) {
      device = candidate.device;
      channels = candidate.channels;
      ranks = candidate.ranks;
      return;
    }
    legal += (legal.empty() ? "" : ", ") + std::string(candidate.name);
  }
  throw ConfigError(fmt::format("dram.preset = '{}': expected one of {}", name, legal));
}

std::string DramConfig::preset() const {
  for (const DramPreset& candidate : dram_presets()) {
    if (device == candidate.device) return candidate.name;
  }
  return "custom";
}

void DramConfig::validate() const {
  require_power_of_two("channels", channels, 1, 64);
  require_power_of_two("ranks", ranks, 1, 8);
  validate_organization(device);
  validate_timings(device);
}

}  // namespace lpa::hw
