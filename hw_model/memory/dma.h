// The DMA: four engines (weights, inputs, outputs, descriptors) share one TLM-2.0 initiator socket. Approximately
// timed, four phases, one request per cycle, a bounded number of transactions in flight per engine.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include <systemc>
#include <tlm>
#include <tlm_utils/simple_initiator_socket.h>

#include "hw_model/control/job.h"
#include "hw_model/machine_config.h"
#include "hw_model/memory/dma_port.h"
#include "hw_model/stall_gate.h"

namespace lpa::hw {

enum class DmaEngine : std::size_t { weights, inputs, outputs, descriptors };
inline constexpr std::size_t dma_engine_count = 4;

/// The engines and their socket, without a clock: whoever owns it calls step() for the edges of the machine's clock.
class DmaSocket : public sc_core::sc_module {
 public:
  tlm_utils::simple_initiator_socket<DmaSocket> socket{"socket"};

  DmaSocket(const sc_core::sc_module_name& name, const MachineConfig& config);
  ~DmaSocket() override;

  DmaPort& port(DmaEngine engine) { return engines_[static_cast<std::size_t>(engine)].port; }

  /// One edge, at `now` (ps), which may lie ahead of sc_time_stamp(): requests then carry the difference as their
  /// delay.
  void step(std::uint64_t cycle, std::uint64_t now);
  /// Drops everything that is queued or in flight; what memory still answers is ignored.
  void clear();
  /// The first edge after `cycle` at which step() would do anything, as far as is known; edge e lies at e periods of
  /// the configuration's clock.
  std::uint64_t next(std::uint64_t cycle) const;
  /// The same of one engine's requests.
  std::uint64_t next_request(DmaEngine engine) const {
    return next_request(engines_[static_cast<std::size_t>(engine)]);
  }
  /// Whether memory has yet to say when a request or a response ends. on_answer() is called when it does.
  bool waits_for_memory() const { return open_request_ != nullptr || unanswered_ > 0; }
  void on_answer(std::function<void()> call) { on_answer_ = std::move(call); }
  /// Whether the last step() took a burst of an engine, or handed one back.
  bool served(DmaEngine engine) const { return engines_[static_cast<std::size_t>(engine)].served; }

  /// Whether nothing is queued, in flight or on its way to a requester, and a request could leave at `now` (ps).
  bool at_rest(std::uint64_t now) const;
  /// The engine that is asked first for the next request.
  std::size_t turn() const { return next_engine_; }
  void set_turn(std::size_t engine) { next_engine_ = engine; }

  /// But for addresses and bytes, where nothing waits for memory and it has answered nothing with an error.
  void walk(StateWalk& walk);

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
    bool served = false;
  };

  std::uint64_t next_request(const Engine& engine) const {
    if (open_request_ != nullptr || !may_launch(engine)) return never;
    return std::max(request_free_edge_, engine.port.requests.ready_at());
  }
  void finish_oldest(Engine& engine, std::uint64_t cycle, std::uint64_t now);
  bool may_launch(const Engine& engine) const {
    return !engine.port.requests.empty() && engine.in_flight.size() < outstanding_;
  }
  void launch(Engine& engine, std::uint64_t cycle, std::uint64_t now);
  void end_request(std::uint64_t at);
  void complete(Transaction& transaction, std::uint64_t at);
  tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_core::sc_time& delay);

  std::size_t outstanding_;
  std::uint64_t period_;  ///< ps
  StallGate request_gate_, response_gate_;
  std::array<Engine, dma_engine_count> engines_;
  std::unique_ptr<Pool> pool_;
  std::function<void()> on_answer_;
  std::size_t next_engine_ = 0;
  const Transaction* open_request_ = nullptr;  ///< BEGIN_REQ sent, END_REQ not yet seen.
  std::uint64_t request_free_at_ = 0;          ///< When the last END_REQ takes effect, ps.
  std::uint64_t request_free_edge_ = 0;        ///< The first edge at which it has.
  std::size_t unanswered_ = 0;                 ///< Transactions whose response has not begun.
  std::optional<std::uint64_t> error_;
  std::uint64_t error_cycle_ = 0;
  std::uint64_t read_bytes_ = 0, write_bytes_ = 0, bursts_ = 0;
};

/// The DMA on pins.
class Dma : public DmaSocket {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};

  Dma(const sc_core::sc_module_name& name, const MachineConfig& config);

 private:
  void clocked();

  std::uint64_t cycle_ = 0;
};

}  // namespace lpa::hw
