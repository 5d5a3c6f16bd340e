// The channel between the array's registers, seen through ports and events as any channel is.
#include "hw_model/array/wire_bank.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lpa::test {
namespace {

/// Copies its input pin to its output pin at every rising edge, read and driven in one of two ways.
class Register : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<int> in{"in"};
  sc_core::sc_out<int> out{"out"};

  enum class Access { ports, direct };
  Register(const sc_core::sc_module_name& name, Access access) : sc_core::sc_module(name), access_(access) {
    SC_HAS_PROCESS(Register);
    SC_METHOD(clocked);
    sensitive << clk.pos();
    dont_initialize();
  }

 private:
  void end_of_elaboration() override {
    in_.attach(in);
    out_.attach(out);
  }
  void clocked() {
    if (access_ == Access::ports) {
      out.write(in.read());
    } else {
      out_.next() = *in_;
      out_.send();
    }
  }

  Access access_;
  hw::Tap<int> in_;
  hw::Drive<int> out_;
};

class Chain : public ::testing::TestWithParam<Register::Access> {};

TEST_P(Chain, AWordTakesOneCyclePerRegisterWhateverTheOrderOfProcesses) {
  sc_core::sc_signal<bool> clk{"clk"};
  sc_core::sc_signal<int> first{"first"}, last{"last"};
  hw::WireBank<int> wires("wires", 2);
  Register c("c", GetParam()), a("a", GetParam()), b("b", GetParam());
  for (Register* module : {&a, &b, &c}) module->clk(clk);
  a.in(first), a.out(wires[0]);
  b.in(wires[0]), b.out(wires[1]);
  c.in(wires[1]), c.out(last);
  const auto step = [&] {
    clk.write(false);
    sc_core::sc_start(1, sc_core::SC_NS);
    clk.write(true);
    sc_core::sc_start(1, sc_core::SC_NS);
  };
  first.write(7);
  step();
  EXPECT_THAT(wires.values(), ::testing::ElementsAre(7, 0));
  first.write(8);
  step();
  EXPECT_THAT(wires.values(), ::testing::ElementsAre(8, 7));
  EXPECT_EQ(last.read(), 0);
  step();
  EXPECT_THAT(wires.values(), ::testing::ElementsAre(8, 8));
  EXPECT_EQ(last.read(), 7);
  step();
  EXPECT_EQ(last.read(), 8);
}

INSTANTIATE_TEST_SUITE_P(WireBank, Chain, ::testing::Values(Register::Access::ports, Register::Access::direct),
                         [](const auto& access) {
                           return std::string(access.param == Register::Access::ports ? "Ports" : "Direct");
                         });

/// Writes a wire and counts the activations of a process that is sensitive to another.
class Watcher : public sc_core::sc_module {
 public:
  sc_core::sc_in<int> watched{"watched"};
  sc_core::sc_event write_now{"write_now"};
  hw::WireBank<int> wires{"wires", 2};
  std::size_t written = 0;
  int value = 0;
  int activations = 0;
  int seen = 0;
  bool event_seen = false;
  int seen_by_writer = -1;

  explicit Watcher(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    watched(wires[0]);
    SC_HAS_PROCESS(Watcher);
    SC_METHOD(watch);
    sensitive << watched;
    dont_initialize();
    SC_METHOD(write);
    sensitive << write_now;
    dont_initialize();
  }

  void write_once(std::size_t wire, int new_value) {
    written = wire;
    value = new_value;
    write_now.notify(sc_core::SC_ZERO_TIME);
    sc_core::sc_start(1, sc_core::SC_NS);
  }

 private:
  void watch() {
    ++activations;
    seen = watched.read();
    event_seen = watched.event();
  }
  void write() {
    wires[written].write(-1);
    wires[written].write(value);
    seen_by_writer = wires[written].read();
  }
};

TEST(WireBank, TheLastWriteOfAPhaseStandsOnTheWireAfterItAndWakesWhoIsSensitive) {
  Watcher watcher("watcher");
  watcher.write_once(0, 5);
  EXPECT_EQ(watcher.seen_by_writer, 0) << "not before the update";
  EXPECT_EQ(watcher.activations, 1);
  EXPECT_EQ(watcher.seen, 5);
  EXPECT_TRUE(watcher.event_seen);
  EXPECT_THAT(watcher.wires.values(), ::testing::ElementsAre(5, 0));
}

TEST(WireBank, AWriteOfTheSameValueIsAnEventAndThatOfAnotherWireIsNot) {
  Watcher watcher("watcher");
  watcher.write_once(0, 5);
  watcher.write_once(1, 6);
  EXPECT_EQ(watcher.activations, 1);
  EXPECT_THAT(watcher.wires.values(), ::testing::ElementsAre(5, 6)) << "wire 0 holds its value";
  watcher.write_once(0, 5);
  EXPECT_EQ(watcher.activations, 2);
  EXPECT_FALSE(watcher.wires[0].event()) << "only in the delta cycle after the write";
}

}  // namespace
}  // namespace lpa::test
