// The machine whose array takes SCALE-Sim's compute cycles.
#pragma once

#include <filesystem>

#include "hw_model/machine_config.h"
#include "traces/scalesim_config.h"

namespace lpa::driver {

/// A weight-stationary array as SCALE-Sim models it, of that size, with buffers and memory that it hardly ever waits
/// for: hw_model/README.md, "Compared with SCALE-Sim". Its counter array_span is what SCALE-Sim prints as compute
/// cycles.
hw::MachineConfig scalesim_machine(int rows, int columns);

/// The same for a configuration of SCALE-Sim. With InterfaceBandwidth = USER, its SRAMs are the buffers, both halves
/// together, and its Bandwidth is that of external memory, which all three share. Throws workloads::InputError with
/// file, line and key if a value is beyond what the machine can have.
hw::MachineConfig scalesim_machine(const traces::ScalesimConfig& config);

/// The machine of a configuration file of SCALE-Sim. Throws workloads::InputError.
hw::MachineConfig read_scalesim_machine(const std::filesystem::path& path);

}  // namespace lpa::driver
