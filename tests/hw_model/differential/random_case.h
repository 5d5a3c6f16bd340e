// Random machines and random layers, ready to run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/driver/program.h"
#include "hw_model/machine_config.h"
#include "tests/hw_model/differential/choices.h"

namespace lpa::test {

/// What the host does besides waiting for the interrupt.
struct Interference {
  int look_after = 0;   ///< Cycles after the doorbell at which it reads all counters; 0: it does not.
  int reset_after = 0;  ///< Cycles after the doorbell at which it resets the machine, and starts over; 0: never.
};

struct Case {
  hw::MachineConfig config;
  bool four_phase = false;  ///< How memory speaks to the fast model.
  std::vector<hw::Descriptor> layers;
  std::vector<hw::Descriptor> refused;      ///< If not empty, the host tries these first; one is (likely) illegal.
  std::vector<driver::MemoryBlock> memory;  ///< Weights and maps.
  std::uint64_t output_address = 0;         ///< All outputs stand from here to
  std::uint64_t end_address = 0;            ///< here.
  Interference interference;
};

/// One to three layers of any kind on any machine, with any legal tiling.
Case make_case(Choices& choices);

/// Machine and layers, readable.
std::string to_string(const Case& test);

}  // namespace lpa::test
