#include "hw_model/memory/output_port.h"

namespace lpa::hw {

OutputPort::OutputPort(const sc_core::sc_module_name& name, const MachineConfig& config, DmaPort& port,
                       OutputStore& store)
    : sc_module(name), logic_(config, port, store) {
  SC_HAS_PROCESS(OutputPort);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void OutputPort::step() {
  ++cycle_;
  if (reset.read()) {
    logic_.reset();
  } else {
    logic_.step(cycle_, job.read());
  }
  visits_drained.write(logic_.visits_drained());
  residual_level.write(logic_.residual_level());
}

}  // namespace lpa::hw
