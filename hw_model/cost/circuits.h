// Gates of the machine's circuits, part by part, and which of them switch when something is done. README.md derives
// them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hw_model/cost/blocks.h"
#include "hw_model/machine_config.h"

namespace lpa::cost {

/// A value for each width of weights: 8, 4 and 2 bits.
class ByWeightBits {
 public:
  Gates& operator[](int weight_bits) { return values_[index(weight_bits)]; }
  Gates operator[](int weight_bits) const { return values_[index(weight_bits)]; }

 private:
  static std::size_t index(int weight_bits) { return weight_bits == 8 ? 0 : weight_bits == 4 ? 1 : 2; }
  std::array<Gates, 3> values_{};
};

struct Part {
  std::string name;
  Gates gates = 0;
};

/// A processing element.
struct PeCircuit {
  std::vector<Part> parts;

  // What switches:
  Gates activation = 0;  ///< when an activation enters;
  ByWeightBits weight;   ///< when a packed weight word, of one input, enters one of its two registers;
  ByWeightBits product;  ///< when a lane multiplies two operands that are not zero and adds the product. Where PEs
                         ///< take several inputs, activations are as wide as the weights.
  ByWeightBits sum;      ///< when a lane's partial sum moves on.

  Gates total() const;
};

/// The array and what stands at its edges.
struct ArrayCircuits {
  PeCircuit pe;
  Gates activation_decoder = 0;  ///< Of a row.
  Gates weight_decoder = 0;      ///< Of a column.
  Gates activation_skew = 0;     ///< Registers of all rows together; a vector passes all of them.
  Gates weight_skew = 0;         ///< Of all columns: a row of weights passes all of them.
  ByWeightBits sum_skew;         ///< Those that a vector's sums pass, before and behind the PEs.
  Gates skew = 0;                ///< All skew registers.
  Gates encoder = 0;             ///< Of a column.
  ByWeightBits encoder_lane;     ///< Switches for a word.
};

/// PEs of the other datapaths (MachineConfig::datapath).
PeCircuit other_pe(const hw::MachineConfig& config, const Blocks& blocks);
/// What their decoders are for one activation, or one packed weight word, without registers.
Gates other_decoder(const hw::MachineConfig& config, const Blocks& blocks);

ArrayCircuits array_circuits(const hw::MachineConfig& config, const Blocks& blocks);

/// A lane of the post-processing unit, without its table.
Gates ppu_lane(const hw::MachineConfig& config, const Blocks& blocks);

}  // namespace lpa::cost
