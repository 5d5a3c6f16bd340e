#include "hw_model/ppu/ppu.h"

namespace lpa::hw {

Ppu::Ppu(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& input_buffer, OutputStore& store,
         OutputLogic& output)
    : sc_module(name), logic_(config, input_buffer, store, output) {
  SC_HAS_PROCESS(Ppu);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void Ppu::step() {
  ++cycle_;
  if (reset.read()) {
    logic_.reset();
  } else {
    logic_.step(cycle_, job.read(),
                {.words_ready = words_ready.read(),
                 .input_level = input_level.read(),
                 .residual_level = residual_level.read(),
                 .visits_drained = visits_drained.read()});
  }
  state.write(logic_.state());
  inputs_released.write(logic_.inputs_released());
}

}  // namespace lpa::hw
