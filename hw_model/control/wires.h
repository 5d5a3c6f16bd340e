// The values of job.h on signals.
#pragma once

#include <string>

#include <systemc>

#include "hw_model/control/job.h"

namespace lpa::hw {

inline void sc_trace(sc_core::sc_trace_file* file, const Job& job, const std::string& name) {
  sc_core::sc_trace(file, job.number, name + ".number");
}

inline void sc_trace(sc_core::sc_trace_file* file, const FillLevel& level, const std::string& name) {
  sc_core::sc_trace(file, level.bytes[0], name + ".bytes0");
  sc_core::sc_trace(file, level.bytes[1], name + ".bytes1");
}

inline void sc_trace(sc_core::sc_trace_file* file, const PpuState& state, const std::string& name) {
  sc_core::sc_trace(file, static_cast<int>(state), name);
}

inline void sc_trace(sc_core::sc_trace_file* file, const Cause& cause, const std::string& name) {
  sc_core::sc_trace(file, static_cast<int>(cause), name);
}

}  // namespace lpa::hw
