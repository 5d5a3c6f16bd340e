// The unified LP decoders at the western and northern edge: one register stage each, or none.
#pragma once

#include <cstdint>

#include <systemc>

#include "hw_model/array/wire_bank.h"
#include "hw_model/array/wires.h"
#include "hw_model/datapath/stages.h"

namespace lpa::hw {

/// Decodes a row's raw activations, which a byte holds; they stand on `decoded` in the cycle after they were presented;
/// without a register stage, in which they were presented.
class ActivationDecoder : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<LayerControl> control{"control"};
  sc_core::sc_in<BundleTag> tag{"tag"};
  sc_core::sc_in<std::uint8_t> word{"word"};
  sc_core::sc_out<ActivationWire> decoded{"decoded"};

  explicit ActivationDecoder(const sc_core::sc_module_name& name, const datapath::Stages& stages = {});

 private:
  void end_of_elaboration() override;
  void clocked();
  void combinational();
  ActivationWire decode() const;

  Tap<bool> reset_;
  Tap<BundleTag> tag_;
  Drive<ActivationWire> decoded_;
  bool offered_ = false;
};

/// Decodes a column's packed weights; stand on `decoded` in the cycle after they were presented; without a register
/// stage, in which they were presented.
class WeightDecoder : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};
  sc_core::sc_in<LayerControl> control{"control"};
  sc_core::sc_in<WeightTag> tag{"tag"};
  sc_core::sc_in<std::uint32_t> word{"word"};  ///< A byte for each input, the first one's lowest.
  sc_core::sc_out<WeightWire> decoded{"decoded"};

  explicit WeightDecoder(const sc_core::sc_module_name& name, const datapath::Stages& stages = {});

 private:
  void end_of_elaboration() override;
  void clocked();
  void combinational();
  WeightWire decode() const;

  Tap<bool> reset_;
  Tap<WeightTag> tag_;
  Drive<WeightWire> decoded_;
  bool offered_ = false;
};

}  // namespace lpa::hw
