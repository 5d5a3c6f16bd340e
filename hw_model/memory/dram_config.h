// The parameters of a DRAM: its device, how many there are, and what the controller does with rows.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace lpa::hw {

/// One speed grade of one organization. Timings in clocks of the DRAM, as the standards name them; a burst of length BL
/// takes BL / 2.
struct DramDevice {
  int clock_mhz = 0;     ///< 1 / tCK; data move on both edges.
  int bus_bytes = 0;     ///< Width of a channel's data bus.
  int burst_length = 0;  ///< BL
  int bank_groups = 0;
  int banks_per_group = 0;
  int row_bytes = 0;  ///< Of all devices of a rank together.
  int rows = 0;       ///< Per bank.

  int cl = 0;           ///< READ to its first data.
  int cwl = 0;          ///< WRITE to its first data.
  int rcd = 0;          ///< ACT to READ or WRITE of the bank.
  int rp = 0;           ///< PRE to ACT of the bank.
  int rp_all = 0;       ///< PREA to REF.
  int ras = 0;          ///< ACT to PRE of the bank.
  int rc = 0;           ///< ACT to ACT of the bank, ACT to REF of the rank.
  int ccd_s = 0;        ///< READ or WRITE to READ or WRITE, rank.
  int ccd_l = 0;        ///< The same, bank group.
  int rrd_s = 0;        ///< ACT to ACT, rank.
  int rrd_l = 0;        ///< ACT to ACT, bank group.
  int faw = 0;          ///< ACT to the fourth ACT after it, rank.
  int wr = 0;           ///< End of write data to PRE of the bank.
  int wtr_s = 0;        ///< End of write data to READ, rank.
  int wtr_l = 0;        ///< End of write data to READ, bank group.
  int rtp = 0;          ///< READ to PRE of the bank.
  int rtw = 0;          ///< READ to WRITE, channel.
  int rank_switch = 0;  ///< Idle clocks of the data bus between bursts of two ranks.
  int refi = 0;         ///< Interval of refreshes of a rank.
  int rfc = 0;          ///< REF to ACT or REF of the rank.

  constexpr int burst_bytes() const { return bus_bytes * burst_length; }
  constexpr int burst_clocks() const { return burst_length / 2; }
  constexpr int banks() const { return bank_groups * banks_per_group; }
  constexpr std::int64_t rank_bytes() const { return std::int64_t{rows} * row_bytes * banks(); }
  bool operator==(const DramDevice&) const = default;
};

struct DramPreset {
  const char* name;
  DramDevice device;
  int channels;
  int ranks;
};

/// ddr4-2400, lpddr4-3200, hbm2
const std::array<DramPreset, 3>& dram_presets();

enum class PagePolicy {
  open,   ///< A row stays open until another one of its bank is wanted, or a refresh.
  closed  ///< A transaction's rows are precharged as soon as may be after its last access.
};

struct DramConfig {
  DramDevice device = dram_presets()[0].device;
  int channels = dram_presets()[0].channels;
  int ranks = dram_presets()[0].ranks;
  PagePolicy page_policy = PagePolicy::open;
  bool refresh = true;
  bool bank_rotation = true;  ///< The bank within its group is its address bits plus the row, modulo their number.

  std::int64_t bytes() const { return device.rank_bytes() * ranks * channels; }
  /// Of all channels together, bytes per second.
  double peak_bandwidth() const { return 2e6 * device.clock_mhz * device.bus_bytes * channels; }
  /// Takes device, channels and ranks of a preset. Throws ConfigError for an unknown one.
  void set_preset(const std::string& name);
  /// The preset whose device this is, or "custom".
  std::string preset() const;
  /// Throws ConfigError for the first parameter that is out of its range or contradicts another.
  void validate() const;
};

}  // namespace lpa::hw
