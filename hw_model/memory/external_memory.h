// External memory as a TLM-2.0 target. What it answers is its storage; when it answers is its MemoryTiming.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

#include "hw_model/machine_config.h"
#include "hw_model/memory/memory_timing.h"

namespace lpa::hw {

/// How a memory speaks on its machine socket.
enum class Protocol {
  /// BEGIN_REQ is answered with END_REQ, BEGIN_RESP comes at the response's time. One response is open at a time; the
  /// others wait, in the order of their times, equal ones in order of arrival.
  four_phase,
  /// BEGIN_REQ is answered with TLM_COMPLETED, the delay raised to the response's time. The caller may be ahead of the
  /// simulated time, but by no less than in its call before: an arrival before an earlier one counts as simultaneous.
  annotated
};

/// Bytes move when a transaction arrives, whatever the protocol. Accesses beyond the end, with byte enables or with a
/// streaming width get their TLM error response; they take the time of a good one.
class ExternalMemory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ExternalMemory> machine{"machine"};  ///< Timed; b_transport is annotated.
  tlm_utils::simple_target_socket<ExternalMemory> host{"host"};        ///< b_transport takes no simulated time.

  /// With a timing of the caller's own, or with that of the configuration. Throws ConfigError unless the kernel's time
  /// resolution is 1 ps.
  ExternalMemory(const sc_core::sc_module_name& name, const MachineConfig& config,
                 Protocol protocol = Protocol::four_phase, std::unique_ptr<MemoryTiming> timing = nullptr);

  MemoryTiming& timing() { return *timing_; }
  const MemoryTiming& timing() const { return *timing_; }

 private:
  struct FreeDeleter {
    void operator()(std::uint8_t* bytes) const;
  };
  struct Pending {
    tlm::tlm_generic_payload* payload;
    std::uint64_t at;  ///< ps
  };

  void access(tlm::tlm_generic_payload& payload);
  /// Moves the bytes and returns the time of the response.
  std::uint64_t serve(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void timed_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  void untimed_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);
  unsigned transport_dbg(tlm::tlm_generic_payload& payload);
  bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi);
  void queue_response(tlm::tlm_generic_payload& payload, std::uint64_t at);
  /// Notifies the next response if it may begin without anybody's doing.
  void schedule();
  void end_response(const sc_core::sc_time& delay);
  void respond();

  std::uint64_t size_;
  std::unique_ptr<std::uint8_t[], FreeDeleter> bytes_;
  std::unique_ptr<MemoryTiming> timing_;
  Protocol protocol_;
  std::uint64_t last_arrival_ = 0;
  std::deque<Pending> pending_;         ///< In the order of their times.
  bool response_open_ = false;          ///< BEGIN_RESP sent, END_RESP not yet seen.
  std::uint64_t response_free_at_ = 0;  ///< When the last END_RESP takes effect.
  sc_core::sc_event respond_event_;
};

}  // namespace lpa::hw
