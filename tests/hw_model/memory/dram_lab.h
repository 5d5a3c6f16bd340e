// A DRAM made for tests: every one of its timings can be the one that binds.
#pragma once

#include "hw_model/memory/dram_config.h"

namespace lpa::test {

/// 1 GHz, bursts of 64 bytes in two clocks, one channel, two groups of four banks, rows of 8 bursts, no refresh, no
/// bank rotation.
inline hw::DramConfig dram_lab() {
  hw::DramConfig config;
  hw::DramDevice& d = config.device;
  d.clock_mhz = 1000;
  d.bus_bytes = 16;
  d.burst_length = 4;
  d.bank_groups = 2;
  d.banks_per_group = 4;
  d.row_bytes = 512;
  d.rows = 1024;
  d.cl = 11;
  d.cwl = 9;
  d.rcd = 10;
  d.rp = 8;
  d.rp_all = 12;
  d.ras = 25;
  d.rc = 40;
  d.ccd_s = 4;
  d.ccd_l = 7;
  d.rrd_s = 5;
  d.rrd_l = 8;
  d.faw = 30;
  d.wr = 13;
  d.wtr_s = 3;
  d.wtr_l = 9;
  d.rtp = 6;
  d.rtw = 12;
  d.rank_switch = 3;
  d.refi = 2000;
  d.rfc = 150;
  config.channels = config.ranks = 1;
  config.refresh = config.bank_rotation = false;
  return config;
}

/// Address of a burst of dram_lab() with `ranks` ranks.
struct LabPlace {
  int rank = 0, group = 0, bank = 0;
  std::uint64_t row = 0, column = 0;
  std::uint64_t address(int ranks = 1) const {
    const std::uint64_t upper = (row * static_cast<std::uint64_t>(ranks) + static_cast<std::uint64_t>(rank)) * 4;
    return ((((upper + static_cast<std::uint64_t>(bank)) * 8 + column) * 2) + static_cast<std::uint64_t>(group)) * 64;
  }
};

}  // namespace lpa::test
