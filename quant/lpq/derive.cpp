// What follows from a network's formats.
#include <cmath>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/lpq/quantize.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LogNumber;
using formats::TensorFormat;
using formats::Word;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerKind;

int log2_q8(double value) {
  return static_cast<int>(std::lround(256 * std::log2(value)));
}

bool is_identity(const std::vector<Word>& table) {
  for (std::size_t word = 0; word < table.size(); ++word) {
    if (table[word] != word) return false;
  }
  return true;
}

/// A copy's table for words of `from`; empty if they stay as they are.
std::vector<Word> copy_table(const Layer& layer, const TensorFormat& from, const TensorFormat& to) {
  if (from == to && layer.activation.kind == workloads::Activation::Kind::none) return {};
  std::vector<Word> table = formats::word_table(from, to, layer.activation);
  if (from == to && is_identity(table)) table.clear();
  return table;
}

LogNumber parameter(const Layer& layer, const char* what, std::size_t channel, float value) {
  try {
    return formats::to_log_number(value);
  } catch (const formats::FormatError& error) {
    throw InputError(fmt::format("layer \"{}\", {} {}: {}", layer.name, what, channel, error.what()));
  }
}

void derive_norm(const Layer& layer, QuantizedLayer& quantized) {
  for (std::size_t c = 0; c < layer.weights.size(); ++c) {
    quantized.norm.push_back(
        {parameter(layer, "scale", c, layer.weights[c]), parameter(layer, "shift", c, layer.bias[c])});
  }
  if (layer.epsilon > 0) quantized.epsilon_log_q8 = log2_q8(layer.epsilon);
}

}  // namespace

void derive(const Layer& layer, const QuantizedModel& model, QuantizedLayer& quantized) {
  using enum workloads::Activation::Kind;
  if (layer.kind == LayerKind::matmul) {
    quantized.weight = model.operand_format(layer.stationary);
    quantized.product_scale_q8 = log2_q8(layer.products.scale);
  }
  if (layer.kind == LayerKind::layer_norm) derive_norm(layer, quantized);
  if (layer.uses_array() && (layer.activation.kind == clip || layer.activation.kind == gelu)) {
    quantized.tables[0] = formats::word_table(quantized.encoded, quantized.output, layer.activation);
  }
  if (layer.kind == LayerKind::copy) {
    quantized.tables[0] = copy_table(layer, model.operand_format(layer.input), quantized.output);
    if (layer.addend != workloads::no_operand) {
      quantized.tables[1] = copy_table(layer, model.operand_format(layer.addend), quantized.output);
    }
  }
}

}  // namespace lpa::lpq
