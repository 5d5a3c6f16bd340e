// When a DRAM answers: hw_model/memory/README.md.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "hw_model/memory/dram_config.h"
#include "hw_model/memory/memory_timing.h"

namespace lpa::hw {

/// Where a burst lies. `bank` is the one within its group.
struct DramPlace {
  int channel, rank, group, bank;
  std::int64_t row;
};

/// From an address, highest bits first: row, rank, bank, column, bank group, channel, byte of the burst.
class DramMapping {
 public:
  explicit DramMapping(const DramConfig& config);
  int burst_bits() const { return burst_bits_; }
  /// The n-th burst of memory.
  DramPlace place(std::uint64_t burst) const;

 private:
  int burst_bits_, channel_bits_, group_bits_, column_bits_, bank_bits_, rank_bits_;
  int bank_mask_;
  std::uint64_t row_mask_;
};

/// One command on a channel, in clocks of the DRAM. For precharge_all and refresh only channel and rank count.
struct DramCommand {
  enum class Kind { activate, precharge, precharge_all, refresh, read, write };
  Kind kind;
  DramPlace place;
  std::int64_t cycle;
};

class DramTiming : public MemoryTiming {
 public:
  /// `config` must be valid.
  explicit DramTiming(const DramConfig& config);

  std::uint64_t serve(std::uint64_t address, std::uint64_t bytes, bool write, std::uint64_t arrival) override;
  std::vector<MemoryStatistic> statistics() const override;

  /// `observer` sees every command when it is decided: those of a bank in order, those of different banks not.
  void observe(std::function<void(const DramCommand&)> observer) { observer_ = std::move(observer); }

 private:
  // All times are the first clock in which the command may be given.
  struct Bank {
    std::int64_t row = -1;  ///< -1: precharged.
    std::int64_t activate = 0, precharge = 0, column = 0;
  };
  struct Group {
    std::int64_t activate = 0, column = 0, read = 0;
  };
  struct Rank {
    std::int64_t activate = 0, column = 0, read = 0;
    std::array<std::int64_t, 4> faw{};  ///< Of the last four ACTs; `next_faw` is the oldest.
    std::size_t next_faw = 0;
    std::int64_t refresh_due = 0;
    std::int64_t refreshed = 0;  ///< End of the last refresh.
  };
  struct Channel {
    std::int64_t column = 0, write = 0;
    std::int64_t bus = 0;  ///< End of the last data, and whose they were.
    int bus_rank = 0;
  };
  struct Plan {
    std::int64_t precharge, activate, column;
  };

  Plan make_plan(const DramPlace& place, bool write, std::int64_t from) const;
  /// Schedules one burst that arrived in clock `from`. Returns the clock in which its data end.
  std::int64_t access(const DramPlace& place, bool write, std::int64_t from);
  void activate(const DramPlace& place, const Plan& plan);
  std::int64_t column(const DramPlace& place, bool write, std::int64_t cycle);
  void close(const DramPlace& place, std::int64_t cycle);
  void refresh(const DramPlace& place);
  void report(DramCommand::Kind kind, const DramPlace& place, std::int64_t cycle) const {
    if (observer_) observer_({kind, place, cycle});
  }

  std::size_t rank_index(const DramPlace& p) const {
    return static_cast<std::size_t>(p.channel * config_.ranks + p.rank);
  }
  std::size_t group_index(const DramPlace& p) const {
    return rank_index(p) * static_cast<std::size_t>(config_.device.bank_groups) + static_cast<std::size_t>(p.group);
  }
  std::size_t bank_index(const DramPlace& p) const {
    return group_index(p) * static_cast<std::size_t>(config_.device.banks_per_group) + static_cast<std::size_t>(p.bank);
  }

  DramConfig config_;
  DramMapping mapping_;
  std::vector<Channel> channels_;
  std::vector<Rank> ranks_;
  std::vector<Group> groups_;
  std::vector<Bank> banks_;
  std::function<void(const DramCommand&)> observer_;
  std::uint64_t reads_ = 0, writes_ = 0, hits_ = 0, misses_ = 0, conflicts_ = 0, activates_ = 0, refreshes_ = 0;
};

}  // namespace lpa::hw
