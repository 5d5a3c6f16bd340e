#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "traces/trace.h"
#include "workloads/atomic_file.h"

namespace lpa::traces {
namespace {

using nlohmann::ordered_json;
using workloads::Activation;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;
using workloads::MatrixPlaces;

constexpr std::size_t line_width = 120;

/// A value on one line, with a blank behind each comma and colon.
std::string one_line(const ordered_json& json) {
  if (!json.is_structured()) return json.dump();
  std::string text;
  for (const auto& [key, value] : json.items()) {
    if (!text.empty()) text += ", ";
    if (json.is_object()) text += ordered_json(key).dump() + ": ";
    text += one_line(value);
  }
  return json.is_object() ? "{" + text + "}" : "[" + text + "]";
}

/// Appends a value: on what is left of the line if it fits, else an element per line. Arrays of objects never share a
/// line.
void append(std::string& text, const ordered_json& json, std::size_t indent, std::size_t column) {
  const bool list = json.is_array() && !json.empty() && json.front().is_object();
  const std::string line = list ? "" : one_line(json);
  const bool whole = json.is_object() && json.contains("layers");
  if (!list && !whole && (!json.is_structured() || column + line.size() <= line_width)) {
    text += line;
    return;
  }
  text += json.is_object() ? '{' : '[';
  bool first = true;
  for (const auto& [key, value] : json.items()) {
    text += first ? "\n" : ",\n";
    first = false;
    const std::string label = json.is_object() ? ordered_json(key).dump() + ": " : "";
    text += std::string(indent + 1, ' ') + label;
    append(text, value, indent + 1, indent + 2 + label.size());
  }
  text += '\n' + std::string(indent, ' ');
  text += json.is_object() ? '}' : ']';
}

ordered_json activation_json(const Activation& activation) {
  ordered_json json{{"kind", activation_name(activation.kind)}};
  if (activation.kind != Activation::Kind::clip) return json;
  if (std::isfinite(activation.low)) json["low"] = activation.low;
  if (std::isfinite(activation.high)) json["high"] = activation.high;
  return json;
}

ordered_json geometry_json(const Layer& layer) {
  const LayerGeometry& g = layer.geometry;
  ordered_json json{{"in", {g.in_h, g.in_w, g.in_c}}, {"out", {g.out_h, g.out_w, g.out_c}}};
  const bool conv = layer.kind == LayerKind::conv;
  if (!conv && layer.kind != LayerKind::max_pool && layer.kind != LayerKind::average_pool) return json;
  json["kernel"] = {g.kernel_h, g.kernel_w};
  json["stride"] = {g.stride_h, g.stride_w};
  json["pad"] = {g.pad_top, g.pad_left, g.pad_bottom, g.pad_right};
  json["dilation"] = {g.dilation_h, g.dilation_w};
  if (conv) json["groups"] = g.groups;
  return json;
}

ordered_json products_json(const workloads::MatrixProducts& p) {
  const auto places = [](const MatrixPlaces& at) {
    return ordered_json{{"offset", at.offset},
                        {"outer", at.outer_stride},
                        {"inner", at.inner_stride},
                        {"row", at.row_stride},
                        {"column", at.column_stride}};
  };
  return {{"outer", p.outer},
          {"inner", p.inner},
          {"m", p.m},
          {"n", p.n},
          {"k", p.k},
          {"scale", p.scale},
          {"scale_q8", product_scale_q8(p)},
          {"input", places(p.input)},
          {"stationary", places(p.stationary)},
          {"output", places(p.output)}};
}

ordered_json boxes_json(const Layer& layer) {
  ordered_json json = ordered_json::array();
  for (const workloads::CopyBox& box : layer.boxes) {
    json.push_back({{"source", box.source},
                    {"count", box.count},
                    {"from", box.from},
                    {"from_stride", box.from_stride},
                    {"to", box.to},
                    {"to_stride", box.to_stride}});
  }
  return json;
}

ordered_json work_json(const Layer& layer) {
  const LayerWork work = work_of(layer);
  ordered_json json = ordered_json::object();
  if (layer.uses_array()) {
    json = {{"count", work.count}, {"m", work.m},       {"n", work.n},
            {"k", work.k},         {"macs", work.macs}, {"weights", work.weights}};
  }
  json["ppu"] = work.ppu;
  return json;
}

ordered_json layer_json(const Trace& trace, std::size_t index) {
  const Layer& layer = trace.graph.layers[index];
  const TraceLayer& formats = trace.layers[index];
  ordered_json json{{"name", layer.name}, {"op", layer.op}, {"kind", kind_name(layer.kind)}};
  json["input"] = trace.operand_name(layer.input);
  if (layer.addend != workloads::no_operand) json["addend"] = trace.operand_name(layer.addend);
  if (layer.kind == LayerKind::matmul) json["stationary"] = trace.operand_name(layer.stationary);
  if (layer.activation.kind != Activation::Kind::none) json["activation"] = activation_json(layer.activation);
  json["geometry"] = geometry_json(layer);
  if (layer.kind == LayerKind::matmul) json["products"] = products_json(layer.products);
  if (layer.kind == LayerKind::copy) json["boxes"] = boxes_json(layer);
  if (layer.kind == LayerKind::average_pool) json["count_include_pad"] = layer.count_include_pad;
  if (layer.kind == LayerKind::layer_norm) json["epsilon"] = layer.epsilon;
  if (layer.uses_array()) {
    json["formats"] = {{"weight", to_string(formats.weight)}, {"encoded", to_string(formats.encoded)}};
    json["psum_lsb"] = formats.psum_lsb;
  }
  json["formats"]["output"] = to_string(formats.output);
  json["work"] = work_json(layer);
  return json;
}

}  // namespace

std::string trace_text(const Trace& trace) {
  const workloads::LayerGraph& graph = trace.graph;
  const LayerWork total = total_work(trace);
  ordered_json json{{"schema_version", 1},    {"network", graph.network},
                    {"source", trace.source}, {"parameters", trace.parameters},
                    {"macs", total.macs},     {"weights", total.weights}};
  if (!trace.tensors.empty()) json["tensors"] = trace.tensors;
  json["input"] = {{"shape", {graph.in_h, graph.in_w, graph.in_c}}, {"format", to_string(trace.input)}};
  if (!graph.constants.empty()) json["constants"] = ordered_json::array();
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    const workloads::ConstantMap& constant = graph.constants[i];
    ordered_json entry{{"name", constant.name},
                       {"shape", {constant.h, constant.w, constant.c}},
                       {"format", to_string(trace.constants[i].format)}};
    if (trace.constants[i].role != ConstantRole::own) entry["stands_for"] = role_name(trace.constants[i].role);
    json["constants"].push_back(std::move(entry));
  }
  json["layers"] = ordered_json::array();
  for (std::size_t i = 0; i < graph.layers.size(); ++i) json["layers"].push_back(layer_json(trace, i));
  std::string text;
  append(text, json, 0, 0);
  return text + '\n';
}

void write_trace(const std::filesystem::path& path, const Trace& trace) {
  check_trace(trace);
  workloads::write_file_atomically(path, trace_text(trace));
}

}  // namespace lpa::traces
