#include "quant/lpq/fake_quantization.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LpFormat;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerKind;
using workloads::Node;

constexpr std::string_view repeated_suffix = "/again";
constexpr std::size_t most_cached_weights = std::size_t{1} << 27;

/// The weights of a node that has some.
const std::vector<float>* weights_of(const Node& node) {
  if (const auto* conv = std::get_if<workloads::Conv>(&node.attributes)) return &conv->weights.data;
  if (const auto* gemm = std::get_if<workloads::Gemm>(&node.attributes)) return &gemm->weights.data;
  return nullptr;
}

double magnitude(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0, [](double sum, float x) { return sum + std::abs(x); });
}

/// What the layer's weights, which may stand in another order, are of the node's: 1 unless a factor was folded in.
double factor_between(const std::vector<float>& node, const std::vector<float>& layer) {
  const double of_node = magnitude(node);
  if (of_node == 0) return 1;
  const double factor = magnitude(layer) / of_node;
  return std::abs(factor - 1) < 1e-6 ? 1 : factor;
}

void round_linear(const LpFormat& format, std::span<float> data, std::span<const std::int16_t> channel_sf_q8 = {}) {
  std::vector<float> values;
  for (int word = 0; word < format.word_count(); ++word) {
    values.push_back(static_cast<float>(formats::decode(format, static_cast<formats::Word>(word))));
  }
  const std::vector<formats::Word> words = encode_channels(format, channel_sf_q8, data);
  for_channels(data.size(), channel_sf_q8, [&](std::size_t begin, std::size_t end, double factor) {
    for (std::size_t i = begin; i < end; ++i) data[i] = values[words[i]] * static_cast<float>(1 / factor);
  });
}

}  // namespace

NetworkScales channel_scales(const workloads::LayerGraph& graph) {
  NetworkScales scales(graph.layers.size());
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].kind == LayerKind::conv) scales[i] = std::make_unique<const ChannelScales>(graph.layers[i]);
  }
  return scales;
}

FakeQuantization::FakeQuantization(const workloads::Network& network, const workloads::LayerGraph& graph,
                                   const NetworkFormats& activations, const formats::Arithmetic& arithmetic,
                                   const NetworkScales& scales, const NetworkFormats* narrow)
    : network_(network),
      graph_(graph),
      scales_(scales),
      input_(activations.input.lp()),
      roundings_(network.values.size()),
      narrow_(network.values.size()),
      constants_(network.values.size()) {
  std::map<std::tuple<int, int, int, int>, std::shared_ptr<const formats::EncoderRounding>> shared;
  const auto rounding = [&](const LpFormat& format) {
    auto& entry = shared[{format.n, format.es, format.rs, format.sf_q8}];
    if (!entry) entry = std::make_shared<const formats::EncoderRounding>(arithmetic, format);
    return entry;
  };
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const LayerFormats& formats = activations.layers[i];
    if (layer.kind == LayerKind::conv) layers_.push_back(find(i));
    if (!keeps_format(layer)) roundings_[static_cast<std::size_t>(layer.value)] = rounding(formats.output.lp());
    if (layer.reencodes()) roundings_[static_cast<std::size_t>(layer.encoded_value)] = rounding(formats.encoded.lp());
  }
  std::ranges::sort(layers_, {}, &WeightedLayer::node);
  for (std::size_t i = 0; narrow != nullptr && i < layers_.size(); ++i) {
    const Layer& layer = graph.layers[layers_[i].layer];
    const LayerFormats& formats = narrow->layers[layers_[i].layer];
    narrow_[static_cast<std::size_t>(layer.value)] = {i, rounding(formats.output.lp())};
    if (layer.reencodes()) narrow_[static_cast<std::size_t>(layer.encoded_value)] = {i, rounding(formats.encoded.lp())};
  }
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    const auto named = [&](const workloads::Value& value) { return value.name == graph.constants[i].name; };
    const auto value = std::ranges::find_if(network.values, named);
    if (value == network.values.end()) continue;
    constants_[static_cast<std::size_t>(value - network.values.begin())] = activations.constants[i].lp();
  }
}

/// The node that the layer comes from. Lowering tells layers of the same name apart by a suffix.
WeightedLayer FakeQuantization::find(std::size_t layer) const {
  const Layer& wanted = graph_.layers[layer];
  std::string name = wanted.name;
  const auto without_suffix = [](const std::string& text) {
    const std::size_t at = text.rfind(repeated_suffix);
    const bool numbered = at != std::string::npos &&
                          text.find_first_not_of("0123456789", at + repeated_suffix.size()) == std::string::npos;
    return numbered ? text.substr(0, at) : text;
  };
  WeightedLayer found{.layer = layer, .node = -1, .value = wanted.value, .weights = wanted.weights.size()};
  for (; found.node < 0; name = without_suffix(name)) {
    for (std::size_t node = 0; node < network_.nodes.size(); ++node) {
      const int index = static_cast<int>(node);
      const std::vector<float>* weights = weights_of(network_.nodes[node]);
      if (weights == nullptr || network_.nodes[node].name != name || weights->size() != found.weights) continue;
      if (std::ranges::find(layers_, index, &WeightedLayer::node) != layers_.end()) continue;
      const double factor = factor_between(*weights, wanted.weights);
      if (found.node >= 0 && factor != 1) continue;  // The node whose very weights these are, if there is one.
      found.node = index;
      found.factor = factor;
      if (factor == 1) break;
    }
    if (without_suffix(name) == name) break;
  }
  if (found.node >= 0) return found;
  throw InputError(fmt::format("{}: layer '{}' has weights that no node of this name has", network_.file, wanted.name));
}

workloads::Tensor FakeQuantization::round_input(const workloads::Tensor& image) const {
  workloads::Tensor rounded = image;
  round_linear(input_, rounded.data);
  return rounded;
}

void FakeQuantization::round(int value, std::span<float> data, const WeightFormats& weights) const {
  const auto index = static_cast<std::size_t>(value);
  if (const Narrow& narrow = narrow_[index]; narrow.rounding && weights[narrow.weighted_layer].n == 2) {
    (*narrow.rounding)(data);
  } else if (roundings_[index]) {
    (*roundings_[index])(data);
  }
  if (constants_[index]) round_linear(*constants_[index], data);
}

std::shared_ptr<const std::vector<float>> FakeQuantization::weights(std::size_t weighted_layer,
                                                                    const LpFormat& format) const {
  const Key key{weighted_layer, format.n, format.es, format.rs, format.sf_q8, format.regime};
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = cache_.find(key); found != cache_.end()) {
      found->second.used = ++uses_;
      return found->second.weights;
    }
  }
  const WeightedLayer& layer = layers_[weighted_layer];
  std::vector<float> rounded = *weights_of(network_.nodes[static_cast<std::size_t>(layer.node)]);
  const auto factor = static_cast<float>(layer.factor);
  if (factor != 1) {
    for (float& weight : rounded) weight *= factor;
  }
  std::span<const std::int16_t> own;
  if (!scales_.empty()) own = scales_[layer.layer]->of(format).channel_sf_q8;
  round_linear(format, rounded, own);
  if (factor != 1) {
    for (float& weight : rounded) weight /= factor;
  }
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = cache_.try_emplace(key);
  if (is_new) {
    entry->second.weights = std::make_shared<const std::vector<float>>(std::move(rounded));
    cached_ += layer.weights;
  }
  entry->second.used = ++uses_;
  auto result = entry->second.weights;
  while (cached_ > most_cached_weights && cache_.size() > 1) {
    const auto oldest = std::ranges::min_element(cache_, {}, [](const auto& e) { return e.second.used; });
    cached_ -= oldest->second.weights->size();
    cache_.erase(oldest);
  }
  return result;
}

}  // namespace lpa::lpq
