// What the output engine's side of the output buffer does at an edge of the clock: fetches residual operands ahead of
// the post-processing unit and writes its results to external memory. No SystemC: both models of the machine run it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw_model/control/job.h"
#include "hw_model/memory/dma_port.h"
#include "hw_model/memory/output_store.h"
#include "hw_model/stall_gate.h"
#include "hw_model/timeline.h"

namespace lpa::hw {

/// The words of one output position of an n-tile, packed, on their way to memory.
struct Segment {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
  bool ends_visit = false;
};

/// A visit is drained when memory has acknowledged its last byte; only then may the visit after next use its half.
class OutputLogic {
 public:
  Mailbox<Segment> results;  ///< From the post-processing unit, in order.

  OutputLogic(const MachineConfig& config, DmaPort& port, OutputStore& store);

  void step(std::uint64_t cycle, const Job& job);
  void reset();
  /// The first edge after `cycle` at which step() would do anything if its inputs stay as they are.
  std::uint64_t next(std::uint64_t cycle) const;

  std::int64_t visits_drained() const { return drained_; }
  const FillLevel& residual_level() const { return level_; }  ///< "Fetch" v is the residual of visit v.
  /// The residual operand of a visit, as far as residual_level() says.
  const std::uint8_t* residuals(std::int64_t visit) const {
    return residuals_[static_cast<std::size_t>(visit % 2)].data();
  }
  /// Room for the residual operand of a visit, for whoever fills it without time.
  std::uint8_t* residual_room(std::int64_t visit, std::int64_t bytes);
  /// Storage for a segment's bytes: what a sent one has left, if anything. Empty.
  std::vector<std::uint8_t> segment_storage();
  /// The post-processing unit has begun a visit at this edge.
  void begin_visit(std::int64_t visit, std::uint64_t cycle) {
    visit_begin_[static_cast<std::size_t>(visit % 2)] = cycle;
  }
  /// The visit whose residual operand is requested next; null: the layer has none.
  const VisitCursor* residual_visit() const { return reading_ ? &*reading_ : nullptr; }
  /// But for addresses: of layers whose positions do not follow each other without a gap in memory.
  void walk(StateWalk& walk);
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }

 private:
  void start(const Job& job);
  void receive(std::uint64_t cycle);
  bool may_request_residual() const;
  void request_residual(std::uint64_t cycle);
  void send_results(std::uint64_t cycle);
  void flush(std::uint64_t cycle);
  void end_visit(std::uint64_t cycle);
  bool visit_is_drained() const;

  int burst_bytes_;
  DmaPort& port_;
  OutputStore& store_;
  StallGate gate_;
  const Schedule* schedule_ = nullptr;
  std::uint32_t job_number_ = 0;

  std::optional<VisitCursor> reading_;  ///< Visit whose residual is being requested, if the layer has one.
  std::int64_t requested_ = 0;          ///< Bytes of it requested so far.
  FillLevel level_;
  std::array<std::vector<std::uint8_t>, 2> residuals_;

  Burst pending_;                              ///< Results gathered for the next write.
  std::int64_t written_visit_ = 0;             ///< Visit the pending write belongs to.
  std::array<std::int64_t, 2> open_writes_{};  ///< Per half, not yet acknowledged.
  std::array<bool, 2> ended_{};                ///< Per half: all writes have been sent.
  std::int64_t drained_ = 0;
  std::vector<std::vector<std::uint8_t>> spare_;

  Timeline* timeline_ = nullptr;
  std::array<std::uint64_t, 2> visit_begin_{};      ///< Per half.
  std::uint64_t first_read_ = 0, first_write_ = 0;  ///< Of the visit at hand; 0: none yet.
};

}  // namespace lpa::hw
