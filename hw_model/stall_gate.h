// Random stalls: closes an interface in some cycles, to show that nothing but time depends on them.
#pragma once

#include <cstdint>

#include "hw_model/machine_config.h"

namespace lpa::hw {

/// The interfaces that can be stalled.
enum class StallPoint : std::uint64_t {
  dma_request,
  dma_response,
  weight_fill,
  input_fill,
  weight_row,
  vector,
  ppu,
  output
};

/// Closed in stall.permille of 1000 cycles, chosen by a hash of seed, interface and cycle: the same for every model.
class StallGate {
 public:
  StallGate(const StallConfig& config, StallPoint point)
      : permille_(static_cast<std::uint64_t>(config.permille)),
        key_((static_cast<std::uint64_t>(config.seed) << 8 | static_cast<std::uint64_t>(point)) * 0x9e3779b97f4a7c15u) {
  }

  /// Whether the gate ever closes.
  bool enabled() const { return permille_ != 0; }
  bool closed(std::uint64_t cycle) const {
    if (permille_ == 0) return false;
    std::uint64_t z = key_ ^ cycle * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % 1000 < permille_;
  }

 private:
  std::uint64_t permille_;
  std::uint64_t key_;
};

}  // namespace lpa::hw
