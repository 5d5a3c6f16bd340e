// What the weight buffer and the input buffer do at an edge of the clock: two halves of SRAM and the engine that fills
// them ahead of their reader. No SystemC: both models of the machine run it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "hw_model/control/job.h"
#include "hw_model/memory/dma_port.h"
#include "hw_model/stall_gate.h"
#include "hw_model/state_walk.h"
#include "hw_model/timeline.h"

namespace lpa::hw {

/// Which of a schedule's fetch lists a buffer serves.
enum class FillKind { weights, inputs };

/// Fetch f of the list goes to half f % 2, as soon as the reader has released fetch f - 2. Data may be read as soon as
/// `level` says that they are there.
class FillLogic {
 public:
  FillLogic(FillKind kind, const MachineConfig& config, DmaPort& port);

  /// One edge. `released`: fetches of the layer that the reader is done with.
  void step(std::uint64_t cycle, const Job& job, std::int64_t released);
  void reset();
  /// The first edge after `cycle` at which step() would do anything if its inputs stay as they are.
  std::uint64_t next(std::uint64_t cycle, std::int64_t released) const;

  const FillLevel& level() const { return level_; }
  std::int64_t requested_fetch() const { return requested_fetch_; }  ///< The next one of which anything is requested.

  /// A byte of a fetch. `level` must say that it is there.
  std::uint8_t byte(std::int64_t fetch, std::int64_t offset) const { return data(fetch)[offset]; }
  const std::uint8_t* data(std::int64_t fetch) const { return halves_[static_cast<std::size_t>(fetch % 2)].data(); }
  /// The half of a fetch, for whoever fills it without time. Nothing must be in it that is still needed.
  std::uint8_t* half(std::int64_t fetch) { return halves_[static_cast<std::size_t>(fetch % 2)].data(); }
  /// Whether nothing of what the buffer did before holds up a layer that starts at this edge.
  bool at_rest(std::uint64_t cycle) const { return write_busy_until_ <= cycle + 1; }
  /// Counts the accesses that gather `bytes` bytes, `times` times.
  void count_read(std::int64_t bytes, std::int64_t times = 1) {
    reads_ += static_cast<std::uint64_t>(config_.accesses(bytes) * times);
  }
  const BufferConfig& config() const { return config_; }

  /// The reader uses the port of a fetch's half at this edge. A half of a single port takes no write at the next one.
  void use_port(std::uint64_t cycle, std::int64_t fetch) {
    if (config_.ports == 1)
      port_use_[static_cast<std::size_t>(fetch % 2)] = {cycle, port_use_[static_cast<std::size_t>(fetch % 2)][0]};
  }
  /// Asked whether the reader uses the port of a half at an edge, where the reader does not say so by use_port().
  void ask_reader(std::function<bool(std::uint64_t cycle, std::size_t half)> reads) { reads_port_ = std::move(reads); }

  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }
  /// Of layers that use the array.
  void walk(StateWalk& walk);
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }

 private:
  void start(const Job& job);
  bool may_request(std::uint64_t cycle, std::int64_t released) const;
  void request(std::uint64_t cycle);
  bool port_taken(std::uint64_t cycle) const;
  void receive(std::uint64_t cycle);
  void report_released(std::uint64_t cycle, std::int64_t released);

  FillKind kind_;
  BufferConfig config_;
  int burst_bytes_;
  DmaPort& port_;
  StallGate gate_;
  std::array<std::vector<std::uint8_t>, 2> halves_;
  const std::vector<Fetch>* fetches_ = nullptr;
  std::uint32_t job_number_ = 0;
  std::int64_t requested_fetch_ = 0;  ///< The fetch being requested, and how much of it has been.
  std::int64_t requested_bytes_ = 0;
  std::int64_t received_fetch_ = 0;
  FillLevel level_;
  std::uint64_t write_busy_until_ = 0;                      ///< The write port is taken up to this cycle.
  std::array<std::array<std::uint64_t, 2>, 2> port_use_{};  ///< Per half: the last two edges at which it was read.
  std::function<bool(std::uint64_t, std::size_t)> reads_port_;
  std::uint64_t reads_ = 0, writes_ = 0;

  Timeline* timeline_ = nullptr;
  std::array<std::uint64_t, 2> first_request_{};  ///< Per half.
  std::int64_t reported_ = 0;                     ///< Fetches whose release has been reported.
};

}  // namespace lpa::hw
