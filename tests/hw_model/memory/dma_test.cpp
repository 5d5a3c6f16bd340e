// The DMA against targets of every temper that the base protocol allows.
#include "hw_model/memory/dma.h"

#include <algorithm>
#include <deque>

#include <gtest/gtest.h>
#include <tlm_utils/simple_target_socket.h>

namespace lpa::hw {
namespace {

using sc_core::SC_NS;
using sc_core::sc_time;

/// A target that answers when and how the test says.
class ScriptedTarget : public sc_core::sc_module {
 public:
  enum class Style { completes_at_once, responds_at_once, accepts_and_responds, skips_end_req };

  tlm_utils::simple_target_socket<ScriptedTarget> socket{"socket"};
  Style style = Style::accepts_and_responds;
  sc_time end_req_after{0, SC_NS}, respond_after{10, SC_NS};
  std::size_t most_in_flight = 0;
  std::size_t most_open = 0;  ///< Requests whose END_REQ has not been sent.
  std::vector<std::uint64_t> addresses;
  bool fails = false;

  explicit ScriptedTarget(const sc_core::sc_module_name& name) : sc_module(name) {
    socket.register_nb_transport_fw(this, &ScriptedTarget::nb_transport_fw);
    SC_HAS_PROCESS(ScriptedTarget);
    SC_THREAD(serve);
  }

 private:
  struct Pending {
    tlm::tlm_generic_payload* payload;
    sc_time end_req_at, respond_at;
    bool end_req_sent;
  };

  void fill(tlm::tlm_generic_payload& payload) const {
    if (payload.is_read()) *payload.get_data_ptr() = static_cast<std::uint8_t>(payload.get_address() / 64);
    payload.set_response_status(fails ? tlm::TLM_GENERIC_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
  }

  tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase, sc_time& delay) {
    if (phase == tlm::END_RESP) return tlm::TLM_COMPLETED;
    addresses.push_back(payload.get_address());
    if (style == Style::completes_at_once || style == Style::responds_at_once) {
      fill(payload);
      delay += respond_after;
      if (style == Style::completes_at_once) return tlm::TLM_COMPLETED;
      phase = tlm::BEGIN_RESP;
      return tlm::TLM_UPDATED;
    }
    payload.acquire();
    const sc_time now = sc_core::sc_time_stamp();
    pending_.push_back({&payload, now + end_req_after, now + respond_after, style == Style::skips_end_req});
    most_in_flight = std::max(most_in_flight, pending_.size());
    const auto open = std::ranges::count(pending_, false, &Pending::end_req_sent);
    most_open = std::max(most_open, static_cast<std::size_t>(open));
    return tlm::TLM_ACCEPTED;
  }

  void serve() {
    while (true) {
      wait(sc_time(1, SC_NS));
      sc_time zero;
      for (Pending& p : pending_) {
        if (p.end_req_sent || p.end_req_at > sc_core::sc_time_stamp()) continue;
        p.end_req_sent = true;
        tlm::tlm_phase phase = tlm::END_REQ;
        socket->nb_transport_bw(*p.payload, phase, zero);
      }
      while (!pending_.empty() && pending_.front().respond_at <= sc_core::sc_time_stamp()) {
        tlm::tlm_generic_payload* payload = pending_.front().payload;
        pending_.pop_front();
        fill(*payload);
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        EXPECT_EQ(socket->nb_transport_bw(*payload, phase, zero), tlm::TLM_COMPLETED);
        payload->release();
      }
    }
  }

  std::deque<Pending> pending_;
};

class DmaBench {
 public:
  explicit DmaBench(const MachineConfig& config) : clock_("clock", 2, SC_NS), dma("dma", config) {
    dma.clk(clock_);
    dma.reset(reset);
    dma.socket.bind(target.socket);
  }
  void read(std::uint64_t address, DmaEngine engine = DmaEngine::inputs) {
    dma.port(engine).requests.push(0, Burst{false, address, 0, std::vector<std::uint8_t>(64)});
  }
  void run(int cycles) { sc_core::sc_start(sc_time(2 * cycles, SC_NS)); }
  void expect_in_order(std::size_t count) {
    auto& done = dma.port(DmaEngine::inputs).done;
    ASSERT_EQ(done.size(0), count);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(done.take(~0u).data[0], i) << "read data of burst " << i;
  }

 private:
  sc_core::sc_clock clock_;

 public:
  Dma dma;
  ScriptedTarget target{"target"};
  sc_core::sc_signal<bool> reset{"reset"};
};

void expect_reads_arrive(ScriptedTarget::Style style) {
  DmaBench bench(MachineConfig{});
  bench.target.style = style;
  for (std::uint64_t i = 0; i < 20; ++i) bench.read(64 * i);
  bench.run(200);
  bench.expect_in_order(20);
}

TEST(Dma, WorksWithATargetThatCompletesAtOnce) {
  expect_reads_arrive(ScriptedTarget::Style::completes_at_once);
}
TEST(Dma, WorksWithATargetThatRespondsAtOnce) {
  expect_reads_arrive(ScriptedTarget::Style::responds_at_once);
}
TEST(Dma, WorksWithATargetOfFourPhases) {
  expect_reads_arrive(ScriptedTarget::Style::accepts_and_responds);
}
TEST(Dma, WorksWithATargetThatSkipsEndReq) {
  expect_reads_arrive(ScriptedTarget::Style::skips_end_req);
}

TEST(Dma, SendsNoRequestWhileTheLastOneIsOpen) {
  DmaBench bench(MachineConfig{});
  bench.target.end_req_after = sc_time(20, SC_NS);
  bench.target.respond_after = sc_time(100, SC_NS);
  for (std::uint64_t i = 0; i < 4; ++i) bench.read(64 * i);
  bench.run(9);
  EXPECT_EQ(bench.target.addresses.size(), 1u);
  bench.run(5);
  EXPECT_EQ(bench.target.addresses.size(), 2u);
}

TEST(Dma, SendsNoRequestWhileOneIsOpenAndAnOlderOneIsAnswered) {
  DmaBench bench(MachineConfig{});
  bench.target.end_req_after = sc_time(20, SC_NS);
  bench.target.respond_after = sc_time(30, SC_NS);
  for (std::uint64_t i = 0; i < 8; ++i) bench.read(64 * i);
  bench.run(200);
  EXPECT_EQ(bench.target.most_open, 1u);
  bench.expect_in_order(8);
}

TEST(Mailbox, TakesMakeRoomFromTheNextCycleOn) {
  Mailbox<int> box;
  box.push(1, 10);
  box.push(1, 11);
  EXPECT_FALSE(box.ready(1));
  EXPECT_EQ(box.size(2), 2u);
  EXPECT_EQ(box.take(2), 10);
  EXPECT_EQ(box.size(2), 2u) << "whichever process runs first";
  EXPECT_EQ(box.size(3), 1u);
}

TEST(Dma, KeepsAtMostTheGivenNumberInFlight) {
  MachineConfig config;
  config.dma.outstanding = 5;
  DmaBench bench(config);
  bench.target.respond_after = sc_time(100, SC_NS);
  for (std::uint64_t i = 0; i < 20; ++i) bench.read(64 * i);
  bench.run(40);
  EXPECT_EQ(bench.target.most_in_flight, 5u);
  bench.run(400);
  EXPECT_EQ(bench.target.most_in_flight, 5u);
  bench.expect_in_order(20);
}

TEST(Dma, ServesItsEnginesInTurn) {
  DmaBench bench(MachineConfig{});
  for (std::uint64_t i = 0; i < 3; ++i) {
    bench.read(0x10000 + i, DmaEngine::weights);
    bench.read(0x20000 + i, DmaEngine::inputs);
    bench.read(0x30000 + i, DmaEngine::outputs);
  }
  bench.run(60);
  EXPECT_EQ(bench.target.addresses, (std::vector<std::uint64_t>{0x10000, 0x20000, 0x30000, 0x10001, 0x20001, 0x30001,
                                                                0x10002, 0x20002, 0x30002}));
}

TEST(Dma, ReportsAnErrorWithItsAddress) {
  DmaBench bench(MachineConfig{});
  bench.target.fails = true;
  bench.read(0x740);
  bench.run(20);
  EXPECT_EQ(bench.dma.error(), 0x740u);
}

TEST(Dma, ForgetsWhatIsInFlightAtReset) {
  DmaBench bench(MachineConfig{});
  bench.target.respond_after = sc_time(60, SC_NS);
  for (std::uint64_t i = 0; i < 8; ++i) bench.read(64 * i);
  bench.run(6);
  bench.reset.write(true);
  bench.run(1);
  bench.reset.write(false);
  bench.run(100);
  EXPECT_EQ(bench.dma.port(DmaEngine::inputs).done.size(0), 0u);
  bench.read(0);
  bench.run(100);
  bench.expect_in_order(1);
}

TEST(BurstLength, EndsAtBurstBoundaries) {
  EXPECT_EQ(burst_length(0, 1000, 64), 64);
  EXPECT_EQ(burst_length(60, 1000, 64), 4);
  EXPECT_EQ(burst_length(64, 3, 64), 3);
}

}  // namespace
}  // namespace lpa::hw
