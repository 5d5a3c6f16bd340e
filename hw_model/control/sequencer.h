// Issues activation vectors: walks tiles and output positions, forms the convolution's columns on the fly from the
// input buffer, joins each vector with its partial sums and says for every cycle why it did or did not issue.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <systemc>

#include "hw_model/array/wires.h"
#include "hw_model/control/cause_track.h"
#include "hw_model/control/weight_loader.h"
#include "hw_model/control/wires.h"
#include "hw_model/counters.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_buffer.h"

namespace lpa::hw {

/// A vector of more bytes than the input buffer's port has takes several accesses, one per cycle (input_wait), and is
/// presented with the last of them. If several things are missing in a cycle, its cause is the first of: output_wait,
/// weight_wait, input_wait, psum_wait.
///
/// Without overlap of folds, the sequencer asks for a tile's weights when the sums of the tile before have been formed
/// (fill_drain until then), its half of the output buffer is free and all input rows that it reads are there: the
/// loader can present the first row of weights at the edge at which the last PE forms its last sum.
class Sequencer : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<std::int64_t> tiles_loaded{"tiles_loaded"};
  sc_core::sc_in<FillLevel> input_level{"input_level"};
  sc_core::sc_in<std::int64_t> sums_returned{"sums_returned"};
  sc_core::sc_in<std::int64_t> words_ready{"words_ready"};
  sc_core::sc_in<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_in<PpuState> ppu_state{"ppu_state"};

  sc_core::sc_out<BundleTag> tag{"tag"};
  sc_core::sc_vector<sc_core::sc_out<std::uint8_t>> activations;
  sc_core::sc_vector<sc_core::sc_out<PsumWord>> psums;
  sc_core::sc_vector<sc_core::sc_out<ScaleWord>> scales;
  /// Tiles whose successor may enter the shadow registers; without overlap of folds, tiles asked for.
  sc_core::sc_out<std::int64_t> tiles_released{"tiles_released"};
  sc_core::sc_out<std::int64_t> inputs_released{"inputs_released"};  ///< Of layers that use the array.
  sc_core::sc_out<Cause> cause{"cause"};

  Sequencer(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& input_buffer,
            OutputBuffer& output_buffer, const WeightLoader& loader);

  std::uint64_t macs() const { return macs_; }
  std::uint64_t vectors() const { return vectors_; }
  std::uint64_t array_span() const { return array_span_; }
  void set_timeline(Timeline* timeline) {
    timeline_ = timeline;
    cause_track_.set_timeline(timeline);
  }

 private:
  /// Where row r of the tile reads: kernel offsets in input pixels and the channel's place in the pixel.
  struct RowAddress {
    std::int64_t y, x, bit;
  };

  void step();
  void set_cause(Cause why);
  void start(const Job& job);
  Cause try_issue();
  Cause end_cause() const;
  bool half_is_free() const;
  bool input_ready(std::int64_t y) const;
  Cause ask_for_fold();
  void enter_tile();
  void issue();
  void advance();
  std::uint8_t activations_of(std::size_t row) const;
  std::uint8_t activation(const RowAddress& row) const;

  bool double_buffer_, fold_overlap_;
  std::uint64_t latency_;  ///< Edges from a vector's presentation to the last PE's sum.
  std::size_t rows_, columns_;
  FillLogic& input_buffer_;
  OutputBuffer& output_buffer_;
  StallGate gate_;
  const WeightLoader& loader_;

  const Schedule* schedule_ = nullptr;
  std::optional<TileCursor> tile_;
  std::uint32_t job_number_ = 0;
  std::vector<RowAddress> row_addresses_;  ///< Of the rows of the tile that are in use.
  std::int64_t position_ = 0;              ///< Within the band: (y_ - first row) * out_w + x_.
  std::int64_t y_ = 0, x_ = 0;             ///< Output position.
  std::int64_t issued_ = 0;                ///< Vectors of the layer.
  std::int64_t last_k_vectors_ = 0;        ///< Those that leave as words.
  std::int64_t psum_vector_bytes_ = 0;
  std::int64_t vector_bytes_ = 0, vector_accesses_ = 1;  ///< Of the tile's activation vectors.
  std::int64_t accesses_ = 0;      ///< Cycles for which the input port has been gathering the vector.
  std::int64_t folds_asked_ = 0;   ///< Of the layer, without overlap of folds.
  std::uint64_t fold_end_ = 0;     ///< Edge at which the last PE forms the last sum of the tile before.
  std::uint64_t vector_macs_ = 0;  ///< Of one vector of the tile.
  std::uint64_t macs_ = 0, vectors_ = 0, array_span_ = 0;
  const MachineConfig& config_;
  std::uint64_t cycle_ = 0;

  Timeline* timeline_ = nullptr;
  std::uint64_t tile_begin_ = 0;  ///< Edge of the tile's first vector.
  CauseTrack cause_track_;
};

}  // namespace lpa::hw
