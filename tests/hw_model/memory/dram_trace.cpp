#include "tests/hw_model/memory/dram_trace.h"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

namespace lpa::test {
namespace {

using hw::DramCommand;
using hw::DramConfig;
using hw::DramDevice;

struct Rule {
  std::int64_t distance = 0;
  const char* name = "";
};

bool is_column(const DramCommand& c) {
  return c.kind == Kind::read || c.kind == Kind::write;
}
bool is_precharge(const DramCommand& c) {
  return c.kind == Kind::precharge || c.kind == Kind::precharge_all;
}

/// How two commands of a channel lie to one another.
struct Scope {
  bool rank, group, bank;
  Scope(const DramCommand& a, const DramCommand& b)
      : rank(a.place.rank == b.place.rank),
        group(rank && a.place.group == b.place.group),
        bank(group && a.place.bank == b.place.bank) {}
};

void need(Rule& rule, bool applies, std::int64_t distance, const char* name) {
  if (applies && distance > rule.distance) rule = {distance, name};
}

void after_activate(Rule& rule, const DramDevice& d, const DramCommand& b, const Scope& same) {
  need(rule, b.kind == Kind::activate && same.rank, d.rrd_s, "tRRD_S");
  need(rule, b.kind == Kind::activate && same.group, d.rrd_l, "tRRD_L");
  need(rule, b.kind == Kind::activate && same.bank, d.rc, "tRC");
  need(rule, b.kind == Kind::refresh && same.rank, d.rc, "tRC");
  need(rule, is_column(b) && same.bank, d.rcd, "tRCD");
  need(rule, b.kind == Kind::precharge && same.bank, d.ras, "tRAS");
  need(rule, b.kind == Kind::precharge_all && same.rank, d.ras, "tRAS");
}

void after_column(Rule& rule, const DramDevice& d, const DramCommand& a, const DramCommand& b, const Scope& same) {
  const bool write = a.kind == Kind::write;
  const int burst = d.burst_length / 2;
  const int data_end = (write ? d.cwl : d.cl) + burst;
  const int recovery = write ? data_end + d.wr : d.rtp;
  const char* const recovery_name = write ? "tWR" : "tRTP";
  need(rule, b.kind == Kind::precharge && same.bank, recovery, recovery_name);
  need(rule, b.kind == Kind::precharge_all && same.rank, recovery, recovery_name);
  if (!is_column(b)) return;
  const int data_begin = b.kind == Kind::write ? d.cwl : d.cl;
  need(rule, true, 1, "order");
  need(rule, same.rank, data_end - data_begin, "data bus");
  need(rule, !same.rank, data_end + d.rank_switch - data_begin, "rank switch");
  need(rule, same.rank, d.ccd_s, "tCCD_S");
  need(rule, same.group, d.ccd_l, "tCCD_L");
  need(rule, !write && b.kind == Kind::write, d.rtw, "tRTW");
  need(rule, write && b.kind == Kind::read && same.rank, data_end + d.wtr_s, "tWTR_S");
  need(rule, write && b.kind == Kind::read && same.group, data_end + d.wtr_l, "tWTR_L");
}

/// The least distance from a to a later b of the same channel.
Rule required(const DramDevice& d, const DramCommand& a, const DramCommand& b) {
  Rule rule;
  const Scope same(a, b);
  switch (a.kind) {
    case Kind::activate:
      after_activate(rule, d, b, same);
      break;
    case Kind::precharge:
      need(rule, b.kind == Kind::activate && same.bank, d.rp, "tRP");
      need(rule, b.kind == Kind::refresh && same.rank, d.rp, "tRP");
      break;
    case Kind::precharge_all:
      need(rule, (b.kind == Kind::activate || b.kind == Kind::refresh) && same.rank, d.rp_all, "tRPab");
      break;
    case Kind::refresh:
      need(rule, !is_precharge(b) && same.rank, d.rfc, "tRFC");
      break;
    case Kind::read:
    case Kind::write:
      after_column(rule, d, a, b, same);
      break;
  }
  return rule;
}

std::string text(const DramCommand& c) {
  static constexpr const char* names[] = {"ACT", "PRE", "PREA", "REF", "RD", "WR"};
  return fmt::format("{} channel {} rank {} group {} bank {} row {} at {}", names[static_cast<int>(c.kind)],
                     c.place.channel, c.place.rank, c.place.group, c.place.bank, c.place.row, c.cycle);
}

std::int64_t longest(const DramDevice& d) {
  return std::max({d.rfc, d.rc, d.faw, d.cwl + d.burst_length + d.wr + d.wtr_l, d.cl + d.burst_length + d.rtw}) + 1;
}

/// The commands of each channel by time; those of one clock in the order of their decision.
std::map<int, std::vector<TracedCommand>> by_channel(const DramTrace& trace) {
  std::map<int, std::vector<TracedCommand>> channels;
  for (const TracedCommand& c : trace) channels[c.place.channel].push_back(c);
  for (auto& [channel, commands] : channels) std::ranges::stable_sort(commands, {}, &TracedCommand::cycle);
  return channels;
}

/// Clock in which refresh `number` (from 0) of a rank is due.
std::int64_t due(const DramConfig& config, int rank, std::int64_t number) {
  return config.device.refi * (number + 1) + config.device.refi * rank / config.ranks;
}

class Judge {
 public:
  explicit Judge(const DramConfig& config) : config_(config) {}
  const std::vector<std::string>& found() const { return found_; }

  void pairs(const std::vector<TracedCommand>& commands) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
      for (std::size_t j = i + 1; j < commands.size(); ++j) {
        const std::int64_t distance = commands[j].cycle - commands[i].cycle;
        if (distance > longest(config_.device)) break;
        const Rule rule = required(config_.device, commands[i], commands[j]);
        if (distance < rule.distance) complain(rule.name, commands[i], commands[j]);
      }
    }
  }

  void four_activates(const std::vector<TracedCommand>& commands) {
    std::map<int, std::vector<const TracedCommand*>> of_rank;
    for (const TracedCommand& c : commands) {
      if (c.kind != Kind::activate) continue;
      auto& list = of_rank[c.place.rank];
      list.push_back(&c);
      if (list.size() > 4 && c.cycle - list[list.size() - 5]->cycle < config_.device.faw) {
        complain("tFAW", *list[list.size() - 5], c);
      }
    }
  }

  void rows(const std::vector<TracedCommand>& commands) {
    std::map<std::tuple<int, int, int>, std::int64_t> open;
    for (const TracedCommand& c : commands) {
      const std::tuple bank{c.place.rank, c.place.group, c.place.bank};
      const auto of_rank = [&c](const auto& entry) { return std::get<0>(entry.first) == c.place.rank; };
      if (c.kind == Kind::activate) {
        if (!open.emplace(bank, c.place.row).second) complain("open bank", c, c);
      } else if (c.kind == Kind::precharge) {
        open.erase(bank);
      } else if (c.kind == Kind::precharge_all) {
        std::erase_if(open, of_rank);
      } else if (c.kind == Kind::refresh) {
        if (std::ranges::any_of(open, of_rank)) complain("open bank", c, c);
      } else if (!open.contains(bank) || open[bank] != c.place.row) {
        complain("closed row", c, c);
      }
    }
  }

  /// Every refresh comes when it is due or soon after, and only precharges in between.
  void refreshes(const std::vector<TracedCommand>& commands) {
    std::map<int, std::int64_t> number;
    for (const TracedCommand& c : commands) {
      const std::int64_t at = due(config_, c.place.rank, number[c.place.rank]);
      const std::int64_t slack = longest(config_.device) + config_.device.rp_all;
      if (c.kind == Kind::refresh) {
        if (c.cycle < at || c.cycle > at + slack) complain("tREFI", c, c);
        ++number[c.place.rank];
      } else if (config_.refresh && c.kind != Kind::precharge && c.kind != Kind::precharge_all && c.cycle >= at) {
        complain("overdue refresh", c, c);
      }
    }
  }

  /// Column commands of a channel and ACTs of a rank in order of arrival.
  void order(const DramTrace& trace) {
    std::map<int, TracedCommand> column;
    std::map<std::pair<int, int>, TracedCommand> activate;
    for (const TracedCommand& c : trace) {
      if (c.cycle < c.arrival && c.kind != Kind::refresh && c.kind != Kind::precharge_all) complain("arrival", c, c);
      if (is_column(c)) check_order(column, c.place.channel, c);
      if (c.kind == Kind::activate) check_order(activate, std::pair{c.place.channel, c.place.rank}, c);
    }
  }

 private:
  template <typename Key>
  void check_order(std::map<Key, TracedCommand>& last, const Key& key, const TracedCommand& c) {
    const auto [place, fresh] = last.emplace(key, c);
    if (!fresh && place->second.cycle >= c.cycle) complain("order of arrival", place->second, c);
    place->second = c;
  }
  void complain(const char* rule, const DramCommand& a, const DramCommand& b) {
    if (found_.size() < 10) found_.push_back(fmt::format("{}: {}, then {}", rule, text(a), text(b)));
  }

  const DramConfig& config_;
  std::vector<std::string> found_;
};

/// Whether a rule forbids the j-th command to be a clock earlier.
bool held_back(const std::vector<TracedCommand>& commands, std::size_t j, const DramConfig& config) {
  const TracedCommand& c = commands[j];
  int activates = 0;
  for (std::size_t i = j; i-- > 0;) {
    const std::int64_t distance = c.cycle - commands[i].cycle;
    if (distance > longest(config.device)) break;
    if (distance == required(config.device, commands[i], c).distance) return true;
    if (c.kind == Kind::activate && commands[i].kind == Kind::activate && commands[i].place.rank == c.place.rank &&
        ++activates == 4 && distance == config.device.faw) {
      return true;
    }
  }
  return false;
}

}  // namespace

DramBench::DramBench(const DramConfig& config)
    : mhz_(static_cast<std::uint64_t>(config.device.clock_mhz)), timing_(config) {
  timing_.observe([this](const DramCommand& command) { trace_.push_back({command, arrival_}); });
}

std::int64_t DramBench::serve(std::uint64_t address, std::uint64_t bytes, bool write, std::int64_t arrival) {
  arrival_ = arrival;
  // The last picosecond of the clock before: what arrives then is served in this one.
  const std::uint64_t at = static_cast<std::uint64_t>(arrival) * 1'000'000 / mhz_;
  return static_cast<std::int64_t>(timing_.serve(address, bytes, write, at) * mhz_ / 1'000'000);
}

std::vector<std::string> violations(const DramTrace& trace, const DramConfig& config) {
  Judge judge(config);
  judge.order(trace);
  for (const auto& [channel, commands] : by_channel(trace)) {
    judge.pairs(commands);
    judge.four_activates(commands);
    judge.rows(commands);
    judge.refreshes(commands);
  }
  return judge.found();
}

std::vector<std::string> late_commands(const DramTrace& trace, const DramConfig& config) {
  std::vector<std::string> late;
  for (const auto& [channel, commands] : by_channel(trace)) {
    std::map<int, std::int64_t> refreshes;
    for (std::size_t j = 0; j < commands.size(); ++j) {
      const TracedCommand& c = commands[j];
      const std::int64_t refresh_due = due(config, c.place.rank, refreshes[c.place.rank]);
      const bool of_refresh = c.kind == Kind::refresh || c.kind == Kind::precharge_all;
      const bool in_time = of_refresh ? c.cycle == refresh_due : c.cycle == c.arrival;
      if (c.kind == Kind::refresh) ++refreshes[c.place.rank];
      if (!in_time && !held_back(commands, j, config) && late.size() < 10) late.push_back(text(c));
    }
  }
  return late;
}

}  // namespace lpa::test
