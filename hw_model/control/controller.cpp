#include "hw_model/control/controller.h"

#include <algorithm>
#include <cstring>

#include "hw_model/ppu/ppu_datapath.h"

namespace lpa::hw {
namespace {

LayerControl to_layer_control(const Descriptor& d) {
  LayerControl control;
  control.weight = to_word_format(d.weight);
  control.activation = to_word_format(d.input);
  control.encoded = to_word_format(d.encoded);
  control.psum_lsb = static_cast<std::int16_t>(d.psum_lsb);
  control.scale_q8 = static_cast<std::int32_t>(d.scale);
  return control;
}

}  // namespace

Controller::Controller(const sc_core::sc_module_name& name, const MachineConfig& config, const Dma& dma, DmaPort& port,
                       std::function<Counters()> gather)
    : sc_module(name), config_(config), dma_(dma), port_(port), gather_(std::move(gather)) {
  socket.register_b_transport(this, &Controller::b_transport);
  SC_HAS_PROCESS(Controller);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void Controller::step() {
  ++cycle_;
  if (reset_requested_) {
    begin_reset();
  } else if (start_requested_ && state_ == State::idle) {
    start_requested_ = false;
    // Blocks dropped by a reset have stopped counting only now.
    if (cleared_) baseline_ = gather_();
    cleared_ = false;
    descriptor_index_ = 0;
    requested_ = received_ = 0;
    state_ = State::fetching;
  }
  switch (state_) {
    case State::idle:
      break;
    case State::resetting:
      reset.write(reset_now_);
      if (!reset_now_) state_ = State::idle;
      reset_now_ = false;
      break;
    case State::fetching:
      count_cycle();
      fetch_descriptor();
      receive_descriptor();
      break;
    case State::running:
      count_cycle();
      end_layer();
      break;
  }
  if ((state_ == State::fetching || state_ == State::running) && dma_.failed_before(cycle_)) fail(reg::Error::memory);
  irq.write(irq_level_);
}

void Controller::count_cycle() {
  ++own_.cycles;
  const Cause why = state_ == State::running ? cause.read() : Cause::idle;
  ++own_.by_cause[static_cast<std::size_t>(why)];
}

void Controller::fetch_descriptor() {
  if (requested_ == descriptor_bytes || port_.requests.size(cycle_) >= DmaPort::queue_depth) return;
  Burst burst;
  burst.address = std::uint64_t{descriptor_base_} + std::uint64_t{descriptor_index_} * descriptor_bytes + requested_;
  burst.tag = static_cast<std::int64_t>(requested_);
  const std::int64_t left = static_cast<std::int64_t>(descriptor_bytes - requested_);
  burst.data.resize(static_cast<std::size_t>(burst_length(burst.address, left, config_.dma.burst_bytes)));
  requested_ += burst.data.size();
  port_.requests.push(cycle_, std::move(burst));
}

void Controller::receive_descriptor() {
  while (port_.done.ready(cycle_)) {
    const Burst burst = port_.done.take(cycle_);
    std::ranges::copy(burst.data, image_.begin() + burst.tag);
    received_ += burst.data.size();
  }
  if (received_ == descriptor_bytes) start_layer();
}

void Controller::start_layer() {
  const Descriptor descriptor = from_image(image_);
  if (const auto wrong = check(descriptor, config_)) {
    fail(wrong->capacity ? reg::Error::capacity : reg::Error::descriptor, wrong->field);
    return;
  }
  previous_ = std::move(schedule_);
  schedule_ = std::make_unique<Schedule>(descriptor, config_);
  if (descriptor.uses_array()) layer_control.write(to_layer_control(descriptor));
  job.write({schedule_.get(), ++job_number_});
  state_ = State::running;
}

void Controller::end_layer() {
  // Between two jobs the blocks saw an empty one, so these signals cannot speak of the last layer.
  const bool drained = visits_drained.read() == schedule_->visits();
  const auto complete = [](const FillLevel& level, const std::vector<Fetch>& fetches) {
    return level.complete == static_cast<std::int64_t>(fetches.size());
  };
  if (!drained || !complete(weight_level.read(), schedule_->weight_fetches()) ||
      !complete(input_level.read(), schedule_->input_fetches())) {
    return;
  }
  job.write({nullptr, ++job_number_});
  if (++descriptor_index_ == descriptor_count_) {
    finish(reg::Status::done);
    return;
  }
  requested_ = received_ = 0;
  state_ = State::fetching;
}

void Controller::fail(reg::Error error, std::size_t field) {
  error_ = error;
  error_descriptor_ = descriptor_index_;
  error_field_ = static_cast<std::uint32_t>(field);
  finish(reg::Status::error);
  begin_reset();
}

void Controller::finish(reg::Status status) {
  status_ = status;
  state_ = State::idle;
  irq_status_ |= 1u;
  update_irq();
}

void Controller::begin_reset() {
  reset_requested_ = false;
  reset_now_ = true;
  job.write({nullptr, ++job_number_});
  state_ = State::resetting;
}

Counters Controller::counters() const {
  auto now = to_registers(gather_());
  const auto base = to_registers(baseline_);
  for (std::size_t i = 0; i < counter_count; ++i) now[i] -= base[i];
  Counters result = from_registers(now);
  result += own_;
  return result;
}

void Controller::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
  if (payload.get_byte_enable_ptr() != nullptr) {
    payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    return;
  }
  if (payload.get_data_length() != 4 || payload.get_streaming_width() < 4) {
    payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  const std::uint64_t address = payload.get_address();
  if (address % 4 != 0 || address >= reg::end) {
    payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    return;
  }
  std::uint32_t value = 0;
  bool ok = false;
  if (payload.is_write()) {
    std::memcpy(&value, payload.get_data_ptr(), 4);
    ok = write_register(address, value);
  } else if (payload.is_read()) {
    const auto content = read_register(address);
    ok = content.has_value();
    value = content.value_or(0);
    if (ok) std::memcpy(payload.get_data_ptr(), &value, 4);
  }
  payload.set_response_status(ok ? tlm::TLM_OK_RESPONSE : tlm::TLM_COMMAND_ERROR_RESPONSE);
}

std::optional<std::uint32_t> Controller::read_register(std::uint64_t address) const {
  if (address >= reg::counters) {
    const std::uint64_t index = (address - reg::counters) / 4;
    const std::uint64_t counter = to_registers(counters())[index / 2];
    return static_cast<std::uint32_t>(index % 2 == 0 ? counter : counter >> 32);
  }
  switch (address) {
    case reg::id:
      return reg::id_value;
    case reg::version:
      return reg::version_value;
    case reg::array_shape:
      return static_cast<std::uint32_t>(config_.array.rows | config_.array.columns << 16);
    case reg::clock_mhz:
      return static_cast<std::uint32_t>(config_.clock_mhz);
    case reg::control:
      return 0;
    case reg::status:
      return static_cast<std::uint32_t>(status_);
    case reg::descriptor_base:
      return descriptor_base_;
    case reg::descriptor_count:
      return descriptor_count_;
    case reg::irq_enable:
      return irq_enable_;
    case reg::irq_status:
      return irq_status_;
    case reg::error_code:
      return static_cast<std::uint32_t>(error_);
    case reg::error_descriptor:
      return error_descriptor_;
    case reg::error_field:
      return error_field_;
    default:
      return std::nullopt;
  }
}

bool Controller::write_register(std::uint64_t address, std::uint32_t value) {
  switch (address) {
    case reg::control:
      return write_control(value);
    case reg::descriptor_base:
      if (status_ == reg::Status::running || value % 64 != 0) return false;
      descriptor_base_ = value;
      return true;
    case reg::descriptor_count:
      if (status_ == reg::Status::running || value == 0) return false;
      descriptor_count_ = value;
      return true;
    case reg::irq_enable:
      irq_enable_ = value & 1u;
      update_irq();
      return true;
    case reg::irq_status:
      irq_status_ &= ~value;
      update_irq();
      return true;
    default:
      return false;
  }
}

bool Controller::write_control(std::uint32_t value) {
  const bool running = status_ == reg::Status::running;
  constexpr std::uint32_t known = reg::control_start | reg::control_reset | reg::control_clear_counters;
  if ((value & ~known) != 0) return false;
  if (running && (value & (reg::control_start | reg::control_clear_counters)) != 0) return false;
  if ((value & reg::control_clear_counters) != 0) {
    own_ = {};
    baseline_ = gather_();
    cleared_ = true;
  }
  if ((value & reg::control_reset) != 0) {
    reset_requested_ = true;
    start_requested_ = false;
    status_ = reg::Status::idle;
  }
  if ((value & reg::control_start) != 0) {
    start_requested_ = true;
    status_ = reg::Status::running;
    error_ = reg::Error::none;
    error_descriptor_ = error_field_ = 0;
  }
  return true;
}

}  // namespace lpa::hw
