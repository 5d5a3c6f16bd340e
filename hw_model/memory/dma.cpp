#include "hw_model/memory/dma.h"

#include <algorithm>

namespace lpa::hw {

std::int64_t burst_length(std::uint64_t address, std::int64_t bytes, int burst_bytes) {
  const auto to_boundary = burst_bytes - static_cast<std::int64_t>(address % static_cast<std::uint64_t>(burst_bytes));
  return std::min(bytes, to_boundary);
}

/// A pooled TLM transaction with the burst it carries.
struct Dma::Transaction : tlm::tlm_generic_payload {
  explicit Transaction(tlm::tlm_mm_interface* pool) : tlm::tlm_generic_payload(pool) {}

  Burst burst;
  bool complete = false;
  bool orphaned = false;  ///< Launched before a reset: its completion is ignored.
  sc_core::sc_time complete_at;
};

/// Memory manager: hands out transactions again when their last reference is gone.
class Dma::Pool : public tlm::tlm_mm_interface {
 public:
  Transaction& acquire() {
    if (free_.empty()) {
      all_.push_back(std::make_unique<Transaction>(this));
      free_.push_back(all_.back().get());
    }
    Transaction& transaction = *free_.back();
    free_.pop_back();
    transaction.acquire();
    return transaction;
  }
  void free(tlm::tlm_generic_payload* payload) override {
    payload->reset();
    free_.push_back(static_cast<Transaction*>(payload));
  }

 private:
  std::vector<std::unique_ptr<Transaction>> all_;
  std::vector<Transaction*> free_;
};

Dma::Dma(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name), outstanding_(config.dma.outstanding), pool_(std::make_unique<Pool>()) {
  socket.register_nb_transport_bw(this, &Dma::nb_transport_bw);
  SC_HAS_PROCESS(Dma);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

Dma::~Dma() = default;

void Dma::step() {
  ++cycle_;
  if (reset.read()) {
    for (Engine& engine : engines_) {
      for (Transaction* transaction : engine.in_flight) {
        transaction->orphaned = !transaction->complete;
        if (transaction->complete) transaction->release();
      }
      engine = Engine{};
    }
    error_.reset();
    next_engine_ = 0;
    return;
  }
  for (Engine& engine : engines_) {
    while (!engine.in_flight.empty()) {
      Transaction& oldest = *engine.in_flight.front();
      if (!oldest.complete || oldest.complete_at >= sc_core::sc_time_stamp()) break;
      if (oldest.is_response_error()) {
        if (!error_) {
          error_ = oldest.burst.address;
          error_cycle_ = cycle_;
        }
      } else {
        engine.port.done.push(cycle_, std::move(oldest.burst));
      }
      engine.in_flight.pop_front();
      oldest.release();
    }
  }
  if (open_request_ != nullptr || request_free_at_ > sc_core::sc_time_stamp()) return;
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    Engine& engine = engines_[(next_engine_ + i) % engines_.size()];
    if (!engine.port.requests.ready(cycle_) || engine.in_flight.size() >= static_cast<std::size_t>(outstanding_)) {
      continue;
    }
    next_engine_ = (next_engine_ + i + 1) % engines_.size();
    launch(engine);
    break;
  }
}

void Dma::launch(Engine& engine) {
  Transaction& transaction = pool_->acquire();
  transaction.burst = engine.port.requests.take(cycle_);
  transaction.complete = transaction.orphaned = false;
  Burst& burst = transaction.burst;
  transaction.set_command(burst.write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
  transaction.set_address(burst.address);
  transaction.set_data_ptr(burst.data.data());
  transaction.set_data_length(static_cast<unsigned>(burst.data.size()));
  transaction.set_streaming_width(static_cast<unsigned>(burst.data.size()));
  transaction.set_byte_enable_ptr(nullptr);
  transaction.set_dmi_allowed(false);
  transaction.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  engine.in_flight.push_back(&transaction);
  (burst.write ? write_bytes_ : read_bytes_) += burst.data.size();
  ++bursts_;

  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
  open_request_ = &transaction;
  switch (socket->nb_transport_fw(transaction, phase, delay)) {
    case tlm::TLM_ACCEPTED:
      break;
    case tlm::TLM_UPDATED:
      end_request(delay);
      if (phase == tlm::BEGIN_RESP) {
        complete(transaction, delay);
        phase = tlm::END_RESP;
        socket->nb_transport_fw(transaction, phase, delay);
      }
      break;
    case tlm::TLM_COMPLETED:
      end_request(delay);
      complete(transaction, delay);
      break;
  }
}

void Dma::end_request(const sc_core::sc_time& delay) {
  open_request_ = nullptr;
  request_free_at_ = sc_core::sc_time_stamp() + delay;
}

void Dma::complete(Transaction& transaction, const sc_core::sc_time& delay) {
  if (transaction.orphaned) {
    transaction.release();
    return;
  }
  transaction.complete = true;
  transaction.complete_at = sc_core::sc_time_stamp() + delay;
}

tlm::tlm_sync_enum Dma::nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                        sc_core::sc_time& delay) {
  // END_REQ, or a BEGIN_RESP that stands for both; the BEGIN_RESP of an older transaction ends no request.
  if (&payload == open_request_) end_request(phase == tlm::END_REQ ? delay : sc_core::SC_ZERO_TIME);
  if (phase == tlm::END_REQ) return tlm::TLM_ACCEPTED;
  complete(static_cast<Transaction&>(payload), delay);
  phase = tlm::END_RESP;
  return tlm::TLM_COMPLETED;
}

}  // namespace lpa::hw
