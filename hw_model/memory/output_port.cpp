#include "hw_model/memory/output_port.h"

#include <algorithm>

namespace lpa::hw {

OutputPort::OutputPort(const sc_core::sc_module_name& name, const MachineConfig& config, DmaPort& port,
                       OutputBuffer& buffer)
    : sc_module(name), burst_bytes_(config.dma.burst_bytes), port_(port), buffer_(buffer) {
  SC_HAS_PROCESS(OutputPort);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void OutputPort::step() {
  ++cycle_;
  if (reset.read()) {
    schedule_ = nullptr;
    results.clear();
    return;
  }
  if (job.read().number != job_number_) {
    start(job.read());
    return;
  }
  if (schedule_ == nullptr) return;
  receive();
  if (port_.requests.size(cycle_) < DmaPort::queue_depth) send_results();
  if (port_.requests.size(cycle_) < DmaPort::queue_depth) request_residual();
  visits_drained.write(drained_);
  residual_level.write(level_);
}

void OutputPort::start(const Job& new_job) {
  job_number_ = new_job.number;
  schedule_ = new_job.schedule;
  results.clear();
  reading_.reset();
  pending_ = {};
  requested_ = written_visit_ = drained_ = 0;
  level_ = {};
  open_writes_ = {};
  ended_ = {};
  visits_drained.write(0);
  residual_level.write(level_);
  if (schedule_ == nullptr) return;
  if (schedule_->descriptor().adds()) reading_.emplace(*schedule_);
}

void OutputPort::receive() {
  while (port_.done.ready(cycle_)) {
    const Burst burst = port_.done.take(cycle_);
    const auto size = static_cast<std::int64_t>(burst.data.size());
    if (burst.write) {
      --open_writes_[static_cast<std::size_t>(burst.tag % 2)];
      continue;
    }
    const auto half = static_cast<std::size_t>(burst.tag % 2);
    std::ranges::copy(burst.data, residuals_[half].begin() + level_.bytes[half]);
    level_.bytes[half] += size;
    buffer_.count_write(size);
  }
  const auto half = static_cast<std::size_t>(drained_ % 2);
  if (ended_[half] && open_writes_[half] == 0) {
    ended_[half] = false;
    ++drained_;
  }
}

std::int64_t OutputPort::residual_bytes(const VisitCursor& visit) const {
  return visit.positions() * packed_bytes(visit.channels(), schedule_->descriptor().addend.bits);
}

void OutputPort::request_residual() {
  if (!reading_ || reading_->done() || drained_ < reading_->index() - 1) return;
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t segment = packed_bytes(reading_->channels(), d.addend.bits);
  const std::int64_t total = residual_bytes(*reading_);
  if (requested_ == 0) {
    const auto half = static_cast<std::size_t>(reading_->index() % 2);
    level_.fetch[half] = reading_->index();
    level_.bytes[half] = 0;
    residuals_[half].resize(std::max(residuals_[half].size(), static_cast<std::size_t>(total)));
  }
  const std::int64_t position = tiling.band_first_row(reading_->pass().band) * d.out_w + requested_ / segment;
  const std::int64_t channel = d.output_channel + reading_->n_tile() * tiling.lanes;
  const bool contiguous = segment == d.addend_pitch;
  Burst burst;
  burst.address = static_cast<std::uint64_t>(d.addend_address + position * d.addend_pitch +
                                             channel * d.addend.bits / 8 + requested_ % segment);
  burst.tag = reading_->index();
  const std::int64_t run = contiguous ? total - requested_ : segment - requested_ % segment;
  const std::int64_t length = burst_length(burst.address, run, burst_bytes_);
  burst.data.resize(static_cast<std::size_t>(length));
  port_.requests.push(cycle_, std::move(burst));
  requested_ += length;
  if (requested_ == total) {
    requested_ = 0;
    reading_->next();
  }
}

void OutputPort::send_results() {
  const std::int64_t before = static_cast<std::int64_t>(port_.requests.size(cycle_));
  while (results.ready(cycle_) && static_cast<std::int64_t>(port_.requests.size(cycle_)) == before) {
    Segment& segment = results.front();
    const bool follows = segment.address == pending_.address + pending_.data.size() &&
                         segment.address % static_cast<std::uint64_t>(burst_bytes_) != 0;
    if (!pending_.data.empty() && !follows) {
      flush();
      return;
    }
    if (pending_.data.empty()) pending_.address = segment.address;
    const std::int64_t room =
        burst_length(segment.address, static_cast<std::int64_t>(segment.bytes.size()), burst_bytes_);
    pending_.data.insert(pending_.data.end(), segment.bytes.begin(), segment.bytes.begin() + room);
    if (room < static_cast<std::int64_t>(segment.bytes.size())) {
      segment.bytes.erase(segment.bytes.begin(), segment.bytes.begin() + room);
      segment.address += static_cast<std::uint64_t>(room);
      flush();
      return;
    }
    const bool ends = segment.ends_visit;
    results.take(cycle_);
    if (ends) {
      flush();
      ended_[static_cast<std::size_t>(written_visit_ % 2)] = true;
      ++written_visit_;
    }
  }
}

void OutputPort::flush() {
  pending_.write = true;
  pending_.tag = written_visit_;
  buffer_.count_read(static_cast<std::int64_t>(pending_.data.size()));
  ++open_writes_[static_cast<std::size_t>(written_visit_ % 2)];
  port_.requests.push(cycle_, std::move(pending_));
  pending_ = {};
}

}  // namespace lpa::hw
