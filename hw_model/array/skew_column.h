// A chain of registers: skews the edges of the array and straightens its outputs.
#pragma once

#include <cstddef>
#include <vector>

#include <systemc>

#include "hw_model/array/wire_bank.h"

namespace lpa::hw {

/// What stands on `in` in cycle t stands on `out` in cycle t + depth. Reset fills all stages with T{}.
template <class T>
class SkewColumn : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<T> in{"in"};
  sc_core::sc_out<T> out{"out"};

  /// depth >= 1
  SkewColumn(const sc_core::sc_module_name& name, int depth)
      : sc_core::sc_module(name), stages_(static_cast<std::size_t>(depth)), unchanged_(stages_.size()) {
    SC_HAS_PROCESS(SkewColumn);
    SC_METHOD(clocked);
    sensitive << clk.pos();
    dont_initialize();
  }

  /// All stages and the output hold the same value, so that nothing moves until `in` changes.
  bool settled() const { return unchanged_ >= stages_.size(); }
  std::size_t depth() const { return stages_.size(); }

 private:
  void end_of_elaboration() override {
    reset_.attach(reset);
    in_.attach(in);
    out_.attach(out);
  }

  void clocked() {
    if (*reset_) {
      stages_.assign(stages_.size(), T{});
      newest_ = T{};
      unchanged_ = stages_.size();
      out_.write(T{});
      return;
    }
    const T& value = *in_;
    if (value == newest_) {
      if (settled()) return;
      ++unchanged_;
    } else {
      newest_ = value;
      unchanged_ = 1;
    }
    // A ring: the oldest of depth - 1 stages leaves for the output register, the new value takes its place.
    stages_[head_] = value;
    if (++head_ == stages_.size()) head_ = 0;
    out_.write(stages_[head_]);
  }

  Tap<bool> reset_;
  Tap<T> in_;
  Drive<T> out_;
  std::vector<T> stages_;
  std::size_t head_ = 0;
  std::size_t unchanged_;  ///< Stages that hold `newest_`, counted from the input.
  T newest_{};
};

}  // namespace lpa::hw
