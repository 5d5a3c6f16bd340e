#include "hw_model/waveform.h"

#include <utility>

namespace lpa::hw {

Waveform::Waveform(const sc_core::sc_module_name& name, const Machine& machine, WaveformWindow window)
    : sc_module(name), machine_(machine), window_(std::move(window)) {
  SC_HAS_PROCESS(Waveform);
  SC_THREAD(record);
}

Waveform::~Waveform() {
  close();
}

void Waveform::record() {
  const auto period_ps = static_cast<double>(machine_.config().period_ps());
  const auto cycles = [period_ps](std::uint64_t count) {
    return sc_core::sc_time(period_ps * static_cast<double>(count), sc_core::SC_PS);
  };
  wait(cycles(window_.first_cycle));
  // SystemC appends ".vcd" itself. A file that is made during simulation begins here.
  trace_ = sc_core::sc_create_vcd_trace_file((window_.file.parent_path() / window_.file.stem()).c_str());
  trace_->set_time_unit(1, sc_core::SC_PS);
  machine_.trace_pins(trace_, "lpa");
  wait(cycles(window_.cycles));
  close();
}

void Waveform::close() {
  if (trace_ != nullptr) sc_core::sc_close_vcd_trace_file(trace_);
  trace_ = nullptr;
}

}  // namespace lpa::hw
