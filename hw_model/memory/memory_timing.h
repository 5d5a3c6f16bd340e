// When external memory answers. No SystemC: the same object serves every model of the machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hw_model/machine_config.h"

namespace lpa::hw {

/// One figure of a memory, for the report.
struct MemoryStatistic {
  const char* name;
  const char* unit;
  const char* description;
  std::uint64_t value;
};

/// An answer depends on nothing but the transactions that arrived before, so it is known at once.
class MemoryTiming {
 public:
  virtual ~MemoryTiming() = default;
  /// A transaction arrives at `arrival` (ps since the start), not before any earlier one. Returns when its response
  /// begins (ps, not before `arrival`).
  virtual std::uint64_t serve(std::uint64_t address, std::uint64_t bytes, bool write, std::uint64_t arrival) = 0;
  /// The time (ps) from which on nothing that was served before delays an answer any more. Transactions that arrive
  /// from then on are answered as they were at any other time of rest: when, depends on their distances and sizes only.
  /// None: there is no such time.
  virtual std::optional<std::uint64_t> rests_from() const { return std::nullopt; }
  /// Transactions have been served all the time for `ps` without being told, after which memory is as busy as it was
  /// before. For those that know when they rest.
  virtual void move_on(std::uint64_t /*ps*/) {}
  virtual std::vector<MemoryStatistic> statistics() const { return {}; }
};

/// The memory that the configuration names.
std::unique_ptr<MemoryTiming> make_memory_timing(const MachineConfig& config);

}  // namespace lpa::hw
