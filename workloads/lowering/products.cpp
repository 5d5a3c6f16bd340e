// Products of matrices, and the factors that merge into them.
#include <algorithm>
#include <array>
#include <optional>
#include <variant>

#include <fmt/format.h>

#include "workloads/lowering/lowering.h"
#include "workloads/lowering/places.h"

namespace lpa::workloads::lowering {
namespace {

/// The columns' common permutation, if row r of the value is a permutation of the map's elements r * columns ...
std::optional<std::vector<std::int32_t>> permuted_columns(const Order& order, std::int64_t columns) {
  for (std::int64_t i = columns; !order.is_identity() && i < order.size(); ++i)
    if (order[i] != order[i % columns] + i / columns * columns) return std::nullopt;
  std::vector<std::int32_t> first_row(static_cast<std::size_t>(columns));
  for (std::int64_t i = 0; i < columns; ++i) first_row[static_cast<std::size_t>(i)] = order[i];
  if (!Order(first_row).is_permutation()) return std::nullopt;
  return first_row;
}

/// Weights [rows][columns] for operands whose column k stands at place[k].
std::vector<float> permuted(std::vector<float> weights, const std::vector<std::int32_t>& place) {
  if (Order(place).is_identity()) return weights;
  std::vector<float> row(place.size());
  for (std::size_t first = 0; first < weights.size(); first += place.size()) {
    for (std::size_t k = 0; k < place.size(); ++k) row[static_cast<std::size_t>(place[k])] = weights[first + k];
    std::ranges::copy(row, weights.begin() + static_cast<std::ptrdiff_t>(first));
  }
  return weights;
}

Matrices matrices_of(const Shape& shape) {
  const std::int64_t rows = shape.size() > 1 ? shape[shape.size() - 2] : 1, columns = shape.back();
  return {element_count(shape) / (rows * columns), rows, columns};
}

/// The places of a product's input or stationary operand with that inner loop, if the machine can read them.
std::optional<MatrixPlaces> operand_places(const View& view, std::int64_t inner, bool stationary) {
  if (view.operands.size() != 1) return std::nullopt;
  const Matrices matrices = matrices_of(view.shape);
  std::optional<MatrixPlaces> places = find_places(view.order, matrices, inner);
  if (!places || places->column_stride == 1) return places;
  if (stationary && matrices.rows == 1) places->row_stride = 1;
  if (stationary && places->row_stride == 1) return places;
  return std::nullopt;
}

}  // namespace

void scale(std::vector<float>& weights, double factor) {
  if (factor == 1) return;
  for (float& weight : weights) weight = static_cast<float>(weight * factor);
}

View Lowering::lower(const Node& node, Gemm& gemm) {
  View input = unpadded(node);
  const std::int64_t columns = gemm.weights.shape[1];
  std::optional<std::vector<std::int32_t>> place;
  if (is_whole(input)) place = permuted_columns(input.order, columns);
  if (!place) {
    input = in_form(input, rows_form(input.shape), node);
    place = permuted_columns(input.order, columns);
  }
  const Form out = rows_form(shape(node.output));
  Extents in{out.extents.h, 1, static_cast<int>(columns)};
  const bool whole_map = out.extents.h == 1 && extents(input.operands[0]).size() == columns;
  if (whole_map) in = extents(input.operands[0]);
  Layer layer = new_layer(node, LayerKind::conv, input, in, out.extents);
  if (whole_map) layer.geometry.kernel_h = in.h, layer.geometry.kernel_w = in.w;
  layer.weights = permuted(std::move(gemm.weights.data), *place);
  scale(layer.weights, input.factor);
  layer.bias = std::move(gemm.bias.data);
  return add_layer(node, std::move(layer), out.order);
}

View Lowering::lower(const Node& node, const MatMul&) {
  View input = unpadded(node, 0), stationary = unpadded(node, 1);
  const MatrixProducts operands = find_operands(node, input, stationary);
  MatrixProducts products = operands;
  products.scale = input.factor * stationary.factor;
  if (products.scale <= 0)
    fail(input.scaled ? *input.scaled : *stationary.scaled,
         fmt::format("multiplies the products of node '{}' ({}) by a factor below 0 (supported: above 0)", node.name,
                     node.op));
  const Form out = place_output(node.output, input, stationary, products);
  Layer layer = new_layer(node, LayerKind::matmul, input, extents(input.operands[0]), out.extents);
  layer.stationary = stationary.operands[0];
  layer.products = products;
  return add_layer(node, std::move(layer), out.order);
}

MatrixProducts Lowering::find_operands(const Node& node, View& input, View& stationary) {
  const auto loop = [](const View& view) { return inner_loop(view.order, matrices_of(view.shape)); };
  if (!operand_places(input, loop(input), false)) input = copied(input, rows_form(input.shape), node);
  if (!operand_places(stationary, loop(stationary), true))
    stationary = copied(stationary, rows_form(stationary.shape), node);
  MatrixProducts products;
  const auto try_loop = [&](std::int64_t inner) {
    const auto of_input = operand_places(input, inner, false), of_stationary = operand_places(stationary, inner, true);
    if (!of_input || !of_stationary) return false;
    const Matrices matrices = matrices_of(input.shape);
    products.inner = static_cast<int>(inner);
    products.outer = static_cast<int>(matrices.batch / inner);
    products.m = static_cast<int>(matrices.rows);
    products.k = static_cast<int>(matrices.columns);
    products.n = static_cast<int>(stationary.shape.back());
    products.input = *of_input;
    products.stationary = *of_stationary;
    return true;
  };
  if (try_loop(loop(input)) || try_loop(loop(stationary))) return products;
  input = copied(input, rows_form(input.shape), node);
  try_loop(loop(stationary));
  return products;
}

Form Lowering::place_output(int value, const View& input, const View& stationary, MatrixProducts& products) const {
  const Matrices matrices = matrices_of(shape(value));
  const Form dense = rows_form(shape(value));
  Order moved = dense.order;
  int last = value;
  const auto only_user = [&]() -> const Node* {
    const bool one = uses_[index(last)] == 1 && !users_[index(last)].empty();
    const Node* node = one ? &network_.nodes[index(users_[index(last)].front())] : nullptr;
    return node && node->inputs.size() == 1 ? node : nullptr;
  };
  for (const Node* node = only_user(); node; node = only_user()) {
    if (const Move* move = std::get_if<Move>(&node->attributes))
      moved = moved.after(move->source);
    else if (!std::holds_alternative<Reshape>(node->attributes) && !std::holds_alternative<Scale>(node->attributes))
      break;
    last = node->output;
  }
  Form wanted = wanted_as_map(last) ? map_form(shape(last)) : rows_form(shape(last));
  if (moved.size() == dense.order.size() && moved.is_permutation()) {
    std::vector<std::int32_t> places(index(moved.size()));
    for (std::int64_t i = 0; i < moved.size(); ++i) places[index(moved[i])] = wanted.order[i];
    wanted.order = Order(std::move(places));
    for (const std::int64_t inner : {inner_loop(wanted.order, matrices), std::int64_t{products.inner}}) {
      const auto output = find_places(wanted.order, matrices, inner);
      const auto of_input = operand_places(input, inner, false),
                 of_stationary = operand_places(stationary, inner, true);
      if (!output || output->column_stride != 1 || !of_input || !of_stationary) continue;
      products.inner = static_cast<int>(inner);
      products.outer = static_cast<int>(matrices.batch / inner);
      products.input = *of_input;
      products.stationary = *of_stationary;
      products.output = *output;
      return wanted;
    }
  }
  products.output = *find_places(dense.order, matrices, products.inner);
  return dense;
}

View Lowering::lower(const Node& node, const Scale& scale) {
  View view = operand(node);
  if (view.pad && view.pad_value != 0) view = unpadded(node);
  if (view.factor == 1 && scale_producer(view, scale.factor, node.output)) return view;
  view.factor *= scale.factor;
  view.scaled = &node;
  return view;
}

/// Whether the layer whose result alone is multiplied could take the factor into its own product.
bool Lowering::scale_producer(const View& view, double factor, int value) {
  Layer* layer = sole_layer(view);
  if (!layer || !view.exclusive || layer->activation.kind != Activation::Kind::none || layer->addend != no_operand)
    return false;
  if (layer->kind == LayerKind::matmul && factor > 0) {
    layer->products.scale *= factor;
  } else if (layer->kind == LayerKind::conv || layer->kind == LayerKind::layer_norm) {
    lowering::scale(layer->weights, factor);
    lowering::scale(layer->bias, factor);
  } else {
    return false;
  }
  layer->value = layer->encoded_value = value;
  return true;
}

}  // namespace lpa::workloads::lowering
