// The pin-level machine with all it needs, on which a test runs software.
#pragma once

#include <functional>

#include <systemc>

#include "hw_model/driver/system.h"

namespace lpa::test {

class MachineBench {
 public:
  explicit MachineBench(const hw::MachineConfig& config)
      : system_(config, driver::ModelKind::pin, [this](driver::Host& host) { software_(host); }) {}

  /// Runs the software to its end. Throws what it throws.
  void run(std::function<void(driver::Host&)> software) {
    software_ = std::move(software);
    system_.run();
  }

  /// For the software: lets some cycles pass.
  void wait_cycles(int cycles) { sc_core::wait(cycles * system_.period()); }

 private:
  driver::System system_;
  std::function<void(driver::Host&)> software_;

 public:
  const hw::Machine& machine = *system_.pin_level();
  const sc_core::sc_signal<bool>& irq = system_.irq();
};

}  // namespace lpa::test
