// Layers of FastMachine that need not be run edge by edge: those that LayerMemo knows.
#include "hw_model/fast/fast_machine.h"
#include "hw_model/fast/layer_words.h"

namespace lpa::hw {

void FastMachine::set_memory_timing(const MemoryTiming* timing) {
  memory_timing_ = timing;
}

/// Whether nothing of what was before can be told at the edges after this one, but for the DMA's turn.
bool FastMachine::at_rest(std::uint64_t edge) const {
  if (memory_timing_ == nullptr || !answers_at_once_ || config_.stall.permille != 0) return false;
  const std::optional<std::uint64_t> rests = memory_timing_->rests_from();
  return rests && *rests <= edge * period_.value() && dma_.at_rest(edge * period_.value()) &&
         weight_buffer_.at_rest(edge) && input_buffer_.at_rest(edge);
}

/// Sees layers begin and end: when the job changes.
void FastMachine::watch_layers() {
  if (job_.read().number == watched_job_) return;
  watched_job_ = job_.read().number;
  const Schedule* schedule = job_.read().schedule;
  const bool ended = controller_.layers_ended() != watched_ends_;
  watched_ends_ = controller_.layers_ended();
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
void FastMachine::repeat_layer() {
  const LayerCost* cost = memo_.expected();
  if (cost == nullptr || timeline_ != nullptr || controller_.has_request() || !quiet_until(edge_ + cost->edges)) return;
  const Schedule& schedule = *job_.read().schedule;
  const std::span<std::uint8_t> memory = direct_memory();
  if (!LayerWords::possible(schedule, memory.size())) return;
  if (values_on_) {
    LayerWords(weight_buffer_, input_buffer_, output_, values_, ppu_.values()).compute(schedule, memory);
  } else {
    LayerWords::clear(schedule, memory);
  }
  ++layers_repeated_;
  edge_ += cost->edges;
  repeated_ += cost->counters;
  repeated_.cycles = 0;  // Which are the controller's to count, as are their causes.
  repeated_.by_cause = {};
  dma_.set_turn(cost->dma_turn);
  controller_.end_repeated(edge_, cost->counters);
  counted_ = edge_;
  job_.now = controller_.job();
  wake_all(edge_ + 1);
  memo_.drop();
  watch_layers();
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
