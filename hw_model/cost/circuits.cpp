#include "hw_model/cost/circuits.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace lpa::cost {
namespace {

constexpr int word_bits = 8;       ///< A packed word.
constexpr int max_log_bits = 16;   ///< r, and u, of an 8-bit lane.
constexpr int max_exponent = 11;   ///< Exponent of a sum: hw_model/README.md.
constexpr int flags = 3;           ///< Sign, zero, NaR.
constexpr int word_log_bits = 14;  ///< Logarithm of an encoder's result: 6 bits before the point, 8 behind it.

/// Widths of a lane's wires.
struct LaneWidths {
  int log = 0;       ///< r, and u.
  int exponent = 0;  ///< Of a product or an aligned sum.
  int index = 0;     ///< Of the log-linear converter.
  int lf = 0;        ///< Its fraction bits.
  int sum = 0;       ///< Linear part of a partial sum.
  bool aligned = true;
  /// What a lane hands to the next PE: a NaR flag, and the exponent of an aligned sum.
  int sum_word() const { return sum + 1 + (aligned ? exponent : 0); }
};

LaneWidths lane_widths(const hw::MachineConfig& config, int mode) {
  const formats::Arithmetic& arithmetic = config.arithmetic;
  const bool aligned = arithmetic.psum == formats::PsumKind::aligned;
  const formats::AlignedWidths& widths = arithmetic.widths(mode);
  LaneWidths lane;
  // Four slices, which lanes of more bits have together, as far as these need them.
  const int slices = 4 / hw::MachineConfig::pack(mode);
  lane.log = std::max(config.pe_log_bits, std::min(slices * config.pe_log_bits, max_log_bits));
  lane.exponent = std::min(lane.log + 1, max_exponent);
  lane.index = std::min(formats::log_fraction_bits, lane.log);
  lane.lf = aligned ? std::min(arithmetic.lf_bits, widths.fraction_bits) : arithmetic.lf_bits;
  lane.sum = aligned ? widths.integer_bits + widths.fraction_bits : arithmetic.fixed_bits;
  lane.aligned = aligned;
  return lane;
}

/// The aligned adder: difference and larger one of the exponents, the two values in the order of these, one of them
/// shifted, both as two's complements.
Gates aligned_adder(const Blocks& b, int exponent, int sum) {
  return b.adder(exponent) + b.multiplexer(exponent) + 2 * b.multiplexer(sum) + b.shifter(sum, sum) +
         2 * b.twos_complement(sum) + b.adder(sum) + b.multiplexer(sum);
}

using LaneBlock = std::function<Gates(const LaneWidths&)>;

/// One lane's blocks: their names and gates by its widths.
std::vector<std::pair<std::string, LaneBlock>> lane_blocks(const hw::MachineConfig& config, const Blocks& b) {
  std::vector<std::pair<std::string, LaneBlock>> list{
      {"operand selection", [b](const LaneWidths& w) { return b.multiplexer(2 * w.log); }},
      {"MUL: regime and ulfx adders, signs, flags",
       [b](const LaneWidths& w) { return 2 * b.adder(w.log) + b.exclusive_or(1) + b.gate(flags); }}};
  if (config.array.stages.pe == 2) {
    list.emplace_back("MUL register", [b](const LaneWidths& w) { return b.registers(2 * w.log + flags); });
  }
  list.emplace_back("unpacking", [b](const LaneWidths& w) { return b.adder(w.exponent); });
  list.emplace_back("log-linear converter", [b](const LaneWidths& w) { return b.table(w.index, w.lf); });
  if (config.arithmetic.psum == formats::PsumKind::aligned) {
    list.emplace_back("ADD: aligned", [b](const LaneWidths& w) { return aligned_adder(b, w.exponent, w.sum); });
  } else {
    // The increment of a negative product is the adder's carry.
    list.emplace_back("ADD: fixed", [b](const LaneWidths& w) {
      return b.adder(w.exponent) + b.shifter(w.sum, w.sum) + b.exclusive_or(w.sum) + b.adder(w.sum) +
             b.multiplexer(w.sum);
    });
  }
  return list;
}

/// A block that all lanes of a mode have; modes share its slices, so that the largest one counts.
Gates in_all_modes(const hw::MachineConfig& config, const LaneBlock& block) {
  Gates gates = 0;
  for (const int mode : word_widths) {
    if (config.takes(mode)) gates = std::max(gates, hw::MachineConfig::pack(mode) * block(lane_widths(config, mode)));
  }
  return gates;
}

/// The most that a PE takes at a time.
int most_inputs(const hw::MachineConfig& config) {
  int inputs = 1;
  for (const int bits : word_widths) {
    if (config.takes_activations(bits)) inputs = std::max(inputs, config.array.inputs(bits));
  }
  return inputs;
}

PeCircuit lp_pe(const hw::MachineConfig& config, const Blocks& b) {
  PeCircuit pe;
  const int inputs = most_inputs(config);
  const int activation_bits = 2 * config.pe_log_bits + flags;
  const LaneBlock weight = [&b](const LaneWidths& w) { return b.registers(2 * w.log + flags); };
  const LaneBlock sum = [&b](const LaneWidths& w) { return b.registers(w.sum_word()); };
  const auto blocks = lane_blocks(config, b);

  for (const int bits : word_widths) pe.activation[bits] = config.array.inputs(bits) * b.registers(activation_bits);
  for (const int mode : word_widths) {
    const LaneWidths widths = lane_widths(config, mode);
    pe.weight[mode] = hw::MachineConfig::pack(mode) * weight(widths);
    pe.sum[mode] = sum(widths);
    for (const auto& [name, block] : blocks) {
      for (const int activation : word_widths) pe.product(mode, activation) += block(widths);
    }
  }

  const int weight_registers = config.array.double_buffer_weights ? 2 : 1;
  pe.parts = {{"activation register", b.registers(inputs * activation_bits + 2)},  // Valid and swap.
              {config.array.double_buffer_weights ? "weight registers, two of each" : "weight registers",
               inputs * weight_registers * in_all_modes(config, weight)},
              // Between four slices of r, u and the sum: a carry or none.
              {"carries cut by MODE", b.multiplexer(3 * 3)}};
  for (const auto& [name, block] : blocks) pe.parts.push_back({name, inputs * in_all_modes(config, block)});
  pe.parts.push_back({"sum register", in_all_modes(config, sum)});
  return pe;
}

/// Of a packed word: sign, two's complement, inversion, run, its cap, removal of the run, regime and its scaling, ulfx.
/// `lane_log_bits`: r, and u, of all lanes together.
Gates lp_decoder(const hw::MachineConfig& config, const Blocks& b, int decoded_lanes, int lane_log_bits) {
  constexpr int longest_es = 5;
  const Gates front = b.twos_complement(word_bits) + b.exclusive_or(word_bits) + b.leading_zeros(word_bits) +
                      b.adder(word_bits) + b.multiplexer(word_bits) + b.shifter(word_bits, word_bits) +
                      b.exclusive_or(word_bits) + b.adder(word_bits);
  const Gates scaling = 2 * b.shifter(lane_log_bits, longest_es);
  return front + scaling + config.array.stages.edge * b.registers(2 * lane_log_bits + flags * decoded_lanes);
}

/// From a logarithm to a word: rounding, regime, saturation and flush, sign.
Gates word_rounding(const Blocks& b) {
  return b.shifter(word_log_bits, word_bits) + b.adder(word_log_bits) + 3 * b.adder(word_log_bits) +
         2 * b.multiplexer(word_bits) + b.twos_complement(word_bits);
}

/// From a sum to a word, without registers: magnitude, leading one, linear-log table, scale, channel's scale, rounding.
Gates encoder_logic(const hw::MachineConfig& config, const Blocks& b, int sum, int scales) {
  const int log_bits = config.arithmetic.encoder_log_bits;
  return b.twos_complement(sum) + b.leading_zeros(sum) + b.shifter(sum, sum) + b.table(log_bits, log_bits) +
         scales * b.adder(max_exponent + log_bits) + word_rounding(b);
}

/// Of a linear word: magnitude, factor, product, place, rounding, saturation, sign. Floats look for the leading one.
Gates linear_encoder_logic(const hw::MachineConfig& config, const Blocks& b, int sum) {
  constexpr int scale_bits = 16, factor_bits = 16;
  const int product = sum + factor_bits;
  const bool floats = config.numbers() != formats::NumberSystem::integer;
  return b.twos_complement(sum) + 2 * b.adder(scale_bits) + b.table(8, factor_bits) + b.multiplier(sum, factor_bits) +
         (floats ? b.leading_zeros(product) : 0) + b.shifter(product, product) + b.adder(word_bits) +
         2 * b.multiplexer(word_bits) + b.twos_complement(word_bits);
}

/// Of a column's lane.
Gates array_encoder_logic(const hw::MachineConfig& config, const Blocks& b, int sum) {
  return config.datapath == hw::Datapath::lp ? encoder_logic(config, b, sum, 2) : linear_encoder_logic(config, b, sum);
}

Gates encoder_registers(const hw::MachineConfig& config, const Blocks& b) {
  constexpr int scale_bits = 16;
  const int interval = config.array.rows + 1;
  const int waiting = 1 + (config.array.latency() + interval - 1) / interval;
  return b.registers(word_bits * config.array.stages.edge + scale_bits * (waiting + 1));
}

}  // namespace

Gates PeCircuit::total() const {
  Gates gates = 0;
  for (const Part& part : parts) gates += part.gates;
  return gates;
}

ArrayCircuits array_circuits(const hw::MachineConfig& config, const Blocks& b) {
  ArrayCircuits array;
  const bool lp = config.datapath == hw::Datapath::lp;
  array.pe = lp ? lp_pe(config, b) : other_pe(config, b);

  const auto most = [&](const auto& of_mode) {
    Gates gates = 0;
    for (const int mode : word_widths) {
      if (config.takes(mode)) gates = std::max<Gates>(gates, of_mode(mode));
    }
    return gates;
  };
  array.inputs = most_inputs(config);
  Gates widest_activation = 0;
  for (const int bits : word_widths) {
    if (config.takes_activations(bits)) widest_activation = std::max(widest_activation, array.pe.activation[bits]);
  }
  if (lp) {
    const Gates one = lp_decoder(config, b, 1, config.pe_log_bits);
    array.activation_decoder = array.inputs * one;
    for (const int bits : word_widths) array.activation_decode[bits] = config.array.inputs(bits) * one;
    array.weight_decoder = most([&](int mode) {
      return lp_decoder(config, b, hw::MachineConfig::pack(mode),
                        hw::MachineConfig::pack(mode) * lane_widths(config, mode).log);
    });
  } else {
    const int edge = config.array.stages.edge;
    array.activation_decoder = other_decoder(config, b) + edge * widest_activation;
    for (const int bits : word_widths) array.activation_decode[bits] = array.activation_decoder;
    array.weight_decoder = other_decoder(config, b) + edge * most([&](int mode) { return array.pe.weight[mode]; });
  }

  const int row_registers = config.array.rows * (config.array.rows - 1) / 2;
  const int column_registers = config.array.columns * (config.array.columns - 1) / 2;
  for (const int bits : word_widths) {
    array.activation_skew[bits] = row_registers * array.pe.activation[bits];
    array.sum_skew[bits] = 2 * column_registers * hw::MachineConfig::pack(bits) * array.pe.sum[bits];
  }
  array.weight_skew = column_registers * most([&](int mode) { return array.pe.weight[mode]; });
  array.skew = row_registers * widest_activation + array.inputs * array.weight_skew +
               most([&](int mode) { return array.sum_skew[mode]; });

  for (const int mode : word_widths) {
    array.encoder_lane[mode] = array_encoder_logic(config, b, lane_widths(config, mode).sum) +
                               b.registers(word_bits * config.array.stages.edge);
  }
  array.encoder = in_all_modes(config, [&](const LaneWidths& w) {
    return array_encoder_logic(config, b, w.sum) + encoder_registers(config, b);
  });
  return array;
}

Gates ppu_lane(const hw::MachineConfig& config, const Blocks& b) {
  const formats::Arithmetic& arithmetic = config.arithmetic;
  const int sum = arithmetic.ppu.integer_bits + arithmetic.ppu.fraction_bits;
  constexpr int operand_bits = 16;  ///< A logarithm with its 8 fraction bits, scaled.
  const Gates operand = lp_decoder(config, b, 1, word_bits) + b.adder(operand_bits) + b.registers(operand_bits) +
                        b.table(8, arithmetic.lf_bits);
  return 2 * operand + aligned_adder(b, max_exponent, sum) + b.registers(sum + max_exponent + 1) +
         encoder_logic(config, b, sum, 1) + b.registers(word_bits);
}

}  // namespace lpa::cost
