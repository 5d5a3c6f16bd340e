// The output engine's side of the output buffer on pins.
#pragma once

#include <cstdint>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/memory/output_logic.h"

namespace lpa::hw {

class OutputPort : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_out<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_out<FillLevel> residual_level{"residual_level"};

  OutputPort(const sc_core::sc_module_name& name, const MachineConfig& config, DmaPort& port, OutputStore& store);

  OutputLogic& logic() { return logic_; }

 private:
  void step();

  OutputLogic logic_;
  std::uint64_t cycle_ = 0;
};

}  // namespace lpa::hw
