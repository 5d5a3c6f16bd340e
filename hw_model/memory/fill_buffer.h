// The weight buffer and the input buffer on pins.
#pragma once

#include <cstdint>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/memory/fill_logic.h"

namespace lpa::hw {

class FillBuffer : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<std::int64_t> released{"released"};  ///< Fetches of the layer that the reader is done with.
  sc_core::sc_out<FillLevel> level{"level"};

  FillBuffer(const sc_core::sc_module_name& name, FillKind kind, const MachineConfig& config, DmaPort& port);

  FillLogic& logic() { return logic_; }
  const FillLogic& logic() const { return logic_; }

 private:
  void step();

  FillLogic logic_;
  std::uint64_t cycle_ = 0;
};

}  // namespace lpa::hw
