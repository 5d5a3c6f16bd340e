#include "tests/hw_model/memory/protocol_checker.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

namespace lpa::test {

ProtocolChecker::ProtocolChecker(const sc_core::sc_module_name& name) : sc_module(name) {
  initiator.register_nb_transport_fw(this, &ProtocolChecker::forward);
  target.register_nb_transport_bw(this, &ProtocolChecker::backward);
}

void ProtocolChecker::expect(bool ok, const std::string& what, const tlm::tlm_generic_payload& payload) {
  if (ok || errors_.size() >= 20) return;
  errors_.push_back(
      fmt::format("{}: {} address {:#x}", what, sc_core::sc_time_stamp().to_string(), payload.get_address()));
}

ProtocolChecker::Attributes ProtocolChecker::attributes(const tlm::tlm_generic_payload& p) {
  return {p.get_command(),         p.get_address(),         p.get_data_ptr(),          p.get_data_length(),
          p.get_streaming_width(), p.get_byte_enable_ptr(), p.get_byte_enable_length()};
}

tlm::tlm_sync_enum ProtocolChecker::forward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                            sc_core::sc_time& delay) {
  const tlm::tlm_phase sent = phase;
  const sc_core::sc_time before = delay;
  if (phase == tlm::BEGIN_REQ) {
    begin(payload, delay);
  } else {
    expect(phase == tlm::END_RESP, "initiator sends a phase of the target", payload);
    advance(payload, phase, false, delay);
  }
  const auto sync = target->nb_transport_fw(payload, phase, delay);
  if (sent == tlm::BEGIN_REQ) {
    answer(payload, sync, sent, phase, true, before, delay);
  } else {
    expect(sync != tlm::TLM_UPDATED && phase == sent, "target answers END_RESP with a phase", payload);
  }
  return sync;
}

tlm::tlm_sync_enum ProtocolChecker::backward(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                             sc_core::sc_time& delay) {
  const tlm::tlm_phase sent = phase;
  const sc_core::sc_time before = delay;
  expect(phase == tlm::END_REQ || phase == tlm::BEGIN_RESP, "target sends a phase of the initiator", payload);
  advance(payload, phase, true, delay);
  const auto sync = initiator->nb_transport_bw(payload, phase, delay);
  answer(payload, sync, sent, phase, false, before, delay);
  return sync;
}

void ProtocolChecker::begin(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
  expect(!live_.contains(&payload), "BEGIN_REQ of a transaction under way", payload);
  expect(open_request_ == nullptr, "BEGIN_REQ while a request is open", payload);
  expect(payload.has_mm() && payload.get_ref_count() > 0, "payload without memory manager or reference", payload);
  expect(payload.get_response_status() == tlm::TLM_INCOMPLETE_RESPONSE, "BEGIN_REQ with a response", payload);
  expect(!payload.is_dmi_allowed(), "BEGIN_REQ with the DMI hint", payload);
  expect(payload.get_data_length() > 0 && payload.get_data_ptr() != nullptr && payload.get_streaming_width() > 0,
         "payload without data", payload);
  const sc_core::sc_time at = sc_core::sc_time_stamp() + delay;
  expect(at >= last_request_, "BEGIN_REQ before an earlier one", payload);
  last_request_ = at;
  Transaction& transaction = live_[&payload];
  transaction = Transaction{};
  transaction.attributes = attributes(payload);
  transaction.last = at;
  if (payload.is_write()) {
    transaction.written.assign(payload.get_data_ptr(), payload.get_data_ptr() + payload.get_data_length());
  }
  seen_.insert(&payload);
  open_request_ = &payload;
  ++transactions_;
}

void ProtocolChecker::answer(tlm::tlm_generic_payload& payload, tlm::tlm_sync_enum sync, const tlm::tlm_phase& sent,
                             const tlm::tlm_phase& phase, bool from_target, const sc_core::sc_time& before,
                             const sc_core::sc_time& delay) {
  expect(delay >= before, "delay made smaller", payload);
  if (sync == tlm::TLM_ACCEPTED) {
    expect(phase == sent, "TLM_ACCEPTED with another phase", payload);
    return;
  }
  if (sync == tlm::TLM_UPDATED) {
    expect(phase != sent, "TLM_UPDATED without another phase", payload);
    if (phase != sent) advance(payload, phase, from_target, delay);
    return;
  }
  const auto place = live_.find(&payload);
  if (place == live_.end()) return;
  Transaction& transaction = place->second;
  // TLM_COMPLETED: all phases to come are over.
  if (from_target) {
    end_request(payload);
    begin_response(payload, transaction);
  } else {
    expect(transaction.state == State::response, "initiator completes a transaction without a response", payload);
  }
  expect(sc_core::sc_time_stamp() + delay >= transaction.last, "time runs backwards", payload);
  complete(payload, transaction);
}

void ProtocolChecker::advance(tlm::tlm_generic_payload& payload, const tlm::tlm_phase& phase, bool from_target,
                              const sc_core::sc_time& delay) {
  const auto place = live_.find(&payload);
  expect(place != live_.end(), "phase of a transaction that is not under way", payload);
  if (place == live_.end()) return;
  Transaction& transaction = place->second;
  const sc_core::sc_time at = sc_core::sc_time_stamp() + delay;
  expect(at >= transaction.last, "time runs backwards", payload);
  transaction.last = at;
  check_constant(payload, transaction);
  if (phase == tlm::END_REQ && from_target) {
    expect(transaction.state == State::request, "END_REQ out of place", payload);
    end_request(payload);
    transaction.state = State::accepted;
  } else if (phase == tlm::BEGIN_RESP && from_target) {
    expect(transaction.state != State::response, "BEGIN_RESP out of place", payload);
    end_request(payload);
    begin_response(payload, transaction);
  } else if (phase == tlm::END_RESP && !from_target) {
    expect(transaction.state == State::response, "END_RESP out of place", payload);
    complete(payload, transaction);
  } else {
    expect(false, "phase of the other side", payload);
  }
}

void ProtocolChecker::end_request(tlm::tlm_generic_payload& payload) {
  if (open_request_ == &payload) open_request_ = nullptr;
}

void ProtocolChecker::begin_response(tlm::tlm_generic_payload& payload, Transaction& transaction) {
  expect(open_response_ == nullptr, "BEGIN_RESP while a response is open", payload);
  expect(payload.get_response_status() != tlm::TLM_INCOMPLETE_RESPONSE, "response without a status", payload);
  transaction.status = payload.get_response_status();
  transaction.state = State::response;
  open_response_ = &payload;
}

void ProtocolChecker::complete(tlm::tlm_generic_payload& payload, Transaction& transaction) {
  check_constant(payload, transaction);
  expect(payload.get_response_status() == transaction.status, "response status changed", payload);
  if (open_response_ == &payload) open_response_ = nullptr;
  live_.erase(&payload);
}

void ProtocolChecker::check_constant(const tlm::tlm_generic_payload& payload, const Transaction& transaction) {
  expect(payload.get_ref_count() > 0, "payload released while under way", payload);
  const bool same = attributes(payload) == transaction.attributes;
  expect(same, "attributes changed", payload);
  if (!same) return;
  expect(std::ranges::equal(transaction.written, std::span(payload.get_data_ptr(), transaction.written.size())),
         "data of a write changed", payload);
}

void ProtocolChecker::finish() {
  for (const auto& [payload, transaction] : live_) expect(false, "transaction never completed", *payload);
  for (const auto* payload : seen_) {
    if (live_.contains(const_cast<tlm::tlm_generic_payload*>(payload))) continue;
    expect(payload->get_ref_count() == 0, "reference never released", *payload);
  }
}

}  // namespace lpa::test
