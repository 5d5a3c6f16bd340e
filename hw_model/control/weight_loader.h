// Streams weight tiles from the weight buffer into the array's shadow registers, one array row per cycle.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <systemc>

#include "hw_model/array/wires.h"
#include "hw_model/control/wires.h"
#include "hw_model/memory/fill_logic.h"

namespace lpa::hw {

/// A row of more columns than the buffer's port has bytes takes several accesses, one per cycle, and is presented with
/// the last of them. Tile i + 1 is loaded from the cycle after tile i's first bundle was presented (its last one, if
/// the array's weights are not double-buffered); without overlap of folds, every tile when the sequencer asks for it.
/// Rows go in the order R-1 .. 0; rows beyond the layer's K are zero words. The biases of an n-tile are taken from the
/// buffer with its first row.
class WeightLoader : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<FillLevel> level{"level"};
  sc_core::sc_in<std::int64_t> tiles_released{"tiles_released"};  ///< See Sequencer.
  sc_core::sc_out<WeightTag> tag{"tag"};
  sc_core::sc_vector<sc_core::sc_out<std::uint32_t>> weights;
  sc_core::sc_out<std::int64_t> tiles_loaded{"tiles_loaded"};
  sc_core::sc_out<std::int64_t> fetches_released{"fetches_released"};

  WeightLoader(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& buffer);

  /// The sums that the outputs of a visit start from, one PsumWord per column. Valid from tiles_loaded of the visit's
  /// first tile until the tile after next is loaded.
  const std::vector<PsumWord>& biases(std::int64_t visit) const { return biases_[static_cast<std::size_t>(visit % 2)]; }

  /// What the channels of a visit add to the encoder's scale; valid as long.
  const std::vector<ScaleWord>& scales(std::int64_t visit) const {
    return scales_[static_cast<std::size_t>(visit % 2)];
  }

  std::uint64_t tiles() const { return total_tiles_; }
  std::uint64_t first_row_edge() const { return first_row_edge_; }  ///< That presented the layer's first row.
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }

 private:
  void step();
  void start(const Job& job);
  bool row_ready() const;
  void present_row();
  void load_biases();
  void finish_tile();

  std::size_t rows_, columns_;
  bool fold_overlap_;
  FillLogic& buffer_;
  StallGate gate_;
  const Schedule* schedule_ = nullptr;
  std::optional<TileCursor> tile_;
  std::uint32_t job_number_ = 0;
  std::int64_t row_ = 0;       ///< Next row of the tile, counting down.
  std::int64_t accesses_ = 0;  ///< Cycles for which the buffer's port has been reading the row.
  std::int64_t fetches_released_ = 0;
  std::array<std::vector<PsumWord>, 2> biases_;
  std::array<std::vector<ScaleWord>, 2> scales_;
  std::uint64_t total_tiles_ = 0;
  std::uint64_t first_row_edge_ = 0;
  std::uint64_t cycle_ = 0;

  Timeline* timeline_ = nullptr;
  std::uint64_t tile_begin_ = 0;  ///< Edge of the tile's first access.
};

}  // namespace lpa::hw
