#include "hw_model/control/sequencer.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
namespace lpa::hw {

Sequencer::Sequencer(const sc_core::sc_module_name& name, const MachineConfig& config, FillLogic& input_buffer,
                     OutputBuffer& output_buffer, const WeightLoader& loader)
    : sc_module(name),
      activations("activations", static_cast<unsigned>(config.array.rows)),
      psums("psums", static_cast<unsigned>(config.array.columns)),
      scales("scales", static_cast<unsigned>(config.array.columns)),
      double_buffer_(config.array.double_buffer_weights),
      fold_overlap_(config.array.fold_overlap),
      latency_(static_cast<std::uint64_t>(config.array.latency())),
      rows_(static_cast<std::size_t>(config.array.rows)),
      columns_(static_cast<std::size_t>(config.array.columns)),
      input_buffer_(input_buffer),
      output_buffer_(output_buffer),
      gate_(config.stall, StallPoint::vector),
      loader_(loader),
      config_(config) {
  cause.initialize(Cause::idle);
  SC_HAS_PROCESS(Sequencer);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void Sequencer::step() {
  ++cycle_;
  if (reset.read()) {
    schedule_ = nullptr;
    tag.write({});
    set_cause(Cause::idle);
    return;
  }
  if (job.read().number != job_number_) {
    start(job.read());
    return;
  }
  if (schedule_ == nullptr) return;
  const Cause why = issued_ < schedule_->vectors() ? try_issue() : end_cause();
  if (why != Cause::busy) tag.write({});
  set_cause(why);
}

void Sequencer::set_cause(Cause why) {
  cause.write(why);
  cause_track_.set(why, cycle_);
}

void Sequencer::start(const Job& new_job) {
  job_number_ = new_job.number;
  schedule_ = new_job.schedule;
  issued_ = last_k_vectors_ = position_ = accesses_ = folds_asked_ = 0;
  fold_end_ = 0;
  tag.write({});
  set_cause(Cause::idle);
  tiles_released.write(0);
  inputs_released.write(0);
  if (schedule_ == nullptr || !schedule_->descriptor().uses_array()) return;
  const Tiling& tiling = schedule_->tiling();
  psum_vector_bytes_ = tiling.lanes * config_.psum_bytes(static_cast<int>(tiling.d.weight.bits));
  tile_.emplace(*schedule_);
  enter_tile();
}

void Sequencer::enter_tile() {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  row_addresses_.clear();
  const std::int64_t first = tiling.k_begin(tile_->k_tile());
  for (std::int64_t k = first; k < first + tiling.k_rows(tile_->k_tile()); ++k) {
    const std::int64_t tap = k / d.in_c;
    row_addresses_.push_back({tap / d.kernel_w * d.dilation_h - d.pad_top, tap % d.kernel_w * d.dilation_w - d.pad_left,
                              tiling.channel_bit(k % d.in_c)});
  }
  vector_bytes_ = packed_bytes(static_cast<std::int64_t>(row_addresses_.size()), d.input.bits);
  vector_accesses_ = input_buffer_.config().accesses(vector_bytes_);
  vector_macs_ = static_cast<std::uint64_t>(tiling.vector_macs(tile_->visit().n_tile(), tile_->k_tile()));
  position_ = 0;
  y_ = tiling.band_first_row(tile_->visit().pass().band);
  x_ = 0;
}

Cause Sequencer::try_issue() {
  const Tiling& tiling = schedule_->tiling();
  const VisitCursor& visit = tile_->visit();
  if (position_ == 0) {
    if (!fold_overlap_ && folds_asked_ == tile_->index()) return ask_for_fold();
    if (!half_is_free()) return Cause::output_wait;
    if (tiles_loaded.read() <= tile_->index()) return Cause::weight_wait;
  }
  if (!input_ready(y_)) return Cause::input_wait;
  if (accesses_ < vector_accesses_) {
    ++accesses_;
    input_buffer_.use_port(cycle_, visit.pass().input_fetch);
  }
  if (accesses_ < vector_accesses_) return Cause::input_wait;
  if (!tile_->first_k() && sums_returned.read() <= issued_ - tiling.positions(visit.pass().band)) {
    return Cause::psum_wait;
  }
  if (gate_.closed(cycle_)) return Cause::input_wait;
  issue();
  return Cause::busy;
}

/// At the first position of a tile that has not been asked for: asks for it, or says what keeps it waiting.
Cause Sequencer::ask_for_fold() {
  const bool drains = cycle_ < fold_end_;
  if (cycle_ + 1 < fold_end_) return Cause::fill_drain;
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t band = tile_->visit().pass().band;
  if (!half_is_free()) return drains ? Cause::fill_drain : Cause::output_wait;
  if (!input_ready(tiling.band_first_row(band) + tiling.band_row_count(band) - 1)) {
    return drains ? Cause::fill_drain : Cause::input_wait;
  }
  tiles_released.write(++folds_asked_);
  return drains ? Cause::fill_drain : Cause::weight_wait;
}

bool Sequencer::half_is_free() const {
  return !tile_->first_k() || visits_drained.read() >= tile_->visit().index() - 1;
}

/// Whether the input rows that output row `y` reads are there.
bool Sequencer::input_ready(std::int64_t y) const {
  const Tiling& tiling = schedule_->tiling();
  const Pass& pass = tile_->visit().pass();
  // The tile's rows of the kernel ascend, so its last row reads the lowest input row.
  const std::int64_t row = y * tiling.d.stride_h + row_addresses_.back().y;
  return input_level.read().has(pass.input_fetch, tiling.input_bytes_to(pass.band, row));
}

/// The words of an array row's inputs, the first one lowest.
std::uint8_t Sequencer::activations_of(std::size_t row) const {
  const Tiling& tiling = schedule_->tiling();
  const auto inputs = static_cast<std::size_t>(tiling.inputs);
  unsigned words = 0;
  for (std::size_t i = 0; i < inputs && row * inputs + i < row_addresses_.size(); ++i) {
    const auto bit = i * static_cast<std::size_t>(tiling.d.input.bits);
    words |= static_cast<unsigned>(activation(row_addresses_[row * inputs + i])) << bit;
  }
  return static_cast<std::uint8_t>(words);
}

std::uint8_t Sequencer::activation(const RowAddress& row) const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const Pass& pass = tile_->visit().pass();
  const std::int64_t y = y_ * d.stride_h + row.y;
  const std::int64_t x = x_ * d.stride_w + row.x;
  if (y < 0 || y >= d.in_h || x < 0 || x >= d.in_w) return 0;
  const std::int64_t offset =
      (y - tiling.input_first_row(pass.band)) * tiling.input_row_bytes() + x * tiling.pixel_bytes();
  const std::uint8_t byte = input_buffer_.byte(pass.input_fetch, offset + row.bit / 8);
  return word_in_byte(byte, row.bit, d.input.bits);
}

void Sequencer::issue() {
  const VisitCursor& visit = tile_->visit();
  for (std::size_t r = 0; r < rows_; ++r) {
    activations[r].write(activations_of(r));
  }
  input_buffer_.count_read(vector_bytes_);
  accesses_ = 0;

  const PsumWord* sums =
      tile_->first_k() ? loader_.biases(visit.index()).data() : output_buffer_.sums(visit.index(), position_);
  for (std::size_t c = 0; c < columns_; ++c) psums[c].write(sums[c]);
  if (position_ == 0 && tile_->last_k()) {
    for (std::size_t c = 0; c < columns_; ++c) scales[c].write(loader_.scales(visit.index())[c]);
  }
  if (!tile_->first_k()) output_buffer_.store().count_read(psum_vector_bytes_);

  tag.write({true, position_ == 0, tile_->last_k(), OutputBuffer::bundle_index(visit.index(), position_)});
  macs_ += vector_macs_;
  ++vectors_;
  ++issued_;
  if (tile_->last_k()) ++last_k_vectors_;
  advance();
}

void Sequencer::advance() {
  const Tiling& tiling = schedule_->tiling();
  if (position_ == 0) {
    tile_begin_ = cycle_;
    if (fold_overlap_ && double_buffer_) tiles_released.write(tile_->index() + 1);
  }
  ++position_;
  if (++x_ == tiling.d.out_w) {
    x_ = 0;
    ++y_;
  }
  if (position_ < tile_->visit().positions()) return;
  if (timeline_ != nullptr) {
    timeline_->add(tile_slice(Track::array, *tile_, tile_begin_, cycle_ + 1));
  }
  if (fold_overlap_ && !double_buffer_) tiles_released.write(tile_->index() + 1);
  fold_end_ = cycle_ + latency_;
  const std::int64_t fetch = tile_->visit().pass().input_fetch;
  tile_->next();
  if (tile_->done() || tile_->visit().pass().input_fetch != fetch) inputs_released.write(fetch + 1);
  if (tile_->done()) {
    array_span_ += fold_end_ - loader_.first_row_edge() - 1;
    return;
  }
  enter_tile();
  if (!fold_overlap_) ask_for_fold();
}

Cause Sequencer::end_cause() const {
  if (words_ready.read() < last_k_vectors_) return Cause::fill_drain;
  switch (ppu_state.read()) {
    case PpuState::working:
      return Cause::ppu;
    case PpuState::waits_for_input:
      return Cause::input_wait;
    case PpuState::waits_for_residual:
    case PpuState::idle:
      break;
  }
  return visits_drained.read() < schedule_->visits() ? Cause::output_wait : Cause::idle;
}

}  // namespace lpa::hw
