// The output engine's side of the output buffer: fetches residual operands ahead of the post-processing unit and writes
// its results to external memory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/memory/dma.h"
#include "hw_model/memory/output_buffer.h"

namespace lpa::hw {

/// The words of one output position of an n-tile, packed, on their way to memory.
struct Segment {
  std::uint64_t address = 0;
  std::vector<std::uint8_t> bytes;
  bool ends_visit = false;
};

/// A visit is drained when memory has acknowledged its last byte; only then may the visit after next use its half.
class OutputPort : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_out<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_out<FillLevel> residual_level{"residual_level"};  ///< "Fetch" v is the residual of visit v.

  Mailbox<Segment> results;  ///< From the post-processing unit, in order.

  OutputPort(const sc_core::sc_module_name& name, const MachineConfig& config, DmaPort& port, OutputBuffer& buffer);

  std::uint8_t residual(std::int64_t visit, std::int64_t offset) const {
    return residuals_[static_cast<std::size_t>(visit % 2)][static_cast<std::size_t>(offset)];
  }

 private:
  void step();
  void start(const Job& job);
  void receive();
  void request_residual();
  void send_results();
  void flush();
  std::int64_t residual_bytes(const VisitCursor& visit) const;

  int burst_bytes_;
  DmaPort& port_;
  OutputBuffer& buffer_;
  const Schedule* schedule_ = nullptr;
  std::uint32_t job_number_ = 0;
  std::uint64_t cycle_ = 0;

  std::optional<VisitCursor> reading_;  ///< Visit whose residual is being requested, if the layer has one.
  std::int64_t requested_ = 0;          ///< Bytes of it requested so far.
  FillLevel level_;
  std::array<std::vector<std::uint8_t>, 2> residuals_;

  Burst pending_;                              ///< Results gathered for the next write.
  std::int64_t written_visit_ = 0;             ///< Visit the pending write belongs to.
  std::array<std::int64_t, 2> open_writes_{};  ///< Per half, not yet acknowledged.
  std::array<bool, 2> ended_{};                ///< Per half: all writes have been sent.
  std::int64_t drained_ = 0;
};

}  // namespace lpa::hw
