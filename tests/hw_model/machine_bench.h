// A machine with its memory, clock and host, on which a test runs software.
#pragma once

#include <functional>

#include <systemc>

#include "hw_model/driver/host.h"
#include "hw_model/machine.h"
#include "hw_model/memory/external_memory.h"

namespace lpa::test {

class MachineBench {
 public:
  explicit MachineBench(const hw::MachineConfig& config)
      : clock_("clock", sc_core::sc_time(static_cast<double>(config.period_ps()), sc_core::SC_PS)),
        machine("machine", config),
        memory("memory", config),
        host_("host", [this](driver::Host& host) { software_(host); }) {
    machine.clk(clock_);
    machine.irq(irq);
    machine.memory_socket().bind(memory.machine);
    host_.irq(irq);
    host_.memory.bind(memory.host);
    host_.registers.bind(machine.control_socket());
  }

  /// Runs the software to its end. Throws what it throws.
  void run(std::function<void(driver::Host&)> software) {
    software_ = std::move(software);
    sc_core::sc_start();
    host_.rethrow();
  }

  /// For the software: lets some cycles pass.
  void wait_cycles(int cycles) { sc_core::wait(cycles * clock_.period()); }

 private:
  sc_core::sc_clock clock_;

 public:
  sc_core::sc_signal<bool> irq{"irq"};
  hw::Machine machine;
  hw::ExternalMemory memory;

 private:
  driver::Host host_;
  std::function<void(driver::Host&)> software_;
};

}  // namespace lpa::test
