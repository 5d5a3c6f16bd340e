#include "workloads/lowering/lowering.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::workloads::lowering {

Lowering::Lowering(Network network)
    : network_(std::move(network)), views_(network_.values.size()), users_(network_.values.size()) {
  uses_.assign(network_.values.size(), 0);
  ++uses_[index(network_.output)];
  for (std::size_t i = 0; i < network_.nodes.size(); ++i)
    for (const int input : network_.nodes[i].inputs) {
      users_[index(input)].push_back(static_cast<int>(i));
      ++uses_[index(input)];
    }
}

LayerGraph Lowering::run() {
  const Form in = input_form();
  View& input = views_[index(network_.input)];
  input.shape = shape(network_.input);
  input.operands = {network_input};
  input.order = in.order;
  input.id = input.unscaled = network_.input;
  for (std::size_t i = 0; i < network_.nodes.size(); ++i) {
    Node& node = network_.nodes[i];
    View view = std::visit([&](auto& attributes) { return lower(node, attributes); }, node.attributes);
    view.exclusive = view.exclusive && uses_[index(node.output)] == 1;
    view.id = node.output;
    if (view.factor == 1) view.unscaled = node.output;
    if (!view.pad) view.shape = shape(node.output);
    views_[index(node.output)] = std::move(view);
    for (const int value : node.inputs)  // Orders of elements are large: let go of those that are of no more use.
      if (users_[index(value)].back() == static_cast<int>(i) && value != network_.output) views_[index(value)] = {};
  }
  const View& output = views_[index(network_.output)];
  if (output.pad) fail(*output.pad, "is the network's output; padding can only be merged into a Conv or a pooling");
  if (output.factor != 1) fail(*output.scaled, "is the network's output; no layer's product can take its factor");
  if (output.operands == std::vector{network_input})
    throw InputError(network_.file + ": the network has no layer to run");
  const View result = stored_output(output);

  LayerGraph graph;
  graph.network = network_.file.substr(network_.file.find_last_of('/') + 1);
  graph.in_h = in.extents.h;
  graph.in_w = in.extents.w;
  graph.in_c = in.extents.c;
  schedule(result.operands[0], graph);
  return graph;
}

/// The output as a layer's whole result in the order that its readers expect.
View Lowering::stored_output(const View& output) {
  const bool as_map = output.shape.size() == 4 && has_form(output, map_form(output.shape));
  if (sole_layer(output) && (as_map || has_form(output, rows_form(output.shape)))) return output;
  return copied(output, natural_form(output), network_.nodes.back());
}

void Lowering::fail(const Node& node, const std::string& what) const {
  throw InputError(fmt::format("{}: node '{}' ({}): {}", network_.file, node.name, node.op, what));
}

Form Lowering::input_form() const {
  const Shape& s = shape(network_.input);
  if (s.size() == 4) return map_form(s);
  if (s.size() == 3 || s.size() == 2) return rows_form(s);
  throw InputError(
      fmt::format("{}: the input of shape {} is not a feature map (supported: 1 x C x H x W, 1 x M x K, "
                  "1 x K)",
                  network_.file, to_string(s)));
}

Extents Lowering::extents(int operand) const {
  if (operand == network_input) return input_form().extents;
  if (is_constant(operand)) {
    const ConstantMap& map = constants_[constant_index(operand)];
    return {map.h, map.w, map.c};
  }
  const LayerGeometry& g = layers_[index(operand)].geometry;
  return {g.out_h, g.out_w, g.out_c};
}

std::string Lowering::unique(const std::string& name, const char* suffix) {
  std::string result = name;
  for (int i = 1; !names_.insert(result).second; ++i)
    result = fmt::format("{}{}{}", name, suffix, i == 1 ? "" : fmt::to_string(i));
  return result;
}

Layer Lowering::new_layer(const Node& node, LayerKind kind, const View& input, const Extents& in, const Extents& out) {
  Layer layer;
  layer.name = unique(node.name, "/again");
  layer.op = node.op;
  layer.kind = kind;
  layer.input = input.operands[0];
  layer.value = layer.encoded_value = node.output;
  layer.geometry.in_h = in.h, layer.geometry.in_w = in.w, layer.geometry.in_c = in.c;
  layer.geometry.out_h = out.h, layer.geometry.out_w = out.w, layer.geometry.out_c = out.c;
  return layer;
}

View Lowering::add_layer(const Node& node, Layer layer, const Order& order) {
  View view;
  view.shape = shape(node.output);
  view.operands = {push_layer(std::move(layer))};
  view.order = order;
  view.exclusive = true;
  return view;
}

int Lowering::push_layer(Layer layer) {
  depths_.push_back(1 + std::max({depth(layer.input), depth(layer.addend), depth(layer.stationary)}));
  layers_.push_back(std::move(layer));
  return static_cast<int>(layers_.size()) - 1;
}

Layer* Lowering::sole_layer(const View& view) {
  return view.operands.size() == 1 && view.operands[0] >= 0 ? &layers_[index(view.operands[0])] : nullptr;
}

}  // namespace lpa::workloads::lowering
