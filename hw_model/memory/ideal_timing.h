// Memory with a fixed latency and a bandwidth shared by all transactions.
#pragma once

#include "hw_model/memory/memory_timing.h"

namespace lpa::hw {

/// A transaction of b bytes occupies the memory for ceil(b / bytes_per_cycle) cycles of the machine's clock, in order
/// of arrival; its response begins `latency` cycles after that.
class IdealTiming : public MemoryTiming {
 public:
  explicit IdealTiming(const MachineConfig& config);
  std::uint64_t serve(std::uint64_t address, std::uint64_t bytes, bool write, std::uint64_t arrival) override;
  std::optional<std::uint64_t> rests_from() const override { return free_at_; }
  void move_on(std::uint64_t ps) override { free_at_ += ps; }

 private:
  std::uint64_t period_, latency_, bytes_per_cycle_;  ///< ps, ps, bytes.
  std::uint64_t free_at_ = 0;
};

}  // namespace lpa::hw
