#include "hw_model/ppu/ppu_logic.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
namespace lpa::hw {

PpuLogic::PpuLogic(const MachineConfig& config, FillLogic& input_buffer, OutputStore& store, OutputLogic& output)
    : lanes_(config.ppu.lanes),
      arithmetic_(config.arithmetic),
      converters_(config.arithmetic),
      input_buffer_(input_buffer),
      store_(store),
      output_(output),
      gate_(config.stall, StallPoint::ppu) {}

void PpuLogic::step(std::uint64_t cycle, const Job& job, const Inputs& inputs) {
  if (job.number != job_number_) {
    start(job);
    return;
  }
  started_ = false;
  if (done()) {
    state_ = PpuState::idle;
    return;
  }
  work(cycle, inputs);
}

void PpuLogic::reset() {
  schedule_ = nullptr;
  state_ = PpuState::idle;
}

std::uint64_t PpuLogic::next(std::uint64_t cycle, std::uint64_t word) const {
  if (state_ == PpuState::working || started_) return cycle + 1;
  if (done()) return never;
  if (gate_.enabled()) return cycle + 1;
  return word > cycle ? word : never;
}

void PpuLogic::start(const Job& job) {
  started_ = true;
  job_number_ = job.number;
  schedule_ = job.schedule;
  state_ = PpuState::idle;
  inputs_released_ = 0;
  credit_ = position_ = channel_ = words_before_ = 0;
  visit_begin_ = 0;
  segment_.clear();
  if (schedule_ == nullptr) return;
  const Descriptor& d = schedule_->descriptor();
  visit_.emplace(*schedule_);
  datapath_.emplace(converters_, arithmetic_, d);
  row_datapath_.reset();
  if (d.works_on_rows()) {
    row_datapath_.emplace(converters_, arithmetic_, d, schedule_->parameters());
    row_.resize(static_cast<std::size_t>(d.in_c));
    row_result_.resize(row_.size());
  }
  events_before_ = {saturations_, nar_operands_};
  window_ = d.uses_array() ? 1 : d.kernel_h * d.kernel_w;
}

std::int64_t PpuLogic::element_cost() const {
  const Descriptor& d = schedule_->descriptor();
  return d.works_on_rows() && channel_ == 0 ? 1 + 2 * d.in_c : window_;
}

void PpuLogic::work(std::uint64_t cycle, const Inputs& inputs) {
  std::int64_t budget = gate_.closed(cycle) ? 0 : lanes_;
  PpuState now = PpuState::idle;
  std::int64_t read = 0;
  const std::int64_t fetch = visit_->pass().input_fetch;
  while (budget > 0 && !visit_->done()) {
    const PpuState ready = operands(inputs);
    if (ready != PpuState::working) {
      if (now == PpuState::idle) now = ready;
      break;
    }
    now = PpuState::working;
    if (visit_begin_ == 0) {
      visit_begin_ = cycle;
      output_.begin_visit(visit_->index(), cycle);
    }
    const std::int64_t cost = element_cost();
    const std::int64_t spent = std::min(budget, cost - credit_);
    budget -= spent;
    credit_ += spent;
    elements_ += static_cast<std::uint64_t>(spent);
    read += spent;
    if (credit_ < cost) break;
    credit_ = 0;
    store(cycle, compute());
  }
  const formats::AccumulateEvents& events = row_datapath_ ? row_datapath_->events() : datapath_->events();
  saturations_ = events_before_.saturations + events.saturations;
  nar_operands_ = events_before_.nar_products + events.nar_products;
  state_ = now;
  if (now != PpuState::working) return;
  const Descriptor& d = schedule_->descriptor();
  if (d.uses_array()) {
    store_.count_read(read);
  } else {
    input_buffer_.count_read(packed_bytes(read, d.input.bits));
    input_buffer_.use_port(cycle, fetch);
  }
  if (d.adds()) store_.count_read(packed_bytes(read, d.addend.bits));
}

PpuState PpuLogic::operands(const Inputs& inputs) const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  if (d.uses_array()) {
    if (inputs.words_ready <= vector()) return PpuState::idle;
  } else {
    if (inputs.visits_drained < visit_->index() - 1) return PpuState::idle;
    const Pass& pass = visit_->pass();
    const std::int64_t y = tiling.band_first_row(pass.band) + position_ / d.out_w;
    const std::int64_t row = y * d.stride_h - d.pad_top + (d.kernel_h - 1) * d.dilation_h;
    if (!inputs.input_level.has(pass.input_fetch, tiling.input_bytes_to(pass.band, row))) {
      return PpuState::waits_for_input;
    }
  }
  if (d.adds()) {
    const std::int64_t needed = (position_ + 1) * packed_bytes(visit_->channels(), d.addend.bits);
    if (!inputs.residual_level.has(visit_->index(), needed)) return PpuState::waits_for_residual;
  }
  return PpuState::working;
}

std::uint8_t PpuLogic::compute() {
  if (!values_) return 0;
  const Descriptor& d = schedule_->descriptor();
  std::uint8_t word = operate();
  if (d.adds()) word = datapath_->add(word, residual_word());
  if (d.has(flag_table)) word = schedule_->parameters()[word];
  return d.has(flag_relu) ? datapath_->relu(word) : word;
}

std::uint8_t PpuLogic::operate() {
  switch (schedule_->descriptor().operation()) {
    case LayerOp::conv:
      return store_.word(visit_->index(), position_, channel_);
    case LayerOp::max_pool:
    case LayerOp::average_pool:
      return pool();
    case LayerOp::softmax:
    case LayerOp::layer_norm:
      return of_row();
    case LayerOp::add:
    case LayerOp::copy:
      break;
  }
  return input_word(input_row(), position_ % schedule_->descriptor().out_w, channel_);
}

/// The input row of the position of a layer without window.
std::int64_t PpuLogic::input_row() const {
  return schedule_->tiling().band_first_row(visit_->pass().band) + position_ / schedule_->descriptor().out_w;
}

std::uint8_t PpuLogic::of_row() {
  if (channel_ == 0) {
    const std::int64_t y = input_row();
    const std::int64_t x = position_ % schedule_->descriptor().out_w;
    for (std::size_t c = 0; c < row_.size(); ++c) row_[c] = input_word(y, x, static_cast<std::int64_t>(c));
    (*row_datapath_)(row_, row_result_);
  }
  return row_result_[static_cast<std::size_t>(channel_)];
}

std::uint8_t PpuLogic::pool() {
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

std::uint8_t PpuLogic::input_word(std::int64_t y, std::int64_t x, std::int64_t channel) const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const Pass& pass = visit_->pass();
  const std::int64_t bit = tiling.channel_bit(channel);
  const std::int64_t offset =
      (y - tiling.input_first_row(pass.band)) * tiling.input_row_bytes() + x * tiling.pixel_bytes() + bit / 8;
  return word_in_byte(input_buffer_.byte(pass.input_fetch, offset), bit, d.input.bits);
}

std::uint8_t PpuLogic::residual_word() const {
  const Descriptor& d = schedule_->descriptor();
  const std::int64_t bit = channel_ * d.addend.bits;
  const std::int64_t offset = position_ * packed_bytes(visit_->channels(), d.addend.bits) + bit / 8;
  return word_in_byte(output_.residual(visit_->index(), offset), bit, d.addend.bits);
}

void PpuLogic::store(std::uint64_t cycle, std::uint8_t word) {
  const std::int64_t bits = schedule_->descriptor().output.bits;
  const std::int64_t bit = channel_ * bits % 8;
  if (channel_ == 0) segment_ = output_.segment_storage();
  if (bit == 0) segment_.push_back(0);
  segment_.back() = static_cast<std::uint8_t>(segment_.back() | word << bit);
  if (++channel_ == visit_->channels()) finish_position(cycle);
}

void PpuLogic::finish_position(std::uint64_t cycle) {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t pixel = tiling.band_first_row(visit_->pass().band) * d.out_w + position_;
  const std::int64_t first_channel = d.output_channel + visit_->n_tile() * tiling.lanes;
  store_.count_write(static_cast<std::int64_t>(segment_.size()));
  Segment segment;
  segment.address = static_cast<std::uint64_t>(d.output_address + visit_->pass().batch * d.output_stride +
                                               pixel * d.output_pitch + first_channel * d.output.bits / 8);
  segment.bytes = std::move(segment_);
  channel_ = 0;
  ++position_;
  segment.ends_visit = position_ == visit_->positions();
  output_.results.push(cycle, std::move(segment));
  if (position_ == visit_->positions()) finish_visit(cycle);
}

void PpuLogic::finish_visit(std::uint64_t cycle) {
  if (timeline_ != nullptr) {
    timeline_->add(visit_slice(Track::ppu, *visit_, visit_begin_, cycle + 1));
  }
  visit_begin_ = 0;
  words_before_ += position_;
  position_ = 0;
  const std::int64_t fetch = visit_->pass().input_fetch;
  visit_->next();
  const bool leaves = visit_->done() || visit_->pass().input_fetch != fetch;
  if (leaves && !schedule_->descriptor().uses_array()) inputs_released_ = fetch + 1;
}

}  // namespace lpa::hw
