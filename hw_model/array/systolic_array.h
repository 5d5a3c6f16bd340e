// The weight-stationary array: edge decoders, skew registers, PEs, deskew registers and encoders, joined by wires.
// In which cycle each pin carries what: hw_model/README.md, "Array timing".
#pragma once

#include <cstdint>
#include <string>

#include <systemc>

#include "hw_model/array/array_encoder.h"
#include "hw_model/array/edge_decoder.h"
#include "hw_model/array/pe.h"
#include "hw_model/array/skew_column.h"
#include "hw_model/array/wire_bank.h"
#include "hw_model/array/wires.h"
#include "hw_model/datapath/converters.h"
#include "hw_model/datapath/stages.h"
#include "quant/formats/arithmetic.h"

namespace lpa::hw {

class SystolicArray : public sc_core::sc_module {
 public:
  sc_core::sc_in<bool> clk{"clk"};
  sc_core::sc_in<bool> reset{"reset"};  ///< Synchronous: drops everything in flight and all weights.
  sc_core::sc_in<LayerControl> control{"control"};

  sc_core::sc_in<BundleTag> tag_in{"tag_in"};
  sc_core::sc_vector<sc_core::sc_in<std::uint8_t>> activation_in;  ///< R bytes: a raw word, right-aligned, or several.
  sc_core::sc_vector<sc_core::sc_in<PsumWord>> psum_in;            ///< C sums that the bundle adds to.
  sc_core::sc_vector<sc_core::sc_in<ScaleWord>> scale_in;          ///< C; taken with swap and last_k.
  sc_core::sc_in<WeightTag> weight_tag_in{"weight_tag_in"};
  sc_core::sc_vector<sc_core::sc_in<std::uint32_t>> weight_in;  ///< C packed words, a byte for each input of a PE.

  /// A bundle presented in cycle x stands here in cycle x + latency(): x + R + C + 1 with the stages of the reference
  /// machine. Sums mean nothing while the tag is not valid.
  sc_core::sc_out<BundleTag> tag_out{"tag_out"};
  sc_core::sc_vector<sc_core::sc_out<PsumWord>> psum_out;
  /// One cycle later, or in the same one if the edges have no register stage; valid for last_k only.
  sc_core::sc_out<BundleTag> word_tag_out{"word_tag_out"};
  sc_core::sc_vector<sc_core::sc_out<EncodedWords>> word_out;

  SystolicArray(const sc_core::sc_module_name& name, int rows, int columns, const formats::Arithmetic& arithmetic,
                const datapath::Stages& stages = {},
                datapath::Multiplier multiplier = datapath::Multiplier::logarithms);

  int rows() const { return rows_; }
  int columns() const { return columns_; }
  int latency() const { return stages_.latency(rows_, columns_); }

  /// Running totals since construction; reset does not clear them.
  std::uint64_t saturations() const;      ///< Additions whose result did not fit.
  std::uint64_t nar_products() const;     ///< Products with a NaR operand.
  std::uint64_t active_products() const;  ///< Products whose operands are both not zero.
  std::uint64_t hazards() const;          ///< Weights that arrived in the cycle of a swap: a sender's error.

  /// Nothing valid is anywhere between input and output pins (registers only; the input pins are not looked at).
  bool idle() const;

  const Pe& pe(int row, int column) const { return pes_[index(row, column)]; }
  void trace_pins(sc_core::sc_trace_file* file, const std::string& prefix) const;

 private:
  std::size_t index(int row, int column) const;
  std::size_t west_of(int row, int column) const;
  template <class Module>
  void connect_clock(Module& module);
  void connect_pes();
  void connect_west();
  void connect_north();
  void connect_south();
  void word_tag_register();
  void word_tag_wire();
  int injection_depth(int column) const { return stages_.edge + column + stages_.pe - 1; }

  int rows_;
  int columns_;
  datapath::Stages stages_;
  datapath::LogLinearConverter log_linear_;
  datapath::LinearLogConverter linear_log_;

  // activation_ enters PEs from the west, psum_ and weight_ from the north; one more of each leaves the last PE.
  WireBank<ActivationWire> decoded_activation_;
  WireBank<WeightWire> decoded_weight_;
  WireBank<ActivationWire> activation_;
  WireBank<WeightWire> weight_;
  WireBank<PsumWord> psum_;

  sc_core::sc_vector<ActivationDecoder> activation_decoders_{"activation_decoder"};
  sc_core::sc_vector<WeightDecoder> weight_decoders_{"weight_decoder"};
  sc_core::sc_vector<SkewColumn<ActivationWire>> activation_skew_{"activation_skew"};
  sc_core::sc_vector<SkewColumn<WeightWire>> weight_skew_{"weight_skew"};
  sc_core::sc_vector<SkewColumn<PsumWord>> psum_skew_{"psum_skew"};  ///< From the first column that has any.
  sc_core::sc_vector<SkewColumn<PsumWord>> deskew_{"deskew"};
  SkewColumn<BundleTag> tag_delay_;
  sc_core::sc_vector<Pe> pes_{"pe"};
  sc_core::sc_vector<ArrayEncoder> encoders_{"encoder"};
  bool word_offered_ = false;
};

}  // namespace lpa::hw
