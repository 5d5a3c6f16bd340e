#include "hw_model/memory/dram_timing.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace lpa::hw {
namespace {

constexpr std::uint64_t mhz_ps = 1'000'000;  ///< MHz * ps

int bits(int power_of_two) {
  return std::countr_zero(static_cast<unsigned>(power_of_two));
}

/// Takes the lowest bits off `value`.
int take(std::uint64_t& value, int count) {
  const auto low = static_cast<int>(value & ((std::uint64_t{1} << count) - 1));
  value >>= count;
  return low;
}

void raise(std::int64_t& ready, std::int64_t cycle) {
  ready = std::max(ready, cycle);
}

}  // namespace

DramMapping::DramMapping(const DramConfig& config)
    : burst_bits_(bits(config.device.burst_bytes())),
      channel_bits_(bits(config.channels)),
      group_bits_(bits(config.device.bank_groups)),
      column_bits_(bits(config.device.row_bytes / config.device.burst_bytes())),
      bank_bits_(bits(config.device.banks_per_group)),
      rank_bits_(bits(config.ranks)),
      bank_mask_(config.device.banks_per_group - 1),
      row_mask_(config.bank_rotation ? static_cast<std::uint64_t>(bank_mask_) : 0) {}

DramPlace DramMapping::place(std::uint64_t burst) const {
  DramPlace place{};
  place.channel = take(burst, channel_bits_);
  place.group = take(burst, group_bits_);
  take(burst, column_bits_);
  const int bank = take(burst, bank_bits_);
  place.rank = take(burst, rank_bits_);
  place.row = static_cast<std::int64_t>(burst);
  place.bank = (bank + static_cast<int>(burst & row_mask_)) & bank_mask_;
  return place;
}

DramTiming::DramTiming(const DramConfig& config)
    : config_(config),
      mapping_(config),
      channels_(static_cast<std::size_t>(config.channels)),
      ranks_(channels_.size() * static_cast<std::size_t>(config.ranks)),
      groups_(ranks_.size() * static_cast<std::size_t>(config.device.bank_groups)),
      banks_(groups_.size() * static_cast<std::size_t>(config.device.banks_per_group)) {
  for (std::size_t i = 0; i < ranks_.size(); ++i) {
    // The ranks of a channel take turns.
    const auto rank = static_cast<std::int64_t>(i) % config.ranks;
    ranks_[i].refresh_due = config.refresh ? config.device.refi + config.device.refi * rank / config.ranks
                                           : std::numeric_limits<std::int64_t>::max();
  }
}

std::uint64_t DramTiming::serve(std::uint64_t address, std::uint64_t bytes, bool write, std::uint64_t arrival) {
  const auto mhz = static_cast<std::uint64_t>(config_.device.clock_mhz);
  const auto from = static_cast<std::int64_t>((arrival * mhz + mhz_ps - 1) / mhz_ps);
  const std::uint64_t first = address >> mapping_.burst_bits();
  const std::uint64_t last = (address + std::max<std::uint64_t>(bytes, 1) - 1) >> mapping_.burst_bits();
  std::int64_t end = from;
  for (std::uint64_t burst = first; burst <= last; ++burst) raise(end, access(mapping_.place(burst), write, from));
  if (config_.page_policy == PagePolicy::closed) {
    for (std::uint64_t burst = first; burst <= last; ++burst) {
      const DramPlace place = mapping_.place(burst);
      const Bank& bank = banks_[bank_index(place)];
      if (bank.row >= 0) close(place, bank.precharge);
    }
  }
  return (static_cast<std::uint64_t>(end) * mhz_ps + mhz - 1) / mhz;
}

std::int64_t DramTiming::access(const DramPlace& place, bool write, std::int64_t from) {
  Rank& rank = ranks_[rank_index(place)];
  Plan plan = make_plan(place, write, from);
  while (plan.column >= rank.refresh_due) {
    do refresh(place);
    while (from >= rank.refresh_due);
    plan = make_plan(place, write, from);
  }
  const Bank& bank = banks_[bank_index(place)];
  if (bank.row == place.row) {
    ++hits_;
  } else {
    ++(bank.row < 0 ? misses_ : conflicts_);
    if (bank.row >= 0) close(place, plan.precharge);
    activate(place, plan);
  }
  return column(place, write, plan.column);
}

DramTiming::Plan DramTiming::make_plan(const DramPlace& place, bool write, std::int64_t from) const {
  const DramDevice& device = config_.device;
  const Channel& channel = channels_[static_cast<std::size_t>(place.channel)];
  const Rank& rank = ranks_[rank_index(place)];
  const Group& group = groups_[group_index(place)];
  const Bank& bank = banks_[bank_index(place)];
  const std::int64_t bus = channel.bus + (place.rank == channel.bus_rank ? 0 : device.rank_switch);

  Plan plan{from, from, from};
  raise(plan.column, std::max({channel.column, rank.column, group.column}));
  if (write) {
    raise(plan.column, std::max(channel.write, bus - device.cwl));
  } else {
    raise(plan.column, std::max({rank.read, group.read, bus - device.cl}));
  }
  if (bank.row == place.row) {
    raise(plan.column, bank.column);
    return plan;
  }
  raise(plan.activate, std::max({bank.activate, group.activate, rank.activate, rank.faw[rank.next_faw]}));
  if (bank.row >= 0) {
    raise(plan.precharge, bank.precharge);
    raise(plan.activate, plan.precharge + device.rp);
  }
  raise(plan.column, plan.activate + device.rcd);
  return plan;
}

void DramTiming::activate(const DramPlace& place, const Plan& plan) {
  const DramDevice& device = config_.device;
  const std::int64_t cycle = plan.activate;
  Rank& rank = ranks_[rank_index(place)];
  Bank& bank = banks_[bank_index(place)];
  bank.row = place.row;
  bank.column = cycle + device.rcd;
  bank.precharge = cycle + device.ras;
  bank.activate = cycle + device.rc;
  groups_[group_index(place)].activate = cycle + device.rrd_l;
  rank.activate = cycle + device.rrd_s;
  rank.faw[rank.next_faw] = cycle + device.faw;
  rank.next_faw = (rank.next_faw + 1) % rank.faw.size();
  ++activates_;
  report(DramCommand::Kind::activate, place, cycle);
}

std::int64_t DramTiming::column(const DramPlace& place, bool write, std::int64_t cycle) {
  const DramDevice& device = config_.device;
  Channel& channel = channels_[static_cast<std::size_t>(place.channel)];
  Rank& rank = ranks_[rank_index(place)];
  Group& group = groups_[group_index(place)];
  Bank& bank = banks_[bank_index(place)];
  const std::int64_t end = cycle + (write ? device.cwl : device.cl) + device.burst_clocks();
  channel.column = cycle + 1;
  channel.bus = end;
  channel.bus_rank = place.rank;
  rank.column = cycle + device.ccd_s;
  group.column = cycle + device.ccd_l;
  if (write) {
    rank.read = end + device.wtr_s;
    group.read = end + device.wtr_l;
    raise(bank.precharge, end + device.wr);
  } else {
    channel.write = cycle + device.rtw;
    raise(bank.precharge, cycle + device.rtp);
  }
  ++(write ? writes_ : reads_);
  report(write ? DramCommand::Kind::write : DramCommand::Kind::read, place, cycle);
  return end;
}

void DramTiming::close(const DramPlace& place, std::int64_t cycle) {
  Bank& bank = banks_[bank_index(place)];
  bank.row = -1;
  raise(bank.activate, cycle + config_.device.rp);
  report(DramCommand::Kind::precharge, place, cycle);
}

void DramTiming::refresh(const DramPlace& place) {
  const DramDevice& device = config_.device;
  Rank& rank = ranks_[rank_index(place)];
  const auto count = static_cast<std::size_t>(device.banks());
  Bank* const banks = &banks_[rank_index(place) * count];
  bool any_open = false;
  std::int64_t precharge = rank.refresh_due;
  for (std::size_t i = 0; i < count; ++i) {
    any_open |= banks[i].row >= 0;
    raise(precharge, banks[i].precharge);  // A closed bank's own precharge may be yet to come, too.
  }
  if (any_open) report(DramCommand::Kind::precharge_all, place, precharge);
  std::int64_t cycle = rank.refresh_due;
  for (std::size_t i = 0; i < count; ++i) {
    if (banks[i].row >= 0) raise(banks[i].activate, precharge + device.rp_all);
    banks[i].row = -1;
    raise(cycle, banks[i].activate);
  }
  // Of the last refresh, if that was late.
  raise(cycle, rank.refreshed);
  rank.refreshed = cycle + device.rfc;
  raise(rank.activate, rank.refreshed);
  rank.refresh_due += device.refi;
  ++refreshes_;
  report(DramCommand::Kind::refresh, place, cycle);
}

std::vector<MemoryStatistic> DramTiming::statistics() const {
  return {{"reads", "bursts", "column accesses that read", reads_},
          {"writes", "bursts", "column accesses that write", writes_},
          {"row_hits", "bursts", "found their row open", hits_},
          {"row_misses", "bursts", "found their bank precharged", misses_},
          {"row_conflicts", "bursts", "found another row of their bank open", conflicts_},
          {"activates", "", "rows opened", activates_},
          {"refreshes", "", "all-bank refreshes, one per rank", refreshes_}};
}

}  // namespace lpa::hw
