// External memory with a fixed latency and a bandwidth shared by all transactions.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw_model/machine_config.h"

namespace lpa::hw {

/// A transaction of b bytes occupies the memory for ceil(b / bytes_per_cycle) cycles, in order of arrival; its response
/// begins `latency` cycles after that. Accesses beyond the end get TLM_ADDRESS_ERROR_RESPONSE.
class IdealMemory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<IdealMemory> machine{"machine"};  ///< Approximately timed.
  tlm_utils::simple_target_socket<IdealMemory> host{"host"};        ///< Loosely timed: takes no simulated time.

  IdealMemory(const sc_core::sc_module_name& name, const MachineConfig& config);

 private:
  struct FreeDeleter {
    void operator()(std::uint8_t* bytes) const;
  };
  struct Pending {
    tlm::tlm_generic_payload* payload;
    sc_core::sc_time at;
  };

  void access(tlm::tlm_generic_payload& payload);
  void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned transport_dbg(tlm::tlm_generic_payload& payload);
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void respond();

  std::uint64_t size_;
  std::unique_ptr<std::uint8_t[], FreeDeleter> bytes_;
  sc_core::sc_time period_;
  int latency_, bytes_per_cycle_;
  sc_core::sc_time free_at_;
  std::deque<Pending> pending_;
  bool response_open_ = false;  ///< BEGIN_RESP sent, END_RESP not yet seen.
  sc_core::sc_event respond_event_;
};

}  // namespace lpa::hw
