// The controller: register file behind a TLM-2.0 target socket, descriptor fetch and check, start and end of layers,
// counters, interrupt.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw_model/array/wires.h"
#include "hw_model/control/registers.h"
#include "hw_model/control/wires.h"
#include "hw_model/counters.h"
#include "hw_model/memory/dma.h"

namespace lpa::hw {

/// Register accesses are loosely timed: 4 aligned bytes, no byte enables; anything else, a write to a read-only
/// register and a start while running get a TLM error response and change nothing.
class Controller : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_in<FillLevel> weight_level{"weight_level"};
  sc_core::sc_in<FillLevel> input_level{"input_level"};
  sc_core::sc_in<Cause> cause{"cause"};
  sc_core::sc_out<Job> job{"job"};
  sc_core::sc_out<LayerControl> layer_control{"layer_control"};
  sc_core::sc_out<bool> reset{"reset"};  ///< To all blocks, for one cycle.
  sc_core::sc_out<bool> irq{"irq"};
  tlm_utils::simple_target_socket<Controller> socket{"socket"};

  /// `gather` sums up what the machine's blocks have counted since construction; the controller itself counts cycles.
  Controller(const sc_core::sc_module_name& name, const MachineConfig& config, const Dma& dma, DmaPort& port,
             std::function<Counters()> gather);

 private:
  enum class State { idle, fetching, running, resetting };

  void step();
  void count_cycle();
  void fetch_descriptor();
  void receive_descriptor();
  void start_layer();
  void end_layer();
  void fail(reg::Error error, std::size_t field = 0);
  void finish(reg::Status status);
  void begin_reset();

  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  std::optional<std::uint32_t> read_register(std::uint64_t address) const;
  bool write_register(std::uint64_t address, std::uint32_t value);
  bool write_control(std::uint32_t value);
  void update_irq() { irq_level_ = (irq_status_ & irq_enable_ & 1u) != 0; }
  Counters counters() const;

  const MachineConfig& config_;
  const Dma& dma_;
  DmaPort& port_;
  std::function<Counters()> gather_;

  State state_ = State::idle;
  bool reset_requested_ = false, start_requested_ = false;  ///< By a register write, until the next edge.
  bool cleared_ = false;                                    ///< Counters were cleared since the last start.
  bool reset_now_ = false;                                  ///< The reset wire goes up in this cycle, down in the next.
  reg::Status status_ = reg::Status::idle;
  std::uint32_t descriptor_base_ = 0, descriptor_count_ = 1, descriptor_index_ = 0;
  std::uint32_t irq_enable_ = 0, irq_status_ = 0;
  bool irq_level_ = false;
  reg::Error error_ = reg::Error::none;
  std::uint32_t error_descriptor_ = 0, error_field_ = 0;

  std::uint64_t cycle_ = 0;
  std::size_t requested_ = 0, received_ = 0;  ///< Bytes of the descriptor.
  DescriptorImage image_{};
  std::unique_ptr<Schedule> schedule_, previous_;  ///< Blocks may look at the last job for one more cycle.
  std::uint32_t job_number_ = 0;
  Counters baseline_;  ///< What the blocks had counted when the counters were cleared.
  Counters own_;       ///< Cycles and their causes.
};

}  // namespace lpa::hw
