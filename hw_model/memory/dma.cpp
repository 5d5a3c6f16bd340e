#include "hw_model/memory/dma.h"

#include <algorithm>

namespace lpa::hw {

/// A pooled TLM transaction with the burst it carries.
struct DmaSocket::Transaction : tlm::tlm_generic_payload {
  explicit Transaction(tlm::tlm_mm_interface* pool) : tlm::tlm_generic_payload(pool) {}

  Burst burst;
  bool complete = false;
  bool orphaned = false;            ///< Launched before a reset: its completion is ignored.
  std::uint64_t complete_at = 0;    ///< ps
  std::uint64_t complete_edge = 0;  ///< The first edge after it.
};

/// Memory manager: hands out transactions again when their last reference is gone.
class DmaSocket::Pool : public tlm::tlm_mm_interface {
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

DmaSocket::DmaSocket(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name),
      outstanding_(static_cast<std::size_t>(config.dma.outstanding)),
      period_(config.period_ps()),
      request_gate_(config.stall, StallPoint::dma_request),
      response_gate_(config.stall, StallPoint::dma_response),
      pool_(std::make_unique<Pool>()) {
  socket.register_nb_transport_bw(this, &DmaSocket::nb_transport_bw);
}

DmaSocket::~DmaSocket() = default;

void DmaSocket::step(std::uint64_t cycle, std::uint64_t now) {
  for (Engine& engine : engines_) engine.served = false;
  if (!response_gate_.closed(cycle)) {
    for (Engine& engine : engines_) finish_oldest(engine, cycle, now);
  }
  if (open_request_ != nullptr || request_free_at_ > now || request_gate_.closed(cycle)) return;
  for (std::size_t i = 0; i < engines_.size(); ++i) {
    Engine& engine = engines_[(next_engine_ + i) % engines_.size()];
    if (!engine.port.requests.ready(cycle) || !may_launch(engine)) continue;
    next_engine_ = (next_engine_ + i + 1) % engines_.size();
    launch(engine, cycle, now);
    break;
  }
}

void DmaSocket::clear() {
  for (Engine& engine : engines_) {
    for (Transaction* transaction : engine.in_flight) {
      transaction->orphaned = !transaction->complete;
      if (transaction->complete) transaction->release();
    }
    engine = Engine{};
  }
  error_.reset();
  next_engine_ = 0;
}

bool DmaSocket::at_rest(std::uint64_t now) const {
  const auto rests = [](const Engine& engine) {
    return engine.port.requests.empty() && engine.port.done.empty() && engine.in_flight.empty();
  };
  return !waits_for_memory() && !error_ && request_free_at_ <= now && std::ranges::all_of(engines_, rests);
}

std::uint64_t DmaSocket::next(std::uint64_t cycle) const {
  std::uint64_t at = never;
  for (const Engine& engine : engines_) {
    if (!engine.in_flight.empty() && engine.in_flight.front()->complete) {
      at = std::min(at, engine.in_flight.front()->complete_edge);
    }
    at = std::min(at, next_request(engine));
  }
  return std::max(at, cycle + 1);
}

void DmaSocket::finish_oldest(Engine& engine, std::uint64_t cycle, std::uint64_t now) {
  while (!engine.in_flight.empty()) {
    Transaction& oldest = *engine.in_flight.front();
    if (!oldest.complete || oldest.complete_at >= now) break;
    if (oldest.is_response_error()) {
      if (!error_) {
        error_ = oldest.burst.address;
        error_cycle_ = cycle;
      }
    } else {
      engine.port.done.push(cycle, std::move(oldest.burst));
    }
    engine.served = true;
    engine.in_flight.pop_front();
    oldest.release();
  }
}

void DmaSocket::launch(Engine& engine, std::uint64_t cycle, std::uint64_t now) {
  Transaction& transaction = pool_->acquire();
  transaction.burst = engine.port.requests.take(cycle);
  engine.served = true;
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
  ++unanswered_;
  (burst.write ? write_bytes_ : read_bytes_) += burst.data.size();
  ++bursts_;

  tlm::tlm_phase phase = tlm::BEGIN_REQ;
  const std::uint64_t stamp = sc_core::sc_time_stamp().value();
  sc_core::sc_time delay = sc_core::sc_time::from_value(now - stamp);
  open_request_ = &transaction;
  switch (socket->nb_transport_fw(transaction, phase, delay)) {
    case tlm::TLM_ACCEPTED:
      break;
    case tlm::TLM_UPDATED:
      end_request(phase == tlm::BEGIN_RESP ? now : stamp + delay.value());
      if (phase == tlm::BEGIN_RESP) {
        complete(transaction, stamp + delay.value());
        phase = tlm::END_RESP;
        socket->nb_transport_fw(transaction, phase, delay);
      }
      break;
    case tlm::TLM_COMPLETED:
      end_request(now);
      complete(transaction, stamp + delay.value());
      break;
  }
}

void DmaSocket::end_request(std::uint64_t at) {
  open_request_ = nullptr;
  request_free_at_ = at;
  request_free_edge_ = (request_free_at_ + period_ - 1) / period_;
}

void DmaSocket::complete(Transaction& transaction, std::uint64_t at) {
  --unanswered_;
  if (transaction.orphaned) {
    transaction.release();
    return;
  }
  transaction.complete = true;
  transaction.complete_at = at;
  transaction.complete_edge = transaction.complete_at / period_ + 1;
}

void DmaSocket::walk(StateWalk& walk) {
  walk.plain(next_engine_);
  walk.next_time(request_free_at_);
  walk.next_edge(request_free_edge_);
  for (Engine& engine : engines_) {
    const bool outputs = &engine == &engines_[static_cast<std::size_t>(DmaEngine::outputs)];
    const auto one = [&](Burst& burst) {
      walk.plain(burst.write);
      walk.plain(burst.data.size());
      if (outputs) {
        walk.visit(burst.tag);
      } else {
        walk.plain(burst.tag);
      }
    };
    for (Mailbox<Burst>* box : {&engine.port.requests, &engine.port.done}) {
      walk.plain(std::ranges::distance(box->items()));
      for (Burst& burst : box->items()) one(burst);
    }
    walk.plain(engine.in_flight.size());
    for (Transaction* transaction : engine.in_flight) {
      one(transaction->burst);
      walk.time(transaction->complete_at);
      walk.edge(transaction->complete_edge);
    }
  }
}

tlm::tlm_sync_enum DmaSocket::nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                              sc_core::sc_time& delay) {
  // END_REQ, or a BEGIN_RESP that stands for both; the BEGIN_RESP of an older transaction ends no request. An END_REQ
  // that is only implied takes effect at once.
  const std::uint64_t now = sc_core::sc_time_stamp().value();
  if (&payload == open_request_) end_request(phase == tlm::END_REQ ? now + delay.value() : now);
  const bool responds = phase == tlm::BEGIN_RESP;
  if (responds) {
    complete(static_cast<Transaction&>(payload), now + delay.value());
    phase = tlm::END_RESP;
  }
  if (on_answer_) on_answer_();
  return responds ? tlm::TLM_COMPLETED : tlm::TLM_ACCEPTED;
}

Dma::Dma(const sc_core::sc_module_name& name, const MachineConfig& config) : DmaSocket(name, config) {
  SC_HAS_PROCESS(Dma);
  SC_METHOD(clocked);
  sensitive << clk.pos();
  dont_initialize();
}

void Dma::clocked() {
  ++cycle_;
  if (reset.read()) {
    clear();
  } else {
    step(cycle_, sc_core::sc_time_stamp().value());
  }
}

}  // namespace lpa::hw
