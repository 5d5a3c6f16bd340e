#include "hw_model/memory/memory_timing.h"

#include "hw_model/memory/dram_timing.h"
#include "hw_model/memory/ideal_timing.h"

namespace lpa::hw {

std::unique_ptr<MemoryTiming> make_memory_timing(const MachineConfig& config) {
  if (config.memory.type == MemoryType::dram) return std::make_unique<DramTiming>(config.dram);
  return std::make_unique<IdealTiming>(config);
}

}  // namespace lpa::hw
