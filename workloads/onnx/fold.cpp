#include "workloads/onnx/fold.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "workloads/onnx/selection.h"
#include "workloads/onnx/shapes.h"

namespace lpa::workloads::detail {
namespace {

/// What the node moves, moved.
Constant fold_selection(const NodeReader& node, std::size_t output) {
  std::vector<Shape> shapes;
  const bool is_float = node.constant(0).is_float();
  for (std::size_t i = 0; i < moved_inputs(node); ++i) {
    shapes.push_back(node.constant(i).shape);
    if (node.constant(i).is_float() != is_float)
      node.fail(fmt::format("input {} cannot be joined to input 0: one holds integers, the other floats", i));
  }
  Selection selection = select(node, shapes, output);
  const auto pick = [&](auto element) {
    using Elements = std::vector<decltype(element)>;
    Elements joined;
    for (std::size_t i = 1; i < shapes.size(); ++i) {
      if (i == 1) joined = std::get<Elements>(node.constant(0).data);
      const auto& next = std::get<Elements>(node.constant(i).data);
      joined.insert(joined.end(), next.begin(), next.end());
    }
    const Elements& source = shapes.size() > 1 ? joined : std::get<Elements>(node.constant(0).data);
    Elements picked(selection.source.size());
    for (std::size_t i = 0; i < picked.size(); ++i)
      if (selection.source[i] >= 0) picked[i] = source[static_cast<std::size_t>(selection.source[i])];
    return Constant{std::move(selection.shape), std::move(picked)};
  };
  return is_float ? pick(0.0f) : pick(std::int64_t{0});
}

Constant fold_constant_of_shape(const NodeReader& node) {
  Constant fill{{1}, std::vector<float>{0}};
  if (node.has_attribute("value")) fill = node.tensor("value");
  if (element_count(fill.shape) != 1) node.fail("attribute 'value' must hold one element");
  const Shape& shape = node.integers(0);
  const std::int64_t count = checked_count(shape, node.failure("the result"));
  if (count > max_folded) node.fail("the constant result is too large");
  std::visit([&](auto& values) { values.assign(static_cast<std::size_t>(count), values[0]); }, fill.data);
  fill.shape = shape;
  return fill;
}

/// start, start + delta, ... up to limit, which is left out.
Constant fold_range(const NodeReader& node) {
  const double start = node.number(0), limit = node.number(1), delta = node.number(2);
  const double steps = std::ceil((limit - start) / delta), count = steps > 0 ? steps : 0;
  // Beyond 2^53 a double does not tell integers apart.
  if (delta == 0 || std::isnan(steps) || count > static_cast<double>(max_folded) ||
      !(std::abs(start) + std::abs(limit) < 0x1p53))
    node.fail(fmt::format("a range from {} to {} by {} is too large or endless", start, limit, delta));
  Constant result{{static_cast<std::int64_t>(count)}, std::vector<std::int64_t>()};
  if (node.constant(0).is_float()) result.data = std::vector<float>();
  std::visit(
      [&](auto& values) {
        using Element = typename std::decay_t<decltype(values)>::value_type;
        for (std::int64_t i = 0; i < result.shape[0]; ++i)
          values.push_back(static_cast<Element>(start + static_cast<double>(i) * delta));
      },
      result.data);
  return result;
}

/// A copy of the data in which the slices that the indices name are replaced by the updates.
Constant fold_scatter(const NodeReader& node) {
  if (const std::string mode = node.text("reduction", "none"); mode != "none")
    node.fail(fmt::format("'reduction' is '{}' (supported: none)", mode));
  Constant result = node.constant(0);
  const Shape &shape = result.shape, &at = node.constant(1).shape;
  if (at.empty() || at.back() < 1 || at.back() > static_cast<std::int64_t>(shape.size()))
    node.fail(fmt::format("indices of shape {} do not fit data of shape {}", to_string(at), to_string(shape)));
  const auto depth = static_cast<std::ptrdiff_t>(at.back());
  Shape expected(at.begin(), at.end() - 1);
  expected.insert(expected.end(), shape.begin() + depth, shape.end());
  const Constant& updates = node.constant(2);
  if (updates.shape != expected || updates.is_float() != result.is_float())
    node.fail(fmt::format("updates have shape {} (expected {} of the data's type)", to_string(updates.shape),
                          to_string(expected)));

  const std::int64_t inner = element_count(Shape(shape.begin() + depth, shape.end()));
  const std::vector<std::int64_t>& indices = node.integers(1);
  std::visit(
      [&](auto& values) {
        auto next = std::get<std::decay_t<decltype(values)>>(updates.data).begin();
        for (auto index = indices.begin(); index != indices.end(); index += depth, next += inner) {
          std::int64_t place = 0;
          for (std::ptrdiff_t axis = 0; axis < depth; ++axis) {
            const std::int64_t size = shape[static_cast<std::size_t>(axis)], position = index[axis];
            if (position < -size || position >= size)
              node.fail(fmt::format("index {} is outside an axis of {}", position, size));
            place = place * size + (position < 0 ? position + size : position);
          }
          std::copy_n(next, inner, values.begin() + place * inner);
        }
      },
      result.data);
  return result;
}

Constant fold_constant_node(const NodeReader& node) {
  if (node.has_attribute("value")) return node.tensor("value");
  if (node.has_attribute("value_int")) return {{}, std::vector<std::int64_t>{node.integer("value_int")}};
  if (node.has_attribute("value_float")) return {{}, std::vector<float>{node.real("value_float", 0)}};
  if (node.has_attribute("value_ints")) {
    auto values = node.integers("value_ints", {});
    return {{static_cast<std::int64_t>(values.size())}, std::move(values)};
  }
  if (node.has_attribute("value_floats")) {
    auto values = node.reals("value_floats");
    return {{static_cast<std::int64_t>(values.size())}, std::move(values)};
  }
  node.fail("has no value of a supported kind (supported: value, value_int, value_ints, value_float, value_floats)");
}

}  // namespace

Constant fold_shape(const NodeReader& node, const Shape& shape) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto position = [&](const char* attribute, std::int64_t otherwise) {
    const std::int64_t value = node.integer(attribute, otherwise);
    return std::clamp<std::int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  const std::int64_t start = position("start", 0), end = std::max(start, position("end", rank));
  return {{end - start}, std::vector<std::int64_t>(shape.begin() + start, shape.begin() + end)};
}

std::optional<Constant> fold(const NodeReader& node, std::size_t output) {
  const std::string& op = node.op();
  if (output > 0 && op != "Split") node.fail(fmt::format("output {} is used (supported: the first one)", output));
  if (selects(op)) return fold_selection(node, output);
  if (op == "Constant") return fold_constant_node(node);
  if (op == "ConstantOfShape") return fold_constant_of_shape(node);
  if (op == "Range") return fold_range(node);
  if (op == "ScatterND") return fold_scatter(node);
  if (op == "Identity") return node.constant(0);
  if (op == "Shape") return fold_shape(node, node.constant(0).shape);
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
    Constant result = node.constant(0);
    result.shape = reshaped_by(node, result.shape);
    return result;
  }
  return fold_elementwise(node);
}

}  // namespace lpa::workloads::detail
