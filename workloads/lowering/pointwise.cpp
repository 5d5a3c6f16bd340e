// Activation functions, additions, and operators along the channels.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "workloads/lowering/lowering.h"

namespace lpa::workloads::lowering {

View Lowering::lower(const Node& node, const Relu&) {
  return activate(node, {Activation::Kind::relu});
}

View Lowering::lower(const Node& node, const Clip& clip) {
  return activate(node, {Activation::Kind::clip, clip.low, clip.high});
}

View Lowering::lower(const Node& node, const Gelu&) {
  return activate(node, {Activation::Kind::gelu});
}

View Lowering::activate(const Node& node, const Activation& activation) {
  View view = plain(node);
  if (view.operands.size() != 1 || (activation(0) != 0 && view.order.has_gaps()))
    view = copied(view, natural_form(view), node);
  Layer* layer = sole_layer(view);
  const bool relu = activation.kind == Activation::Kind::relu;
  if (layer && layer->activation == activation && activation.kind != Activation::Kind::gelu) return view;
  const bool takes_curves =
      layer && (layer->uses_array() || layer->kind == LayerKind::copy) && layer->addend == no_operand;
  if (layer && view.exclusive && layer->activation.kind == Activation::Kind::none && (relu || takes_curves)) {
    layer->activation = activation;
    layer->value = node.output;
    return view;
  }
  const Extents map = extents(view.operands[0]);
  Layer copy = new_layer(node, LayerKind::copy, view, map, map);
  copy.boxes = {CopyBox{.count = {1, 1, map.size()}}};
  copy.encoded_value = view.id;
  copy.activation = activation;
  return add_layer(node, std::move(copy), view.order);
}

bool Lowering::can_take_addend(const View& view) {
  const Layer* layer = sole_layer(view);
  return layer && view.exclusive && layer->uses_array() && layer->activation.kind == Activation::Kind::none &&
         layer->addend == no_operand;
}

View Lowering::lower(const Node& node, const Add&) {
  View a = plain(node, 0), b = plain(node, 1);
  const auto constant = [](const View& view) { return view.operands.size() == 1 && is_constant(view.operands[0]); };
  if (constant(a)) std::swap(a, b);
  if (constant(b)) return add_constant_to(node, a, b);
  std::tie(a, b) = in_same_form(node, a, b);
  // The deeper product adds: its other operand can always be computed before it. A product whose only user is the
  // addition takes its place without creating a cycle.
  const bool a_can = can_take_addend(a), b_can = can_take_addend(b);
  const auto order = [&](const View& view) { return std::pair(depth(view.operands[0]), view.operands[0]); };
  if (b_can && (!a_can || order(b) > order(a))) std::swap(a, b);
  if (a_can || b_can) {
    Layer& layer = *sole_layer(a);
    layer.addend = b.operands[0];
    layer.value = node.output;
    int& depth_of_a = depths_[index(a.operands[0])];
    depth_of_a = std::max(depth_of_a, depth(b.operands[0]) + 1);
    return a;
  }
  const Extents map = extents(a.operands[0]);
  Layer layer = new_layer(node, LayerKind::add, a, map, map);
  layer.addend = b.operands[0];
  return add_layer(node, std::move(layer), a.order);
}

/// Both in one map each, their elements at the same places.
std::pair<View, View> Lowering::in_same_form(const Node& node, const View& a, const View& b) {
  const auto form_of = [&](const View& view) { return Form{view.order, extents(view.operands[0])}; };
  if (a.operands.size() == 1 && has_form(b, form_of(a))) return {a, b};
  const Form natural = natural_form(a);
  const auto can_stay = [&](const View& view) { return is_whole(view) && view.order.regular(); };
  if (can_stay(a) && (!can_stay(b) || has_form(a, natural))) return {a, copied(b, form_of(a), node)};
  if (can_stay(b)) return {copied(a, form_of(b), node), b};
  return {in_form(a, natural, node), in_form(b, natural, node)};
}

View Lowering::add_constant_to(const Node& node, const View& view, const View& constant) {
  const View x = is_whole(view) ? view : copied(view, natural_form(view), node);
  const Extents map = extents(x.operands[0]);
  const int addend = constant_in_form(constant, {x.order, map}).operands[0];
  Layer* layer = sole_layer(x);
  if (can_take_addend(x)) {
    layer->addend = addend;
    layer->value = node.output;
    return x;
  }
  if (layer && x.exclusive && layer->activation.kind == Activation::Kind::none && layer->kind != LayerKind::copy &&
      is_constant(layer->addend)) {  // The two constants become one.
    ConstantMap sum = constants_[constant_index(layer->addend)];
    const std::vector<float>& more = constants_[constant_index(addend)].data;
    std::ranges::transform(sum.data, more, sum.data.begin(), std::plus<>());
    layer->addend = add_constant(std::move(sum));
    layer->value = node.output;
    if (!layer->uses_array()) layer->encoded_value = node.output;
    return x;
  }
  Layer sum = new_layer(node, LayerKind::add, x, map, map);
  sum.addend = addend;
  return add_layer(node, std::move(sum), x.order);
}

View Lowering::lower(const Node& node, LayerNorm& norm) {
  const View operand = plain(node);
  const Form form = rows_form(operand.shape);
  const View input = in_form(operand, form, node);
  Layer layer = new_layer(node, LayerKind::layer_norm, input, form.extents, form.extents);
  layer.weights = std::move(norm.scale.data);
  layer.bias = std::move(norm.shift.data);
  layer.epsilon = norm.epsilon;
  return add_layer(node, std::move(layer), form.order);
}

View Lowering::lower(const Node& node, const Softmax&) {
  const View operand = plain(node);
  const Form form = rows_form(operand.shape);
  const View input = in_form(operand, form, node);
  return add_layer(node, new_layer(node, LayerKind::softmax, input, form.extents, form.extents), form.order);
}

}  // namespace lpa::workloads::lowering
