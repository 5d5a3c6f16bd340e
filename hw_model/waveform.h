// A waveform of a machine over a window of cycles.
#pragma once

#include <systemc>

#include "hw_model/machine.h"
#include "hw_model/waveform_window.h"

namespace lpa::hw {

/// Traces the machine's pins and those of every PE within the window. The file is complete when the object is gone;
/// there is none if the simulation ends before the window begins.
class Waveform : public sc_core::sc_module {
 public:
  Waveform(const sc_core::sc_module_name& name, const Machine& machine, WaveformWindow window);
  ~Waveform() override;

 private:
  void record();
  void close();

  const Machine& machine_;
  WaveformWindow window_;
  sc_core::sc_trace_file* trace_ = nullptr;
  sc_core::sc_time begin_;
};

}  // namespace lpa::hw
