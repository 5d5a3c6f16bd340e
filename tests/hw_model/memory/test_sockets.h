// Payloads with a memory manager, and sockets whose other side is a lambda of the test.
#pragma once

#include <functional>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

namespace lpa::test {

/// Memory manager that only counts: the payloads live as long as their test.
struct CountingManager : tlm::tlm_mm_interface {
  int freed = 0;
  void free(tlm::tlm_generic_payload*) override { ++freed; }
};

/// One transaction; it holds one reference to itself until release().
struct Request : tlm::tlm_generic_payload {
  CountingManager manager;
  std::vector<std::uint8_t> data;

  Request(bool write, std::uint64_t address, std::vector<std::uint8_t> bytes) : data(std::move(bytes)) {
    set_mm(&manager);
    acquire();
    set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
    set_address(address);
    set_data_ptr(data.data());
    set_data_length(static_cast<unsigned>(data.size()));
    set_streaming_width(static_cast<unsigned>(data.size()));
  }
};

using TransportFunction =
    std::function<tlm::tlm_sync_enum(tlm::tlm_generic_payload&, tlm::tlm_phase&, sc_core::sc_time&)>;

class TestInitiator : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<TestInitiator> socket{"socket"};
  /// By default ends every response at once.
  TransportFunction on_backward = [](auto&, tlm::tlm_phase& phase, auto&) {
    if (phase != tlm::BEGIN_RESP) return tlm::TLM_ACCEPTED;
    phase = tlm::END_RESP;
    return tlm::TLM_COMPLETED;
  };

  explicit TestInitiator(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.register_nb_transport_bw(this, &TestInitiator::nb_transport_bw);
  }

  struct Answer {
    tlm::tlm_sync_enum sync;
    tlm::tlm_phase phase;
    sc_core::sc_time delay;
  };
  Answer send(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase = tlm::BEGIN_REQ,
              sc_core::sc_time delay = sc_core::SC_ZERO_TIME) {
    const auto sync = socket->nb_transport_fw(payload, phase, delay);
    return {sync, phase, delay};
  }

 private:
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    return on_backward(payload, phase, delay);
  }
};

class TestTarget : public sc_core::sc_module {
 public:
  tlm_utils::simple_target_socket<TestTarget> socket{"socket"};
  TransportFunction on_forward = [](auto&, auto&, auto&) { return tlm::TLM_ACCEPTED; };

  explicit TestTarget(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.register_nb_transport_fw(this, &TestTarget::nb_transport_fw);
  }
  tlm::tlm_sync_enum send(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase,
                          sc_core::sc_time delay = sc_core::SC_ZERO_TIME) {
    return socket->nb_transport_bw(payload, phase, delay);
  }

 private:
  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) {
    return on_forward(payload, phase, delay);
  }
};

}  // namespace lpa::test
