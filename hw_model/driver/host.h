// The host processor: a thread of software that drives the machine through TLM-2.0 transactions only.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include "hw_model/control/descriptor.h"
#include "hw_model/counters.h"

namespace lpa::driver {

class Host : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<Host> memory{"memory"};
  tlm_utils::simple_initiator_socket<Host> registers{"registers"};
  sc_core::sc_in<bool> irq{"irq"};

  /// `software` runs once, as a thread of the simulation; the simulation stops when it returns. What it throws is kept
  /// for rethrow().
  Host(const sc_core::sc_module_name& name, std::function<void(Host&)> software);

  // For the software. All throw MachineError if the target answers with an error.
  void write_memory(std::uint64_t address, const std::vector<std::uint8_t>& bytes);
  std::vector<std::uint8_t> read_memory(std::uint64_t address, std::size_t bytes);
  void write_register(std::uint32_t address, std::uint32_t value);
  std::uint32_t read_register(std::uint32_t address);
  hw::Counters read_counters();

  /// Writes the descriptors to memory, clears the counters, rings the doorbell, waits for the interrupt, acknowledges
  /// it and returns the counters. Throws MachineError if the machine ends with an error: it names descriptor and field.
  hw::Counters run(std::uint64_t descriptor_address, const std::vector<hw::Descriptor>& descriptors);

  /// Throws what the software threw, if anything, and MachineError if it waits for something that will never happen.
  /// Call after sc_start.
  void rethrow() const;

 private:
  void thread();
  void acknowledge();
  void transport(tlm_utils::simple_initiator_socket<Host>& socket, tlm::tlm_command command, std::uint64_t address,
                 std::uint8_t* data, std::size_t bytes, const char* what);

  std::function<void(Host&)> software_;
  bool finished_ = false;
  std::exception_ptr failure_;
};

}  // namespace lpa::driver
