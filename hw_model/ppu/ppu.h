// The post-processing unit on pins, behind the output buffer.
#pragma once

#include <cstdint>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/ppu/ppu_logic.h"

namespace lpa::hw {

class Ppu : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<std::int64_t> words_ready{"words_ready"};
  sc_core::sc_in<FillLevel> input_level{"input_level"};
  sc_core::sc_in<FillLevel> residual_level{"residual_level"};
  sc_core::sc_in<std::int64_t> visits_drained{"visits_drained"};
  sc_core::sc_out<PpuState> state{"state"};
  sc_core::sc_out<std::int64_t> inputs_released{"inputs_released"};  ///< Of layers that do not use the array.

  Ppu(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& input_buffer, OutputStore& store,
      OutputLogic& output);

  PpuLogic& logic() { return logic_; }
  const PpuLogic& logic() const { return logic_; }

 private:
  void step();

  PpuLogic logic_;
  std::uint64_t cycle_ = 0;
};

}  // namespace lpa::hw
