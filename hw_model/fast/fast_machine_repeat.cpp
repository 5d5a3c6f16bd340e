// What FastMachine need not run edge by edge: layers that LayerMemo knows, and visits that VisitPeriods foresees.
#include <algorithm>
#include <utility>

#include "hw_model/fast/fast_machine.h"
#include "hw_model/fast/layer_words.h"

namespace lpa::hw {

void FastMachine::set_memory_timing(MemoryTiming* timing) {
  memory_timing_ = timing;
}

/// Whether nothing of what was before can be told at the edges after this one, but for the DMA's turn.
bool FastMachine::at_rest(std::uint64_t edge) const {
  if (memory_timing_ == nullptr || !answers_at_once_ || config_.stall.permille != 0) return false;
  const std::uint64_t now = edge * period_.value();
  const std::optional<std::uint64_t> rests = memory_timing_->rests_from();
  return rests && *rests <= now && dma_.at_rest(now) && weight_buffer_.at_rest(edge) && input_buffer_.at_rest(edge);
}

/// Sees layers begin and end: when the job changes.
void FastMachine::watch_layers() {
  if (job_.read().number == watched_job_) return;
  watched_job_ = job_.read().number;
  const Schedule* schedule = job_.read().schedule;
  const bool ended = controller_.layers_ended() != watched_ends_;
  watched_ends_ = controller_.layers_ended();
  if (const Schedule* last = std::exchange(set_aside_, nullptr); last != nullptr) {
    if (ended) {
      form_words(*last, values_set_aside_);
    } else {
      compute_words(values_on_);
    }
  }
  if (schedule == nullptr && ended && at_rest(edge_)) {
    memo_.end(dma_.turn(), edge_, controller_.counters());
  } else if (schedule != nullptr && at_rest(edge_)) {
    memo_.begin(schedule->descriptor(), dma_.turn(), edge_, controller_.counters());
  } else {
    memo_.drop();
  }
}

/// Ends the layer that has begun at the last edge at once, if it is known how. Nobody may look at the machine before it
/// ends.
bool FastMachine::repeat_layer() {
  const LayerCost* cost = memo_.expected();
  if (cost == nullptr || timeline_ != nullptr || controller_.has_request() || !quiet_until(edge_ + cost->edges)) {
    return false;
  }
  const Schedule& schedule = *job_.read().schedule;
  if (!LayerWords::possible(schedule, direct_memory().size())) return false;
  form_words(schedule, values_on_);
  ++layers_repeated_;
  leap(cost->edges, cost->counters);
  dma_.set_turn(cost->dma_turn);
  controller_.end_repeated(edge_, cost->counters);
  counted_ = edge_;
  job_.now = controller_.job();
  wake_all(edge_ + 1);
  memo_.drop();
  watch_layers();
  return true;
}

void FastMachine::form_words(const Schedule& schedule, bool values) {
  compute_words(values);
  if (values) {
    LayerWords(weight_buffer_, input_buffer_, output_, values_, ppu_.values()).compute(schedule, direct_memory());
  } else {
    LayerWords::clear(schedule, direct_memory());
  }
  compute_words(values_on_);
}

void FastMachine::compute_words(bool on) {
  values_.set_values(on);
  ppu_.set_values(on);
}

/// Runs the layer that has begun at the last edge without words, which are formed when it ends, if nobody can look at
/// the machine before: then visits may be skipped.
void FastMachine::set_words_aside() {
  const Schedule* schedule = job_.read().schedule;
  if (schedule == nullptr || !schedule->descriptor().uses_array() || timeline_ != nullptr) return;
  if (!at_rest(edge_) || controller_.has_request() || !quiet_until(never)) return;
  if (!LayerWords::possible(*schedule, direct_memory().size())) return;
  set_aside_ = schedule;
  values_set_aside_ = values_on_;
  compute_words(false);
  periods_.start(*schedule);
  seen_visit_ = 0;
}

/// Between two visits of a layer whose words are set aside: goes on to where anything new comes. Whether it went.
bool FastMachine::skip_visits() {
  const std::optional<LayerPosition> position = sequencer_.between_visits(edge_);
  if (!position || position->visit == seen_visit_) return false;
  seen_visit_ = position->visit;
  const VisitCursor* residual = output_.residual_visit();
  if (loader_.done() || ppu_.visit() == nullptr || (residual != nullptr && residual->done())) return false;
  if (dma_.waits_for_memory() || dma_.error() || timeline_ != nullptr || !quiet_until(never)) return false;
  sequencer_.account(edge_ - 1);
  count_cycles(edge_);
  read_fields_.clear();
  StateWalk reading = StateWalk::reading(*position, period_.value(), read_fields_);
  // What alternates between halves.
  for (const std::int64_t index : {position->visit, position->input_fetch, position->weight_fetch}) {
    reading.plain(index % 2);
  }
  walk(reading);
  const std::optional<VisitWay> way = periods_.way(read_fields_, moment(*position));
  if (!way) return false;
  StateWalk moving = StateWalk::moving(way->distance, period_.value());
  walk(moving);
  leap(way->distance.edge, way->counters);
  counted_ += way->distance.edge;
  edges_skipped_ += way->distance.edge;
  seen_visit_ += way->distance.visit;
  controller_.skip(way->counters.by_cause, way->counters.cycles);
  return true;
}

/// Over edges that are not run. Cycles and their causes are the controller's to count.
void FastMachine::leap(std::uint64_t edges, const Counters& counters) {
  edge_ += edges;
  repeated_ += counters;
  repeated_.cycles = 0;
  repeated_.by_cause = {};
}

VisitMoment FastMachine::moment(const LayerPosition& position) const {
  VisitMoment moment{.position = position,
                     .visits = {ppu_.visit()->index(), loader_.tile().visit().index()},
                     .input_fetches = {input_buffer_.level().complete, input_buffer_.requested_fetch()},
                     .weight_fetches = {weight_buffer_.level().complete, weight_buffer_.requested_fetch()},
                     .counters = controller_.counters()};
  if (const VisitCursor* residual = output_.residual_visit(); residual != nullptr) {
    moment.visits.last = std::max(moment.visits.last, residual->index());
  }
  const std::int64_t fetch = loader_.tile().weight_fetch();
  const Fetch& weights = job_.read().schedule->weight_fetches()[static_cast<std::size_t>(fetch)];
  moment.weights_there = weight_buffer_.level().has(fetch, weights.bytes);
  return moment;
}

/// All that decides about later edges of a layer that uses the array, but for addresses and words.
void FastMachine::walk(StateWalk& walk) {
  sequencer_.walk(walk);
  loader_.walk(walk);
  weight_buffer_.walk(walk);
  input_buffer_.walk(walk);
  output_.walk(walk);
  ppu_.walk(walk);
  dma_.walk(walk);
  weight_level_.now.walk(walk, &StateWalk::weight_fetch);
  input_level_.now.walk(walk, &StateWalk::input_fetch);
  residual_level_.now.walk(walk, &StateWalk::visit);
  walk.weight_fetch(weights_released_.now);
  walk.input_fetch(array_inputs_released_.now);
  walk.plain(ppu_inputs_released_.now);
  walk.tile(tiles_loaded_.now);
  walk.tile(tiles_released_.now);
  walk.visit(visits_drained_.now);
  walk.plain(ppu_state_.now);
  for (std::uint64_t& due : due_) {
    walk.plain(due == never);
    if (due != never) walk.edge(due);
  }
  std::uint64_t memory_rests = *memory_timing_->rests_from();
  walk.next_time(memory_rests);
  memory_timing_->move_on(memory_rests - *memory_timing_->rests_from());
}

/// Whether nothing else in the simulation can happen up to an edge.
bool FastMachine::quiet_until(std::uint64_t edge) const {
  if (sc_core::sc_pending_activity_at_current_time()) return false;
  const sc_core::sc_time quiet = sc_core::sc_time_to_pending_activity();
  return quiet >= sc_core::sc_max_time() - sc_core::sc_time_stamp() ||
         edge < (sc_core::sc_time_stamp() + quiet).value() / period_.value();
}

/// All of external memory, if it can be reached directly.
std::span<std::uint8_t> FastMachine::direct_memory() {
  tlm::tlm_generic_payload payload;
  tlm::tlm_dmi dmi;
  payload.set_address(0);
  if (!dma_.socket->get_direct_mem_ptr(payload, dmi) || dmi.get_start_address() != 0) return {};
  if (!dmi.is_read_write_allowed()) return {};
  return {dmi.get_dmi_ptr(), static_cast<std::size_t>(dmi.get_end_address() + 1)};
}

}  // namespace lpa::hw
