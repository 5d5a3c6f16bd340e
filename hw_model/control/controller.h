// The controller on pins.
#pragma once

#include <functional>

#include <systemc>

#include "hw_model/array/wires.h"
#include "hw_model/control/controller_logic.h"
#include "hw_model/control/register_socket.h"
#include "hw_model/control/wires.h"
#include "hw_model/memory/dma.h"

namespace lpa::hw {

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

  /// `gather`: as ControllerLogic's.
  Controller(const sc_core::sc_module_name& name, const MachineConfig& config, DmaSocket& dma,
             std::function<Counters()> gather);

  ControllerLogic& logic() { return logic_; }
  tlm_utils::simple_target_socket<RegisterSocket>& socket() { return registers_.socket; }

 private:
  void step();

  const DmaSocket& dma_;
  ControllerLogic logic_;
  RegisterSocket registers_;
  std::uint64_t cycle_ = 0;
};

/// What the controller's wires tell the array about a layer.
LayerControl to_layer_control(const Tiling& tiling);

}  // namespace lpa::hw
