// Owns clock and reset of a simulated device and counts cycles.
#pragma once

#include <cstdint>
#include <stdexcept>

#include <systemc>

namespace lpa::test {

/// Cycle n is the period before the n-th rising edge. Between two step()s a test stands inside a cycle: what it reads
/// is what stands on the wires in this cycle, what it writes is presented in this cycle and sampled by the edge at its
/// end. (Written values reach the wires, and waveforms, with the falling edge, or before it with settle().)
class ClockedBench {
 public:
  sc_core::sc_signal<bool> clk{"clk"};
  sc_core::sc_signal<bool> reset{"reset"};

  /// To the next cycle.
  void step() {
    clk.write(false);
    sc_core::sc_start(half_period);
    clk.write(true);
    sc_core::sc_start(half_period);
    ++cycle_;
  }

  /// What was written in this cycle reaches the wires, and what combinational processes make of it.
  void settle() { sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_PS)); }

  void step(std::uint64_t cycles) {
    for (std::uint64_t i = 0; i < cycles; ++i) step();
  }

  /// To the given cycle. Throws std::logic_error if it is over.
  void run_to(std::uint64_t cycle) {
    if (cycle < cycle_) throw std::logic_error("the cycle is over");
    while (cycle_ < cycle) step();
  }

  std::uint64_t cycle() const { return cycle_; }

 private:
  const sc_core::sc_time half_period{1, sc_core::SC_NS};
  std::uint64_t cycle_ = 0;
};

}  // namespace lpa::test
