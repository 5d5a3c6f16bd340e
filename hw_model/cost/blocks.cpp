#include "hw_model/cost/blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lpa::cost {

Blocks::Blocks(const Constants& constants) {
  const auto cell = [&](const char* name) { return constants[name] / constants["cell.nand2"]; };
  inverter_ = cell("cell.inverter");
  and2_ = cell("cell.and2");
  xor2_ = cell("cell.xor2");
  mux2_ = cell("cell.mux2");
  half_adder_ = cell("cell.half_adder");
  full_adder_ = cell("cell.full_adder");
  flip_flop_ = cell("cell.flip_flop");
}

Gates Blocks::shifter(int bits, int distance) const {
  // By `bits` places nothing is left, so that a longer distance needs no more than one row that clears.
  const auto longest = static_cast<unsigned>(std::clamp(distance, 0, bits));
  return mux2_ * bits * std::bit_width(longest);
}

Gates Blocks::leading_zeros(int bits) const {
  // A node of level j joins two counts of j - 1 bits below their "all zero": a multiplexer for each of these bits, an
  // inverter for the new one, an and-gate for the new "all zero".
  Gates gates = 0;
  int nodes = bits;
  for (int level = 1; nodes > 1; ++level) {
    nodes = (nodes + 1) / 2;
    gates += nodes * (mux2_ * (level - 1) + inverter_ + and2_);
  }
  return gates;
}

Gates Blocks::table(int inputs, int outputs) const {
  if (inputs <= 0) return 0;
  return mux2_ * outputs * std::ldexp(1.0, inputs) / inputs;
}

Gates Blocks::multiplier(int a, int b) const {
  if (a <= 0 || b <= 0) return 0;
  return and2_ * a * b + full_adder_ * (std::min(a, b) - 1) * std::max(a, b);
}

}  // namespace lpa::cost
