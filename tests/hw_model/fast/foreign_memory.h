// A memory of any manners that the TLM-2.0 base protocol allows, in the place of ExternalMemory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_target_socket.h>

namespace lpa::test {

/// How a memory answers a request; all times count from the request's own, which may lie ahead.
enum class Manner : std::uint8_t {
  completes,      ///< TLM_COMPLETED
  responds,       ///< TLM_UPDATED with BEGIN_RESP
  ends_request,   ///< TLM_UPDATED with END_REQ, later BEGIN_RESP
  accepts,        ///< TLM_ACCEPTED, later END_REQ and BEGIN_RESP, each in its time
  skips_end_req,  ///< TLM_ACCEPTED, later BEGIN_RESP
  annotates,      ///< TLM_ACCEPTED, in the next delta cycle END_REQ and BEGIN_RESP with their times as delays
  annotates_one,  ///< TLM_ACCEPTED, in the next delta cycle BEGIN_RESP with its time as delay
  mixed           ///< Any of these, request by request; hits and misses of a cache would do so
};
inline constexpr int manner_count = 8;

struct Manners {
  Manner manner = Manner::completes;
  std::uint64_t period = 1000;     ///< Of the machine's clock, ps.
  bool on_edges = false;           ///< Everything happens at the very time of an edge; else nothing does.
  int cycles = 40;                 ///< At most from a request to its response, about. Responses overtake each other.
  int errors_permille = 0;         ///< Requests that are refused.
  std::uint64_t seed = 0;          ///< Of all that is random.
  std::function<void()> on_event;  ///< Called at the time of some responses, whatever the manner.
};

class ForeignMemory : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ForeignMemory> machine{"machine"};
  tlm_utils::simple_target_socket<ForeignMemory> host{"host"};  ///< Takes no time and never refuses what exists.

  ForeignMemory(const sc_core::sc_module_name& name, Manners manners);

 private:
  void access(tlm::tlm_generic_payload& payload);
  void untimed_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) { access(payload); }
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void at(std::uint64_t ps, std::function<void()> what);
  void tell(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase, std::uint64_t at);
  void notify();
  void serve();

  Manners manners_;
  std::vector<std::uint8_t> bytes_;
  std::uint64_t requests_ = 0;
  std::multimap<std::uint64_t, std::function<void()>> todo_;
  sc_core::sc_event event_;
};

}  // namespace lpa::test
