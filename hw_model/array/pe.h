// A processing element: MUL register (if it has two stages), ADD register, the active weight and its shadow.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include <systemc>

#include "hw_model/array/wire_bank.h"
#include "hw_model/array/wires.h"
#include "hw_model/datapath/mac.h"
#include "hw_model/datapath/stages.h"

namespace lpa::hw {

/// Timing: an activation on activation_in in cycle p is multiplied in it; the product stands in the MUL register in
/// cycle p + 1, in which psum_in must carry the sum that it adds to; the new sum is on psum_out in cycle p + 2. With
/// one stage there is no MUL register: psum_in is taken in cycle p, and the new sum is on psum_out in cycle p + 1. The
/// activation is on activation_out in cycle p + 1. A weight word that arrives with hops left is on weight_out one cycle
/// later with one hop less. psum_out holds its value while no product is added.
class Pe : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<LayerControl> control{"control"};
  sc_core::sc_in<ActivationWire> activation_in{"activation_in"};
  sc_core::sc_out<ActivationWire> activation_out{"activation_out"};
  sc_core::sc_in<PsumWord> psum_in{"psum_in"};
  sc_core::sc_out<PsumWord> psum_out{"psum_out"};
  sc_core::sc_in<WeightWire> weight_in{"weight_in"};
  sc_core::sc_out<WeightWire> weight_out{"weight_out"};

  /// The converter must outlive the module and have arithmetic.lf_bits. Multipliers of significands need fixed sums.
  Pe(const sc_core::sc_module_name& name, const datapath::LogLinearConverter& converter,
     const formats::Arithmetic& arithmetic, const datapath::Stages& stages = {},
     datapath::Multiplier multiplier = datapath::Multiplier::logarithms);

  const formats::AccumulateEvents& events() const { return events_; }
  /// Products whose operands are both not zero.
  std::uint64_t active_products() const { return active_products_; }
  std::uint64_t hazards() const { return hazards_; }

  // The registers, as they stand in the current cycle; of several inputs the first one's. With one stage,
  // product_valid() is never true, and product() is what MUL gave last.
  bool product_valid() const { return product_valid_; }
  const std::array<datapath::Product, datapath::max_lanes>& product() const { return product_[0]; }
  const datapath::DecodedWord& active_weight() const { return active_[0]; }
  const datapath::DecodedWord& shadow_weight() const { return shadow_[0]; }
  /// No product is on its way and nothing is offered to a neighbour.
  bool idle() const { return !product_valid_ && !activation_offered_ && !weight_offered_; }

  void trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const;

 private:
  void end_of_elaboration() override;
  void configure();
  void clocked();
  void clear();
  void add();
  void multiply(const ActivationWire& activation);
  void multiply(std::size_t input, const datapath::Lane& activation);
  void load(const WeightWire& weight);

  const datapath::LogLinearConverter& converter_;
  formats::Arithmetic arithmetic_;
  datapath::Multiplier multiplier_;
  bool mul_register_;
  std::optional<datapath::AddStage> adder_;

  Tap<bool> reset_;
  Tap<ActivationWire> activation_;
  Tap<WeightWire> weight_;
  Tap<PsumWord> psum_;
  Drive<ActivationWire> next_activation_;
  Drive<WeightWire> next_weight_;
  Drive<PsumWord> next_psum_;

  std::size_t lanes_ = 1;
  std::size_t inputs_ = 1;
  int weight_bits_ = 8, activation_bits_ = 8;

  // By input.
  std::array<datapath::DecodedWord, datapath::max_inputs> active_{}, shadow_{};
  std::array<std::array<datapath::Product, datapath::max_lanes>, datapath::max_inputs> product_{};
  bool product_valid_ = false;
  bool activation_offered_ = false;
  bool weight_offered_ = false;
  formats::AccumulateEvents events_;
  std::uint64_t active_products_ = 0;
  std::uint64_t hazards_ = 0;
};

}  // namespace lpa::hw
