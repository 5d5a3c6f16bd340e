#include "hw_model/memory/fill_buffer.h"

#include <algorithm>

namespace lpa::hw {

FillBuffer::FillBuffer(const sc_core::sc_module_name& name, FillKind kind, const BufferConfig& buffer, int burst_bytes,
                       DmaPort& port)
    : sc_module(name), kind_(kind), config_(buffer), burst_bytes_(burst_bytes), port_(port) {
  for (auto& half : halves_) half.resize(static_cast<std::size_t>(buffer.half_bytes()));
  SC_HAS_PROCESS(FillBuffer);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void FillBuffer::step() {
  ++cycle_;
  if (reset.read()) {
    fetches_ = nullptr;
    level_ = {};
    level.write(level_);
    return;
  }
  if (job.read().number != job_number_) {
    start(job.read());
    return;
  }
  if (fetches_ == nullptr) return;
  receive();
  request();
  level.write(level_);
}

void FillBuffer::start(const Job& new_job) {
  job_number_ = new_job.number;
  fetches_ = nullptr;
  if (new_job.schedule != nullptr) {
    fetches_ = kind_ == FillKind::weights ? &new_job.schedule->weight_fetches() : &new_job.schedule->input_fetches();
  }
  requested_fetch_ = requested_bytes_ = received_fetch_ = 0;
  level_ = {};
  level.write(level_);
}

void FillBuffer::request() {
  if (requested_fetch_ == static_cast<std::int64_t>(fetches_->size())) return;
  const std::int64_t half_free_after = requested_fetch_ - 1;  // Fetches received and released.
  if (released.read() < half_free_after || received_fetch_ < half_free_after) return;
  if (port_.requests.size(cycle_) >= DmaPort::queue_depth) return;
  const auto half = static_cast<std::size_t>(requested_fetch_ % 2);
  if (level_.fetch[half] != requested_fetch_) {
    level_.fetch[half] = requested_fetch_;
    level_.bytes[half] = 0;
  }
  const Fetch& fetch = (*fetches_)[static_cast<std::size_t>(requested_fetch_)];
  if (requested_bytes_ < fetch.bytes) {
    Burst burst;
    burst.address = static_cast<std::uint64_t>(fetch.address + requested_bytes_);
    burst.tag = requested_bytes_;
    const std::int64_t length = burst_length(burst.address, fetch.bytes - requested_bytes_, burst_bytes_);
    burst.data.resize(static_cast<std::size_t>(length));
    requested_bytes_ += length;
    port_.requests.push(cycle_, std::move(burst));
  }
  if (requested_bytes_ == fetch.bytes) {
    ++requested_fetch_;
    requested_bytes_ = 0;
  }
}

void FillBuffer::receive() {
  if (cycle_ < write_busy_until_ || !port_.done.ready(cycle_)) return;
  const Burst burst = port_.done.take(cycle_);
  const auto half = static_cast<std::size_t>(received_fetch_ % 2);
  std::ranges::copy(burst.data, halves_[half].begin() + burst.tag);
  level_.bytes[half] = burst.tag + static_cast<std::int64_t>(burst.data.size());
  const auto used = static_cast<std::uint64_t>(config_.accesses(static_cast<std::int64_t>(burst.data.size())));
  writes_ += used;
  write_busy_until_ = cycle_ + used;
  if (level_.bytes[half] == (*fetches_)[static_cast<std::size_t>(received_fetch_)].bytes) {
    level_.complete = ++received_fetch_;
  }
}

}  // namespace lpa::hw
