#include "tests/quant/lpq/naive_machine.h"

#include <map>
#include <optional>

namespace lpa::lpq::testing {
namespace {

using formats::Accumulator;
using formats::LpFormat;
using formats::Operand;
using formats::Psum;
using formats::PsumEncoder;
using formats::Word;
using workloads::Layer;
using workloads::LayerKind;

/// A word with its format.
struct Number {
  Word word = 0;
  LpFormat format;

  bool nar() const { return word == (1 << (format.n - 1)); }
  Operand operand() const { return formats::to_operand(format, word); }
};

struct Machine {
  const workloads::LayerGraph& graph;
  const QuantizedModel& model;
  const formats::Arithmetic& arithmetic;
  const WordMap& input;
  formats::AccumulateEvents& events;
  std::vector<WordMap> done;
  Accumulator adder;
  // Of the layer at hand:
  std::optional<Accumulator> array;
  std::optional<PsumEncoder> array_encoder;
  std::map<int, PsumEncoder> ppu_encoders;

  void begin(const Layer& layer, const QuantizedLayer& quantized) {
    ppu_encoders.clear();
    if (layer.kind != LayerKind::conv) return;
    const int lsb = arithmetic.psum == formats::PsumKind::fixed ? quantized.psum_lsb + 32 - arithmetic.fixed_bits : 0;
    const int scale = quantized.weight.sf_q8 + model.operand_format(layer.input).sf_q8 - quantized.encoded.sf_q8;
    array.emplace(arithmetic, quantized.weight.n, lsb);
    array_encoder.emplace(arithmetic, quantized.encoded, quantized.weight.n, lsb, scale);
  }

  Number element(int index, int y, int x, int c) const {
    const WordMap& map = index == workloads::network_input ? input : done.at(static_cast<std::size_t>(index));
    return {map.words.at(static_cast<std::size_t>((y * map.width + x) * map.channels + c)),
            model.operand_format(index)};
  }

  /// What a window's tap sees; nothing in the padding.
  std::optional<Number> tap(const Layer& layer, int oy, int ox, int kh, int kw, int c) const {
    const auto& g = layer.geometry;
    const int y = oy * g.stride_h + kh * g.dilation_h - g.pad_top, x = ox * g.stride_w + kw * g.dilation_w - g.pad_left;
    if (y < 0 || x < 0 || y >= g.in_h || x >= g.in_w) return std::nullopt;
    return element(layer.input, y, x, c);
  }

  /// Made once for each divisor of the layer: their tables take long.
  const PsumEncoder& ppu_encoder(const LpFormat& output, int divisor) {
    auto found = ppu_encoders.find(divisor);
    if (found == ppu_encoders.end()) {
      const int scale = -output.sf_q8 + formats::log2_q8(divisor);
      found = ppu_encoders.emplace(divisor, PsumEncoder::for_ppu(arithmetic, output, scale)).first;
    }
    return found->second;
  }

  Word sum_in_ppu(const std::vector<Number>& terms, const LpFormat& output, int divisor) {
    Psum sum;
    bool nar = false;
    for (const Number& term : terms) {
      nar |= term.nar();
      if (nar || term.word == 0) continue;
      sum = adder.add(sum, formats::scaled_log_q8(term.format, term.operand()), term.operand().negative, &events);
    }
    if (nar) return output.nar_word();
    return ppu_encoder(output, divisor)(sum);
  }

  Word convolve(const Layer& layer, const QuantizedLayer& quantized, int oy, int ox, int n) {
    const auto& g = layer.geometry;
    const LpFormat in = model.operand_format(layer.input);
    const int group = n / (g.out_c / g.groups);
    const int depth = g.in_c / g.groups;
    Psum psum = array->start(quantized.bias.at(static_cast<std::size_t>(n)));
    for (int kh = 0; kh < g.kernel_h; ++kh) {
      for (int kw = 0; kw < g.kernel_w; ++kw) {
        for (int c = 0; c < depth; ++c) {
          const int at = ((n * g.kernel_h + kh) * g.kernel_w + kw) * depth + c;
          const Number weight{quantized.weights.at(static_cast<std::size_t>(at)), quantized.weight};
          const Number activation = tap(layer, oy, ox, kh, kw, group * depth + c).value_or(Number{0, in});
          psum = array->mac(psum, weight.operand(), activation.operand(), &events);
        }
      }
    }
    return (*array_encoder)(psum);
  }

  std::vector<Number> window(const Layer& layer, int oy, int ox, int c) const {
    std::vector<Number> taps;
    for (int kh = 0; kh < layer.geometry.kernel_h; ++kh) {
      for (int kw = 0; kw < layer.geometry.kernel_w; ++kw) {
        if (const auto number = tap(layer, oy, ox, kh, kw, c)) taps.push_back(*number);
      }
    }
    return taps;
  }

  Word compute(const Layer& layer, const QuantizedLayer& quantized, int oy, int ox, int c) {
    const auto& g = layer.geometry;
    switch (layer.kind) {
      case LayerKind::conv: {
        const Word encoded = convolve(layer, quantized, oy, ox, c);
        if (layer.addend == workloads::no_operand) return encoded;
        return sum_in_ppu({{encoded, quantized.encoded}, element(layer.addend, oy, ox, c)}, quantized.output, 1);
      }
      case LayerKind::add:
        return sum_in_ppu({element(layer.input, oy, ox, c), element(layer.addend, oy, ox, c)}, quantized.output, 1);
      case LayerKind::max_pool: {
        std::optional<Number> best;
        for (const Number& number : window(layer, oy, ox, c)) {
          if (number.nar()) return number.word;
          if (!best || formats::decode(number.format, number.word) > formats::decode(best->format, best->word)) {
            best = number;
          }
        }
        return best->word;
      }
      case LayerKind::average_pool: {
        const auto taps = window(layer, oy, ox, c);
        const int count = layer.count_include_pad ? g.kernel_h * g.kernel_w : static_cast<int>(taps.size());
        return sum_in_ppu(taps, quantized.output, count);
      }
      default:
        break;
    }
    return 0;
  }
};

}  // namespace

std::vector<WordMap> run_naively(const workloads::LayerGraph& graph, const QuantizedModel& model,
                                 const formats::Arithmetic& arithmetic, const WordMap& input,
                                 formats::AccumulateEvents& events) {
  Machine machine{graph, model, arithmetic, input, events, {}, Accumulator::for_ppu(arithmetic), {}, {}, {}};
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const auto& g = layer.geometry;
    WordMap map{.height = g.out_h, .width = g.out_w, .channels = g.out_c, .words = {}};
    machine.begin(layer, model.layers[i]);
    for (int oy = 0; oy < g.out_h; ++oy) {
      for (int ox = 0; ox < g.out_w; ++ox) {
        for (int c = 0; c < g.out_c; ++c) {
          Word word = machine.compute(layer, model.layers[i], oy, ox, c);
          const double value = formats::decode(model.layers[i].output, word);
          if (layer.activation.kind == workloads::Activation::Kind::relu && value < 0)
            word = 0;  // NaR decodes to NaN and stays
          map.words.push_back(word);
        }
      }
    }
    machine.done.push_back(std::move(map));
  }
  return machine.done;
}

}  // namespace lpa::lpq::testing
