#include "hw_model/driver/host.h"

#include <array>

#include <fmt/format.h>

#include "hw_model/control/registers.h"
#include "hw_model/driver/machine_error.h"

namespace lpa::driver {
namespace {

namespace reg = hw::reg;

std::string describe_error(reg::Error code, std::uint32_t descriptor, std::uint32_t field) {
  const auto& fields = hw::descriptor_fields();
  const std::string name = field < fields.size() ? fields[field].name : "?";
  switch (code) {
    case reg::Error::descriptor:
      return fmt::format("descriptor {}: field {} has an illegal value", descriptor, name);
    case reg::Error::capacity:
      return fmt::format("descriptor {}: the tile given by {} does not fit a buffer", descriptor, name);
    case reg::Error::memory:
      return fmt::format("descriptor {}: external memory refused a transaction", descriptor);
    case reg::Error::none:
      break;
  }
  return "the machine stopped without an error code";
}

}  // namespace

Host::Host(const sc_core::sc_module_name& name, std::function<void(Host&)> software)
    : sc_module(name), software_(std::move(software)) {
  SC_HAS_PROCESS(Host);
  SC_THREAD(thread);
}

void Host::thread() {
  wait(sc_core::SC_ZERO_TIME);  // Let the machine's signals settle.
  try {
    software_(*this);
  } catch (const sc_core::sc_unwind_exception&) {
    throw;         // The kernel ends the thread.
  } catch (...) {  // Handed to the caller of rethrow(): an exception must not pass the kernel.
    failure_ = std::current_exception();
  }
  finished_ = true;
  sc_core::sc_stop();
}

void Host::rethrow() const {
  if (failure_) std::rethrow_exception(failure_);
  if (!finished_) throw MachineError("the machine stopped without an interrupt: nothing is left that could happen");
}

void Host::transport(tlm_utils::simple_initiator_socket<Host>& socket, tlm::tlm_command command, std::uint64_t address,
                     std::uint8_t* data, std::size_t bytes, const char* what) {
  tlm::tlm_generic_payload payload;
  payload.set_command(command);
  payload.set_address(address);
  payload.set_data_ptr(data);
  payload.set_data_length(static_cast<unsigned>(bytes));
  payload.set_streaming_width(static_cast<unsigned>(bytes));
  payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  socket->b_transport(payload, delay);
  if (delay > sc_core::SC_ZERO_TIME) wait(delay);
  if (payload.is_response_error()) {
    throw MachineError(
        fmt::format("{} of {} bytes at {:#x} refused: {}", what, bytes, address, payload.get_response_string()));
  }
}

void Host::write_memory(std::uint64_t address, const std::vector<std::uint8_t>& bytes) {
  if (bytes.empty()) return;
  std::vector<std::uint8_t> copy = bytes;  // TLM payloads carry pointers to non-const data.
  transport(memory, tlm::TLM_WRITE_COMMAND, address, copy.data(), copy.size(), "memory write");
}

std::vector<std::uint8_t> Host::read_memory(std::uint64_t address, std::size_t bytes) {
  std::vector<std::uint8_t> data(bytes);
  if (bytes > 0) transport(memory, tlm::TLM_READ_COMMAND, address, data.data(), bytes, "memory read");
  return data;
}

void Host::write_register(std::uint32_t address, std::uint32_t value) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<std::uint8_t>(value >> (8 * i));
  transport(registers, tlm::TLM_WRITE_COMMAND, address, bytes.data(), bytes.size(), "register write");
}

std::uint32_t Host::read_register(std::uint32_t address) {
  std::array<std::uint8_t, 4> bytes{};
  transport(registers, tlm::TLM_READ_COMMAND, address, bytes.data(), bytes.size(), "register read");
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value |= std::uint32_t{bytes[i]} << (8 * i);
  return value;
}

hw::Counters Host::read_counters() {
  std::array<std::uint64_t, hw::counter_count> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto address = reg::counters + 8 * static_cast<std::uint32_t>(i);
    const std::uint64_t low = read_register(address);
    values[i] = low | std::uint64_t{read_register(address + 4)} << 32;
  }
  return hw::from_registers(values);
}

void Host::acknowledge() {
  write_register(reg::irq_status, 1);
  while (irq.read()) wait(irq.negedge_event());
}

hw::Counters Host::run(std::uint64_t descriptor_address, const std::vector<hw::Descriptor>& descriptors) {
  std::vector<std::uint8_t> list;
  for (const hw::Descriptor& descriptor : descriptors) {
    const hw::DescriptorImage image = hw::to_image(descriptor);
    list.insert(list.end(), image.begin(), image.end());
  }
  write_memory(descriptor_address, list);
  write_register(reg::descriptor_base, static_cast<std::uint32_t>(descriptor_address));
  write_register(reg::descriptor_count, static_cast<std::uint32_t>(descriptors.size()));
  acknowledge();  // Whatever a run before has left.
  write_register(reg::irq_enable, 1);
  write_register(reg::control, reg::control_clear_counters);
  write_register(reg::control, reg::control_start);
  while (!irq.read()) wait(irq.posedge_event());
  const auto status = static_cast<reg::Status>(read_register(reg::status));
  acknowledge();
  if (status == reg::Status::error) {
    throw MachineError(describe_error(static_cast<reg::Error>(read_register(reg::error_code)),
                                      read_register(reg::error_descriptor), read_register(reg::error_field)));
  }
  return read_counters();
}

}  // namespace lpa::driver
