#include "hw_model/memory/ideal_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace lpa::hw {

void IdealMemory::FreeDeleter::operator()(std::uint8_t* bytes) const {
  std::free(bytes);
}

IdealMemory::IdealMemory(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name),
      size_(static_cast<std::uint64_t>(config.memory.mib) << 20),
      // calloc: pages that nobody touches cost nothing.
      bytes_(static_cast<std::uint8_t*>(std::calloc(size_, 1))),
      period_(1e6 / config.clock_mhz, sc_core::SC_PS),
      latency_(config.memory.latency),
      bytes_per_cycle_(config.memory.bytes_per_cycle) {
  if (bytes_ == nullptr) throw std::bad_alloc();
  machine.register_nb_transport_fw(this, &IdealMemory::nb_transport_fw);
  machine.register_transport_dbg(this, &IdealMemory::transport_dbg);
  host.register_b_transport(this, &IdealMemory::b_transport);
  host.register_transport_dbg(this, &IdealMemory::transport_dbg);
  SC_HAS_PROCESS(IdealMemory);
  SC_METHOD(respond);
  sensitive << respond_event_;
  dont_initialize();
}

void IdealMemory::access(tlm::tlm_generic_payload& payload) {
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
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void IdealMemory::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
  access(payload);
}

unsigned IdealMemory::transport_dbg(tlm::tlm_generic_payload& payload) {
  access(payload);
  return payload.is_response_ok() ? payload.get_data_length() : 0;
}

tlm::tlm_sync_enum IdealMemory::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                sc_core::sc_time& delay) {
  if (phase == tlm::END_RESP) {
    response_open_ = false;
    respond_event_.notify(delay);
    return tlm::TLM_COMPLETED;
  }
  payload.acquire();
  const sc_core::sc_time arrival = sc_core::sc_time_stamp() + delay;
  const int cycles = (static_cast<int>(payload.get_data_length()) + bytes_per_cycle_ - 1) / bytes_per_cycle_;
  free_at_ = std::max(free_at_, arrival) + cycles * period_;
  const sc_core::sc_time response_at = free_at_ + latency_ * period_;
  if (pending_.empty() && !response_open_) respond_event_.notify(response_at - sc_core::sc_time_stamp());
  pending_.push_back({&payload, response_at});
  phase = tlm::END_REQ;
  return tlm::TLM_UPDATED;
}

void IdealMemory::respond() {
  while (!pending_.empty() && !response_open_) {
    const Pending next = pending_.front();
    if (next.at > sc_core::sc_time_stamp()) {
      respond_event_.notify(next.at - sc_core::sc_time_stamp());
      return;
    }
    pending_.pop_front();
    access(*next.payload);
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    const auto answer = machine->nb_transport_bw(*next.payload, phase, delay);
    response_open_ = answer != tlm::TLM_COMPLETED && !(answer == tlm::TLM_UPDATED && phase == tlm::END_RESP);
    next.payload->release();
  }
}

}  // namespace lpa::hw
