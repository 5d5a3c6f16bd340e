#include "hw_model/fast/fast_sequencer.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
#include "hw_model/fast/array_values.h"

namespace lpa::hw {

FastSequencer::FastSequencer(const MachineConfig& config, FillLogic& input_buffer, OutputStore& store,
                             ArrayValues& values)
    : config_(config),
      // "Array timing": presented in the cycle after the edge, on the output pins `latency` cycles later, counted at
      // the end of that cycle.
      latency_(static_cast<std::uint64_t>(config.array.latency())),
      sum_latency_(latency_ + 2),
      word_latency_(sum_latency_ + static_cast<std::uint64_t>(config.array.stages.edge)),
      input_buffer_(input_buffer),
      store_(store),
      values_(values),
      gate_(config.stall, StallPoint::vector) {}

void FastSequencer::set_timeline(Timeline* timeline) {
  timeline_ = timeline;
  if (timeline == nullptr) encoded_.clear();
  cause_track_.set_timeline(timeline);
}

void FastSequencer::step(std::uint64_t cycle, const Job& job, const Inputs& inputs) {
  account(cycle - 1);
  if (job.number != job_number_) {
    start(job, cycle);
    return;
  }
  looks_ = false;
  switch (phase_) {
    case Phase::off:
      break;
    case Phase::waiting:
      try_issue(cycle, inputs);
      break;
    case Phase::issuing:
      break;
    case Phase::ending:
      end(cycle, inputs);
      break;
  }
  if (phase_ == Phase::issuing && cycle == runs_.front().edge(0) && position_ == 0) {
    tile_begin_ = cycle;
    if (config_.array.fold_overlap && config_.array.double_buffer_weights) tiles_released_ = tile_->index() + 1;
  }
  if (phase_ == Phase::issuing && cycle == runs_.back().last()) {
    finish_run(cycle);
    if (phase_ == Phase::ending) array_span_ += fold_end_ - inputs.first_row_edge - 1;
    if (phase_ == Phase::waiting && must_ask()) ask_for_fold(cycle, inputs);
  }
}

void FastSequencer::reset(std::uint64_t cycle) {
  account(cycle - 1);
  drop_layer(cycle);
  schedule_ = nullptr;
  phase_ = Phase::off;
  wait(Cause::idle, cycle);
}

/// What the layer still had to do at edge `cycle` and after it will not be done.
void FastSequencer::drop_layer(std::uint64_t cycle) {
  if (phase_ == Phase::issuing && cause_track_.on()) {
    for (const IssueRun& run : runs_) report_run(run, cycle);
  }
  runs_.clear();
  counted_runs_ = 0;
  report_encoded(cycle);
  encoded_.clear();
}

void FastSequencer::start(const Job& job, std::uint64_t cycle) {
  drop_layer(cycle);
  job_number_ = job.number;
  schedule_ = job.schedule;
  position_ = last_k_vectors_ = 0;
  tiles_released_ = inputs_released_ = 0;
  fold_end_ = 0;
  words_.start(word_latency_);
  wait(Cause::idle, cycle);
  phase_ = Phase::off;
  if (schedule_ == nullptr) return;
  looks_ = true;
  phase_ = Phase::ending;
  if (!schedule_->descriptor().uses_array()) return;
  phase_ = Phase::waiting;
  values_.start(*schedule_);
  tile_.emplace(*schedule_);
  enter_tile();
}

void FastSequencer::enter_tile() {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t rows = tiling.k_rows(tile_->k_tile());
  const std::int64_t last_k = tiling.k_begin(tile_->k_tile()) + rows - 1;
  last_row_ = last_k / d.in_c / d.kernel_w * d.dilation_h - d.pad_top;
  tile_costs_.input_bytes = packed_bytes(rows, d.input.bits);
  tile_costs_.input_accesses = input_buffer_.config().accesses(tile_costs_.input_bytes);
  tile_costs_.psum_bytes = tile_->first_k() ? 0 : tiling.lanes * config_.psum_bytes(static_cast<int>(d.weight.bits));
  tile_costs_.half = static_cast<std::size_t>(tile_->visit().pass().input_fetch % 2);
  tile_costs_.macs = static_cast<std::uint64_t>(tiling.vector_macs(tile_->visit().n_tile(), tile_->k_tile()));
  position_ = 0;
  previous_.swap(current_);
  current_.clear();
  past_ = 0;
}

std::uint64_t FastSequencer::next(std::uint64_t cycle) const {
  if (looks_) return cycle + 1;
  if (phase_ == Phase::issuing) {
    return runs_.front().edge(0) > cycle ? runs_.front().edge(0) : runs_.back().last();
  }
  // Of a tile that has not been asked for: when it can be, and when the array is empty.
  if (phase_ == Phase::waiting && !config_.array.fold_overlap && cycle < fold_end_) {
    return std::max(cycle + 1, fold_end_ - 1);
  }
  if (phase_ == Phase::ending && cause_ == Cause::fill_drain) return words_.seen_at(last_k_vectors_ - 1);
  return never;  // Whoever it waits for wakes it.
}

void FastSequencer::wait(Cause cause, std::uint64_t cycle) {
  cause_ = cause;
  cause_track_.set(cause, cycle);
}

void FastSequencer::try_issue(std::uint64_t cycle, const Inputs& inputs) {
  if (position_ == 0) {
    if (must_ask()) return wait(ask_for_fold(cycle, inputs), cycle);
    if (!half_is_free(inputs)) return wait(Cause::output_wait, cycle);
    if (inputs.tiles_loaded <= tile_->index()) return wait(Cause::weight_wait, cycle);
  }
  const std::int64_t count = available(inputs.input_level);
  if (count == 0) return wait(Cause::input_wait, cycle);
  plan(cycle, gate_.enabled() ? 1 : count);
}

bool FastSequencer::must_ask() const {
  return !config_.array.fold_overlap && position_ == 0 && tiles_released_ == tile_->index();
}

/// As Sequencer does.
Cause FastSequencer::ask_for_fold(std::uint64_t cycle, const Inputs& inputs) {
  const bool drains = cycle < fold_end_;
  if (cycle + 1 < fold_end_) return Cause::fill_drain;
  if (!half_is_free(inputs)) return drains ? Cause::fill_drain : Cause::output_wait;
  if (available(inputs.input_level) < tile_->visit().positions()) return drains ? Cause::fill_drain : Cause::input_wait;
  ++tiles_released_;
  return drains ? Cause::fill_drain : Cause::weight_wait;
}

bool FastSequencer::half_is_free(const Inputs& inputs) const {
  return !tile_->first_k() || inputs.visits_drained >= tile_->visit().index() - 1;
}

std::int64_t FastSequencer::available(const FillLevel& level) const {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const Pass& pass = tile_->visit().pass();
  const std::int64_t positions = tile_->visit().positions();
  const auto there = [&](std::int64_t out_row) {
    const std::int64_t row = (tiling.band_first_row(pass.band) + out_row) * d.stride_h + last_row_;
    return level.has(pass.input_fetch, tiling.input_bytes_to(pass.band, row));
  };
  const std::int64_t rows = positions / d.out_w;
  if (there(rows - 1)) return positions - position_;
  std::int64_t row = position_ / d.out_w;
  while (there(row)) ++row;
  return std::max<std::int64_t>(row * d.out_w - position_, 0);
}

void FastSequencer::plan(std::uint64_t cycle, std::int64_t count) {
  phase_ = Phase::issuing;
  runs_.clear();
  counted_runs_ = 0;
  run_costs_ = tile_costs_;
  if (tile_->last_k()) values_.compute(tile_->visit(), position_, count);
  const auto accesses = static_cast<std::uint64_t>(tile_costs_.input_accesses);
  if (tile_->first_k()) {
    add_run(count, cycle + accesses - 1, accesses);
  } else {
    plan_behind_sums(cycle, count);
  }
}

/// Splits the run where the sums of the k-tile before begin to hold it up, or cease to.
void FastSequencer::plan_behind_sums(std::uint64_t cycle, std::int64_t count) {
  const auto accesses = static_cast<std::uint64_t>(tile_costs_.input_accesses);
  std::int64_t position = position_;
  std::uint64_t free = cycle;  // The first edge that the next vector can use.
  while (count > 0) {
    const PastRun& past = previous_[past_];
    const std::int64_t offset = position - past.position;
    const std::uint64_t sum = past.run.edge(offset) + sum_latency_;
    const std::uint64_t alone = free + accesses - 1;
    std::int64_t n = std::min(count, past.run.count - offset);
    if (sum > alone) {
      // The first vector waits, the others follow at the distance of their sums.
      add_run(1, sum, sum - free + 1);
      if (n > 1) add_run(n - 1, sum + past.run.period, past.run.period);
    } else {
      if (past.run.period > accesses) {
        n = std::min(n, static_cast<std::int64_t>((alone - sum) / (past.run.period - accesses)) + 1);
      }
      add_run(n, alone, accesses);
    }
    free = runs_.back().last() + 1;
    position += n;
    count -= n;
    if (position == past.position + past.run.count) ++past_;
  }
}

void FastSequencer::add_run(std::int64_t count, std::uint64_t first_edge, std::uint64_t period) {
  IssueRun run{first_edge + 1 - period, count, period, 0};
  while (gate_.closed(run.edge(0))) {  // With random stalls, runs are single vectors.
    ++run.period;
    ++run.stalled;
  }
  if (tile_->last_k()) {
    if (position_ == 0 && runs_.empty()) words_begin_ = run.edge(0) + word_latency_ - 1;
    words_.add(run);
    last_k_vectors_ += count;
  }
  runs_.push_back(run);
}

void FastSequencer::finish_run(std::uint64_t cycle) {
  for (const IssueRun& run : runs_) {
    if (cause_track_.on()) report_run(run, never);
    current_.push_back({position_, run});
    if (tile_->last_k()) {
      store_.count_write(schedule_->tiling().lanes, run.count);
    } else {
      const auto bits = static_cast<int>(schedule_->descriptor().weight.bits);
      store_.count_write(schedule_->tiling().lanes * config_.psum_bytes(bits), run.count);
    }
    position_ += run.count;
  }
  looks_ = true;
  phase_ = Phase::waiting;
  if (position_ == tile_->visit().positions()) finish_tile(cycle);
}

void FastSequencer::finish_tile(std::uint64_t cycle) {
  if (timeline_ != nullptr) {
    report_encoded(cycle);
    timeline_->add(tile_slice(Track::array, *tile_, tile_begin_, cycle + 1));
    if (tile_->last_k()) {
      encoded_.push_back(visit_slice(Track::encoder, tile_->visit(), words_begin_, cycle + word_latency_));
    }
  }
  if (config_.array.fold_overlap && !config_.array.double_buffer_weights) tiles_released_ = tile_->index() + 1;
  fold_end_ = cycle + latency_;
  const std::int64_t fetch = tile_->visit().pass().input_fetch;
  tile_->next();
  if (tile_->done() || tile_->visit().pass().input_fetch != fetch) inputs_released_ = fetch + 1;
  if (tile_->done()) {
    phase_ = Phase::ending;
  } else {
    enter_tile();
  }
}

/// Tells the causes of the run's edges before `end`.
void FastSequencer::report_run(const IssueRun& run, std::uint64_t end) {
  const auto accesses = static_cast<std::uint64_t>(run_costs_.input_accesses);
  const auto tell = [&](Cause cause, std::uint64_t edge) {
    if (edge < end) cause_track_.set(cause, edge);
  };
  for (std::int64_t j = 0; j < run.count && run.edge(j) + 1 - run.period < end; ++j) {
    const std::uint64_t issue = run.edge(j);
    const std::uint64_t begin = issue + 1 - run.period;
    const std::uint64_t sums_there = issue - run.stalled;
    if (accesses > 1) tell(Cause::input_wait, begin);
    if (begin + accesses - 1 < sums_there) tell(Cause::psum_wait, begin + accesses - 1);
    if (run.stalled > 0) tell(Cause::input_wait, sums_there);
    tell(Cause::busy, issue);
  }
}

/// Reports the visits whose words were all there before edge `end`.
void FastSequencer::report_encoded(std::uint64_t end) {
  for (; !encoded_.empty() && encoded_.front().end <= end; encoded_.pop_front()) timeline_->add(encoded_.front());
}

void FastSequencer::end(std::uint64_t cycle, const Inputs& inputs) {
  if (words_.seen(cycle) < last_k_vectors_) return wait(Cause::fill_drain, cycle);
  report_encoded(cycle);
  switch (inputs.ppu_state) {
    case PpuState::working:
      return wait(Cause::ppu, cycle);
    case PpuState::waits_for_input:
      return wait(Cause::input_wait, cycle);
    case PpuState::waits_for_residual:
    case PpuState::idle:
      break;
  }
  wait(inputs.visits_drained < schedule_->visits() ? Cause::output_wait : Cause::idle, cycle);
}

void FastSequencer::account(std::uint64_t cycle) {
  while (accounted_ < cycle) {
    if (counted_runs_ == runs_.size()) {
      causes_[static_cast<std::size_t>(cause_)] += cycle - accounted_;
      accounted_ = cycle;
      return;
    }
    const IssueRun& run = runs_[counted_runs_];
    const std::uint64_t to = std::min(cycle, run.last());
    count_run(run, accounted_ + 1, to);
    accounted_ = to;
    if (to == run.last()) ++counted_runs_;
  }
}

/// Whether a vector is presented at an edge that has not been accounted for.
bool FastSequencer::presents(std::uint64_t cycle) const {
  if (cycle <= accounted_ || counted_runs_ == runs_.size()) return false;
  const IssueRun& run = runs_[counted_runs_];
  return cycle >= run.start && (cycle - run.start + 1) % run.period == 0;
}

bool FastSequencer::reads(std::uint64_t cycle, std::size_t half) const {
  if (half != run_costs_.half) return false;
  const auto run =
      std::ranges::find_if(runs_, [&](const IssueRun& r) { return r.start <= cycle && cycle <= r.last(); });
  if (run == runs_.end()) return false;
  return (cycle - run->start) % run->period < static_cast<std::uint64_t>(run_costs_.input_accesses);
}

std::optional<LayerPosition> FastSequencer::between_visits(std::uint64_t cycle) const {
  if (phase_ != Phase::waiting || position_ != 0 || !tile_->first_k()) return std::nullopt;
  return LayerPosition{.edge = cycle,
                       .visit = tile_->visit().index(),
                       .tile = tile_->index(),
                       .input_fetch = tile_->visit().pass().input_fetch,
                       .weight_fetch = tile_->weight_fetch(),
                       .vector = last_k_vectors_};
}

void FastSequencer::walk(StateWalk& walk) {
  walk.cursor(*tile_);
  walk.plain(cause_);
  walk.plain(looks_);
  walk.vector(last_k_vectors_);
  walk.tile(tiles_released_);
  walk.input_fetch(inputs_released_);
  walk.next_edge(fold_end_);
  words_.walk(walk);
  walk.plain(runs_.size() - counted_runs_);
  for (std::size_t i = counted_runs_; i < runs_.size(); ++i) runs_[i].walk(walk);
  walk.plain(run_costs_.input_accesses);
  walk.plain(run_costs_.input_bytes);
  walk.plain(run_costs_.psum_bytes);
  walk.plain(run_costs_.macs);
  walk.plain(run_costs_.half);
  walk.edge(accounted_);
}

void FastSequencer::count_run(const IssueRun& run, std::uint64_t from, std::uint64_t to) {
  const auto accesses = static_cast<std::uint64_t>(run_costs_.input_accesses);
  if (from == run.start && to == run.last()) {
    const auto vectors = static_cast<std::uint64_t>(run.count);
    count_vectors(vectors, vectors * (accesses - 1 + run.stalled), vectors * (run.period - accesses - run.stalled));
    return;
  }
  struct Sum {
    std::uint64_t busy, input, psum;
  };
  // Of the run's edges from its start to before `end`.
  const auto before = [&](std::uint64_t end) {
    const std::uint64_t vectors = (end - run.start) / run.period;
    std::uint64_t rest = (end - run.start) % run.period;
    const std::uint64_t waits = run.period - accesses - run.stalled;
    Sum sum{vectors, vectors * (accesses - 1 + run.stalled), vectors * waits};
    const std::uint64_t access = std::min(rest, accesses - 1);
    rest -= access;
    const std::uint64_t psum = std::min(rest, waits);
    sum.input += access + rest - psum;
    sum.psum += psum;
    return sum;
  };
  const Sum a = before(from);
  const Sum b = before(to + 1);
  count_vectors(b.busy - a.busy, b.input - a.input, b.psum - a.psum);
}

void FastSequencer::count_vectors(std::uint64_t vectors, std::uint64_t input_waits, std::uint64_t psum_waits) {
  causes_[static_cast<std::size_t>(Cause::busy)] += vectors;
  causes_[static_cast<std::size_t>(Cause::input_wait)] += input_waits;
  causes_[static_cast<std::size_t>(Cause::psum_wait)] += psum_waits;
  vectors_ += vectors;
  macs_ += vectors * run_costs_.macs;
  const auto count = static_cast<std::int64_t>(vectors);
  input_buffer_.count_read(run_costs_.input_bytes, count);
  if (run_costs_.psum_bytes > 0) store_.count_read(run_costs_.psum_bytes, count);
}

}  // namespace lpa::hw
