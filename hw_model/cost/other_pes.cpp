// PEs of the machines that LPA is compared with, in the same blocks. Their sums are fixed-point, psum.bits wide.
#include <algorithm>
#include <utility>

#include "hw_model/cost/circuits.h"

namespace lpa::cost {
namespace {

constexpr int valid_and_swap = 2;

/// What all of them have.
class PeBuilder {
 public:
  PeBuilder(const hw::MachineConfig& config, const Blocks& blocks)
      : config_(config), b_(blocks), sum_(config.arithmetic.fixed_bits) {}

  bool takes(int mode) const { return config_.takes(mode); }
  /// Activations that a PE takes at a time; it holds as many packed weight words.
  int inputs(int activation_bits) const { return config_.array.inputs(activation_bits); }
  /// Register bits behind the multiplier.
  Gates product_register(int bits) const { return config_.array.stages.pe == 2 ? b_.registers(bits) : 0; }
  /// Addition to a sum that saturates.
  Gates accumulate() const { return b_.adder(sum_) + b_.multiplexer(sum_); }
  /// The same of a product that is shifted to its place, with its sign.
  Gates accumulate_shifted() const { return b_.shifter(sum_, sum_) + b_.exclusive_or(sum_) + accumulate(); }

  void add(const char* name, Gates gates) {
    Part& part = pe_.parts.emplace_back();
    part.name = name;
    part.gates = gates;
  }
  /// Bits of all activations that a PE takes at a time, and of a packed weight word, as they stand in registers.
  void add_registers(int activation_bits, int weight_bits, int words = 1) {
    for (const int mode : word_widths) {
      pe_.activation[mode] = b_.registers(activation_bits);
      pe_.weight[mode] = b_.registers(weight_bits);
      pe_.sum[mode] = b_.registers(sum_);
    }
    const int copies = config_.array.double_buffer_weights ? 2 : 1;
    add("activation register", b_.registers(activation_bits + valid_and_swap));
    add("weight registers", copies * b_.registers(weight_bits * words));
  }
  /// Whatever the activations' width.
  void set_product(int weight_bits, Gates gates) {
    for (const int bits : word_widths) pe_.product(weight_bits, bits) = gates;
  }
  void set_product(int weight_bits, int activation_bits, Gates gates) {
    pe_.product(weight_bits, activation_bits) = gates;
  }
  void add_sums(int sums) {
    add("accumulators", sums * accumulate());
    add("sum register", b_.registers(sums * sum_));
  }
  PeCircuit take() { return std::move(pe_); }

 private:
  const hw::MachineConfig& config_;
  const Blocks& b_;
  int sum_;
  PeCircuit pe_;
};

PeCircuit integer_pe(PeBuilder pe, const Blocks& b) {
  const Gates multiplier = b.multiplier(8, 8), product = pe.product_register(16);
  pe.add_registers(8, 8);
  pe.add("multiplier", multiplier);
  pe.add("product register", product);
  pe.add_sums(1);
  pe.set_product(8, multiplier + product + pe.accumulate());
  return pe.take();
}

/// A significand of 4 bits and an exponent of 4; the product, 8 bits, goes to its place in the sum.
PeCircuit adaptivfloat_pe(PeBuilder pe, const Blocks& b) {
  const Gates multiplier = b.multiplier(4, 4) + b.adder(5) + b.exclusive_or(1),
              product = pe.product_register(8 + 5 + 2);
  const Gates place = pe.accumulate_shifted() - pe.accumulate();
  pe.add_registers(8, 8);
  pe.add("multiplier of significands, adder of exponents", multiplier);
  pe.add("product register", product);
  pe.add("shifter to the product's place", place);
  pe.add_sums(1);
  pe.set_product(8, multiplier + product + pe.accumulate_shifted());
  return pe.take();
}

/// Decoded: sign, flags, scale of 6 bits, significand of 5 (activations, 8-bit weights) or 1 bit. A lane for each
/// weight of a word.
PeCircuit posit_pe(PeBuilder pe, const Blocks& b) {
  constexpr int scale = 6, significand = 5, flags = 3;
  const auto weight_significand = [](int mode) { return mode == 8 ? significand : 1; };
  Gates multiplier = 0, product = 0, place = 0;
  int weight_bits = 0, most_lanes = 0;
  for (const int mode : word_widths) {
    const int bits = weight_significand(mode);
    const Gates lane_multiplier = b.multiplier(significand, bits) + b.adder(scale + 1) + b.exclusive_or(1);
    const Gates lane_product = pe.product_register(significand + bits + scale + 1 + flags);
    pe.set_product(mode, lane_multiplier + lane_product + pe.accumulate_shifted());
    if (!pe.takes(mode)) continue;
    multiplier = std::max(multiplier, hw::MachineConfig::pack(mode) * lane_multiplier);
    product = std::max(product, hw::MachineConfig::pack(mode) * lane_product);
    place = std::max(place, hw::MachineConfig::pack(mode) * (pe.accumulate_shifted() - pe.accumulate()));
    weight_bits = std::max(weight_bits, hw::MachineConfig::pack(mode) * (bits + scale + flags));
    most_lanes = std::max(most_lanes, hw::MachineConfig::pack(mode));
  }
  pe.add_registers(significand + scale + flags, weight_bits);
  pe.add("multipliers of significands, adders of scales", multiplier);
  pe.add("product registers", product);
  pe.add("shifters to the products' places", place);
  pe.add_sums(most_lanes);
  return pe.take();
}

/// Four 4-bit PEs: each multiplies bases of 4 bits, adds exponents of 3 and shifts; together they are an 8-bit
/// multiplier. In two columns, so that there are two sums.
PeCircuit ant_pe(PeBuilder pe, const Blocks& b) {
  constexpr int base = 4, exponent = 3, sign = 1, product_bits = 16, fused_bits = 20;
  const Gates multiplier = b.multiplier(base, base);
  const Gates scale = b.adder(exponent) + b.shifter(product_bits, 12);
  const Gates join = b.adder(fused_bits), product = pe.product_register(product_bits);
  constexpr int decoded = base + exponent + sign;
  pe.add_registers(2 * decoded, 2 * decoded, pe.inputs(4));
  pe.add("four multipliers, adders of exponents, shifters", 4 * (multiplier + scale));
  pe.add("product registers", 4 * product);
  pe.add("adders that fuse four products, or add two", 3 * join);
  pe.add_sums(2);
  for (const int weight : {8, 4}) {
    for (const int activation : {8, 4}) {
      const int parts = (weight / 4) * (activation / 4), inputs = pe.inputs(activation);
      // Flint is 4 bits wide; 8-bit words are integers. Products of several inputs meet before the sum.
      const Gates flint = weight == 4 || activation == 4 ? scale : 0;
      pe.set_product(weight, activation,
                     parts * (multiplier + flint + product) + (parts - 1) * join +
                         (join * (inputs - 1) + pe.accumulate()) / inputs);
    }
  }
  return pe.take();
}

/// 16 bricks of 2 by 2 bits, signed; two levels of shifts and adders fuse four, and four times four. As many sums as
/// there are 2-bit weights in a word.
PeCircuit bitfusion_pe(PeBuilder pe, const Blocks& b) {
  constexpr int level_1 = 8, level_2 = 16;
  const Gates brick = b.multiplier(3, 3);
  const Gates fuse_4 = 3 * (b.adder(level_1) + b.multiplexer(level_1));
  const Gates fuse_8 = 3 * (b.adder(level_2) + b.multiplexer(level_2));
  int sums = 0, product_bits = 0;
  for (const int mode : word_widths) {
    if (!pe.takes(mode)) continue;
    sums = std::max(sums, hw::MachineConfig::pack(mode));
    product_bits = std::max(product_bits, hw::MachineConfig::pack(mode) * hw::MachineConfig::pack(mode) * 2 * mode);
  }
  pe.add_registers(8, 8, pe.inputs(2));
  pe.add("bricks", 16 * brick);
  pe.add("shifts and adders that fuse bricks", 4 * fuse_4 + fuse_8);
  pe.add("product registers", pe.product_register(product_bits));
  pe.add_sums(sums);
  for (const int weight : word_widths) {
    for (const int activation : word_widths) {
      const int parts = (weight / 2) * (activation / 2), inputs = pe.inputs(activation);
      // A level's three adders join four parts.
      const Gates fused = std::min(parts - 1, 3) / 3.0 * std::max(parts / 4, 1) * fuse_4 +
                          (parts / 4 - 1) / 3.0 * fuse_8 * (parts > 4 ? 1 : 0);
      const Gates meet = b.adder(weight + activation + 2);
      pe.set_product(weight, activation,
                     parts * brick + fused + pe.product_register(weight + activation) +
                         (meet * (inputs - 1) + pe.accumulate()) / inputs);
    }
  }
  return pe.take();
}

}  // namespace

PeCircuit other_pe(const hw::MachineConfig& config, const Blocks& blocks) {
  const PeBuilder pe(config, blocks);
  switch (config.datapath) {
    case hw::Datapath::ant:
      return ant_pe(pe, blocks);
    case hw::Datapath::bitfusion:
      return bitfusion_pe(pe, blocks);
    case hw::Datapath::adaptivfloat:
      return adaptivfloat_pe(pe, blocks);
    case hw::Datapath::posit:
      return posit_pe(pe, blocks);
    case hw::Datapath::lp:
    case hw::Datapath::integer:
      break;
  }
  return integer_pe(pe, blocks);
}

Gates other_decoder(const hw::MachineConfig& config, const Blocks& b) {
  switch (config.datapath) {
    case hw::Datapath::ant:
      // Two flint words: leading zeros give the exponent, a shift the base; int passes by.
      return 2 * (b.leading_zeros(4) + b.shifter(4, 3) + b.multiplexer(7) + b.twos_complement(4));
    case hw::Datapath::posit:
      // Sign, run, shift that strips it, scale.
      return b.twos_complement(8) + b.exclusive_or(8) + b.leading_zeros(8) + b.shifter(8, 8) + b.exclusive_or(4) +
             b.adder(4);
    case hw::Datapath::adaptivfloat:
      return b.gate(8);  // Zero, and the hidden bit.
    case hw::Datapath::lp:
    case hw::Datapath::bitfusion:
    case hw::Datapath::integer:
      break;
  }
  return 0;
}

}  // namespace lpa::cost
