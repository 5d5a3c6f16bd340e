// Gates of the machine's circuits, part by part, and which of them switch when something is done. README.md derives
// them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hw_model/cost/blocks.h"
#include "hw_model/machine_config.h"

namespace lpa::cost {

/// Widths of words, in bits.
inline constexpr std::array word_widths{8, 4, 2};

/// Place of a width among them.
constexpr std::size_t width_index(int bits) {
  return bits == 8 ? 0 : bits == 4 ? 1 : 2;
}

/// A value for each width of words.
class ByWidth {
 public:
  double& operator[](int bits) { return values_[width_index(bits)]; }
  double operator[](int bits) const { return values_[width_index(bits)]; }

 private:
  std::array<double, 3> values_{};
};

/// A value for each width of weights and of activations.
class ByWidths {
 public:
  double& operator()(int weight_bits, int activation_bits) {
    return values_[width_index(weight_bits)][activation_bits];
  }
  double operator()(int weight_bits, int activation_bits) const {
    return values_[width_index(weight_bits)][activation_bits];
  }

 private:
  std::array<ByWidth, 3> values_{};
};

struct Part {
  std::string name;
  Gates gates = 0;
};

/// A processing element.
struct PeCircuit {
  std::vector<Part> parts;

  // What switches:
  ByWidth activation;  ///< when a vector enters, by activation bits: registers of all inputs;
  ByWidth weight;      ///< when a packed weight word, of one input, enters one of its two registers;
  ByWidths product;    ///< when a lane multiplies two operands that are not zero and adds the product;
  ByWidth sum;         ///< when a lane's partial sum moves on.

  Gates total() const;
};

/// The array and what stands at its edges.
struct ArrayCircuits {
  PeCircuit pe;
  int inputs = 1;                ///< The most that a PE takes at a time.
  Gates activation_decoder = 0;  ///< Of a row, for all inputs.
  ByWidth activation_decode;     ///< What of it switches, by activation bits.
  Gates weight_decoder = 0;      ///< Of a column, for a packed word of one input; there are `inputs` of them.
  ByWidth activation_skew;       ///< Registers that a vector passes in all rows together, by activation bits.
  Gates weight_skew = 0;         ///< Those that a row of weights passes, a packed word a column.
  ByWidth sum_skew;              ///< Those that a vector's sums pass, before and behind the PEs.
  Gates skew = 0;                ///< All skew registers.
  Gates encoder = 0;             ///< Of a column.
  ByWidth encoder_lane;          ///< Switches for a word.
};

/// PEs of the other datapaths (MachineConfig::datapath).
PeCircuit other_pe(const hw::MachineConfig& config, const Blocks& blocks);
/// What their decoders are for a byte of activations, or a packed weight word, without registers.
Gates other_decoder(const hw::MachineConfig& config, const Blocks& blocks);

ArrayCircuits array_circuits(const hw::MachineConfig& config, const Blocks& blocks);

/// A lane of the post-processing unit, without its table.
Gates ppu_lane(const hw::MachineConfig& config, const Blocks& blocks);

}  // namespace lpa::cost
