#include "quant/lpq/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/lpq/channel_scales.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::TensorFormat;
using formats::Word;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGraph;
using workloads::LayerKind;

/// Largest excess of a log-linear converter's entry over 2^frac: Mitchell's 1 + frac is at most 6.2 % above it, a table
/// of one fraction bit less than 20 %.
constexpr double converter_excess = 1.2;
constexpr int fixed_bits = 32;

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

void require(const std::string& wrong, const Layer& layer, const char* what) {
  if (!wrong.empty()) throw InputError(fmt::format("layer \"{}\", {} format: {}", layer.name, what, wrong));
}

/// encode_channels() of values which `what` names in an error.
std::vector<Word> encode_all(const TensorFormat& format, const std::vector<std::int16_t>& channel_sf_q8,
                             const std::vector<float>& values, const std::string& what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      throw InputError(fmt::format("{} {} is {} but must be finite", what, i, values[i]));
    }
  }
  return encode_channels(format, channel_sf_q8, values);
}

void quantize_weights(const Layer& layer, const TensorFormat& input, QuantizedLayer& quantized) {
  const auto channels = static_cast<std::size_t>(layer.geometry.out_c);
  if (const std::size_t given = quantized.channel_sf_q8.size(); given != 0 && given != channels) {
    throw InputError(fmt::format("layer \"{}\": {} channel scales given but it has {} output channels", layer.name,
                                 given, channels));
  }
  const auto sf_of = [&](std::size_t channel) {
    return quantized.weight.sf_q8 + (quantized.channel_sf_q8.empty() ? 0 : quantized.channel_sf_q8[channel]);
  };
  const std::string what = fmt::format("layer \"{}\": weight", layer.name);
  quantized.weights = encode_all(quantized.weight, quantized.channel_sf_q8, layer.weights, what);
  for (std::size_t i = 0; i < layer.bias.size(); ++i) {
    try {
      quantized.bias.push_back(formats::to_bias_term(layer.bias[i], sf_of(i) + input.sf_q8));
    } catch (const formats::FormatError& error) {
      throw InputError(fmt::format("layer \"{}\", bias {}: {}", layer.name, i, error.what()));
    }
  }
}

/// Of a convolution's partial sums, in their terms.
double conv_bound(const Layer& layer, const QuantizedLayer& quantized, double largest_activation) {
  std::array<double, 256> weight_magnitude{};
  for (std::size_t word = 0; word < std::size_t{1} << quantized.weight.n; ++word) {
    weight_magnitude[word] = formats::unscaled_magnitude(quantized.weight, static_cast<Word>(word));
  }
  double bound = 0;
  const auto depth = static_cast<std::size_t>(layer.k());
  for (std::size_t n = 0; n < quantized.bias.size(); ++n) {
    double weights = 0;
    for (std::size_t k = 0; k < depth; ++k) weights += weight_magnitude[quantized.weights[n * depth + k]];
    bound = std::max(bound, weights * largest_activation + bias_magnitude(quantized.bias[n]));
  }
  return bound;
}

/// Of a matmul's partial sums, in their terms.
double matmul_bound(const Layer& layer, const QuantizedLayer& quantized, const TensorFormat& input,
                    double largest_activation, double sum_bound) {
  if (sum_bound > 0) return sum_bound * std::exp2(quantized.weight.sf() + input.sf());
  return static_cast<double>(layer.k()) * formats::largest_magnitude(quantized.weight) * largest_activation;
}

QuantizedLayer quantize_layer(const LayerGraph& graph, std::size_t index, const LayerFormats& formats,
                              const QuantizedModel& model) {
  const Layer& layer = graph.layers[index];
  const TensorFormat& input = model.operand_format(layer.input);
  QuantizedLayer quantized;
  quantized.name = layer.name;
  quantized.op = layer.op;
  quantized.kind = layer.kind;
  quantized.output = keeps_format(layer) ? input : formats.output;
  require(check_operand_format(graph, static_cast<int>(index), quantized.output), layer, "output");
  quantized.encoded = layer.reencodes() ? formats.encoded : quantized.output;
  require(check_machine_format(quantized.encoded), layer, "encoded");
  derive(layer, model, quantized);
  if (layer.kind == LayerKind::conv) {
    const workloads::LayerGeometry& g = layer.geometry;
    quantized.weight = formats.weight;
    quantized.channel_sf_q8 = formats.channel_sf_q8;
    quantized.weight_shape = {g.out_c, g.kernel_h, g.kernel_w, g.in_c / g.groups};
    require(check_machine_format(quantized.weight), layer, "weight");
    quantize_weights(layer, input, quantized);
  }
  if (layer.uses_array()) quantized.psum_lsb = choose_psum_lsb(layer, quantized, input, formats.sum_bound);
  return quantized;
}

}  // namespace

std::vector<Word> encode_channels(const TensorFormat& format, std::span<const std::int16_t> channel_sf_q8,
                                  std::span<const float> values) {
  const formats::NumberEncoder encode(number_format(format));
  std::vector<Word> words(values.size());
  for_channels(values.size(), channel_sf_q8, [&](std::size_t begin, std::size_t end, double factor) {
    for (std::size_t i = begin; i < end; ++i) words[i] = encode(values[i] * factor);
  });
  return words;
}

std::string check_machine_format(const TensorFormat& format) {
  if (format.n != 2 && format.n != 4 && format.n != 8) return fmt::format("n is {} but must be 2, 4 or 8", format.n);
  return formats::check(format);
}

bool keeps_format(const Layer& layer) {
  return layer.kind == LayerKind::max_pool || (layer.kind == LayerKind::copy && layer.addend == workloads::no_operand &&
                                               layer.activation.kind == workloads::Activation::Kind::none);
}

bool must_have_bytes(const LayerGraph& graph, int operand) {
  if (graph.needs_bytes(operand)) return true;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    if (layer.input == operand && keeps_format(layer) && must_have_bytes(graph, static_cast<int>(i))) return true;
  }
  return false;
}

std::string check_operand_format(const LayerGraph& graph, int operand, const TensorFormat& format) {
  std::string wrong = check_machine_format(format);
  if (wrong.empty() && format.n != 8 && must_have_bytes(graph, operand)) {
    wrong = fmt::format("n is {} but must be 8: the words are operands of a matrix product or copied", format.n);
  }
  return wrong;
}

int choose_psum_lsb(const Layer& layer, const QuantizedLayer& quantized, const TensorFormat& input, double sum_bound) {
  const double largest_activation = formats::largest_magnitude(input) * converter_excess;
  const int safe =
      lsb_for(layer.kind == LayerKind::matmul ? matmul_bound(layer, quantized, input, largest_activation, sum_bound)
                                              : conv_bound(layer, quantized, largest_activation));

  const double scale = quantized.weight.sf() + input.sf() - quantized.encoded.sf() - quantized.product_scale_q8 / 256.0;
  double least = 0, most = 0;  // of the channels' own scales
  if (!quantized.channel_sf_q8.empty()) {
    const auto [low, high] = std::ranges::minmax(quantized.channel_sf_q8);
    least = low / 256.0;
    most = high / 256.0;
  }
  const double smallest = std::log2(formats::smallest_magnitude(quantized.encoded)) + scale + least;
  const double largest = std::log2(formats::largest_magnitude(quantized.encoded)) + scale + most;
  const int resolving = static_cast<int>(std::floor(smallest)) - 1;
  const int holding = static_cast<int>(std::ceil(largest)) + 1 - (fixed_bits - 1);
  const int lsb = std::min(safe, std::max(resolving, holding));
  // Below the least product there is nothing but the bias.
  return input.linear() ? std::max(lsb, formats::least_product_exponent(quantized.weight, input)) : lsb;
}

QuantizedModel quantize(const LayerGraph& graph, const NetworkFormats& formats) {
  const auto require_count = [](const char* what, std::size_t given, std::size_t right) {
    if (given == right) return;
    throw InputError(fmt::format("formats for {} {} given but the network has {}", given, what, right));
  };
  require_count("layers", formats.layers.size(), graph.layers.size());
  require_count("constants", formats.constants.size(), graph.constants.size());
  QuantizedModel model;
  model.network = graph.network;
  model.input = formats.input;
  if (const std::string wrong = check_operand_format(graph, workloads::network_input, model.input); !wrong.empty()) {
    throw InputError("format of the network's input: " + wrong);
  }
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    const std::string what = fmt::format("constant \"{}\"", graph.constants[i].name);
    const TensorFormat& format = formats.constants[i];
    const int operand = workloads::constant_operand(static_cast<int>(i));
    if (const std::string wrong = check_operand_format(graph, operand, format); !wrong.empty()) {
      throw InputError(fmt::format("{}, format: {}", what, wrong));
    }
    model.constants.push_back(
        {format, encode_all(format, {}, graph.constants[i].data, what + ": element"), graph.constants[i].name});
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    model.layers.push_back(quantize_layer(graph, i, formats.layers[i], model));
  }
  return model;
}

}  // namespace lpa::lpq
