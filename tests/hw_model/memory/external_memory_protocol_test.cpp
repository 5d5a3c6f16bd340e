// External memory as a TLM-2.0 target: both protocols, blocking transport, debug and DMI.
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/memory/external_memory.h"
#include "tests/hw_model/memory/test_sockets.h"

namespace lpa::hw {
namespace {

using sc_core::SC_PS;
using sc_core::sc_time;
using test::Request;
using ::testing::ElementsAre;

sc_time ps(std::uint64_t value) {
  return {static_cast<double>(value), SC_PS};
}

/// Responds at the times that the test says, and keeps the arrivals.
class ScriptedTiming : public MemoryTiming {
 public:
  std::uint64_t serve(std::uint64_t, std::uint64_t, bool, std::uint64_t arrival) override {
    arrivals.push_back(arrival);
    return responses.at(arrivals.size() - 1);
  }
  std::vector<std::uint64_t> responses;
  std::vector<std::uint64_t> arrivals;
};

struct Response {
  const tlm::tlm_generic_payload* payload;
  std::uint64_t at;
  bool operator==(const Response&) const = default;
};

/// A memory of 1 MiB between two initiators; keeps what it answers on its machine socket.
struct Bench {
  ExternalMemory memory;
  test::TestInitiator initiator{"initiator"}, host{"host"};
  std::vector<Response> responses;

  explicit Bench(Protocol protocol, std::unique_ptr<MemoryTiming> timing = nullptr, MachineConfig config = {})
      : memory("memory", with_one_mib(config), protocol, std::move(timing)) {
    initiator.socket.bind(memory.machine);
    host.socket.bind(memory.host);
    initiator.on_backward = [this](auto& payload, tlm::tlm_phase& phase, auto&) {
      EXPECT_EQ(phase, tlm::BEGIN_RESP);
      responses.push_back({&payload, sc_core::sc_time_stamp().value()});
      phase = tlm::END_RESP;
      return tlm::TLM_COMPLETED;
    };
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
  }
  static MachineConfig with_one_mib(MachineConfig config) {
    config.memory.mib = 1;
    return config;
  }
};

std::unique_ptr<ScriptedTiming> scripted(std::vector<std::uint64_t> responses) {
  auto timing = std::make_unique<ScriptedTiming>();
  timing->responses = std::move(responses);
  return timing;
}

Request read(std::uint64_t address, std::size_t bytes = 4) {
  return {false, address, std::vector<std::uint8_t>(bytes)};
}

TEST(FourPhases, RequestsEndAtOnceAndResponsesComeInTheOrderOfTheirTimes) {
  Bench bench(Protocol::four_phase, scripted({300, 100, 200, 100}));
  std::array<Request, 4> requests{read(0), read(64), read(128), read(192)};
  for (Request& request : requests) {
    const auto answer = bench.initiator.send(request);
    EXPECT_EQ(answer.sync, tlm::TLM_UPDATED);
    EXPECT_EQ(answer.phase, tlm::END_REQ);
    EXPECT_EQ(answer.delay, sc_core::SC_ZERO_TIME);
  }
  sc_core::sc_start(ps(1000));
  EXPECT_THAT(bench.responses, ElementsAre(Response{&requests[1], 100}, Response{&requests[3], 100},
                                           Response{&requests[2], 200}, Response{&requests[0], 300}));
  for (const Request& request : requests) EXPECT_EQ(request.get_ref_count(), 1) << "given back";
}

TEST(FourPhases, ALaterRequestMayBeAnsweredEarlier) {
  Bench bench(Protocol::four_phase, scripted({500, 150}));
  Request first = read(0), second = read(64);
  bench.initiator.send(first);
  sc_core::sc_start(ps(100));
  bench.initiator.send(second);
  sc_core::sc_start(ps(900));
  EXPECT_THAT(bench.responses, ElementsAre(Response{&second, 150}, Response{&first, 500}));
}

TEST(FourPhases, OneResponseIsOpenAtATime) {
  Bench bench(Protocol::four_phase, scripted({100, 120, 130}));
  std::array<Request, 3> requests{read(0), read(64), read(128)};
  const auto keep = [&bench](auto& payload, auto&, auto&) {
    bench.responses.push_back({&payload, sc_core::sc_time_stamp().value()});
    return tlm::TLM_ACCEPTED;
  };
  bench.initiator.on_backward = keep;
  for (Request& request : requests) bench.initiator.send(request);
  sc_core::sc_start(ps(400));
  EXPECT_THAT(bench.responses, ElementsAre(Response{&requests[0], 100}));
  bench.initiator.send(requests[0], tlm::END_RESP, ps(50));
  sc_core::sc_start(ps(600));
  EXPECT_EQ(bench.responses.size(), 2u);
  EXPECT_EQ(bench.responses.back(), (Response{&requests[1], 450})) << "END_RESP took effect at 450";
  bench.initiator.send(requests[1], tlm::END_RESP);
  sc_core::sc_start(ps(100));
  EXPECT_EQ(bench.responses.back(), (Response{&requests[2], 1000}));
}

TEST(FourPhases, AnEndOfResponseMayComeWithADelay) {
  Bench bench(Protocol::four_phase, scripted({100, 100}));
  std::array<Request, 2> requests{read(0), read(64)};
  bench.initiator.on_backward = [&bench](auto& payload, tlm::tlm_phase& phase, sc_time& delay) {
    bench.responses.push_back({&payload, sc_core::sc_time_stamp().value()});
    phase = tlm::END_RESP;
    delay += ps(30);
    return tlm::TLM_UPDATED;
  };
  for (Request& request : requests) bench.initiator.send(request);
  sc_core::sc_start(ps(1000));
  EXPECT_THAT(bench.responses, ElementsAre(Response{&requests[0], 100}, Response{&requests[1], 130}));
}

TEST(Annotated, CompletesAtOnceWithTheDelayOfTheResponse) {
  auto timing = scripted({700, 900});
  const ScriptedTiming& script = *timing;
  Bench bench(Protocol::annotated, std::move(timing));
  sc_core::sc_start(ps(500));
  Request first = read(0), second = read(64);
  auto answer = bench.initiator.send(first);
  EXPECT_EQ(answer.sync, tlm::TLM_COMPLETED);
  EXPECT_EQ(answer.delay, ps(200));
  EXPECT_EQ(first.get_response_status(), tlm::TLM_OK_RESPONSE);
  answer = bench.initiator.send(second, tlm::BEGIN_REQ, ps(40));
  EXPECT_EQ(answer.delay, ps(400));
  EXPECT_THAT(script.arrivals, ElementsAre(500, 540));
  EXPECT_EQ(second.get_ref_count(), 1);
  EXPECT_TRUE(bench.responses.empty());
}

TEST(Annotated, AnArrivalBeforeAnEarlierOneIsSimultaneous) {
  auto timing = scripted({300, 300});
  const ScriptedTiming& script = *timing;
  Bench bench(Protocol::annotated, std::move(timing));
  Request first = read(0), second = read(64);
  bench.initiator.send(first, tlm::BEGIN_REQ, ps(200));
  bench.initiator.send(second, tlm::BEGIN_REQ, ps(150));
  EXPECT_THAT(script.arrivals, ElementsAre(200, 200));
}

TEST(Annotated, BlockingTransportOfTheMachineTakesTheSameTime) {
  Bench bench(Protocol::annotated, scripted({900}));
  Request request = read(0);
  sc_time delay = ps(40);
  bench.initiator.socket->b_transport(request, delay);
  EXPECT_EQ(delay, ps(900));
  EXPECT_EQ(request.get_response_status(), tlm::TLM_OK_RESPONSE);
}

void expect_bytes_move_at_arrival(Protocol protocol) {
  Bench bench(protocol, scripted({900, 100, 500}));
  Request before = read(0x10), write{true, 0x10, {1, 2, 3, 4}}, after = read(0x10);
  for (Request* request : {&before, &write, &after}) bench.initiator.send(*request);
  EXPECT_THAT(before.data, ElementsAre(0, 0, 0, 0)) << "though its response is the last";
  EXPECT_THAT(after.data, ElementsAre(1, 2, 3, 4));
}

TEST(FourPhases, BytesMoveAtArrival) {
  expect_bytes_move_at_arrival(Protocol::four_phase);
}
TEST(Annotated, BytesMoveAtArrival) {
  expect_bytes_move_at_arrival(Protocol::annotated);
}

void expect_errors(Protocol protocol) {
  Bench bench(protocol, scripted({100, 100, 100, 100}));
  Request beyond = read((1 << 20) - 3), enables = read(0), streaming = read(0), good = read((1 << 20) - 4);
  std::uint8_t enable = 0xff;
  enables.set_byte_enable_ptr(&enable);
  enables.set_byte_enable_length(1);
  streaming.set_streaming_width(2);
  for (Request* request : {&beyond, &enables, &streaming, &good}) bench.initiator.send(*request);
  sc_core::sc_start(ps(200));
  EXPECT_EQ(beyond.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
  EXPECT_EQ(enables.get_response_status(), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
  EXPECT_EQ(streaming.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
  EXPECT_EQ(good.get_response_status(), tlm::TLM_OK_RESPONSE);
  EXPECT_EQ(bench.responses.size(), protocol == Protocol::four_phase ? 4u : 0u) << "errors are answered, too";
}

TEST(FourPhases, RefusesWhatItCannotServe) {
  expect_errors(Protocol::four_phase);
}
TEST(Annotated, RefusesWhatItCannotServe) {
  expect_errors(Protocol::annotated);
}

TEST(HostSocket, TakesNoTimeAndRefusesTheSame) {
  Bench bench(Protocol::four_phase);
  Request write{true, 0x20, {9, 8, 7}}, back = read(0x20, 3), beyond = read(1 << 20);
  sc_time delay = ps(7);
  for (Request* request : {&write, &back, &beyond}) bench.host.socket->b_transport(*request, delay);
  EXPECT_EQ(delay, ps(7));
  EXPECT_THAT(back.data, ElementsAre(9, 8, 7));
  EXPECT_EQ(beyond.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST(DebugTransport, ReadsAndWritesOnBothSockets) {
  Bench bench(Protocol::four_phase);
  Request write{true, 0x20, {9, 8, 7}}, back = read(0x20, 3), beyond = read((1 << 20) - 2, 3);
  EXPECT_EQ(bench.host.socket->transport_dbg(write), 3u);
  EXPECT_EQ(bench.initiator.socket->transport_dbg(back), 3u);
  EXPECT_THAT(back.data, ElementsAre(9, 8, 7));
  EXPECT_EQ(bench.host.socket->transport_dbg(beyond), 0u);
}

TEST(DirectMemory, IsAllOfMemoryOnBothSockets) {
  Bench bench(Protocol::annotated);
  Request write{true, 0x20, {9, 8, 7}};
  sc_time delay;
  bench.host.socket->b_transport(write, delay);
  EXPECT_TRUE(write.is_dmi_allowed());
  unsigned char* storage = nullptr;
  for (test::TestInitiator* initiator : {&bench.host, &bench.initiator}) {
    tlm::tlm_dmi dmi;
    Request request = read(0x20);
    ASSERT_TRUE(initiator->socket->get_direct_mem_ptr(request, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0u);
    EXPECT_EQ(dmi.get_end_address(), (1u << 20) - 1);
    EXPECT_TRUE(dmi.is_read_write_allowed());
    EXPECT_EQ(dmi.get_read_latency(), sc_core::SC_ZERO_TIME);
    EXPECT_EQ(dmi.get_write_latency(), sc_core::SC_ZERO_TIME);
    EXPECT_EQ(dmi.get_dmi_ptr()[0x21], 8);
    storage = dmi.get_dmi_ptr();
  }
  storage[(1 << 20) - 1] = 77;
  Request last = read((1 << 20) - 1, 1);
  bench.host.socket->b_transport(last, delay);
  EXPECT_EQ(last.data[0], 77);
}

/// Both protocols and the bare timing give the same times for the same random requests.
void expect_one_timing(MemoryType type) {
  constexpr std::uint64_t seed = 77;
  MachineConfig config;
  config.memory.type = type;
  config.dram.set_preset("hbm2");
  MachineConfig small = Bench::with_one_mib(config);
  const auto timing = make_memory_timing(small);
  ExternalMemory annotated("annotated", small, Protocol::annotated);
  test::TestInitiator caller("caller"), nobody("nobody");
  caller.socket.bind(annotated.machine);
  nobody.socket.bind(annotated.host);
  Bench bench(Protocol::four_phase, nullptr, config);
  std::mt19937_64 random(seed);
  std::deque<Request> requests;
  std::vector<Response> expected;
  for (int i = 0; i < 300; ++i) {
    const bool write = random() % 3 == 0;
    const std::uint64_t address = random() % ((1 << 20) - 256);
    const std::size_t bytes = 1 + random() % 200;
    requests.emplace_back(write, address, std::vector<std::uint8_t>(bytes));
    const std::uint64_t at = timing->serve(address, bytes, write, sc_core::sc_time_stamp().value());
    Request copy(write, address, std::vector<std::uint8_t>(bytes));
    EXPECT_EQ(caller.send(copy).delay, ps(at) - sc_core::sc_time_stamp()) << "seed " << seed << ", " << i;
    expected.push_back({&requests.back(), at});
    bench.initiator.send(requests.back());
    if (const std::uint64_t pause = random() % 8; pause > 0) sc_core::sc_start(ps(2000 * pause));
  }
  sc_core::sc_start(ps(100'000'000));
  std::ranges::stable_sort(expected, {}, &Response::at);
  EXPECT_EQ(bench.responses, expected) << "seed " << seed;
}

TEST(MemoryTimings, AreThoseOfBothProtocolsIdeal) {
  expect_one_timing(MemoryType::ideal);
}
TEST(MemoryTimings, AreThoseOfBothProtocolsDram) {
  expect_one_timing(MemoryType::dram);
}

TEST(ExternalMemoryTest, NeedsPicoseconds) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_FS);
  try {
    ExternalMemory memory("memory", MachineConfig{});
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_STREQ(error.what(), "the time resolution of SystemC is 1 fs: expected 1 ps");
  }
}

}  // namespace
}  // namespace lpa::hw
