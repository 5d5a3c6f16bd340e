#include "hw_model/control/register_socket.h"

#include <cstring>

namespace lpa::hw {

RegisterSocket::RegisterSocket(const sc_core::sc_module_name& name, ControllerLogic& logic)
    : sc_module(name), logic_(logic) {
  socket.register_b_transport(this, &RegisterSocket::b_transport);
}

void RegisterSocket::on_access(std::function<void()> before, std::function<void()> after) {
  before_ = std::move(before);
  after_ = std::move(after);
}

void RegisterSocket::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    return;
  }
  if (payload.get_data_length() != 4 || payload.get_streaming_width() < 4) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  if (payload.get_address() % 4 != 0 || payload.get_address() >= reg::end) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  if (before_) before_();
  payload.set_response_status(access(payload) ? tlm::TLM_OK_RESPONSE : tlm::TLM_COMMAND_ERROR_RESPONSE);
  if (after_) after_();
}

bool RegisterSocket::access(tlm::tlm_generic_payload& payload) {
  std::uint32_t value = 0;
  if (payload.is_write()) {
    std::memcpy(&value, payload.get_data_ptr(), 4);
    return logic_.write_register(payload.get_address(), value);
  }
  if (!payload.is_read()) return false;
  const auto content = logic_.read_register(payload.get_address());
  if (!content) return false;
  value = *content;
  std::memcpy(payload.get_data_ptr(), &value, 4);
  return true;
}

}  // namespace lpa::hw
