// The controller's register file and state machine: descriptor fetch and check, fetch of parameters, start and end of
// layers, counters, interrupt. No SystemC: both models of the machine run it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "hw_model/control/job.h"
#include "hw_model/control/registers.h"
#include "hw_model/counters.h"
#include "hw_model/memory/dma_port.h"
#include "hw_model/timeline.h"

namespace lpa::hw {

class ControllerLogic {
 public:
  /// What the controller sees of other blocks at an edge.
  struct Inputs {
    std::int64_t visits_drained = 0;
    const FillLevel& weight_level;
    const FillLevel& input_level;
    Cause cause = Cause::idle;
    bool memory_failed = false;  ///< Memory answered with an error in an earlier cycle.
  };

  /// `gather` sums up what the machine's blocks have counted since construction; the controller itself counts cycles.
  ControllerLogic(const MachineConfig& config, DmaPort& port, std::function<Counters()> gather);

  void step(std::uint64_t cycle, const Inputs& inputs);
  /// Counts `cycles` edges at which step() was not called because it would only have counted.
  void skip(const std::array<std::uint64_t, cause_count>& running_causes, std::uint64_t cycles);
  /// Ends the layer that runs at this edge. It has not been run: what it would have counted as cycles is told.
  void end_repeated(std::uint64_t cycle, const Counters& cycles);
  /// The first edge after `cycle` at which step() would do more than count if its inputs stay as they are.
  std::uint64_t next(std::uint64_t cycle) const;

  const Job& job() const { return job_; }
  bool reset() const { return reset_; }  ///< To all blocks, for one cycle.
  bool irq() const { return irq_; }
  std::uint64_t layers_ended() const { return layers_ended_; }  ///< Those that came to their end.
  Counters counters() const;                                    ///< Since they were cleared.
  /// Whether the next edge sees a reset or start that a register write has asked for.
  bool has_request() const { return reset_requested_ || start_requested_; }

  /// Register accesses; nullopt and false: refused, and nothing changed.
  std::optional<std::uint32_t> read_register(std::uint64_t address) const;
  bool write_register(std::uint64_t address, std::uint32_t value);
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }

 private:
  enum class State { idle, fetching, fetching_parameters, running, resetting };

  void take_requests();
  bool fetching() const { return state_ == State::fetching || state_ == State::fetching_parameters; }
  void begin_fetch(State state, std::uint64_t address, std::int64_t bytes);
  void request(std::uint64_t cycle);
  void receive(std::uint64_t cycle);
  void take_descriptor();
  bool layer_is_complete(const Inputs& inputs) const;
  void start_layer();
  void end_layer(std::uint64_t cycle);
  void fail(reg::Error error, std::size_t field = 0);
  void finish(reg::Status status);
  void begin_reset();
  bool write_control(std::uint32_t value);
  void update_irq() { irq_level_ = (irq_status_ & irq_enable_ & 1u) != 0; }

  const MachineConfig& config_;
  DmaPort& port_;
  std::function<Counters()> gather_;

  State state_ = State::idle;
  Job job_;
  std::uint64_t layers_ended_ = 0;
  bool reset_ = false, irq_ = false;
  bool reset_requested_ = false, start_requested_ = false;  ///< By a register write, until the next edge.
  bool cleared_ = false;                                    ///< Counters were cleared since the last start.
  bool reset_now_ = false;                                  ///< The reset wire goes up in this cycle, down in the next.
  reg::Status status_ = reg::Status::idle;
  std::uint32_t descriptor_base_ = 0, descriptor_count_ = 1, descriptor_index_ = 0;
  std::uint32_t irq_enable_ = 0, irq_status_ = 0;
  bool irq_level_ = false;
  reg::Error error_ = reg::Error::none;
  std::uint32_t error_descriptor_ = 0, error_field_ = 0;

  std::uint64_t fetch_address_ = 0;
  std::size_t requested_ = 0, received_ = 0;  ///< Bytes of what is being fetched.
  std::vector<std::uint8_t> fetched_;
  std::unique_ptr<Schedule> next_schedule_;        ///< Of the descriptor whose parameters are being fetched.
  std::unique_ptr<Schedule> schedule_, previous_;  ///< Blocks may look at the last job for one more cycle.
  Counters baseline_;                              ///< What the blocks had counted when the counters were cleared.
  Counters own_;                                   ///< Cycles and their causes.

  Timeline* timeline_ = nullptr;
  std::uint64_t layer_begin_ = 0;  ///< Edge of the descriptor's first request.
};

}  // namespace lpa::hw
