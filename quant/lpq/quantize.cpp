#include "quant/lpq/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LpFormat;
using formats::Word;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerKind;

/// Largest excess of a log-linear converter's entry over 2^frac: Mitchell's 1 + frac is at most 6.2 % above it, a table
/// of one fraction bit less than 20 %.
constexpr double converter_excess = 1.2;
constexpr int fixed_bits = 32;

double magnitude(const LpFormat& format, Word word) {
  return word == format.zero_word() ? 0.0 : std::exp2(formats::log2_q14(format, word) / 16384.0);
}

double bias_magnitude(const formats::BiasTerm& bias) {
  return std::ldexp(std::abs(double(bias.mantissa)), bias.exponent - 24);
}

/// Least lsb for which `bound` fits in a 32-bit accumulator.
int lsb_for(double bound) {
  if (bound == 0) return 0;
  int exponent = 0;
  std::frexp(bound, &exponent);  // bound < 2^exponent
  return exponent - (fixed_bits - 1);
}

void require_machine_format(const LpFormat& format, const Layer& layer, const char* what) {
  if (const std::string wrong = check_machine_format(format); !wrong.empty()) {
    throw InputError(fmt::format("layer \"{}\", {} format: {}", layer.name, what, wrong));
  }
}

void quantize_weights(const Layer& layer, const LpFormat& input, QuantizedLayer& quantized) {
  const formats::LpEncoder encode(quantized.weight, formats::Rounding::nearest_linear);
  quantized.weights.reserve(layer.weights.size());
  for (std::size_t i = 0; i < layer.weights.size(); ++i) {
    if (!std::isfinite(layer.weights[i])) {
      throw InputError(
          fmt::format("layer \"{}\": weight {} is {} but must be finite", layer.name, i, layer.weights[i]));
    }
    quantized.weights.push_back(encode(layer.weights[i]));
  }
  for (std::size_t i = 0; i < layer.bias.size(); ++i) {
    try {
      quantized.bias.push_back(formats::to_bias_term(layer.bias[i], quantized.weight.sf_q8 + input.sf_q8));
    } catch (const formats::FormatError& error) {
      throw InputError(fmt::format("layer \"{}\", bias {}: {}", layer.name, i, error.what()));
    }
  }
}

}  // namespace

std::string check_machine_format(const LpFormat& format) {
  if (format.n != 2 && format.n != 4 && format.n != 8) return fmt::format("n is {} but must be 2, 4 or 8", format.n);
  return formats::check(format);
}

int choose_psum_lsb(const Layer& layer, const QuantizedLayer& quantized, const LpFormat& input) {
  std::array<double, 256> weight_magnitude{};
  for (std::size_t word = 0; word < std::size_t{1} << quantized.weight.n; ++word) {
    if (word == quantized.weight.nar_word()) continue;
    weight_magnitude[word] = magnitude(quantized.weight, static_cast<Word>(word));
  }
  const double largest_activation = magnitude(input, input.maxpos_word()) * converter_excess;
  double bound = 0;
  const auto depth = static_cast<std::size_t>(layer.k());
  for (std::size_t n = 0; n < quantized.bias.size(); ++n) {
    double weights = 0;
    for (std::size_t k = 0; k < depth; ++k) weights += weight_magnitude[quantized.weights[n * depth + k]];
    bound = std::max(bound, weights * largest_activation + bias_magnitude(quantized.bias[n]));
  }
  const int safe = lsb_for(bound);

  const double scale = quantized.weight.sf() + input.sf() - quantized.encoded.sf();
  const double smallest = std::log2(magnitude(quantized.encoded, quantized.encoded.minpos_word())) + scale;
  const double largest = std::log2(magnitude(quantized.encoded, quantized.encoded.maxpos_word())) + scale;
  const int resolving = static_cast<int>(std::floor(smallest)) - 1;
  const int holding = static_cast<int>(std::ceil(largest)) + 1 - (fixed_bits - 1);
  return std::min(safe, std::max(resolving, holding));
}

QuantizedModel quantize(const workloads::LayerGraph& graph, const NetworkFormats& formats) {
  if (formats.layers.size() != graph.layers.size()) {
    throw InputError(
        fmt::format("formats for {} layers given but the network has {}", formats.layers.size(), graph.layers.size()));
  }
  QuantizedModel model;
  model.network = graph.network;
  model.input = formats.input;
  if (const std::string wrong = check_machine_format(model.input); !wrong.empty()) {
    throw InputError("format of the network's input: " + wrong);
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const LpFormat& input = model.operand_format(layer.input);
    QuantizedLayer quantized;
    quantized.name = layer.name;
    quantized.op = layer.op;
    quantized.kind = layer.kind;
    quantized.output = layer.kind == LayerKind::max_pool ? input : formats.layers[i].output;
    require_machine_format(quantized.output, layer, "output");
    const bool adds_residual = layer.kind == LayerKind::conv && layer.addend != workloads::no_operand;
    quantized.encoded = adds_residual ? formats.layers[i].encoded : quantized.output;
    require_machine_format(quantized.encoded, layer, "encoded");
    if (layer.kind == LayerKind::conv) {
      const workloads::LayerGeometry& g = layer.geometry;
      quantized.weight = formats.layers[i].weight;
      quantized.weight_shape = {g.out_c, g.kernel_h, g.kernel_w, g.in_c / g.groups};
      require_machine_format(quantized.weight, layer, "weight");
      quantize_weights(layer, input, quantized);
      quantized.psum_lsb = choose_psum_lsb(layer, quantized, input);
    }
    model.layers.push_back(std::move(quantized));
  }
  return model;
}

}  // namespace lpa::lpq
