// Gates of the blocks that datapaths are made of. README.md derives the counts.
#pragma once

#include "hw_model/cost/constants.h"

namespace lpa::cost {

/// A circuit's size in NAND2 equivalents: its cells' area over that of a two-input NAND.
using Gates = double;

/// All widths are in bits and may be 0; a block of no bits has no gates. Counts grow with every width.
class Blocks {
 public:
  explicit Blocks(const Constants& constants);

  /// Ripple-carry; a subtractor is the same.
  Gates adder(int bits) const { return full_adder_ * bits; }
  Gates exclusive_or(int bits) const { return xor2_ * bits; }
  Gates gate(int bits) const { return and2_ * bits; }
  /// `ways` words to choose from.
  Gates multiplexer(int bits, int ways = 2) const { return mux2_ * bits * (ways - 1); }
  Gates registers(int bits) const { return flip_flop_ * bits; }
  /// Negation on demand: exclusive-or and increment.
  Gates twos_complement(int bits) const { return (xor2_ + half_adder_) * bits; }
  /// A shift by 0 to `distance` places in one direction: one row of multiplexers per bit of the distance.
  Gates shifter(int bits, int distance) const;
  /// Count of leading zeros: a tree of pairs.
  Gates leading_zeros(int bits) const;
  /// A function of `inputs` bits with `outputs` bits, as gates.
  Gates table(int inputs, int outputs) const;
  /// An array of and-gates and full adders.
  Gates multiplier(int a, int b) const;

 private:
  Gates inverter_, and2_, xor2_, mux2_, half_adder_, full_adder_, flip_flop_;
};

}  // namespace lpa::cost
