#include "hw_model/memory/ideal_timing.h"

#include <algorithm>

namespace lpa::hw {

IdealTiming::IdealTiming(const MachineConfig& config)
    : period_(config.period_ps()),
      latency_(static_cast<std::uint64_t>(config.memory.latency) * period_),
      bytes_per_cycle_(static_cast<std::uint64_t>(config.memory.bytes_per_cycle)) {}

std::uint64_t IdealTiming::serve(std::uint64_t, std::uint64_t bytes, bool, std::uint64_t arrival) {
  const std::uint64_t cycles = (bytes + bytes_per_cycle_ - 1) / bytes_per_cycle_;
  free_at_ = std::max(free_at_, arrival) + cycles * period_;
  return free_at_ + latency_;
}

}  // namespace lpa::hw
