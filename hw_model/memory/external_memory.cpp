#include "hw_model/memory/external_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

namespace lpa::hw {
namespace {

// With a resolution of 1 ps the kernel's own integers are picoseconds, and no sc_time need be multiplied or divided.
std::uint64_t now_ps() {
  return sc_core::sc_time_stamp().value();
}

/// From now to the given time; nothing if it is over.
sc_core::sc_time from_now(std::uint64_t ps) {
  const std::uint64_t now = now_ps();
  return sc_core::sc_time::from_value(std::max(ps, now) - now);
}

}  // namespace

void ExternalMemory::FreeDeleter::operator()(std::uint8_t* bytes) const {
  std::free(bytes);
}

ExternalMemory::ExternalMemory(const sc_core::sc_module_name& name, const MachineConfig& config, Protocol protocol,
                               std::unique_ptr<MemoryTiming> timing)
    : sc_module(name),
      size_(static_cast<std::uint64_t>(config.memory.mib) << 20),
      // calloc: pages that nobody touches cost nothing.
      bytes_(static_cast<std::uint8_t*>(std::calloc(size_, 1))),
      timing_(timing ? std::move(timing) : make_memory_timing(config)),
      protocol_(protocol) {
  if (bytes_ == nullptr) throw std::bad_alloc();
  if (sc_core::sc_get_time_resolution() != sc_core::sc_time(1, sc_core::SC_PS)) {
    throw ConfigError("the time resolution of SystemC is " + sc_core::sc_get_time_resolution().to_string() +
                      ": expected 1 ps");
  }
  machine.register_nb_transport_fw(this, &ExternalMemory::nb_transport_fw);
  machine.register_b_transport(this, &ExternalMemory::timed_transport);
  machine.register_transport_dbg(this, &ExternalMemory::transport_dbg);
  machine.register_get_direct_mem_ptr(this, &ExternalMemory::get_direct_mem_ptr);
  host.register_b_transport(this, &ExternalMemory::untimed_transport);
  host.register_transport_dbg(this, &ExternalMemory::transport_dbg);
  host.register_get_direct_mem_ptr(this, &ExternalMemory::get_direct_mem_ptr);
  SC_HAS_PROCESS(ExternalMemory);
  SC_METHOD(respond);
  sensitive << respond_event_;
  dont_initialize();
}

void ExternalMemory::access(tlm::tlm_generic_payload& payload) {
  const std::uint64_t address = payload.get_address();
  const unsigned length = payload.get_data_length();
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    return;
  }
  if (payload.get_streaming_width() < length) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  if (length > size_ || address > size_ - length) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  if (payload.is_write()) {
    std::memcpy(bytes_.get() + address, payload.get_data_ptr(), length);
  } else if (payload.is_read()) {
    std::memcpy(payload.get_data_ptr(), bytes_.get() + address, length);
  }
  payload.set_dmi_allowed(true);
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

std::uint64_t ExternalMemory::serve(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
  access(payload);
  last_arrival_ = std::max<std::uint64_t>(last_arrival_, now_ps() + delay.value());
  return timing_->serve(payload.get_address(), payload.get_data_length(), payload.is_write(), last_arrival_);
}

tlm::tlm_sync_enum ExternalMemory::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                   sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    const std::uint64_t at = serve(payload, delay);
    if (protocol_ == Protocol::annotated) {
      delay = from_now(at);
      return tlm::TLM_COMPLETED;
    }
    queue_response(payload, at);
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
  }
  if (phase != tlm::END_RESP) return tlm::TLM_ACCEPTED;
  end_response(delay);
  schedule();
  return tlm::TLM_COMPLETED;
}

void ExternalMemory::timed_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  delay = from_now(serve(payload, delay));
}

void ExternalMemory::untimed_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
  access(payload);
}

unsigned ExternalMemory::transport_dbg(tlm::tlm_generic_payload& payload) {
  access(payload);
  return payload.is_response_ok() ? payload.get_data_length() : 0;
}

bool ExternalMemory::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
  dmi.init();
  dmi.set_dmi_ptr(bytes_.get());
  dmi.set_start_address(0);
  dmi.set_end_address(size_ - 1);
  dmi.allow_read_write();
  return true;
}

void ExternalMemory::queue_response(tlm::tlm_generic_payload& payload, std::uint64_t at) {
  payload.acquire();
  auto place = pending_.end();
  while (place != pending_.begin() && std::prev(place)->at > at) --place;
  const bool first = place == pending_.begin();
  pending_.insert(place, {&payload, at});
  if (first) schedule();
}

void ExternalMemory::schedule() {
  if (pending_.empty() || response_open_) return;
  respond_event_.notify(from_now(std::max(pending_.front().at, response_free_at_)));
}

void ExternalMemory::end_response(const sc_core::sc_time& delay) {
  response_open_ = false;
  response_free_at_ = now_ps() + delay.value();
}

void ExternalMemory::respond() {
  while (!pending_.empty() && !response_open_) {
    const Pending next = pending_.front();
    if (std::max(next.at, response_free_at_) > now_ps()) {
      schedule();
      return;
    }
    pending_.pop_front();
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    response_open_ = true;
    const auto answer = machine->nb_transport_bw(*next.payload, phase, delay);
    if (answer == tlm::TLM_COMPLETED || (answer == tlm::TLM_UPDATED && phase == tlm::END_RESP)) end_response(delay);
    next.payload->release();
  }
}

}  // namespace lpa::hw
