// What layers took, so that one like an earlier one need not be run edge by edge again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "hw_model/control/descriptor.h"
#include "hw_model/counters.h"

namespace lpa::hw {

/// From the edge at which the controller starts a layer to the one at which it ends it.
struct LayerCost {
  std::uint64_t edges = 0;
  Counters counters;         ///< Without saturations and NaRs, which depend on words.
  std::size_t dma_turn = 0;  ///< The engine whose turn it is afterwards.
};

/// A layer that begins on a machine at rest takes the same edges whenever its descriptor says the same about sizes: no
/// time depends on a word, and of an address only counts where in a burst it lies. That holds for memories that
/// say when they are at rest (MemoryTiming), and without random stalls.
class LayerMemo {
 public:
  explicit LayerMemo(const MachineConfig& config) : burst_bytes_(config.dma.burst_bytes) {}

  /// A layer begins at this edge, and is the one that is being recorded from now on. `turn`: the DMA engine's.
  void begin(const Descriptor& descriptor, std::size_t turn, std::uint64_t edge, const Counters& counters);
  /// It has ended, and left the machine at rest.
  void end(std::size_t turn, std::uint64_t edge, const Counters& counters);
  /// It ended in another way, or is not to be recorded.
  void drop() { recorded_.reset(); }

  /// What the layer that is being recorded will take, if one like it has been there before.
  const LayerCost* expected() const;

 private:
  /// What of a descriptor and of the machine decides about time.
  using Key = std::pair<DescriptorImage, std::size_t>;
  struct Recorded {
    Key key;
    std::uint64_t begin;
    Counters counters;
  };

  std::int64_t burst_bytes_;
  std::map<Key, LayerCost> costs_;
  std::optional<Recorded> recorded_;
};

}  // namespace lpa::hw
