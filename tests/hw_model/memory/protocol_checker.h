// Stands between an initiator and a target and judges both by the rules of the TLM-2.0 base protocol.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

namespace lpa::test {

/// Passes every call on, and collects what is wrong with it: phases, exclusion rules (in the order of the calls),
/// attributes, response status, memory management and time. Call finish() at the end of the simulation.
class ProtocolChecker : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<ProtocolChecker> initiator{"initiator"};  ///< Bind the initiator to this one,
  tlm_utils::simple_initiator_socket<ProtocolChecker> target{"target"};     ///< and this one to the target.

  explicit ProtocolChecker(const sc_core::sc_module_name& name);

  /// The first twenty violations, one line each.
  const std::vector<std::string>& errors() const { return errors_; }
  std::uint64_t transactions() const { return transactions_; }
  /// Complains about transactions that were never completed, and about references that nobody gave back.
  void finish();

 private:
  enum class State { request, accepted, response, done };
  /// What the initiator set, which nobody may change while the transaction lives.
  struct Attributes {
    tlm::tlm_command command;
    std::uint64_t address;
    unsigned char* data;
    unsigned length, streaming_width;
    unsigned char* byte_enables;
    unsigned byte_enable_length;
    bool operator==(const Attributes&) const = default;
  };
  struct Transaction {
    State state = State::request;
    Attributes attributes{};
    std::vector<unsigned char> written;
    tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
    sc_core::sc_time last;  ///< Of its last phase.
  };

  tlm::tlm_sync_enum forward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  tlm::tlm_sync_enum backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);
  void begin(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay);
  void answer(tlm::tlm_generic_payload& payload, tlm::tlm_sync_enum sync, const tlm::tlm_phase& sent,
              const tlm::tlm_phase& phase, bool from_target, const sc_core::sc_time& before,
              const sc_core::sc_time& delay);
  /// One phase change of a transaction, by whichever way it was told.
  void advance(tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, bool from_target,
               const sc_core::sc_time& delay);
  void end_request(tlm::tlm_generic_payload& payload);
  void begin_response(tlm::tlm_generic_payload& payload, Transaction& transaction);
  void complete(tlm::tlm_generic_payload& payload, Transaction& transaction);
  void check_constant(const tlm::tlm_generic_payload& payload, const Transaction& transaction);
  static Attributes attributes(const tlm::tlm_generic_payload& payload);
  void expect(bool ok, const std::string& what, const tlm::tlm_generic_payload& payload);

  std::map<tlm::tlm_generic_payload*, Transaction> live_;
  std::set<tlm::tlm_generic_payload*> seen_;
  tlm::tlm_generic_payload* open_request_ = nullptr;
  tlm::tlm_generic_payload* open_response_ = nullptr;
  sc_core::sc_time last_request_;
  std::uint64_t transactions_ = 0;
  std::vector<std::string> errors_;
};

}  // namespace lpa::test
