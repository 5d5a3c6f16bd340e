#include "hw_model/memory/fill_logic.h"

#include <algorithm>

namespace lpa::hw {

FillLogic::FillLogic(FillKind kind, const MachineConfig& config, DmaPort& port)
    : kind_(kind),
      config_(kind == FillKind::weights ? config.weight_buffer : config.input_buffer),
      burst_bytes_(config.dma.burst_bytes),
      port_(port),
      gate_(config.stall, kind == FillKind::weights ? StallPoint::weight_fill : StallPoint::input_fill) {
  for (auto& half : halves_) half.resize(static_cast<std::size_t>(config_.half_bytes()));
}

void FillLogic::step(std::uint64_t cycle, const Job& job, std::int64_t released) {
  if (job.number != job_number_) {
    start(job);
    return;
  }
  if (fetches_ == nullptr) return;
  if (timeline_ != nullptr) report_released(cycle, released);
  receive(cycle);
  if (may_request(cycle, released)) request(cycle);
}

void FillLogic::reset() {
  fetches_ = nullptr;
  level_ = {};
}

void FillLogic::start(const Job& job) {
  job_number_ = job.number;
  fetches_ = nullptr;
  if (job.schedule != nullptr) {
    fetches_ = kind_ == FillKind::weights ? &job.schedule->weight_fetches() : &job.schedule->input_fetches();
  }
  requested_fetch_ = requested_bytes_ = received_fetch_ = reported_ = 0;
  level_ = {};
}

std::uint64_t FillLogic::next(std::uint64_t cycle, std::int64_t released) const {
  if (fetches_ == nullptr) return never;
  if (may_request(cycle + 1, released)) return cycle + 1;
  if (port_.done.empty()) return never;
  return std::max({cycle + 1, write_busy_until_, port_.done.ready_at()});
}

bool FillLogic::may_request(std::uint64_t cycle, std::int64_t released) const {
  if (requested_fetch_ == static_cast<std::int64_t>(fetches_->size())) return false;
  const std::int64_t half_free_after = requested_fetch_ - 1;  // Fetches received and released.
  if (released < half_free_after || received_fetch_ < half_free_after) return false;
  return port_.has_room(cycle);
}

void FillLogic::request(std::uint64_t cycle) {
  const auto half = static_cast<std::size_t>(requested_fetch_ % 2);
  if (level_.fetch[half] != requested_fetch_) {
    level_.fetch[half] = requested_fetch_;
    level_.bytes[half] = 0;
    first_request_[half] = cycle;
  }
  const Fetch& fetch = (*fetches_)[static_cast<std::size_t>(requested_fetch_)];
  if (requested_bytes_ < fetch.bytes) {
    Burst burst;
    burst.address = static_cast<std::uint64_t>(fetch.address_of(requested_bytes_));
    burst.tag = requested_bytes_;
    const std::int64_t length = burst_length(burst.address, fetch.contiguous(requested_bytes_), burst_bytes_);
    burst.data = port_.storage(length);
    requested_bytes_ += length;
    port_.requests.push(cycle, std::move(burst));
  }
  if (requested_bytes_ < fetch.bytes) return;
  if (timeline_ != nullptr) {
    const Track track = kind_ == FillKind::weights ? Track::dma_weights : Track::dma_inputs;
    timeline_->add({.track = track, .begin = first_request_[half], .end = cycle + 1, .index = requested_fetch_});
  }
  ++requested_fetch_;
  requested_bytes_ = 0;
}

/// Whether the single port of the half being filled serves a read that began at the last edge.
bool FillLogic::port_taken(std::uint64_t cycle) const {
  if (config_.ports == 2) return false;
  const auto half = static_cast<std::size_t>(received_fetch_ % 2);
  const auto& uses = port_use_[half];
  return uses[0] == cycle - 1 || uses[1] == cycle - 1 || (reads_port_ && reads_port_(cycle - 1, half));
}

void FillLogic::receive(std::uint64_t cycle) {
  if (cycle < write_busy_until_ || !port_.done.ready(cycle) || gate_.closed(cycle) || port_taken(cycle)) return;
  Burst burst = port_.done.take(cycle);
  const auto half = static_cast<std::size_t>(received_fetch_ % 2);
  std::ranges::copy(burst.data, halves_[half].begin() + burst.tag);
  level_.bytes[half] = burst.tag + static_cast<std::int64_t>(burst.data.size());
  const auto used = static_cast<std::uint64_t>(config_.accesses(static_cast<std::int64_t>(burst.data.size())));
  writes_ += used;
  write_busy_until_ = cycle + used;
  port_.retire(std::move(burst));
  if (level_.bytes[half] == (*fetches_)[static_cast<std::size_t>(received_fetch_)].bytes) {
    level_.complete = ++received_fetch_;
  }
}

void FillLogic::walk(StateWalk& walk) {
  const auto index = kind_ == FillKind::weights ? &StateWalk::weight_fetch : &StateWalk::input_fetch;
  (walk.*index)(requested_fetch_);
  walk.plain(requested_bytes_);
  (walk.*index)(received_fetch_);
  level_.walk(walk, index);
  walk.next_edge(write_busy_until_);
}

void FillLogic::report_released(std::uint64_t cycle, std::int64_t released) {
  for (; reported_ < released; ++reported_) {
    const bool second = reported_ % 2 != 0;
    const Track weights = second ? Track::weight_buffer_1 : Track::weight_buffer_0;
    const Track inputs = second ? Track::input_buffer_1 : Track::input_buffer_0;
    timeline_->add({.track = kind_ == FillKind::weights ? weights : inputs,
                    .begin = first_request_[static_cast<std::size_t>(reported_ % 2)],
                    .end = cycle,
                    .index = reported_});
  }
}

}  // namespace lpa::hw
