// What the post-processing unit does at an edge of the clock: residual addition, tables, pooling, softmax, layer
// normalisation and ReLU on ppu.lanes elements per cycle. No SystemC: both models of the machine run it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "hw_model/control/job.h"
#include "hw_model/memory/fill_logic.h"
#include "hw_model/memory/output_logic.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/ppu/ppu_values.h"

namespace lpa::hw {

/// Elements are processed in the order (position, channel) of each visit. A convolution's element is an encoded word,
/// with its residual if there is one: 1 lane-cycle. An addition's element is a pair of words: 1. A pool's output
/// element takes one lane-cycle per window position, padding included; a channel of a softmax or layer normalisation
/// takes three: two passes over all channels of a position come before its first result. An element is taken as soon as
/// its operands are there; its result is handed to the output engine with the last channel of its position.
/// A visit begins when its half of the output buffer is drained; of a convolution the sequencer has seen to that.
class PpuLogic {
 public:
  /// What the unit sees of other blocks at an edge.
  struct Inputs {
    std::int64_t words_ready = 0;  ///< Encoded vectors of the layer in the output buffer.
    const FillLevel& input_level;
    const FillLevel& residual_level;
    std::int64_t visits_drained = 0;
  };

  PpuLogic(const MachineConfig& config, FillLogic& input_buffer, OutputStore& store, OutputLogic& output);

  void step(std::uint64_t cycle, const Job& job, const Inputs& inputs);
  void reset();
  /// The first edge after `cycle` at which step() would do anything if its inputs stay as they are, but for the next
  /// encoded vector, which comes at edge `word`.
  std::uint64_t next(std::uint64_t cycle, std::uint64_t word) const;

  PpuState state() const { return state_; }
  std::int64_t inputs_released() const { return inputs_released_; }  ///< Of layers that do not use the array.
  /// The encoded vector that the unit is at: it can go on when words_ready is larger.
  std::int64_t vector() const { return words_before_ + position_; }
  /// Off: results are zeros, whatever the operands; nothing else changes.
  void set_values(bool on) { computes_ = on; }
  PpuValues& values() { return values_; }
  /// The visit that the unit is at; null: none any more.
  const VisitCursor* visit() const { return done() ? nullptr : &*visit_; }
  /// Of layers that use the array, as long as there is a visit.
  void walk(StateWalk& walk);
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }
  std::uint64_t elements() const { return elements_; }  ///< Lane-cycles of work done.
  /// Sums of the unit's adder that did not fit.
  std::uint64_t saturations() const { return values_.events().saturations; }
  std::uint64_t nar_operands() const { return values_.events().nar_products; }

 private:
  /// Whether all visits of the layer are done, or there is no layer.
  bool done() const { return schedule_ == nullptr || visit_->done(); }
  void start(const Job& job);
  void work(std::uint64_t cycle, const Inputs& inputs);
  PpuState operands(const Inputs& inputs) const;
  void enter_visit();
  void finish_position(std::uint64_t cycle);
  void finish_visit(std::uint64_t cycle);

  int lanes_;
  FillLogic& input_buffer_;
  OutputStore& store_;
  OutputLogic& output_;
  PpuValues values_;
  StallGate gate_;
  bool computes_ = true;

  const Schedule* schedule_ = nullptr;
  std::optional<VisitCursor> visit_;
  std::uint32_t job_number_ = 0;
  bool started_ = false;  ///< At the last edge: the next one says what the unit waits for.
  PpuState state_ = PpuState::idle;
  std::int64_t inputs_released_ = 0;
  std::int64_t credit_ = 0;        ///< Lane-cycles spent on the position at hand.
  std::int64_t position_ = 0;      ///< Of the visit.
  std::int64_t words_before_ = 0;  ///< Encoded vectors of earlier visits.
  std::uint64_t elements_ = 0;

  // Of the visit.
  std::int64_t position_cost_ = 1;  ///< Lane-cycles of a position.
  std::int64_t result_bytes_ = 0;   ///< Of a position.
  std::int64_t addend_bytes_ = 0;
  std::uint64_t address_ = 0;  ///< Of the results of its first position.

  Timeline* timeline_ = nullptr;
  std::uint64_t visit_begin_ = 0;  ///< Edge of the visit's first element; 0: none yet.
};

}  // namespace lpa::hw
