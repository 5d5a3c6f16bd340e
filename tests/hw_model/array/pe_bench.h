// A processing element between signals that a test drives.
#pragma once

#include <initializer_list>

#include "hw_model/array/pe.h"
#include "tests/hw_model/clocked_bench.h"
#include "tests/hw_model/printers.h"

namespace lpa::test {

/// +-2^(r + u/64) as a decoder would hand it out.
inline datapath::Lane real(int r, unsigned u = 0, bool negative = false) {
  return {static_cast<std::int16_t>(r), static_cast<std::uint16_t>(u), negative, false, false};
}

inline datapath::Lane zero() {
  return {};
}

inline datapath::Lane nar() {
  return {.r = 0, .u = 0, .negative = false, .zero = false, .nar = true};
}

/// A weight word of some lanes, lane 0 first.
inline datapath::DecodedWord word(std::initializer_list<datapath::Lane> lanes) {
  datapath::DecodedWord result;
  std::copy(lanes.begin(), lanes.end(), result.lane.begin());
  return result;
}

/// A partial sum in lane 0; 2^exponent is the value 65536 of a wide aligned sum.
inline hw::PsumWord psum(std::int32_t value, int exponent) {
  hw::PsumWord result;
  result.lane[0] = {value, static_cast<std::int16_t>(exponent), false};
  return result;
}

inline hw::LayerControl layer_of_mode(int mode) {
  hw::LayerControl layer;
  layer.weight = {static_cast<std::uint8_t>(mode), 0, 1};
  return layer;
}

class PeBench : public ClockedBench {
 public:
  sc_core::sc_signal<hw::LayerControl> control{"control"};
  sc_core::sc_signal<hw::ActivationWire> activation_in{"activation_in"}, activation_out{"activation_out"};
  sc_core::sc_signal<hw::PsumWord> psum_in{"psum_in"}, psum_out{"psum_out"};
  sc_core::sc_signal<hw::WeightWire> weight_in{"weight_in"}, weight_out{"weight_out"};
  datapath::LogLinearConverter converter;
  hw::Pe pe;

  explicit PeBench(const formats::Arithmetic& arithmetic = {}, const hw::LayerControl& layer = layer_of_mode(8),
                   const datapath::Stages& stages = {})
      : converter(arithmetic.converter, arithmetic.lf_bits), pe("pe", converter, arithmetic, stages) {
    pe.clk(clk);
    pe.reset(reset);
    pe.control(control);
    pe.activation_in(activation_in);
    pe.activation_out(activation_out);
    pe.psum_in(psum_in);
    pe.psum_out(psum_out);
    pe.weight_in(weight_in);
    pe.weight_out(weight_out);
    control.write(layer);
  }

  /// Presents an activation in this cycle.
  void activation(const datapath::Lane& lane, bool swap = false) { activation_in.write({lane, true, swap}); }
  void no_activation() { activation_in.write({}); }

  /// Presents a weight word in this cycle.
  void weight(const datapath::DecodedWord& decoded, int hops = 0) {
    weight_in.write({decoded, {true, static_cast<std::uint16_t>(hops)}});
  }
  void no_weight() { weight_in.write({}); }

  /// Puts a word into the shadow register; takes one cycle.
  void load_shadow(const datapath::DecodedWord& decoded) {
    weight(decoded);
    step();
    no_weight();
  }

  /// The new sum of one product on top of `sum`; takes three cycles.
  hw::PsumWord mac(const datapath::DecodedWord& decoded, const datapath::Lane& lane, const hw::PsumWord& sum = {}) {
    load_shadow(decoded);
    activation(lane, true);
    step();
    no_activation();
    psum_in.write(sum);
    step();
    return psum_out.read();
  }
};

}  // namespace lpa::test
