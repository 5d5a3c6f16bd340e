// Where a block hands bursts to its DMA engine and takes them back. No SystemC.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "hw_model/memory/mailbox.h"

namespace lpa::hw {

/// One transaction of up to dma.burst_bytes.
struct Burst {
  bool write = false;
  std::uint64_t address = 0;
  std::int64_t tag = 0;            ///< The requester's; not looked at.
  std::vector<std::uint8_t> data;  ///< To be written, or of the size to be read.
};

/// Bytes from `address` to the end of the burst-aligned block it lies in, but at most `bytes`.
inline std::int64_t burst_length(std::uint64_t address, std::int64_t bytes, int burst_bytes) {
  const auto to_boundary = burst_bytes - static_cast<std::int64_t>(address % static_cast<std::uint64_t>(burst_bytes));
  return std::min(bytes, to_boundary);
}

/// A block's side of its engine. Bursts come back in order, when they are complete.
struct DmaPort {
  static constexpr std::size_t queue_depth = 4;  ///< A requester waits while so many are queued.
  Mailbox<Burst> requests;
  Mailbox<Burst> done;

  bool has_room(std::uint64_t cycle) const { return requests.size(cycle) < queue_depth; }

  /// Storage for a burst's data: what retire() has left, if anything.
  std::vector<std::uint8_t> storage(std::int64_t bytes) {
    std::vector<std::uint8_t> data;
    if (!spare_.empty()) {
      data = std::move(spare_.back());
      spare_.pop_back();
    }
    data.resize(static_cast<std::size_t>(bytes));
    return data;
  }
  void retire(Burst&& burst) { spare_.push_back(std::move(burst.data)); }

 private:
  std::vector<std::vector<std::uint8_t>> spare_;
};

}  // namespace lpa::hw
