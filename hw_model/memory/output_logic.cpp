#include "hw_model/memory/output_logic.h"

#include <algorithm>

#include "hw_model/control/tile_slice.h"
namespace lpa::hw {

OutputLogic::OutputLogic(const MachineConfig& config, DmaPort& port, OutputStore& store)
    : burst_bytes_(config.dma.burst_bytes), port_(port), store_(store), gate_(config.stall, StallPoint::output) {}

void OutputLogic::step(std::uint64_t cycle, const Job& job) {
  if (job.number != job_number_) {
    start(job);
    return;
  }
  if (schedule_ == nullptr) return;
  receive(cycle);
  if (gate_.closed(cycle)) return;
  if (port_.has_room(cycle)) send_results(cycle);
  if (port_.has_room(cycle) && may_request_residual()) request_residual(cycle);
}

void OutputLogic::reset() {
  schedule_ = nullptr;
  results.clear();
}

void OutputLogic::start(const Job& job) {
  job_number_ = job.number;
  schedule_ = job.schedule;
  results.clear();
  reading_.reset();
  pending_ = {};
  requested_ = written_visit_ = drained_ = 0;
  first_read_ = first_write_ = 0;
  level_ = {};
  open_writes_ = {};
  ended_ = {};
  if (schedule_ != nullptr && schedule_->descriptor().adds()) reading_.emplace(*schedule_);
}

std::uint64_t OutputLogic::next(std::uint64_t cycle) const {
  if (schedule_ == nullptr) return never;
  const bool room = port_.has_room(cycle + 1);
  if (visit_is_drained() || (room && may_request_residual())) return cycle + 1;
  std::uint64_t at = never;
  if (!port_.done.empty()) at = port_.done.ready_at();
  if (room && !results.empty()) at = std::min(at, results.ready_at());
  return std::max(at, cycle + 1);
}

bool OutputLogic::visit_is_drained() const {
  const auto half = static_cast<std::size_t>(drained_ % 2);
  return ended_[half] && open_writes_[half] == 0;
}

void OutputLogic::receive(std::uint64_t cycle) {
  while (port_.done.ready(cycle)) {
    Burst burst = port_.done.take(cycle);
    const auto half = static_cast<std::size_t>(burst.tag % 2);
    if (burst.write) {
      --open_writes_[half];
    } else {
      const auto size = static_cast<std::int64_t>(burst.data.size());
      std::ranges::copy(burst.data, residuals_[half].begin() + level_.bytes[half]);
      level_.bytes[half] += size;
      store_.count_write(size);
    }
    port_.retire(std::move(burst));
  }
  if (!visit_is_drained()) return;
  const auto half = static_cast<std::size_t>(drained_ % 2);
  ended_[half] = false;
  if (timeline_ != nullptr) {
    timeline_->add({.track = half == 0 ? Track::output_buffer_0 : Track::output_buffer_1,
                    .begin = visit_begin_[half],
                    .end = cycle + 1,
                    .index = drained_});
  }
  ++drained_;
}

bool OutputLogic::may_request_residual() const {
  return reading_ && !reading_->done() && drained_ >= reading_->index() - 1;
}

void OutputLogic::request_residual(std::uint64_t cycle) {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t segment = packed_bytes(reading_->channels(), d.addend.bits);
  const std::int64_t total = reading_->positions() * segment;
  if (requested_ == 0) {
    const auto half = static_cast<std::size_t>(reading_->index() % 2);
    level_.fetch[half] = reading_->index();
    level_.bytes[half] = 0;
    residual_room(reading_->index(), total);
    first_read_ = cycle;
  }
  const std::int64_t position = tiling.band_first_row(reading_->pass().band) * d.out_w + requested_ / segment;
  const std::int64_t channel = d.output_channel + reading_->n_tile() * tiling.lanes;
  const bool contiguous = segment == d.addend_pitch;
  Burst burst;
  burst.address =
      static_cast<std::uint64_t>(d.addend_address + reading_->pass().batch * d.addend_stride +
                                 position * d.addend_pitch + channel * d.addend.bits / 8 + requested_ % segment);
  burst.tag = reading_->index();
  const std::int64_t run = contiguous ? total - requested_ : segment - requested_ % segment;
  const std::int64_t length = burst_length(burst.address, run, burst_bytes_);
  burst.data = port_.storage(length);
  port_.requests.push(cycle, std::move(burst));
  requested_ += length;
  if (requested_ < total) return;
  if (timeline_ != nullptr) {
    timeline_->add(visit_slice(Track::dma_residuals, *reading_, first_read_, cycle + 1));
  }
  requested_ = 0;
  reading_->next();
}

void OutputLogic::send_results(std::uint64_t cycle) {
  const std::size_t before = port_.requests.size(cycle);
  while (results.ready(cycle) && port_.requests.size(cycle) == before) {
    Segment& segment = results.front();
    const bool follows = segment.address == pending_.address + pending_.data.size() &&
                         segment.address % static_cast<std::uint64_t>(burst_bytes_) != 0;
    if (!pending_.data.empty() && !follows) {
      flush(cycle);
      return;
    }
    if (pending_.data.empty()) {
      pending_.data = port_.storage(0);
      pending_.address = segment.address;
    }
    const std::int64_t room =
        burst_length(segment.address, static_cast<std::int64_t>(segment.bytes.size()), burst_bytes_);
    pending_.data.insert(pending_.data.end(), segment.bytes.begin(), segment.bytes.begin() + room);
    if (room < static_cast<std::int64_t>(segment.bytes.size())) {
      segment.bytes.erase(segment.bytes.begin(), segment.bytes.begin() + room);
      segment.address += static_cast<std::uint64_t>(room);
      flush(cycle);
      return;
    }
    const bool ends = segment.ends_visit;
    spare_.push_back(std::move(segment.bytes));
    results.take(cycle);
    if (ends) end_visit(cycle);
  }
}

void OutputLogic::flush(std::uint64_t cycle) {
  if (first_write_ == 0) first_write_ = cycle;
  pending_.write = true;
  pending_.tag = written_visit_;
  store_.count_read(static_cast<std::int64_t>(pending_.data.size()));
  ++open_writes_[static_cast<std::size_t>(written_visit_ % 2)];
  port_.requests.push(cycle, std::move(pending_));
  pending_ = {};
}

void OutputLogic::end_visit(std::uint64_t cycle) {
  flush(cycle);
  ended_[static_cast<std::size_t>(written_visit_ % 2)] = true;
  if (timeline_ != nullptr) {
    timeline_->add({.track = Track::dma_outputs, .begin = first_write_, .end = cycle + 1, .index = written_visit_});
  }
  first_write_ = 0;
  ++written_visit_;
}

std::uint8_t* OutputLogic::residual_room(std::int64_t visit, std::int64_t bytes) {
  auto& half = residuals_[static_cast<std::size_t>(visit % 2)];
  half.resize(std::max(half.size(), static_cast<std::size_t>(bytes)));
  return half.data();
}

std::vector<std::uint8_t> OutputLogic::segment_storage() {
  if (spare_.empty()) return {};
  std::vector<std::uint8_t> bytes = std::move(spare_.back());
  spare_.pop_back();
  bytes.clear();
  return bytes;
}

void OutputLogic::walk(StateWalk& walk) {
  walk.plain(std::ranges::distance(results.items()));
  for (const Segment& segment : results.items()) {
    walk.plain(segment.bytes.size());
    walk.plain(segment.ends_visit);
  }
  if (reading_) walk.cursor(*reading_);
  walk.plain(requested_);
  level_.walk(walk, &StateWalk::visit);
  walk.plain(pending_.data.size());
  walk.visit(written_visit_);
  for (const std::int64_t count : open_writes_) walk.plain(count);
  for (const bool ended : ended_) walk.plain(ended);
  walk.visit(drained_);
}

}  // namespace lpa::hw
