// The checker sees nothing wrong with a clean target, and every fault of a broken one.
#include "tests/hw_model/memory/protocol_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/hw_model/memory/test_sockets.h"

namespace lpa::test {
namespace {

using sc_core::SC_NS;
using sc_core::sc_time;
using sc_core::SC_ZERO_TIME;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using tlm::BEGIN_REQ;
using tlm::BEGIN_RESP;
using tlm::END_REQ;
using tlm::END_RESP;

struct Bench {
  TestInitiator initiator{"initiator"};
  ProtocolChecker checker{"checker"};
  TestTarget target{"target"};
  Request read{false, 0x40, std::vector<std::uint8_t>(8)};
  Request write{true, 0x80, std::vector<std::uint8_t>(8, 3)};

  Bench() {
    initiator.socket.bind(checker.initiator);
    checker.target.bind(target.socket);
    sc_core::sc_start(sc_time(5, SC_NS));
  }
  /// BEGIN_REQ, which the target accepts and ends.
  void request(Request& request) {
    initiator.send(request);
    request.acquire();
    target.send(request, END_REQ);
  }
  /// BEGIN_RESP, which the initiator ends; both give the transaction back.
  void respond(Request& request) {
    request.set_response_status(tlm::TLM_OK_RESPONSE);
    target.send(request, BEGIN_RESP);
    request.release();
    request.release();
  }
  void expect(const char* error) {
    checker.finish();
    EXPECT_THAT(checker.errors(), Contains(StartsWith(error)));
  }
  void expect_clean() {
    checker.finish();
    EXPECT_THAT(checker.errors(), IsEmpty());
  }
};

TEST(ProtocolChecker, IsContentWithFourPhases) {
  Bench bench;
  bench.request(bench.read);
  bench.request(bench.write);
  bench.respond(bench.write);
  bench.respond(bench.read);
  EXPECT_EQ(bench.checker.transactions(), 2u);
  EXPECT_EQ(bench.read.manager.freed, 1);
  bench.expect_clean();
}

TEST(ProtocolChecker, IsContentWithAnswersOnReturn) {
  Bench bench;
  bench.target.on_forward = [](auto& payload, auto&, sc_time& delay) {
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    delay += sc_time(3, SC_NS);
    return tlm::TLM_COMPLETED;
  };
  for (Request* request : {&bench.read, &bench.write}) {
    EXPECT_EQ(bench.initiator.send(*request).delay, sc_time(3, SC_NS));
    request->release();
  }
  bench.expect_clean();
}

TEST(ProtocolChecker, IsContentWithAResponseOnReturnAndALaterEnd) {
  Bench bench;
  bench.target.on_forward = [](auto& payload, tlm::tlm_phase& phase, auto&) {
    if (phase == END_RESP) return tlm::TLM_COMPLETED;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    phase = BEGIN_RESP;
    return tlm::TLM_UPDATED;
  };
  EXPECT_EQ(bench.initiator.send(bench.read).phase, BEGIN_RESP);
  bench.initiator.send(bench.read, END_RESP);
  bench.read.release();
  bench.expect_clean();
}

TEST(ProtocolChecker, SeesAResponseWithoutStatus) {
  Bench bench;
  bench.request(bench.read);
  bench.target.send(bench.read, BEGIN_RESP);
  bench.expect("response without a status");
}

TEST(ProtocolChecker, SeesCompletionWithoutStatus) {
  Bench bench;
  bench.target.on_forward = [](auto&, auto&, auto&) { return tlm::TLM_COMPLETED; };
  bench.initiator.send(bench.read);
  bench.expect("response without a status");
}

TEST(ProtocolChecker, SeesTwoOpenResponses) {
  Bench bench;
  bench.initiator.on_backward = [](auto&, auto&, auto&) { return tlm::TLM_ACCEPTED; };
  bench.request(bench.read);
  bench.request(bench.write);
  bench.respond(bench.read);
  bench.respond(bench.write);
  bench.expect("BEGIN_RESP while a response is open");
}

TEST(ProtocolChecker, SeesTwoOpenRequests) {
  Bench bench;
  bench.initiator.send(bench.read);
  bench.initiator.send(bench.write);
  bench.expect("BEGIN_REQ while a request is open");
}

TEST(ProtocolChecker, SeesARequestEndedTwice) {
  Bench bench;
  bench.request(bench.read);
  bench.target.send(bench.read, END_REQ);
  bench.expect("END_REQ out of place");
}

TEST(ProtocolChecker, SeesASecondResponse) {
  Bench bench;
  bench.request(bench.read);
  bench.respond(bench.read);
  bench.target.send(bench.read, BEGIN_RESP);
  bench.expect("phase of a transaction that is not under way");
}

TEST(ProtocolChecker, SeesAnEndWithoutResponse) {
  Bench bench;
  bench.request(bench.read);
  bench.initiator.send(bench.read, END_RESP);
  bench.expect("END_RESP out of place");
}

TEST(ProtocolChecker, SeesAPhaseOfTheOtherSide) {
  Bench bench;
  bench.request(bench.read);
  bench.target.send(bench.read, END_RESP);
  bench.expect("target sends a phase of the initiator");
}

TEST(ProtocolChecker, SeesAChangedAddress) {
  Bench bench;
  bench.request(bench.read);
  bench.read.set_address(0);
  bench.respond(bench.read);
  bench.expect("attributes changed");
}

TEST(ProtocolChecker, SeesChangedWriteData) {
  Bench bench;
  bench.request(bench.write);
  bench.write.data[3] ^= 1;
  bench.respond(bench.write);
  bench.expect("data of a write changed");
}

TEST(ProtocolChecker, SeesAChangedStatus) {
  Bench bench;
  bench.initiator.on_backward = [](auto&, auto&, auto&) { return tlm::TLM_ACCEPTED; };
  bench.request(bench.read);
  bench.read.set_response_status(tlm::TLM_OK_RESPONSE);
  bench.target.send(bench.read, BEGIN_RESP);
  bench.read.set_response_status(tlm::TLM_GENERIC_ERROR_RESPONSE);
  bench.initiator.send(bench.read, END_RESP);
  bench.expect("response status changed");
}

TEST(ProtocolChecker, SeesAPayloadReleasedTooEarly) {
  Bench bench;
  bench.request(bench.read);
  bench.read.release();
  bench.read.release();
  bench.read.set_response_status(tlm::TLM_OK_RESPONSE);
  bench.target.send(bench.read, BEGIN_RESP);
  bench.expect("payload released while under way");
}

TEST(ProtocolChecker, SeesAReferenceThatIsNeverReleased) {
  Bench bench;
  bench.read.acquire();
  bench.request(bench.read);
  bench.respond(bench.read);
  bench.expect("reference never released");
}

TEST(ProtocolChecker, SeesATransactionThatIsNeverAnswered) {
  Bench bench;
  bench.request(bench.read);
  bench.expect("transaction never completed");
}

TEST(ProtocolChecker, SeesAPayloadWithoutManager) {
  Bench bench;
  tlm::tlm_generic_payload payload;
  bench.initiator.send(payload);
  EXPECT_THAT(bench.checker.errors(), Contains(StartsWith("payload without memory manager")));
  EXPECT_THAT(bench.checker.errors(), Contains(StartsWith("payload without data")));
}

TEST(ProtocolChecker, SeesAReusedPayload) {
  Bench bench;
  bench.read.set_response_status(tlm::TLM_OK_RESPONSE);
  bench.read.set_dmi_allowed(true);
  bench.initiator.send(bench.read);
  bench.expect("BEGIN_REQ with a response");
  bench.expect("BEGIN_REQ with the DMI hint");
}

TEST(ProtocolChecker, SeesTimeThatRunsBackwards) {
  Bench bench;
  bench.initiator.send(bench.read, BEGIN_REQ, sc_time(4, SC_NS));
  bench.target.send(bench.read, END_REQ);
  bench.expect("time runs backwards");
}

TEST(ProtocolChecker, SeesADelayMadeSmaller) {
  Bench bench;
  bench.target.on_forward = [](auto&, tlm::tlm_phase& phase, sc_time& delay) {
    delay = SC_ZERO_TIME;
    phase = END_REQ;
    return tlm::TLM_UPDATED;
  };
  bench.initiator.send(bench.read, BEGIN_REQ, sc_time(4, SC_NS));
  bench.expect("delay made smaller");
}

TEST(ProtocolChecker, SeesAnEarlierRequest) {
  Bench bench;
  bench.initiator.send(bench.read, BEGIN_REQ, sc_time(4, SC_NS));
  bench.initiator.send(bench.write, BEGIN_REQ, sc_time(3, SC_NS));
  bench.expect("BEGIN_REQ before an earlier one");
}

TEST(ProtocolChecker, SeesAnswersThatContradictTheirPhase) {
  Bench bench;
  bench.target.on_forward = [](auto&, tlm::tlm_phase& phase, auto&) {
    phase = END_REQ;
    return tlm::TLM_ACCEPTED;
  };
  bench.initiator.send(bench.read);
  bench.target.on_forward = [](auto&, auto&, auto&) { return tlm::TLM_UPDATED; };
  bench.initiator.send(bench.write);
  bench.expect("TLM_ACCEPTED with another phase");
  bench.expect("TLM_UPDATED without another phase");
}

}  // namespace
}  // namespace lpa::test
