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

// Enumerations by their number. The trace file keeps a reference, so it must be to the signal's own byte.
inline void sc_trace(sc_core::sc_trace_file* file, const PpuState& state, const std::string& name) {
  sc_core::sc_trace(file, reinterpret_cast<const unsigned char&>(state), name, 2);
}

inline void sc_trace(sc_core::sc_trace_file* file, const Cause& cause, const std::string& name) {
  sc_core::sc_trace(file, reinterpret_cast<const unsigned char&>(cause), name, 3);
}

}  // namespace lpa::hw
