// The weight buffer and the input buffer: two halves of SRAM and the engine that fills them ahead of their reader.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <systemc>

#include "hw_model/control/wires.h"
#include "hw_model/memory/dma.h"

namespace lpa::hw {

/// Which of a schedule's fetch lists a buffer serves.
enum class FillKind { weights, inputs };

/// Fetch f of the list goes to half f % 2, as soon as the reader has released fetch f - 2. Data may be read as soon as
/// `level` says that they are there.
class FillBuffer : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<Job> job{"job"};
  sc_core::sc_in<std::int64_t> released{"released"};  ///< Fetches of the layer that the reader is done with.
  sc_core::sc_out<FillLevel> level{"level"};

  FillBuffer(const sc_core::sc_module_name& name, FillKind kind, const BufferConfig& buffer, int burst_bytes,
             DmaPort& port);

  /// A byte of a fetch. `level` must say that it is there.
  std::uint8_t byte(std::int64_t fetch, std::int64_t offset) const {
    return halves_[static_cast<std::size_t>(fetch % 2)][static_cast<std::size_t>(offset)];
  }
  /// Counts the accesses that gather `bytes` bytes.
  void count_read(std::int64_t bytes) { reads_ += static_cast<std::uint64_t>(config_.accesses(bytes)); }
  const BufferConfig& config() const { return config_; }

  std::uint64_t reads() const { return reads_; }
  std::uint64_t writes() const { return writes_; }

 private:
  void step();
  void start(const Job& job);
  void request();
  void receive();

  FillKind kind_;
  BufferConfig config_;
  int burst_bytes_;
  DmaPort& port_;
  std::array<std::vector<std::uint8_t>, 2> halves_;
  const std::vector<Fetch>* fetches_ = nullptr;
  std::uint32_t job_number_ = 0;
  std::int64_t requested_fetch_ = 0;  ///< The fetch being requested, and how much of it has been.
  std::int64_t requested_bytes_ = 0;
  std::int64_t received_fetch_ = 0;
  FillLevel level_;
  std::uint64_t write_busy_until_ = 0;  ///< The write port is taken up to this cycle.
  std::uint64_t cycle_ = 0;
  std::uint64_t reads_ = 0, writes_ = 0;
};

}  // namespace lpa::hw
