// The whole array between signals that a test drives, and the scalar model of what it computes.
#pragma once

#include <cstdint>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "hw_model/array/systolic_array.h"
#include "tests/hw_model/clocked_bench.h"
#include "tests/hw_model/printers.h"

namespace lpa::test {

struct Shape {
  int rows;
  int columns;
  datapath::Stages stages = {};
};

/// "R8_C8", "R8_C8_pe1_edge0"
inline std::string name_of(const Shape& shape) {
  std::string name = "R";
  name += std::to_string(shape.rows);
  name += "_C";
  name += std::to_string(shape.columns);
  const datapath::Stages reference;
  if (shape.stages.pe == reference.pe && shape.stages.edge == reference.edge) return name;
  name += "_pe";
  name += std::to_string(shape.stages.pe);
  name += "_edge";
  return name += std::to_string(shape.stages.edge);
}

inline void PrintTo(const Shape& shape, std::ostream* out) {
  *out << name_of(shape);
}

using Words = std::vector<std::uint8_t>;
using Sums = std::vector<hw::PsumWord>;
using Scales = std::vector<hw::ScaleWord>;

class ArrayBench : public ClockedBench {
 public:
  sc_core::sc_signal<hw::LayerControl> control{"control"};
  sc_core::sc_signal<hw::BundleTag> tag_in{"tag_in"}, tag_out{"tag_out"}, word_tag_out{"word_tag_out"};
  sc_core::sc_vector<sc_core::sc_signal<std::uint8_t>> activation_in;
  sc_core::sc_vector<sc_core::sc_signal<std::uint32_t>> weight_in;
  sc_core::sc_vector<sc_core::sc_signal<hw::PsumWord>> psum_in, psum_out;
  sc_core::sc_vector<sc_core::sc_signal<hw::ScaleWord>> scale_in;
  sc_core::sc_signal<hw::WeightTag> weight_tag_in{"weight_tag_in"};
  sc_core::sc_vector<sc_core::sc_signal<hw::EncodedWords>> word_out;
  hw::SystolicArray array;

  explicit ArrayBench(const Shape& shape, const hw::LayerControl& layer, const formats::Arithmetic& arithmetic = {})
      : activation_in("activation_in", static_cast<std::size_t>(shape.rows)),
        weight_in("weight_in", static_cast<std::size_t>(shape.columns)),
        psum_in("psum_in", static_cast<std::size_t>(shape.columns)),
        psum_out("psum_out", static_cast<std::size_t>(shape.columns)),
        scale_in("scale_in", static_cast<std::size_t>(shape.columns)),
        word_out("word_out", static_cast<std::size_t>(shape.columns)),
        array("array", shape.rows, shape.columns, arithmetic, shape.stages) {
    array.clk(clk);
    array.reset(reset);
    array.control(control);
    array.tag_in(tag_in);
    array.activation_in(activation_in);
    array.psum_in(psum_in);
    array.scale_in(scale_in);
    array.weight_tag_in(weight_tag_in);
    array.weight_in(weight_in);
    array.tag_out(tag_out);
    array.psum_out(psum_out);
    array.word_tag_out(word_tag_out);
    array.word_out(word_out);
    control.write(layer);
    step();  // Elaborates; control stands.
  }

  /// To the next cycle; what was presented is presented no longer.
  void step() {
    ClockedBench::step();
    tag_in.write({});
    weight_tag_in.write({});
    settle();
  }
  void step(int cycles) {
    for (int i = 0; i < cycles; ++i) step();
  }
  void run_to(std::uint64_t target) {
    if (target < cycle()) throw std::logic_error("the cycle is over");
    while (cycle() < target) step();
  }

  /// Presents an input bundle in this cycle.
  void bundle(const hw::BundleTag& tag, const Words& activations, const Sums& sums) {
    tag_in.write(tag);
    for (std::size_t r = 0; r < activation_in.size(); ++r) activation_in[r].write(activations[r]);
    for (std::size_t c = 0; c < psum_in.size(); ++c) psum_in[c].write(sums[c]);
    settle();
  }

  /// What goes with a bundle that begins a tile which completes sums.
  void scales(const Scales& words) {
    for (std::size_t c = 0; c < scale_in.size(); ++c) scale_in[c].write(words[c]);
    settle();
  }

  /// Presents the words of one array row in this cycle; of PEs with several inputs a byte for each.
  template <class Word>
  void weight_row(int row, const std::vector<Word>& words) {
    weight_tag_in.write({true, static_cast<std::uint16_t>(row)});
    for (std::size_t c = 0; c < weight_in.size(); ++c) weight_in[c].write(words[c]);
    settle();
  }

  /// Loads a tile, tile[r][c], row R-1 first, and waits until every shadow register holds its word.
  void load(const std::vector<Words>& tile) {
    for (int row = array.rows() - 1; row >= 0; --row) {
      weight_row(row, tile[static_cast<std::size_t>(row)]);
      step();
    }
    step(array.columns());
  }

  Sums sums_out() const {
    Sums sums;
    for (const auto& signal : psum_out) sums.push_back(signal.read());
    return sums;
  }
};

/// The lanes of a packed word as words of their own.
inline formats::Word lane_word(std::uint8_t packed, int lane, int mode) {
  return static_cast<formats::Word>((packed >> (lane * mode)) & ((1 << mode) - 1));
}

/// What one bundle gives with a tile: products added in ascending k by the scalar model.
inline Sums scalar_model(const formats::Accumulator& accumulator, const formats::LpFormat& weight,
                         const formats::LpFormat& activation, const std::vector<Words>& tile, const Words& activations,
                         Sums sums, formats::AccumulateEvents& events) {
  for (std::size_t c = 0; c < sums.size(); ++c) {
    for (int lane = 0; lane < 8 / weight.n; ++lane) {
      formats::Psum& sum = sums[c].lane[static_cast<std::size_t>(lane)];
      for (std::size_t r = 0; r < tile.size(); ++r) {
        sum = accumulator.mac(sum, formats::to_operand(weight, lane_word(tile[r][c], lane, weight.n)),
                              formats::to_operand(activation, activations[r]), &events);
      }
    }
  }
  return sums;
}

}  // namespace lpa::test
