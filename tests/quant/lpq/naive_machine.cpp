#include "tests/quant/lpq/naive_machine.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace lpa::lpq::testing {
namespace {

using formats::Accumulator;
using formats::Operand;
using formats::Psum;
using formats::PsumEncoder;
using formats::TensorFormat;
using formats::Word;
using workloads::Layer;
using workloads::LayerKind;
using Kind = workloads::Activation::Kind;

/// A word with its format.
struct Number {
  Word word = 0;
  TensorFormat format;

  bool nar() const { return format.has_nar() && word == (1 << (format.n - 1)); }
  bool zero() const { return formats::decode(format, word) == 0; }
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
  std::map<int, PsumEncoder> channel_encoders;  ///< By the channel's own sf.

  void begin(const Layer& layer, const QuantizedLayer& quantized) {
    ppu_encoders.clear();
    channel_encoders.clear();
    if (!layer.uses_array()) return;
    const int lsb = array_lsb(quantized);
    array.emplace(arithmetic, quantized.weight.n, lsb);
    array_encoder.emplace(arithmetic, quantized.encoded, quantized.weight.n, lsb, array_scale(layer, quantized));
  }

  int array_lsb(const QuantizedLayer& quantized) const {
    return arithmetic.psum == formats::PsumKind::fixed ? quantized.psum_lsb + 32 - arithmetic.fixed_bits : 0;
  }

  int array_scale(const Layer& layer, const QuantizedLayer& quantized) const {
    const int product_scale =
        layer.kind == LayerKind::matmul ? static_cast<int>(std::lround(256 * std::log2(layer.products.scale))) : 0;
    return quantized.weight.sf_q8 + model.operand_format(layer.input).sf_q8 - quantized.encoded.sf_q8 - product_scale;
  }

  /// With a channel's own weight sf.
  const PsumEncoder& channel_encoder(const Layer& layer, const QuantizedLayer& quantized, int own_sf_q8) {
    auto found = channel_encoders.find(own_sf_q8);
    if (found == channel_encoders.end()) {
      const int scale = array_scale(layer, quantized) + own_sf_q8;
      const PsumEncoder encoder(arithmetic, quantized.encoded, quantized.weight.n, array_lsb(quantized), scale);
      found = channel_encoders.emplace(own_sf_q8, encoder).first;
    }
    return found->second;
  }

  Number element(int index, std::int64_t at) const {
    const auto& words = workloads::is_constant(index)       ? model.constants.at(workloads::constant_index(index)).words
                        : index == workloads::network_input ? input.words
                                                            : done.at(static_cast<std::size_t>(index)).words;
    return {words.at(static_cast<std::size_t>(at)), model.operand_format(index)};
  }

  /// What a window's tap sees; nothing in the padding.
  std::optional<Number> tap(const Layer& layer, int oy, int ox, int kh, int kw, int c) const {
    const auto& g = layer.geometry;
    const int y = oy * g.stride_h + kh * g.dilation_h - g.pad_top, x = ox * g.stride_w + kw * g.dilation_w - g.pad_left;
    if (y < 0 || x < 0 || y >= g.in_h || x >= g.in_w) return std::nullopt;
    return element(layer.input, (y * g.in_w + x) * g.in_c + c);
  }

  /// Made once for each divisor of the layer: their tables take long.
  const PsumEncoder& ppu_encoder(const TensorFormat& output, int divisor) {
    auto found = ppu_encoders.find(divisor);
    if (found == ppu_encoders.end()) {
      const int scale = -output.sf_q8 + formats::log2_q8(divisor);
      found = ppu_encoders.emplace(divisor, PsumEncoder::for_ppu(arithmetic, output, scale)).first;
    }
    return found->second;
  }

  Word sum_in_ppu(const std::vector<Number>& terms, const TensorFormat& output, int divisor) {
    Psum sum;
    bool nar = false;
    for (const Number& term : terms) {
      nar |= term.nar();
      if (nar || term.zero()) continue;
      sum = adder.add(sum, formats::scaled_log_q8(term.format, term.operand()), term.operand().negative, &events);
    }
    if (nar) return output.nar_word();
    return ppu_encoder(output, divisor)(sum);
  }

  Word convolve(const Layer& layer, const QuantizedLayer& quantized, int oy, int ox, int n) {
    const auto& g = layer.geometry;
    const TensorFormat in = model.operand_format(layer.input);
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
    if (quantized.channel_sf_q8.empty()) return (*array_encoder)(psum);
    return channel_encoder(layer, quantized, quantized.channel_sf_q8.at(static_cast<std::size_t>(n)))(psum);
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

  /// A table's entry.
  static Word converted(const Number& number, const workloads::Activation& activation, const TensorFormat& to) {
    if (number.nar()) return to.nar_word();
    const double value = activation(formats::decode(number.format, number.word));
    if (to.linear()) return formats::encode(number_format(to), value);
    return formats::encode(to.lp(), value, formats::Rounding::nearest_log, true);
  }

  /// What becomes of a word of the encoder at position `at` of the layer's map.
  Word finish(const Layer& layer, const QuantizedLayer& quantized, Word encoded, std::int64_t at) {
    if (layer.addend != workloads::no_operand) {
      return sum_in_ppu({{encoded, quantized.encoded}, element(layer.addend, at)}, quantized.output, 1);
    }
    if (layer.activation.kind == Kind::clip || layer.activation.kind == Kind::gelu) {
      return converted({encoded, quantized.encoded}, layer.activation, quantized.output);
    }
    return encoded;
  }

  Word compute(const Layer& layer, const QuantizedLayer& quantized, int oy, int ox, int c) {
    const auto& g = layer.geometry;
    const std::int64_t at = (oy * g.out_w + ox) * g.out_c + c;
    switch (layer.kind) {
      case LayerKind::conv:
        return finish(layer, quantized, convolve(layer, quantized, oy, ox, c), at);
      case LayerKind::add:
        return sum_in_ppu({element(layer.input, at), element(layer.addend, at)}, quantized.output, 1);
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
      default:  // not made element by element
        break;
    }
    return 0;
  }

  void multiply(const Layer& layer, const QuantizedLayer& quantized, std::vector<Word>& words) {
    const workloads::MatrixProducts& p = layer.products;
    for (int i = 0; i < p.outer; ++i) {
      for (int j = 0; j < p.inner; ++j) {
        for (int m = 0; m < p.m; ++m) {
          for (int n = 0; n < p.n; ++n) {
            Psum psum = array->start({});
            for (int k = 0; k < p.k; ++k) {
              psum = array->mac(psum, element(layer.stationary, p.stationary.at(i, j, k, n)).operand(),
                                element(layer.input, p.input.at(i, j, m, k)).operand(), &events);
            }
            const std::int64_t at = p.output.at(i, j, m, n);
            words.at(static_cast<std::size_t>(at)) = finish(layer, quantized, (*array_encoder)(psum), at);
          }
        }
      }
    }
  }

  void copy(const Layer& layer, const QuantizedLayer& quantized, std::vector<Word>& words) const {
    for (const workloads::CopyBox& box : layer.boxes) {
      const int source = box.source == 0 ? layer.input : layer.addend;
      for (std::int64_t i = 0; i < box.count[0]; ++i) {
        for (std::int64_t j = 0; j < box.count[1]; ++j) {
          for (std::int64_t c = 0; c < box.count[2]; ++c) {
            const Number number = element(source, box.from + i * box.from_stride[0] + j * box.from_stride[1] + c);
            words.at(static_cast<std::size_t>(box.to + i * box.to_stride[0] + j * box.to_stride[1] + c)) =
                converted(number, layer.activation, quantized.output);
          }
        }
      }
    }
  }

  // Softmax and layer normalisation. Logarithms are integers in units of 2^-8; linear numbers are doubles, which hold
  // all of them exactly.

  /// The log-linear converter: 2^(fraction/256).
  double converter(int fraction) const {
    const double exact = arithmetic.converter == formats::Converter::mitchell
                             ? std::floor(std::ldexp(1 + fraction / 256.0, arithmetic.lf_bits))
                             : std::round(std::ldexp(std::exp2(fraction / 256.0), arithmetic.lf_bits));
    return std::ldexp(exact, -arithmetic.lf_bits);
  }

  /// log8 of a positive number.
  int log8(double number) const {
    const int bits = arithmetic.encoder_log_bits;
    int exponent = 0;
    const double below_one = 2 * std::frexp(number, &exponent) - 1;  // the bits behind the leading one
    const double index = std::floor(std::ldexp(below_one, bits));
    const double entry = std::round(std::ldexp(std::log2(1 + std::ldexp(index, -bits)), bits));
    return (exponent - 1) * 256 + static_cast<int>(std::floor(std::ldexp(entry, 8 - bits)));
  }

  /// The word nearest to 2^(log/256): of an LP in log2.
  Word nearest(int log, const TensorFormat& tensor) const {
    if (tensor.linear()) {
      TensorFormat unscaled = tensor;
      unscaled.sf_q8 = 0;
      return formats::encode(number_format(unscaled), std::exp2(std::max(-1000.0, (log + tensor.sf_q8) / 256.0)));
    }
    const formats::LpFormat output = tensor.lp();
    const auto log_of = [&output](Word word) { return formats::log2_q14(output, word) / 64.0 - output.sf_q8; };
    const Word minpos = output.minpos_word();
    if (arithmetic.flush && log < log_of(minpos) - 256) return 0;
    Word best = minpos;
    for (Word word = minpos; word <= output.maxpos_word(); ++word) {
      const double gain = std::abs(log_of(best) - log) - std::abs(log_of(word) - log);
      if (gain > 0 || (gain == 0 && word % 2 == 0)) best = word;
    }
    return best;
  }

  bool has_nar(const std::vector<Number>& row) {
    const auto count = std::count_if(row.begin(), row.end(), [](const Number& x) { return x.nar(); });
    events.nar_products += static_cast<std::uint64_t>(count);
    return count > 0;
  }

  std::vector<Word> softmax(const std::vector<Number>& row, const TensorFormat& output) {
    if (has_nar(row)) return std::vector<Word>(row.size(), output.nar_word());
    std::vector<int> t;
    for (const Number& x : row) {
      const int log = formats::scaled_log_q8(x.format, x.operand()) + 135;
      const int integer = log >> 8;
      const double magnitude =
          std::min(std::floor(std::ldexp(converter(log - 256 * integer), integer + 8)), std::exp2(23) - 1);
      t.push_back(x.zero() ? 0 : static_cast<int>(x.operand().negative ? -magnitude : magnitude));
    }
    const int largest = *std::max_element(t.begin(), t.end());
    double sum = 0;
    for (const int x : t) {
      const int integer = (x - largest) >> 8;
      sum += std::floor(std::ldexp(converter(x - largest - 256 * integer), 16 + integer));
    }
    std::vector<Word> result;
    for (const int x : t) result.push_back(nearest(x - largest - log8(std::ldexp(sum, -16)), output));
    return result;
  }

  double value(const Psum& psum) const { return std::ldexp(psum.value, psum.exponent - adder.fraction_bits()); }

  std::vector<Word> normalize(const std::vector<Number>& row, const Layer& layer, const TensorFormat& output) {
    if (has_nar(row)) return std::vector<Word>(row.size(), output.nar_word());
    const auto log_of = [](double x) { return static_cast<int>(std::lround(256 * std::log2(std::abs(x)))); };
    const int count = log_of(static_cast<double>(row.size()));
    Psum sum;
    for (const Number& x : row) {
      if (x.zero()) continue;
      sum = adder.add(sum, formats::scaled_log_q8(x.format, x.operand()), x.operand().negative, &events);
    }
    // x - mean, as the second and the third pass form it.
    const auto deviation = [&](const Number& x) {
      Psum result;
      if (!x.zero()) {
        result = adder.add(result, formats::scaled_log_q8(x.format, x.operand()), x.operand().negative, &events);
      }
      if (sum.value != 0) result = adder.add(result, log8(std::abs(value(sum))) - count, sum.value > 0, &events);
      return result;
    };
    Psum squares;
    for (const Number& x : row) {
      const Psum difference = deviation(x);
      if (difference.value != 0) squares = adder.add(squares, 2 * log8(std::abs(value(difference))), false, &events);
    }
    if (layer.epsilon > 0) squares = adder.add(squares, log_of(layer.epsilon) + count, false, &events);
    std::vector<Word> result;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const double gamma = layer.weights.at(c), beta = layer.bias.at(c);
      const Psum difference = deviation(row[c]);
      Psum term;
      if (difference.value != 0 && gamma != 0 && squares.value != 0) {
        const int root = -static_cast<int>(std::floor((log8(value(squares)) - count) / 2.0));
        term = adder.add(term, log8(std::abs(value(difference))) + root + log_of(gamma),
                         (difference.value < 0) != (gamma < 0), &events);
      }
      if (beta != 0) term = adder.add(term, log_of(beta), beta < 0, &events);
      result.push_back(ppu_encoder(output, 1)(term));
    }
    return result;
  }

  std::vector<Word> compute_map(const Layer& layer, const QuantizedLayer& quantized) {
    const auto& g = layer.geometry;
    std::vector<Word> words(static_cast<std::size_t>(g.out_h * g.out_w * g.out_c));
    if (layer.kind == LayerKind::matmul) {
      multiply(layer, quantized, words);
      return words;
    }
    if (layer.kind == LayerKind::copy) {
      copy(layer, quantized, words);
      return words;
    }
    words.clear();
    for (int oy = 0; oy < g.out_h; ++oy) {
      for (int ox = 0; ox < g.out_w; ++ox) {
        if (layer.kind == LayerKind::softmax || layer.kind == LayerKind::layer_norm) {
          std::vector<Number> row;
          for (int c = 0; c < g.out_c; ++c) row.push_back(element(layer.input, (oy * g.out_w + ox) * g.out_c + c));
          const auto result = layer.kind == LayerKind::softmax ? softmax(row, quantized.output)
                                                               : normalize(row, layer, quantized.output);
          words.insert(words.end(), result.begin(), result.end());
          continue;
        }
        for (int c = 0; c < g.out_c; ++c) words.push_back(compute(layer, quantized, oy, ox, c));
      }
    }
    return words;
  }
};

}  // namespace

std::vector<WordMap> run_naively(const workloads::LayerGraph& graph, const QuantizedModel& model,
                                 const formats::Arithmetic& arithmetic, const WordMap& input,
                                 formats::AccumulateEvents& events) {
  Machine machine{graph, model, arithmetic, input, events, {}, Accumulator::for_ppu(arithmetic), {}, {}, {}, {}};
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const auto& g = layer.geometry;
    machine.begin(layer, model.layers[i]);
    WordMap map{
        .height = g.out_h, .width = g.out_w, .channels = g.out_c, .words = machine.compute_map(layer, model.layers[i])};
    for (Word& word : map.words) {
      // NaR decodes to NaN and stays.
      if (layer.activation.kind == Kind::relu && formats::decode(model.layers[i].output, word) < 0) word = 0;
    }
    machine.done.push_back(std::move(map));
  }
  return machine.done;
}

}  // namespace lpa::lpq::testing
