// A machine of either model with all it needs to run: clock, external memory and host.
#pragma once

#include <functional>
#include <memory>

#include <systemc>

#include "hw_model/driver/host.h"
#include "hw_model/driver/model_kind.h"
#include "hw_model/fast/fast_machine.h"
#include "hw_model/machine.h"
#include "hw_model/memory/external_memory.h"

namespace lpa::driver {

/// Edge e of the pin-level machine's clock lies at e periods, as the fast model's edges do.
class System {
 public:
  /// `software` runs once, on the host. Throws hw::ConfigError. One system per process: SystemC elaborates once.
  System(const hw::MachineConfig& config, ModelKind model, std::function<void(Host&)> software);
  /// With a memory that speaks as told to the fast model; to the pin-level model it speaks four phases.
  System(const hw::MachineConfig& config, ModelKind model, hw::Protocol protocol, std::function<void(Host&)> software);

  /// Runs the software to its end. Throws what it throws.
  void run();

  /// Fast model only: see FastMachine::set_values.
  void set_values(bool on);
  void set_timeline(hw::Timeline* timeline);

  const hw::Machine* pin_level() const { return machine_.get(); }              ///< Null for the fast model.
  const hw::FastMachine* fast_machine() const { return fast_machine_.get(); }  ///< Null for the pin-level model.
  const hw::ExternalMemory& memory() const { return memory_; }
  const sc_core::sc_signal<bool>& irq() const { return irq_; }
  sc_core::sc_time period() const { return period_; }

 private:
  void connect(auto& machine);

  sc_core::sc_time period_;
  std::unique_ptr<sc_core::sc_clock> clock_;
  sc_core::sc_signal<bool> irq_{"irq"};
  hw::ExternalMemory memory_;
  Host host_;
  std::unique_ptr<hw::Machine> machine_;
  std::unique_ptr<hw::FastMachine> fast_machine_;
};

}  // namespace lpa::driver
