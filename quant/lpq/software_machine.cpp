#include "quant/lpq/software_machine.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/lpq/prepared_layer.h"

namespace lpa::lpq {

using formats::AccumulateEvents;
using formats::Word;

WordMap quantize_input(const workloads::Tensor& image, const formats::TensorFormat& format) {
  const auto channels = static_cast<std::size_t>(image.shape.at(1));
  const auto pixels = static_cast<std::size_t>(image.shape.at(2) * image.shape.at(3));
  WordMap map{.height = static_cast<int>(image.shape[2]),
              .width = static_cast<int>(image.shape[3]),
              .channels = static_cast<int>(channels),
              .words = std::vector<Word>(channels * pixels)};
  const formats::NumberEncoder encode(number_format(format));
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) map.words[i * channels + c] = encode(image.data[c * pixels + i]);
  }
  return map;
}

workloads::Tensor dequantize(const WordMap& map, const formats::TensorFormat& format) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(format.word_count()));
  for (int word = 0; word < format.word_count(); ++word) {
    values.push_back(static_cast<float>(formats::decode(format, static_cast<Word>(word))));
  }
  const auto channels = static_cast<std::size_t>(map.channels);
  const std::size_t pixels = map.words.size() / channels;
  workloads::Tensor tensor{.shape = {1, map.channels, map.height, map.width},
                           .data = std::vector<float>(map.words.size())};
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i) tensor.data[c * pixels + i] = values[map.words[i * channels + c]];
  }
  return tensor;
}

int argmax(const WordMap& logits, const formats::TensorFormat& format) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.words.size(); ++i) {
    if (format.order(logits.words[i]) > format.order(logits.words[best])) best = i;
  }
  return static_cast<int>(best);
}

SoftwareMachine::SoftwareMachine(const workloads::LayerGraph& graph, const QuantizedModel& model,
                                 const formats::Arithmetic& arithmetic)
    : graph_(graph) {
  if (const std::string wrong = formats::check(arithmetic); !wrong.empty()) {
    throw formats::FormatError("arithmetic: " + wrong);
  }
  if (model.layers.size() != graph.layers.size()) {
    throw formats::FormatError(fmt::format("quantized model of \"{}\" has {} layers but the network has {}",
                                           model.network, model.layers.size(), graph.layers.size()));
  }
  if (model.constants.size() != graph.constants.size()) {
    throw formats::FormatError(fmt::format("quantized model of \"{}\" has {} constants but the network has {}",
                                           model.network, model.constants.size(), graph.constants.size()));
  }
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    const workloads::ConstantMap& map = graph.constants[i];
    constants_.push_back({.height = map.h, .width = map.w, .channels = map.c, .words = model.constants[i].words});
  }
  KernelCache kernels(arithmetic);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    prepared_.push_back(std::make_unique<PreparedLayer>(graph, model, i, kernels));
  }
}

SoftwareMachine::~SoftwareMachine() = default;

WordMap SoftwareMachine::run_layer(std::size_t index, const WordMap& input, const std::vector<WordMap>& maps,
                                   AccumulateEvents* events) const {
  const auto map = [&](int operand) -> const WordMap* {
    if (operand == workloads::no_operand) return nullptr;
    if (operand == workloads::network_input) return &input;
    if (workloads::is_constant(operand)) return &constants_[workloads::constant_index(operand)];
    return &maps[static_cast<std::size_t>(operand)];
  };
  const workloads::Layer& layer = graph_.layers[index];
  AccumulateEvents ignored;
  return prepared_[index]->run({map(layer.input), map(layer.addend), map(layer.stationary)},
                               events != nullptr ? *events : ignored);
}

std::vector<WordMap> SoftwareMachine::run(const WordMap& input, AccumulateEvents* events) const {
  std::vector<WordMap> maps;
  maps.reserve(graph_.layers.size());
  for (std::size_t i = 0; i < graph_.layers.size(); ++i) maps.push_back(run_layer(i, input, maps, events));
  return maps;
}

WordMap SoftwareMachine::run_to_end(const WordMap& input, AccumulateEvents* events) const {
  const std::size_t count = graph_.layers.size();
  const auto operands = [this](std::size_t i) {
    const workloads::Layer& layer = graph_.layers[i];
    return std::array{layer.input, layer.addend, layer.stationary};
  };
  std::vector<std::size_t> last_use(count, count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const int operand : operands(i)) {
      if (operand >= 0) last_use[static_cast<std::size_t>(operand)] = i;
    }
  }
  std::vector<WordMap> maps(count);
  for (std::size_t i = 0; i < count; ++i) {
    maps[i] = run_layer(i, input, maps, events);
    for (const int used : operands(i)) {
      if (used >= 0 && last_use[static_cast<std::size_t>(used)] == i) maps[static_cast<std::size_t>(used)].words = {};
    }
  }
  return std::move(maps.back());
}

}  // namespace lpa::lpq
