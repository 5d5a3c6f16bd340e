// The sequencer of the fast model: as many vectors at a time as nothing can come between.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "hw_model/control/cause_track.h"
#include "hw_model/control/job.h"
#include "hw_model/fast/issue_run.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_store.h"

namespace lpa::hw {

class ArrayValues;

/// Presents every vector at the edge at which Sequencer would and gives every edge the same cause; what it knows of the
/// array is the latency of its sums. Vectors are planned in runs: what a run waits for (rows of the input buffer, sums
/// of the k-tile before) is known when it begins, since buffers only fill and sums return on time.
class FastSequencer {
 public:
  /// What the sequencer sees of other blocks at an edge.
  struct Inputs {
    std::int64_t tiles_loaded = 0;
    std::uint64_t first_row_edge = 0;  ///< FastLoader's.
    const FillLevel& input_level;
    std::int64_t visits_drained = 0;
    PpuState ppu_state = PpuState::idle;
  };

  FastSequencer(const MachineConfig& config, FillLogic& input_buffer, OutputStore& store, ArrayValues& values);

  void step(std::uint64_t cycle, const Job& job, const Inputs& inputs);
  void reset(std::uint64_t cycle);
  /// The first edge after `cycle` at which step() would do anything if its inputs stay as they are.
  std::uint64_t next(std::uint64_t cycle) const;
  /// Whether its inputs make a difference to the next step, and whether it has issued all vectors and looks at the
  /// post-processing unit too.
  bool waits() const { return phase_ != Phase::issuing; }
  bool ending() const { return phase_ == Phase::ending; }
  /// Counts everything up to and with edge `cycle`, which must lie before the next step.
  void account(std::uint64_t cycle);

  std::int64_t tiles_released() const { return tiles_released_; }    ///< As Sequencer's.
  std::int64_t inputs_released() const { return inputs_released_; }  ///< Of layers that use the array.
  /// Whether the input buffer's port reads a half at an edge, which is the last accounted one or the one after it.
  bool reads(std::uint64_t cycle, std::size_t half) const;
  WordClock& words() { return words_; }
  const WordClock& words() const { return words_; }

  /// Edges of every cause so far, those before the first layer included.
  const std::array<std::uint64_t, cause_count>& causes() const { return causes_; }
  /// Up to and with edge `cycle`, which is the last accounted one or the one after it.
  std::uint64_t macs(std::uint64_t cycle) const { return macs_ + (presents(cycle) ? run_costs_.macs : 0); }
  std::uint64_t vectors(std::uint64_t cycle) const { return vectors_ + (presents(cycle) ? 1 : 0); }
  std::uint64_t array_span() const { return array_span_; }
  /// The next visit, between the last vector of one and the first of the next; nullopt anywhere else.
  std::optional<LayerPosition> between_visits(std::uint64_t cycle) const;
  /// Between two visits, everything accounted for up to the edge before.
  void walk(StateWalk& walk);
  void set_timeline(Timeline* timeline);

 private:
  enum class Phase { off, waiting, issuing, ending };
  /// What each vector of a tile costs.
  struct VectorCosts {
    std::int64_t input_accesses = 1;
    std::int64_t input_bytes = 0;
    std::int64_t psum_bytes = 0;  ///< Read back; 0 for the first k-tile.
    std::uint64_t macs = 0;
    std::size_t half = 0;  ///< Of the input buffer.
  };
  /// Where in the visit a run of the k-tile before was issued.
  struct PastRun {
    std::int64_t position;
    IssueRun run;
  };

  void start(const Job& job, std::uint64_t cycle);
  void drop_layer(std::uint64_t cycle);
  void enter_tile();
  void try_issue(std::uint64_t cycle, const Inputs& inputs);
  bool must_ask() const;
  Cause ask_for_fold(std::uint64_t cycle, const Inputs& inputs);
  bool half_is_free(const Inputs& inputs) const;
  void wait(Cause cause, std::uint64_t cycle);
  std::int64_t available(const FillLevel& level) const;
  void plan(std::uint64_t cycle, std::int64_t count);
  void plan_behind_sums(std::uint64_t cycle, std::int64_t count);
  void add_run(std::int64_t count, std::uint64_t first_edge, std::uint64_t period);
  void report_run(const IssueRun& run, std::uint64_t end);
  void finish_run(std::uint64_t cycle);
  void finish_tile(std::uint64_t cycle);
  void report_encoded(std::uint64_t end);
  void end(std::uint64_t cycle, const Inputs& inputs);
  bool presents(std::uint64_t cycle) const;
  void count_run(const IssueRun& run, std::uint64_t from, std::uint64_t to);
  void count_vectors(std::uint64_t vectors, std::uint64_t input_waits, std::uint64_t psum_waits);

  const MachineConfig& config_;
  std::uint64_t latency_;       ///< Edges from a vector's presentation to the last PE's sum.
  std::uint64_t sum_latency_;   ///< To the edge that sees its sum in the output buffer.
  std::uint64_t word_latency_;  ///< To the edge that sees its words there.
  FillLogic& input_buffer_;
  OutputStore& store_;
  ArrayValues& values_;
  StallGate gate_;

  const Schedule* schedule_ = nullptr;
  std::optional<TileCursor> tile_;
  std::uint32_t job_number_ = 0;
  Phase phase_ = Phase::off;
  Cause cause_ = Cause::idle;  ///< Of edges outside runs.
  bool looks_ = false;         ///< Has to look at the next edge whether anybody wakes it or not.
  std::int64_t position_ = 0;  ///< The next one of the visit.
  std::int64_t last_row_ = 0;  ///< Kernel offset of the last row of the tile, in input rows.
  VectorCosts tile_costs_;
  std::int64_t last_k_vectors_ = 0;
  std::int64_t tiles_released_ = 0, inputs_released_ = 0;
  std::uint64_t fold_end_ = 0;  ///< Edge at which the last PE forms the last sum of the tile before.
  WordClock words_;

  std::vector<IssueRun> runs_;  ///< Being issued.
  VectorCosts run_costs_;
  std::size_t counted_runs_ = 0;
  std::vector<PastRun> current_, previous_;  ///< This k-tile's runs, and those of the one before.
  std::size_t past_ = 0;                     ///< The one of previous_ that holds the next position.

  std::uint64_t accounted_ = 0;
  std::array<std::uint64_t, cause_count> causes_{};
  std::uint64_t macs_ = 0, vectors_ = 0, array_span_ = 0;

  Timeline* timeline_ = nullptr;
  CauseTrack cause_track_;
  std::uint64_t tile_begin_ = 0, words_begin_ = 0;
  std::deque<Slice> encoded_;  ///< Visits whose last words may still be on their way.
};

}  // namespace lpa::hw
