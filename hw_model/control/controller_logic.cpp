#include "hw_model/control/controller_logic.h"

#include <algorithm>

namespace lpa::hw {

ControllerLogic::ControllerLogic(const MachineConfig& config, DmaPort& port, std::function<Counters()> gather)
    : config_(config), port_(port), gather_(std::move(gather)) {}

void ControllerLogic::step(std::uint64_t cycle, const Inputs& inputs) {
  take_requests();
  switch (state_) {
    case State::idle:
      break;
    case State::resetting:
      reset_ = reset_now_;
      if (!reset_now_) state_ = State::idle;
      reset_now_ = false;
      break;
    case State::fetching:
    case State::fetching_parameters:
      skip({}, 1);
      request(cycle);
      receive(cycle);
      break;
    case State::running: {
      std::array<std::uint64_t, cause_count> cause{};
      cause[static_cast<std::size_t>(inputs.cause)] = 1;
      skip(cause, 1);
      if (layer_is_complete(inputs)) end_layer(cycle);
      break;
    }
  }
  if ((fetching() || state_ == State::running) && inputs.memory_failed) fail(reg::Error::memory);
  irq_ = irq_level_;
}

void ControllerLogic::take_requests() {
  if (reset_requested_) {
    begin_reset();
  } else if (start_requested_ && state_ == State::idle) {
    start_requested_ = false;
    // Blocks dropped by a reset have stopped counting only now.
    if (cleared_) baseline_ = gather_();
    cleared_ = false;
    descriptor_index_ = 0;
    begin_fetch(State::fetching, descriptor_base_, descriptor_bytes);
  }
}

void ControllerLogic::begin_fetch(State state, std::uint64_t address, std::int64_t bytes) {
  state_ = state;
  fetch_address_ = address;
  requested_ = received_ = 0;
  fetched_.assign(static_cast<std::size_t>(bytes), 0);
}

void ControllerLogic::skip(const std::array<std::uint64_t, cause_count>& running_causes, std::uint64_t cycles) {
  if (fetching()) {
    own_.by_cause[static_cast<std::size_t>(Cause::idle)] += cycles;
  } else if (state_ == State::running) {
    for (std::size_t i = 0; i < cause_count; ++i) own_.by_cause[i] += running_causes[i];
  } else {
    return;
  }
  own_.cycles += cycles;
}

void ControllerLogic::end_repeated(std::uint64_t cycle, const Counters& cycles) {
  skip(cycles.by_cause, cycles.cycles);
  end_layer(cycle);
  irq_ = irq_level_;
}

std::uint64_t ControllerLogic::next(std::uint64_t cycle) const {
  if (has_request() || irq_ != irq_level_ || state_ == State::resetting) return cycle + 1;
  if (!fetching()) return never;
  if (requested_ < fetched_.size() && port_.has_room(cycle + 1)) return cycle + 1;
  return port_.done.empty() ? never : std::max(cycle + 1, port_.done.ready_at());
}

void ControllerLogic::request(std::uint64_t cycle) {
  if (requested_ == fetched_.size() || !port_.has_room(cycle)) return;
  if (requested_ == 0 && state_ == State::fetching) layer_begin_ = cycle;
  Burst burst;
  burst.address = fetch_address_ + requested_;
  burst.tag = static_cast<std::int64_t>(requested_);
  const auto left = static_cast<std::int64_t>(fetched_.size() - requested_);
  burst.data = port_.storage(burst_length(burst.address, left, config_.dma.burst_bytes));
  requested_ += burst.data.size();
  port_.requests.push(cycle, std::move(burst));
}

void ControllerLogic::receive(std::uint64_t cycle) {
  while (port_.done.ready(cycle)) {
    Burst burst = port_.done.take(cycle);
    std::ranges::copy(burst.data, fetched_.begin() + burst.tag);
    received_ += burst.data.size();
    port_.retire(std::move(burst));
  }
  if (received_ < fetched_.size()) return;
  if (state_ == State::fetching) {
    take_descriptor();
  } else {
    next_schedule_->set_parameters(std::move(fetched_));
    start_layer();
  }
}

void ControllerLogic::take_descriptor() {
  DescriptorImage image{};
  std::ranges::copy(fetched_, image.begin());
  const Descriptor descriptor = from_image(image);
  if (const auto wrong = check(descriptor, config_)) {
    fail(wrong->capacity ? reg::Error::capacity : reg::Error::descriptor, wrong->field);
    return;
  }
  next_schedule_ = std::make_unique<Schedule>(descriptor, config_);
  if (const std::int64_t bytes = descriptor.parameter_bytes(); bytes > 0) {
    begin_fetch(State::fetching_parameters, static_cast<std::uint64_t>(descriptor.parameter_address), bytes);
  } else {
    start_layer();
  }
}

void ControllerLogic::start_layer() {
  previous_ = std::move(schedule_);
  schedule_ = std::move(next_schedule_);
  job_ = {schedule_.get(), job_.number + 1};
  state_ = State::running;
}

bool ControllerLogic::layer_is_complete(const Inputs& inputs) const {
  // Between two jobs the blocks saw an empty one, so these signals cannot speak of the last layer.
  const auto complete = [](const FillLevel& level, const std::vector<Fetch>& fetches) {
    return level.complete == static_cast<std::int64_t>(fetches.size());
  };
  return inputs.visits_drained == schedule_->visits() && complete(inputs.weight_level, schedule_->weight_fetches()) &&
         complete(inputs.input_level, schedule_->input_fetches());
}

void ControllerLogic::end_layer(std::uint64_t cycle) {
  if (timeline_ != nullptr) {
    timeline_->add(
        {.track = Track::layer, .begin = layer_begin_, .end = cycle + 1, .index = std::int64_t{descriptor_index_}});
  }
  job_ = {nullptr, job_.number + 1};
  ++layers_ended_;
  if (++descriptor_index_ == descriptor_count_) {
    finish(reg::Status::done);
    return;
  }
  begin_fetch(State::fetching, std::uint64_t{descriptor_base_} + std::uint64_t{descriptor_index_} * descriptor_bytes,
              descriptor_bytes);
}

void ControllerLogic::fail(reg::Error error, std::size_t field) {
  error_ = error;
  error_descriptor_ = descriptor_index_;
  error_field_ = static_cast<std::uint32_t>(field);
  finish(reg::Status::error);
  begin_reset();
}

void ControllerLogic::finish(reg::Status status) {
  status_ = status;
  state_ = State::idle;
  irq_status_ |= 1u;
  update_irq();
}

void ControllerLogic::begin_reset() {
  reset_requested_ = false;
  reset_now_ = true;
  job_ = {nullptr, job_.number + 1};
  state_ = State::resetting;
}

Counters ControllerLogic::counters() const {
  auto now = to_registers(gather_());
  const auto base = to_registers(baseline_);
  for (std::size_t i = 0; i < counter_count; ++i) now[i] -= base[i];
  Counters result = from_registers(now);
  result += own_;
  return result;
}

std::optional<std::uint32_t> ControllerLogic::read_register(std::uint64_t address) const {
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

bool ControllerLogic::write_register(std::uint64_t address, std::uint32_t value) {
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

bool ControllerLogic::write_control(std::uint32_t value) {
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
