#include "traces/recipe.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include <fmt/format.h>

#include "quant/formats/arithmetic.h"

namespace lpa::traces {
namespace {

using formats::LpFormat;
using formats::TensorFormat;
using workloads::Layer;
using workloads::LayerKind;

/// Fits activations of any network that keeps its values within 2^-12..2^12.
constexpr LpFormat activations{.n = 8, .es = 2, .rs = 3, .sf_q8 = 0};

/// Activations of less than 8 bits.
LpFormat narrow_format(int bits) {
  return {.n = bits, .es = 0, .rs = bits - 1};
}

/// The format with the least squared error on normally distributed weights of variance 1 / k among the formats of that
/// width whose largest word is beyond four standard deviations, if there is one.
LpFormat weight_format(int bits, std::int64_t k) {
  LpFormat format{.n = 8, .es = 1, .rs = 3, .sf_q8 = -32};
  if (bits == 4) format = {.n = 4, .es = 0, .rs = 2, .sf_q8 = 0};
  if (bits == 2) format = {.n = 2, .es = 0, .rs = 1, .sf_q8 = -64};
  constexpr int step = 32;  // Of sf, 2^-8.
  format.sf_q8 += static_cast<int>(std::lround(std::log2(static_cast<double>(k)) / 2 * 256 / step)) * step;
  return format;
}

/// Bits of the weights of every layer; 0 where it has none.
std::vector<int> weight_bits(const workloads::LayerGraph& graph, Recipe recipe) {
  std::vector<std::size_t> weighted;
  for (std::size_t i = 0; i < graph.layers.size(); ++i)
    if (graph.layers[i].kind == LayerKind::conv) weighted.push_back(i);
  std::vector<int> bits(graph.layers.size(), 0);
  const int uniform = recipe == Recipe::w4 ? 4 : recipe == Recipe::w2 ? 2 : 8;
  for (const std::size_t layer : weighted) bits[layer] = uniform;
  if (recipe != Recipe::mixed || weighted.size() <= 2) return bits;

  std::vector<std::size_t> inner(weighted.begin() + 1, weighted.end() - 1);
  std::ranges::stable_sort(inner, std::greater{}, [&](std::size_t i) { return work_of(graph.layers[i]).weights; });
  inner.resize(inner.size() / 2);
  std::ranges::sort(inner);
  for (std::size_t i = 0; i < inner.size(); ++i) bits[inner[i]] = i % 3 == 2 ? 2 : 4;
  return bits;
}

void set_weight(Trace& trace, std::size_t index, const TensorFormat& weight) {
  const Layer& layer = trace.graph.layers[index];
  TraceLayer& formats = trace.layers[index];
  const int scale_q8 = layer.kind == LayerKind::matmul ? product_scale_q8(layer.products) : 0;
  formats.weight = weight;
  formats.psum_lsb = psum_lsb_for(layer.k(), weight, trace.operand_format(layer.input), formats.encoded, scale_q8);
}

}  // namespace

const std::vector<std::string>& recipe_names() {
  static const std::vector<std::string> names{"w8", "w4", "w2", "mixed"};
  return names;
}

Recipe recipe_of(std::string_view name) {
  const auto found = std::ranges::find(recipe_names(), name);
  if (found == recipe_names().end()) throw std::invalid_argument(fmt::format("no recipe '{}'", name));
  return static_cast<Recipe>(found - recipe_names().begin());
}

int psum_lsb_for(std::int64_t k, const TensorFormat& weight, const TensorFormat& input, const TensorFormat& encoded,
                 int scale_q8) {
  constexpr int magnitude_bits = 31;
  constexpr double converter_excess = 0.27;  // log2 of what a coarse log-linear converter may add, below 1.2.
  const double largest_product = std::log2(largest_magnitude(weight) * largest_magnitude(input));
  const double sum = std::log2(static_cast<double>(k)) + largest_product + converter_excess;
  const int safe = static_cast<int>(std::floor(sum)) + 1 - magnitude_bits;
  const double scale = weight.sf() + input.sf() - encoded.sf() - scale_q8 / 256.0;
  const int resolving = static_cast<int>(std::floor(std::log2(smallest_magnitude(encoded)) + scale)) - 1;
  const int holding = static_cast<int>(std::ceil(std::log2(largest_magnitude(encoded)) + scale)) + 1 - magnitude_bits;
  const int lsb = std::min(safe, std::max(resolving, holding));
  return input.linear() ? std::max(lsb, formats::least_product_exponent(weight, input)) : lsb;
}

void set_weight_bits(Trace& trace, int bits) {
  for (std::size_t i = 0; i < trace.layers.size(); ++i)
    if (trace.graph.layers[i].kind == LayerKind::conv)
      set_weight(trace, i, weight_format(bits, trace.graph.layers[i].k()));
}

namespace {

/// The widths of layers with weights, by share of MACs; 8 for the others that use the array, 0 for those that do not.
std::vector<int> widths_by_share(const workloads::LayerGraph& graph, const std::map<int, double>& shares) {
  std::vector<int> bits(graph.layers.size(), 0);
  std::vector<std::size_t> weighted;
  double total = 0, fixed = 0;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    if (!layer.uses_array()) continue;
    bits[i] = 8;
    total += static_cast<double>(layer.macs());
    if (layer.kind == LayerKind::conv) {
      weighted.push_back(i);
    } else {
      fixed += static_cast<double>(layer.macs());
    }
  }
  std::vector<std::size_t> order(weighted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return std::min(i, weighted.size() - 1 - i); });
  auto width = shares.rbegin();
  double room = width->second * total - fixed;  // Of the width at hand; half a layer more or less does not matter.
  for (const std::size_t place : order) {
    const std::size_t index = weighted[place];
    const auto macs = static_cast<double>(graph.layers[index].macs());
    while (std::next(width) != shares.rend() && room < macs / 2) {
      ++width;
      room = std::max(room, 0.0) + width->second * total;
    }
    bits[index] = width->first;
    room -= macs;
  }
  return bits;
}

/// Bits of every layer's result for its readers in the array, which have `bits`.
std::vector<int> result_widths(const workloads::LayerGraph& graph, const std::vector<int>& bits) {
  std::vector<int> needed(graph.layers.size(), 0);
  const auto result_bits = [&](std::size_t i) {
    const bool bytes = graph.needs_bytes(static_cast<int>(i)) || i + 1 == graph.layers.size();
    return bytes || needed[i] == 0 ? 8 : needed[i];
  };
  // Readers come after what they read.
  for (std::size_t i = graph.layers.size(); i-- > 0;) {
    const Layer& layer = graph.layers[i];
    needed[i] = result_bits(i);
    if (layer.input < 0) continue;
    const bool passes_on = layer.kind == LayerKind::max_pool || layer.kind == LayerKind::copy;
    int& of_input = needed[static_cast<std::size_t>(layer.input)];
    of_input = std::max(of_input, layer.uses_array() ? bits[i] : passes_on ? needed[i] : 0);
  }
  return needed;
}

}  // namespace

void set_weight_shares(Trace& trace, const std::map<int, double>& shares, bool narrow_activations) {
  const std::vector<int> bits = widths_by_share(trace.graph, shares);
  const std::vector<int> results =
      narrow_activations ? result_widths(trace.graph, bits) : std::vector<int>(bits.size(), 8);
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    LpFormat output = activations;
    if (results[i] < 8) output = narrow_format(results[i]);
    trace.layers[i].output = output;
    trace.layers[i].encoded = trace.graph.layers[i].reencodes() ? activations : output;
  }
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const Layer& layer = trace.graph.layers[i];
    if (layer.uses_array()) {
      set_weight(trace, i, layer.kind == LayerKind::conv ? weight_format(bits[i], layer.k()) : activations);
    }
  }
}

namespace {

/// A format of the system whose largest word is about that; if it has none, the same one.
TensorFormat in_system(formats::NumberSystem numbers, const TensorFormat& format, double largest) {
  const std::vector<TensorFormat> all = formats_of(numbers, format.n);
  if (contains(numbers, format) || all.empty()) return format;
  if (numbers == formats::NumberSystem::lp) return format.n == 8 ? activations : narrow_format(format.n);
  TensorFormat result = all.back();
  if (result.family == formats::Family::posit) return result;
  const int step = result.family == formats::Family::adaptivfloat ? 256 : 32;  // Of sf, 2^-8.
  result.sf_q8 = static_cast<int>(std::lround(std::log2(largest_magnitude(result) / largest) * 256 / step)) * step;
  return result;
}

}  // namespace

void use_numbers(Trace& trace, formats::NumberSystem numbers) {
  constexpr double largest_activation = 8;
  constexpr double deviations = 4;
  const auto use = [numbers](TensorFormat& format) { format = in_system(numbers, format, largest_activation); };
  use(trace.input);
  for (TraceConstant& constant : trace.constants) use(constant.format);
  for (TraceLayer& layer : trace.layers) {
    use(layer.output);
    use(layer.encoded);
  }
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const Layer& layer = trace.graph.layers[i];
    if (!layer.uses_array()) continue;
    const TensorFormat& weight = trace.layers[i].weight;
    const bool own = layer.kind == LayerKind::conv;
    if (own && numbers == formats::NumberSystem::lp && !contains(numbers, weight)) {
      set_weight(trace, i, weight_format(weight.n, layer.k()));
      continue;
    }
    const double largest = own ? deviations / std::sqrt(static_cast<double>(layer.k())) : largest_activation;
    set_weight(trace, i, in_system(numbers, weight, largest));
  }
}

void apply_recipe(Trace& trace, Recipe recipe) {
  const std::vector<int> bits = weight_bits(trace.graph, recipe);
  trace.input = activations;
  trace.constants.resize(trace.graph.constants.size());
  for (TraceConstant& constant : trace.constants) constant.format = activations;
  trace.layers.assign(trace.graph.layers.size(), {});
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const Layer& layer = trace.graph.layers[i];
    trace.layers[i].output = trace.layers[i].encoded = activations;
    if (layer.uses_array())
      set_weight(trace, i, layer.kind == LayerKind::conv ? weight_format(bits[i], layer.k()) : activations);
  }
}

}  // namespace lpa::traces
