// The DMA: four engines (weights, inputs, outputs, descriptors) share one TLM-2.0 initiator socket. Approximately
// timed, four phases, one request per cycle, a bounded number of transactions in flight per engine.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include "hw_model/machine_config.h"
#include "hw_model/memory/mailbox.h"

namespace lpa::hw {

/// One transaction of up to dma.burst_bytes.
struct Burst {
  bool write = false;
  std::uint64_t address = 0;
  std::int64_t tag = 0;            ///< The requester's; not looked at.
  std::vector<std::uint8_t> data;  ///< To be written, or of the size to be read.
};

/// Bytes from `address` to the end of the burst-aligned block it lies in, but at most `bytes`.
std::int64_t burst_length(std::uint64_t address, std::int64_t bytes, int burst_bytes);

/// Where a block hands bursts to its engine and takes them back, in order, when they are complete.
struct DmaPort {
  static constexpr std::size_t queue_depth = 4;  ///< A requester waits while so many are queued.
  Mailbox<Burst> requests;
  Mailbox<Burst> done;
};

enum class DmaEngine : std::size_t { weights, inputs, outputs, descriptors };
inline constexpr std::size_t dma_engine_count = 4;

class Dma : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  tlm_utils::simple_initiator_socket<Dma> socket{"socket"};

  Dma(const sc_core::sc_module_name& name, const MachineConfig& config);
  ~Dma() override;

  DmaPort& port(DmaEngine engine) { return engines_[static_cast<std::size_t>(engine)].port; }
  /// Address of the first transaction since reset that memory answered with an error.
  std::optional<std::uint64_t> error() const { return error_; }
  /// Whether there was one in an earlier cycle: what a clocked block sees in `cycle`.
  bool failed_before(std::uint64_t cycle) const { return error_ && error_cycle_ < cycle; }

  std::uint64_t read_bytes() const { return read_bytes_; }
  std::uint64_t write_bytes() const { return write_bytes_; }
  std::uint64_t bursts() const { return bursts_; }

 private:
  struct Transaction;
  class Pool;
  struct Engine {
    DmaPort port;
    std::deque<Transaction*> in_flight;
  };

  void step();
  void launch(Engine& engine);
  void end_request(const sc_core::sc_time& delay);
  void complete(Transaction& transaction, const sc_core::sc_time& delay);
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);

  int outstanding_;
  std::array<Engine, dma_engine_count> engines_;
  std::unique_ptr<Pool> pool_;
  std::size_t next_engine_ = 0;
  const Transaction* open_request_ = nullptr;  ///< BEGIN_REQ sent, END_REQ not yet seen.
  sc_core::sc_time request_free_at_;           ///< When the last END_REQ takes effect.
  std::uint64_t cycle_ = 0;
  std::optional<std::uint64_t> error_;
  std::uint64_t error_cycle_ = 0;
  std::uint64_t read_bytes_ = 0, write_bytes_ = 0, bursts_ = 0;
};

}  // namespace lpa::hw
