#include "hw_model/driver/system.h"

#if defined(__SANITIZE_ADDRESS__)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace lpa::driver {
namespace {

/// SystemC tells AddressSanitizer of every switch to a coroutine's stack, but not where the main stack is when it
/// returns to it; an exception would then be reported as a stack overflow. This tells it.
void restore_sanitizer_stack() {
#if defined(__SANITIZE_ADDRESS__)
  pthread_attr_t attributes;
  void* stack = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
  pthread_attr_getstack(&attributes, &stack, &size);
  pthread_attr_destroy(&attributes);
  __sanitizer_start_switch_fiber(nullptr, stack, size);
  __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

}  // namespace

System::System(const hw::MachineConfig& config, ModelKind model, std::function<void(Host&)> software)
    : System(config, model, hw::Protocol::annotated, std::move(software)) {}

System::System(const hw::MachineConfig& config, ModelKind model, hw::Protocol protocol,
               std::function<void(Host&)> software)
    : period_(static_cast<double>(config.period_ps()), sc_core::SC_PS),
      memory_("memory", config, model == ModelKind::fast ? protocol : hw::Protocol::four_phase),
      host_("host", std::move(software)) {
  host_.irq(irq_);
  host_.memory.bind(memory_.host);
  if (model == ModelKind::fast) {
    fast_machine_ = std::make_unique<hw::FastMachine>("machine", config);
    connect(*fast_machine_);
    fast_machine_->set_memory_timing(&memory_.timing());
  } else {
    clock_ = std::make_unique<sc_core::sc_clock>("clock", period_, 0.5, period_);
    machine_ = std::make_unique<hw::Machine>("machine", config);
    machine_->clk(*clock_);
    connect(*machine_);
  }
}

void System::connect(auto& machine) {
  machine.irq(irq_);
  machine.memory_socket().bind(memory_.machine);
  host_.registers.bind(machine.control_socket());
}

void System::run() {
  sc_core::sc_start();
  restore_sanitizer_stack();
  host_.rethrow();
}

void System::set_values(bool on) {
  if (fast_machine_) fast_machine_->set_values(on);
}

void System::set_timeline(hw::Timeline* timeline) {
  if (fast_machine_) fast_machine_->set_timeline(timeline);
  if (machine_) machine_->set_timeline(timeline);
}

}  // namespace lpa::driver
