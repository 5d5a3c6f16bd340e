#include "tests/hw_model/fast/foreign_memory.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

namespace lpa::test {
namespace {

std::uint64_t now_ps() {
  return sc_core::sc_time_stamp().value();
}

}  // namespace

ForeignMemory::ForeignMemory(const sc_core::sc_module_name& name, Manners manners)
    : sc_module(name), manners_(std::move(manners)), bytes_(1u << 20) {
  machine.register_nb_transport_fw(this, &ForeignMemory::nb_transport_fw);
  host.register_b_transport(this, &ForeignMemory::untimed_transport);
  SC_HAS_PROCESS(ForeignMemory);
  SC_METHOD(serve);
  sensitive << event_;
  dont_initialize();
}

void ForeignMemory::access(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  const std::uint64_t length = payload.get_data_length();
  if (length > bytes_.size() || address > bytes_.size() - length) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  std::uint8_t* const at = bytes_.data() + address;
  if (payload.is_write()) std::memcpy(at, payload.get_data_ptr(), length);
  if (payload.is_read()) std::memcpy(payload.get_data_ptr(), at, length);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

tlm::tlm_sync_enum ForeignMemory::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                  sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) return tlm::TLM_COMPLETED;
  std::mt19937_64 random(manners_.seed * 1000003 + requests_++ * 7919 + payload.get_address());
  const std::uint64_t arrival = now_ps() + delay.value();
  const std::uint64_t unit = manners_.on_edges ? manners_.period : 1;
  const std::uint64_t units_per_cycle = manners_.period / unit;
  const auto later = [&](std::uint64_t from, std::uint64_t cycles) {
    const std::uint64_t ps = from + unit * (random() % (cycles * units_per_cycle));
    return ps + (!manners_.on_edges && ps % manners_.period == 0 ? 1 + manners_.period / 3 : 0);
  };
  const std::uint64_t accepted = later(arrival, 4);
  const std::uint64_t response = std::max(accepted, later(arrival, static_cast<std::uint64_t>(manners_.cycles)));
  const Manner manner =
      manners_.manner == Manner::mixed ? static_cast<Manner>(random() % (manner_count - 1)) : manners_.manner;
  const bool refused = random() % 1000 < static_cast<std::uint64_t>(manners_.errors_permille);
  if (refused) {
    payload.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  } else {
    access(payload);
  }
  if (manners_.on_event && requests_ % 8 == 0) at(std::max(response, arrival + unit), manners_.on_event);

  switch (manner) {
    case Manner::completes:
      delay = sc_core::sc_time::from_value(response - now_ps());
      return tlm::TLM_COMPLETED;
    case Manner::responds:
      delay = sc_core::sc_time::from_value(response - now_ps());
      phase = tlm::BEGIN_RESP;
      return tlm::TLM_UPDATED;
    case Manner::ends_request:
      payload.acquire();
      at(response, [this, &payload, response] { tell(payload, tlm::BEGIN_RESP, response); });
      delay = sc_core::sc_time::from_value(accepted - now_ps());
      phase = tlm::END_REQ;
      return tlm::TLM_UPDATED;
    case Manner::accepts:
    case Manner::skips_end_req:
    case Manner::annotates:
    case Manner::annotates_one:
    case Manner::mixed:
      break;
  }
  payload.acquire();
  const bool annotates = manner == Manner::annotates || manner == Manner::annotates_one;
  if (manner == Manner::accepts || manner == Manner::annotates) {
    at(annotates ? now_ps() : accepted, [this, &payload, accepted] { tell(payload, tlm::END_REQ, accepted); });
  }
  at(annotates ? now_ps() : response, [this, &payload, response] { tell(payload, tlm::BEGIN_RESP, response); });
  return tlm::TLM_ACCEPTED;
}

void ForeignMemory::at(std::uint64_t ps, std::function<void()> what) {
  todo_.emplace(ps, std::move(what));
  notify();
}

/// Calls the machine; the phase begins at `at`, which may be later than now.
void ForeignMemory::tell(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase, std::uint64_t at) {
  sc_core::sc_time delay = sc_core::sc_time::from_value(at - now_ps());
  const bool ends = phase == tlm::BEGIN_RESP;
  machine->nb_transport_bw(payload, phase, delay);
  if (ends) payload.release();
}

void ForeignMemory::notify() {
  if (todo_.empty()) return;
  event_.notify(sc_core::sc_time::from_value(std::max(now_ps(), todo_.begin()->first) - now_ps()));
}

void ForeignMemory::serve() {
  while (!todo_.empty() && todo_.begin()->first <= now_ps()) {
    const std::function<void()> what = std::move(todo_.begin()->second);
    todo_.erase(todo_.begin());
    what();
  }
  notify();
}

}  // namespace lpa::test
