#include "quant/lpq/trace_model.h"

#include <set>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "quant/lpq/quantize.h"

namespace lpa::lpq {
namespace {

using workloads::Layer;
using workloads::LayerKind;

/// A name that is not taken yet.
std::string unique_name(const std::string& name, std::set<std::string>& taken) {
  const std::string base = name.empty() ? "layer" : name;
  std::string result = base;
  for (int number = 2; !taken.insert(result).second; ++number) result = fmt::format("{}#{}", base, number);
  return result;
}

std::size_t channels(const Layer& layer) {
  return static_cast<std::size_t>(layer.geometry.out_c);
}

}  // namespace

traces::Trace to_trace(const workloads::LayerGraph& graph) {
  traces::Trace trace;
  trace.graph.network = graph.network;
  trace.graph.in_h = graph.in_h;
  trace.graph.in_w = graph.in_w;
  trace.graph.in_c = graph.in_c;
  std::set<std::string> names{"input"};
  for (const workloads::ConstantMap& constant : graph.constants)
    trace.graph.constants.push_back({unique_name(constant.name, names), constant.h, constant.w, constant.c, {}});
  for (const Layer& layer : graph.layers) {
    Layer shape;
    shape.name = unique_name(layer.name, names);
    shape.op = layer.op;
    shape.kind = layer.kind;
    shape.input = layer.input;
    shape.addend = layer.addend;
    shape.stationary = layer.stationary;
    shape.activation = layer.activation;
    shape.count_include_pad = layer.count_include_pad;
    shape.geometry = layer.geometry;
    shape.products = layer.products;
    shape.boxes = layer.boxes;
    shape.epsilon = layer.epsilon;
    trace.graph.layers.push_back(std::move(shape));
  }
  trace.constants.resize(graph.constants.size());
  trace.layers.resize(graph.layers.size());
  return trace;
}

traces::Trace to_trace(const workloads::LayerGraph& graph, const QuantizedModel& model) {
  traces::Trace trace = to_trace(graph);
  trace.input = model.input;
  for (std::size_t i = 0; i < model.constants.size(); ++i) trace.constants[i].format = model.constants[i].format;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const QuantizedLayer& layer = model.layers[i];
    trace.layers[i] = {layer.weight, layer.encoded, layer.output, layer.psum_lsb};
  }
  return trace;
}

QuantizedModel blank_model(const traces::Trace& trace, bool with_words) {
  NetworkFormats formats{.input = trace.input, .constants = {}, .layers = {}};
  for (const traces::TraceConstant& constant : trace.constants) formats.constants.push_back(constant.format);
  for (const traces::TraceLayer& layer : trace.layers)
    formats.layers.push_back({layer.weight, layer.encoded, layer.output});
  QuantizedModel model = quantize(trace.graph, formats);
  model.method = "trace";
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = trace.graph.layers[i];
    model.layers[i].psum_lsb = trace.layers[i].psum_lsb;
    if (layer.kind == LayerKind::conv && with_words) {
      model.layers[i].weights.assign(channels(layer) * static_cast<std::size_t>(layer.k()), 0);
      model.layers[i].bias.assign(channels(layer), {});
    }
    if (layer.kind == LayerKind::layer_norm) model.layers[i].norm.assign(channels(layer), {});
  }
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    const workloads::ConstantMap& map = trace.graph.constants[i];
    const auto size = [](int extent) { return static_cast<std::size_t>(extent); };
    model.constants[i].words.assign(size(map.h) * size(map.w) * size(map.c), 0);
  }
  return model;
}

}  // namespace lpa::lpq
