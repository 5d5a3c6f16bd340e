// The output buffer's encoded words, and the count of its accesses. No SystemC.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "hw_model/control/schedule.h"

namespace lpa::hw {

/// Two halves, one per visit; a word takes a byte until the post-processing unit packs it.
class OutputStore {
 public:
  explicit OutputStore(const BufferConfig& config) : config_(config) {}

  /// Makes room for the visits of a layer that uses the array.
  void start(const Tiling& tiling) {
    lanes_ = tiling.lanes;
    const auto words = static_cast<std::size_t>(tiling.positions(0) * lanes_);
    for (auto& half : words_) half.resize(std::max(half.size(), words));
  }

  /// The words of a position, one per lane.
  std::uint8_t* words(std::int64_t visit, std::int64_t position) {
    return &words_[static_cast<std::size_t>(visit % 2)][static_cast<std::size_t>(position * lanes_)];
  }
  const std::uint8_t* words(std::int64_t visit, std::int64_t position) const {
    return &words_[static_cast<std::size_t>(visit % 2)][static_cast<std::size_t>(position * lanes_)];
  }

  /// Counts the accesses that move `bytes` bytes, `times` times.
  void count_read(std::int64_t bytes, std::int64_t times = 1) { reads_ += accesses(bytes, times); }
  void count_write(std::int64_t bytes, std::int64_t times = 1) { writes_ += accesses(bytes, times); }
  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }

 private:
  std::uint64_t accesses(std::int64_t bytes, std::int64_t times) const {
    return static_cast<std::uint64_t>(config_.accesses(bytes) * times);
  }

  BufferConfig config_;
  std::int64_t lanes_ = 1;
  std::array<std::vector<std::uint8_t>, 2> words_;
  std::uint64_t reads_ = 0, writes_ = 0;
};

}  // namespace lpa::hw
