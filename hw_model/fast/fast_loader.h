// The weight loader of the fast model: a tile at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "hw_model/control/job.h"
#include "hw_model/memory/fill_logic.h"

namespace lpa::hw {

class ArrayValues;

/// Takes the same edges as WeightLoader does for the same tiles: its contract is WeightLoader's.
class FastLoader {
 public:
  FastLoader(const MachineConfig& config, FillLogic& buffer, ArrayValues& values);

  void step(std::uint64_t cycle, const Job& job, const FillLevel& level, std::int64_t tiles_released);
  void reset() {
    schedule_ = nullptr;
    tile_end_ = 0;
  }
  /// The first edge after `cycle` at which step() would do anything if its inputs stay as they are.
  std::uint64_t next(std::uint64_t cycle) const;
  /// Whether the level of the weight buffer or the tiles released make a difference to the next step.
  bool waits() const { return !loading_; }

  /// Whether the weight buffer's port reads a half at an edge of the tile being loaded or of the last one.
  bool reads(std::uint64_t cycle, std::size_t half) const {
    return half == half_ && read_begin_ <= cycle && cycle <= tile_end_ && !gate_.closed(cycle);
  }
  std::int64_t tiles_loaded() const { return tiles_loaded_; }
  std::int64_t fetches_released() const { return fetches_released_; }
  std::uint64_t tiles() const { return total_tiles_; }
  std::uint64_t first_row_edge() const { return first_row_edge_; }  ///< That presents the layer's first row.
  bool done() const { return schedule_ == nullptr || tile_->done(); }
  const TileCursor& tile() const { return *tile_; }  ///< The next one, or the one being loaded. Not if done.
  void walk(StateWalk& walk);                        ///< Not if done.
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }

 private:
  void start(const Job& job);
  bool tile_ready(const FillLevel& level) const;
  void begin_tile(std::uint64_t cycle);
  std::uint64_t edge_after(std::uint64_t cycle, std::int64_t edges) const;
  void finish_tile(std::uint64_t cycle);

  std::int64_t rows_;
  bool fold_overlap_;
  FillLogic& buffer_;
  ArrayValues& values_;
  StallGate gate_;
  const Schedule* schedule_ = nullptr;
  std::optional<TileCursor> tile_;
  std::uint32_t job_number_ = 0;
  std::int64_t tiles_loaded_ = 0, fetches_released_ = 0;
  bool loading_ = false;
  bool looks_ = false;                           ///< Has to look for the next tile at the next edge.
  std::uint64_t tile_begin_ = 0, tile_end_ = 0;  ///< First and last edge of the tile being loaded.
  std::uint64_t read_begin_ = 1;  ///< First edge at which the buffer is read for it: rows of zeros come first.
  std::size_t half_ = 0;          ///< Of the weight buffer.
  std::uint64_t total_tiles_ = 0;
  std::uint64_t first_row_edge_ = 0;
  Timeline* timeline_ = nullptr;
};

}  // namespace lpa::hw
