#include "hw_model/ppu/ppu.h"

#include <algorithm>

namespace lpa::hw {
Ppu::Ppu(const sc_core::sc_module_name& name, const MachineConfig& config, FillBuffer& input_buffer,
         OutputBuffer& output_buffer, OutputPort& output_port)
    : sc_module(name),
      lanes_(config.ppu.lanes),
      arithmetic_(config.arithmetic),
      input_buffer_(input_buffer),
      output_buffer_(output_buffer),
      output_port_(output_port) {
  SC_HAS_PROCESS(Ppu);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void Ppu::step() {
  ++cycle_;
  if (reset.read()) {
    schedule_ = nullptr;
    state.write(PpuState::idle);
    return;
  }
  if (job.read().number != job_number_) {
    start(job.read());
    return;
  }
  if (schedule_ == nullptr || visit_->done()) {
    state.write(PpuState::idle);
    return;
  }
  work();
}

void Ppu::start(const Job& new_job) {
  job_number_ = new_job.number;
  schedule_ = new_job.schedule;
  state.write(PpuState::idle);
  inputs_released.write(0);
  credit_ = position_ = channel_ = words_before_ = 0;
  segment_.clear();
  if (schedule_ == nullptr) return;
  const Descriptor& d = schedule_->descriptor();
  visit_.emplace(*schedule_);
  datapath_.emplace(arithmetic_, d);
  saturations_before_ = saturations_;
  const bool pools = d.operation() == LayerOp::max_pool || d.operation() == LayerOp::average_pool;
  element_cost_ = pools ? d.kernel_h * d.kernel_w : 1;
}

void Ppu::work() {
  std::int64_t budget = lanes_;
  PpuState now = PpuState::idle;
  std::int64_t read = 0;
  while (budget > 0 && !visit_->done()) {
    const PpuState ready = operands();
    if (ready != PpuState::working) {
      if (now == PpuState::idle) now = ready;
      break;
    }
    now = PpuState::working;
    const std::int64_t spent = std::min(budget, element_cost_ - credit_);
    budget -= spent;
    credit_ += spent;
    elements_ += static_cast<std::uint64_t>(spent);
    read += spent;
    if (credit_ < element_cost_) break;
    credit_ = 0;
    store(compute());
  }
  saturations_ = saturations_before_ + datapath_->events().saturations;
  state.write(now);
  if (now != PpuState::working) return;
  const Descriptor& d = schedule_->descriptor();
  if (d.uses_array()) {
    output_buffer_.count_read(read);
  } else {
    input_buffer_.count_read(packed_bytes(read, d.input.bits));
  }
  if (d.adds()) output_buffer_.count_read(packed_bytes(read, d.addend.bits));
}

PpuState Ppu::operands() const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  if (d.uses_array()) {
    if (words_ready.read() <= words_before_ + position_) return PpuState::idle;
  } else {
    if (visits_drained.read() < visit_->index() - 1) return PpuState::idle;
    const Pass& pass = visit_->pass();
    const std::int64_t y = tiling.band_first_row(pass.band) + position_ / d.out_w;
    const std::int64_t row = y * d.stride_h - d.pad_top + (d.kernel_h - 1) * d.dilation_h;
    if (!input_level.read().has(pass.input_fetch, tiling.input_bytes_to(pass.band, row))) {
      return PpuState::waits_for_input;
    }
  }
  if (d.adds()) {
    const std::int64_t needed = (position_ + 1) * packed_bytes(visit_->channels(), d.addend.bits);
    if (!residual_level.read().has(visit_->index(), needed)) return PpuState::waits_for_residual;
  }
  return PpuState::working;
}

std::uint8_t Ppu::compute() {
  const Descriptor& d = schedule_->descriptor();
  std::uint8_t word = 0;
  switch (d.operation()) {
    case LayerOp::conv:
      word = output_buffer_.word(visit_->index(), position_, channel_);
      if (d.has(flag_addend)) word = datapath_->add(word, d.encoded, residual_word(), d.addend);
      break;
    case LayerOp::add: {
      const std::int64_t y = schedule_->tiling().band_first_row(visit_->pass().band) + position_ / d.out_w;
      word = datapath_->add(input_word(y, position_ % d.out_w, channel_), d.input, residual_word(), d.addend);
      break;
    }
    case LayerOp::max_pool:
    case LayerOp::average_pool:
      word = pool();
      break;
  }
  return d.has(flag_relu) ? datapath_->relu(word) : word;
}

std::uint8_t Ppu::pool() {
  const Descriptor& d = schedule_->descriptor();
  const bool average = d.operation() == LayerOp::average_pool;
  const std::int64_t out_y = schedule_->tiling().band_first_row(visit_->pass().band) + position_ / d.out_w;
  const std::int64_t out_x = position_ % d.out_w;
  formats::Psum sum;
  std::optional<std::uint8_t> largest;
  int count = 0;
  for (std::int64_t ky = 0; ky < d.kernel_h; ++ky) {
    for (std::int64_t kx = 0; kx < d.kernel_w; ++kx) {
      const std::int64_t y = out_y * d.stride_h - d.pad_top + ky * d.dilation_h;
      const std::int64_t x = out_x * d.stride_w - d.pad_left + kx * d.dilation_w;
      if (y < 0 || y >= d.in_h || x < 0 || x >= d.in_w) continue;
      const std::uint8_t word = input_word(y, x, channel_);
      ++count;
      if (average) {
        sum = datapath_->accumulate(sum, word);
      } else {
        largest = largest ? datapath_->max(*largest, word) : word;
      }
    }
  }
  if (!average) return largest.value_or(0);
  if (d.has(flag_count_include_pad)) count = static_cast<int>(d.kernel_h * d.kernel_w);
  return datapath_->average(sum, std::max(count, 1));
}

std::uint8_t Ppu::input_word(std::int64_t y, std::int64_t x, std::int64_t channel) const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const Pass& pass = visit_->pass();
  const std::int64_t bit = (d.input_channel + channel) * d.input.bits;
  const std::int64_t offset =
      (y - tiling.input_first_row(pass.band)) * tiling.input_row_bytes() + x * d.input_pitch + bit / 8;
  return word_in_byte(input_buffer_.byte(pass.input_fetch, offset), bit, d.input.bits);
}

std::uint8_t Ppu::residual_word() const {
  const Descriptor& d = schedule_->descriptor();
  const std::int64_t bit = channel_ * d.addend.bits;
  const std::int64_t offset = position_ * packed_bytes(visit_->channels(), d.addend.bits) + bit / 8;
  return word_in_byte(output_port_.residual(visit_->index(), offset), bit, d.addend.bits);
}

void Ppu::store(std::uint8_t word) {
  const std::int64_t bits = schedule_->descriptor().output.bits;
  const std::int64_t bit = channel_ * bits % 8;
  if (bit == 0) segment_.push_back(0);
  segment_.back() = static_cast<std::uint8_t>(segment_.back() | word << bit);
  if (++channel_ == visit_->channels()) finish_position();
}

void Ppu::finish_position() {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t pixel = tiling.band_first_row(visit_->pass().band) * d.out_w + position_;
  const std::int64_t first_channel = d.output_channel + visit_->n_tile() * tiling.lanes;
  output_buffer_.count_write(static_cast<std::int64_t>(segment_.size()));
  Segment segment;
  segment.address =
      static_cast<std::uint64_t>(d.output_address + pixel * d.output_pitch + first_channel * d.output.bits / 8);
  segment.bytes = std::move(segment_);
  segment_.clear();
  channel_ = 0;
  ++position_;
  segment.ends_visit = position_ == visit_->positions();
  const bool ends_visit = segment.ends_visit;
  output_port_.results.push(cycle_, std::move(segment));
  if (!ends_visit) return;
  words_before_ += position_;
  position_ = 0;
  const std::int64_t fetch = visit_->pass().input_fetch;
  visit_->next();
  if (!d.uses_array() && (visit_->done() || visit_->pass().input_fetch != fetch)) inputs_released.write(fetch + 1);
}

}  // namespace lpa::hw
