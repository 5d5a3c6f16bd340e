#include "traces/excerpt.h"

#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::traces {
namespace {

using workloads::Activation;
using workloads::Layer;
using workloads::LayerGeometry;

/// Whether a layer's words are never negative.
bool never_negative(const Layer& layer) {
  return layer.activation.kind == Activation::Kind::relu || layer.kind == workloads::LayerKind::softmax ||
         (layer.activation.kind == Activation::Kind::clip && layer.activation.low >= 0);
}

class Excerpt {
 public:
  Excerpt(const Trace& whole, std::size_t first, std::size_t end) : whole_(whole), first_(static_cast<int>(first)) {
    result_.source = whole.source;
    result_.graph.network = whole.graph.network;
    result_.input = whole.input;
    result_.tensors = whole.tensors;
    result_.graph.in_h = whole.graph.in_h;
    result_.graph.in_w = whole.graph.in_w;
    result_.graph.in_c = whole.graph.in_c;
    for (std::size_t i = first; i < end; ++i) {
      Layer layer = whole.graph.layers[i];
      for (int* operand : {&layer.input, &layer.addend, &layer.stationary}) *operand = translated(*operand);
      result_.graph.layers.push_back(std::move(layer));
      result_.layers.push_back(whole.layers[i]);
    }
  }

  Trace take() { return std::move(result_); }

 private:
  int translated(int operand) {
    if (operand == workloads::no_operand || operand == workloads::network_input) return operand;
    if (operand >= first_) return operand - first_;
    const auto [entry, added] = constants_.try_emplace(operand, static_cast<int>(result_.constants.size()));
    if (added) add_constant(operand);
    return workloads::constant_operand(entry->second);
  }

  void add_constant(int operand) {
    if (workloads::is_constant(operand)) {
      const std::size_t index = workloads::constant_index(operand);
      result_.graph.constants.push_back(whole_.graph.constants[index]);
      result_.constants.push_back(whole_.constants[index]);
      return;
    }
    const Layer& layer = whole_.graph.layers[static_cast<std::size_t>(operand)];
    const LayerGeometry& g = layer.geometry;
    result_.graph.constants.push_back({layer.name, g.out_h, g.out_w, g.out_c, {}});
    result_.constants.push_back(
        {whole_.operand_format(operand), never_negative(layer) ? ConstantRole::rectified_layer : ConstantRole::layer});
  }

  const Trace& whole_;
  int first_;
  Trace result_;
  std::map<int, int> constants_;  ///< By operand in the whole trace.
};

LayerGeometry geometry_of(const LayerShape& shape) {
  const auto size = [](std::int64_t value) { return static_cast<int>(value); };
  LayerGeometry g;
  if (!shape.geometry) {
    g.in_h = g.out_h = size(shape.m);
    g.in_c = size(shape.k);
    g.out_c = size(shape.n);
    return g;
  }
  const ConvGeometry& conv = *shape.geometry;
  g.in_h = size(conv.in_h), g.in_w = size(conv.in_w), g.in_c = size(conv.in_c);
  g.out_h = size(conv.out_h), g.out_w = size(conv.out_w), g.out_c = size(conv.out_c);
  g.kernel_h = size(conv.kernel_h), g.kernel_w = size(conv.kernel_w);
  g.stride_h = g.stride_w = size(conv.stride);
  g.pad_top = g.pad_left = size(conv.pad);
  g.groups = size(conv.groups);
  // The last window may reach beyond the padded input: then there is more padding behind it.
  const auto behind = [&](std::int64_t in, std::int64_t out, std::int64_t kernel) {
    return size(std::max(conv.pad, (out - 1) * conv.stride + kernel - in - conv.pad));
  };
  g.pad_bottom = behind(conv.in_h, conv.out_h, conv.kernel_h);
  g.pad_right = behind(conv.in_w, conv.out_w, conv.kernel_w);
  return g;
}

/// A name that is not taken yet: `name`, or with "#2", "#3", ... behind it.
std::string unique_name(const std::string& name, std::set<std::string>& taken) {
  std::string result = name.empty() ? "layer" : name;
  for (int number = 2; !taken.insert(result).second; ++number) result = fmt::format("{}#{}", name, number);
  return result;
}

}  // namespace

Trace excerpt(const Trace& trace, std::size_t first, std::size_t end) {
  return Excerpt(trace, first, end).take();
}

Trace independent_layers(const std::string& network, const std::vector<LayerShape>& shapes) {
  Trace trace;
  trace.graph.network = network;
  std::set<std::string> names{"input"};
  for (const LayerShape& shape : shapes) {
    if (shape.kind == ShapeKind::matmul)
      throw workloads::InputError(fmt::format(
          "{}: layer '{}': a matmul of a table has no operands (supported: conv, linear)", network, shape.name));
    Layer layer;
    layer.name = unique_name(shape.name, names);
    layer.op = shape.kind == ShapeKind::conv ? "Conv" : "Gemm";
    layer.input = workloads::constant_operand(static_cast<int>(trace.constants.size()));
    layer.geometry = geometry_of(shape);
    const LayerGeometry& g = layer.geometry;
    trace.graph.constants.push_back({unique_name(layer.name + ".input", names), g.in_h, g.in_w, g.in_c, {}});
    trace.constants.emplace_back();
    trace.graph.layers.push_back(std::move(layer));
    trace.layers.emplace_back();
  }
  return trace;
}

}  // namespace lpa::traces
