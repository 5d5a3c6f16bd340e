#include "hw_model/ppu/ppu_logic.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
namespace lpa::hw {

PpuLogic::PpuLogic(const MachineConfig& config, FillLogic& input_buffer, OutputStore& store, OutputLogic& output)
    : lanes_(config.ppu.lanes),
      input_buffer_(input_buffer),
      store_(store),
      output_(output),
      values_(config, input_buffer, store, output),
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
  credit_ = position_ = words_before_ = 0;
  visit_begin_ = 0;
  if (schedule_ == nullptr) return;
  values_.start(*schedule_);
  visit_.emplace(*schedule_);
  enter_visit();
}

void PpuLogic::enter_visit() {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const Pass& pass = visit_->pass();
  const std::int64_t channels = visit_->channels();
  const std::int64_t passes = d.works_on_rows() ? 3 : d.uses_array() ? 1 : d.kernel_h * d.kernel_w;
  position_cost_ = passes * channels;
  result_bytes_ = packed_bytes(channels, d.output.bits);
  addend_bytes_ = packed_bytes(channels, d.addend.bits);
  const std::int64_t first_pixel = tiling.band_first_row(pass.band) * d.out_w;
  const std::int64_t first_channel = d.output_channel + visit_->n_tile() * tiling.lanes;
  address_ = static_cast<std::uint64_t>(d.output_address + pass.batch * d.output_stride + first_pixel * d.output_pitch +
                                        first_channel * d.output.bits / 8);
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
    const std::int64_t spent = std::min(budget, position_cost_ - credit_);
    budget -= spent;
    credit_ += spent;
    elements_ += static_cast<std::uint64_t>(spent);
    read += spent;
    if (credit_ < position_cost_) break;
    credit_ = 0;
    finish_position(cycle);
  }
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
    if (!inputs.residual_level.has(visit_->index(), (position_ + 1) * addend_bytes_))
      return PpuState::waits_for_residual;
  }
  return PpuState::working;
}

void PpuLogic::finish_position(std::uint64_t cycle) {
  store_.count_write(result_bytes_);
  Segment segment;
  segment.address = address_ + static_cast<std::uint64_t>(position_ * schedule_->descriptor().output_pitch);
  segment.bytes = output_.segment_storage();
  segment.bytes.resize(static_cast<std::size_t>(result_bytes_));
  if (computes_) values_.compute(*visit_, position_, segment.bytes);
  ++position_;
  segment.ends_visit = position_ == visit_->positions();
  const bool ends = segment.ends_visit;
  output_.results.push(cycle, std::move(segment));
  if (ends) finish_visit(cycle);
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
  if (!visit_->done()) enter_visit();
  const bool leaves = visit_->done() || visit_->pass().input_fetch != fetch;
  if (leaves && !schedule_->descriptor().uses_array()) inputs_released_ = fetch + 1;
}

void PpuLogic::walk(StateWalk& walk) {
  walk.cursor(*visit_);
  walk.plain(started_);
  walk.plain(state_);
  walk.plain(credit_);
  walk.plain(position_);
  walk.vector(words_before_);
  walk.plain(visit_begin_ == 0);
  enter_visit();
}

}  // namespace lpa::hw
