#include "hw_model/memory/fill_buffer.h"

namespace lpa::hw {

FillBuffer::FillBuffer(const sc_core::sc_module_name& name, FillKind kind, const MachineConfig& config, DmaPort& port)
    : sc_module(name), logic_(kind, config, port) {
  SC_HAS_PROCESS(FillBuffer);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void FillBuffer::step() {
  ++cycle_;
  if (reset.read()) {
    logic_.reset();
  } else {
    logic_.step(cycle_, job.read(), released.read());
  }
  level.write(logic_.level());
}

}  // namespace lpa::hw
