#include "workloads/onnx/fold.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace lpa::workloads::detail {
namespace {

/// Folded constants are shapes and parameters, hence small; what is merely moved around may be as large as weights.
constexpr std::int64_t max_folded = 1 << 24;

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

/// Calls visit(source offset) for each element of `shape` in row-major order.
template <class Visit>
void for_each_offset(const Shape& shape, std::int64_t start, const std::vector<std::int64_t>& strides, Visit visit) {
  if (std::ranges::find(shape, 0) != shape.end()) return;
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t offset = start;
  while (true) {
    visit(static_cast<std::size_t>(offset));
    std::size_t axis = shape.size();
    while (axis-- > 0) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
    if (axis == std::numeric_limits<std::size_t>::max()) return;
  }
}

/// The elements of `source` that the strides pick, as a tensor of `shape`.
Constant gather_strided(const Constant& source, const Shape& shape, std::int64_t start,
                        const std::vector<std::int64_t>& strides) {
  Constant result{shape, {}};
  std::visit(
      [&](const auto& values) {
        std::decay_t<decltype(values)> picked;
        picked.reserve(static_cast<std::size_t>(element_count(shape)));
        for_each_offset(shape, start, strides, [&](std::size_t offset) { picked.push_back(values[offset]); });
        result.data = std::move(picked);
      },
      source.data);
  return result;
}

Shape broadcast_shape(const Shape& a, const Shape& b, const NodeReader& node) {
  Shape shape(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      node.fail(fmt::format("shapes {} and {} cannot be broadcast", to_string(a), to_string(b)));
    shape[shape.size() - 1 - i] = x == 1 ? y : x;
  }
  if (checked_count(shape, node.failure("the result")) > max_folded) node.fail("the constant result is too large");
  return shape;
}

Constant broadcast_to(const Constant& source, const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 0);
  const std::vector<std::int64_t> own = strides_of(source.shape);
  const std::size_t lead = shape.size() - own.size();
  for (std::size_t i = 0; i < own.size(); ++i)
    if (source.shape[i] != 1) strides[lead + i] = own[i];
  return gather_strided(source, shape, 0, strides);
}

std::int64_t apply_integer(char op, std::int64_t a, std::int64_t b, const NodeReader& node) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case '+':
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case '-':
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case '*':
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    default:
      overflow = b == 0 || (b == -1 && a == std::numeric_limits<std::int64_t>::min());
      if (!overflow) result = a / b;
  }
  if (overflow) node.fail(fmt::format("integer overflow or division by zero in {} {} {}", a, op, b));
  return result;
}

float apply_float(char op, float a, float b) {
  return op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
}

Constant fold_arithmetic(const NodeReader& node, char op) {
  const Constant &a = node.constant(0), &b = node.constant(1);
  if (a.is_float() != b.is_float()) node.fail("one operand holds integers, the other floats");
  Constant left = broadcast_to(a, broadcast_shape(a.shape, b.shape, node));
  const Constant right = broadcast_to(b, left.shape);
  if (left.is_float()) {
    auto& values = std::get<0>(left.data);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = apply_float(op, values[i], right.floats()[i]);
  } else {
    auto& values = std::get<1>(left.data);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = apply_integer(op, values[i], right.integers()[i], node);
  }
  return left;
}

Constant fold_cast(const NodeReader& node) {
  using Type = ::onnx::TensorProto;
  Constant source = node.constant(0);
  const std::int64_t to = node.integer("to");
  const bool to_float = to == Type::FLOAT || to == Type::DOUBLE;
  if (!to_float && to != Type::INT64 && to != Type::INT32 && to != Type::BOOL)
    node.fail(fmt::format("cast to data type {} (supported: FLOAT, DOUBLE, INT64, INT32, BOOL)", to));
  if (to_float && !source.is_float()) {
    source.data = std::vector<float>(source.integers().begin(), source.integers().end());
  } else if (to == Type::BOOL) {
    std::vector<std::int64_t> truth;
    std::visit(
        [&](const auto& values) {
          for (const auto value : values) truth.push_back(value != 0 ? 1 : 0);
        },
        source.data);
    source.data = std::move(truth);
  } else if (!to_float) {
    std::vector<std::int64_t> integers;
    const double limit = to == Type::INT32 ? 0x1p31 : 0x1p63;
    const auto convert = [&](auto value) {
      const auto real = static_cast<double>(value);
      if constexpr (std::is_same_v<decltype(value), float>) {
        if (!(real > -limit && real < limit)) node.fail(fmt::format("cannot cast {} to an integer", value));
      } else {
        if (to == Type::INT32 && !(real >= -limit && real < limit))
          node.fail(fmt::format("cannot cast {} to INT32", value));
      }
      integers.push_back(static_cast<std::int64_t>(value));
    };
    std::visit([&](const auto& values) { std::ranges::for_each(values, convert); }, source.data);
    source.data = std::move(integers);
  }
  return source;
}

Constant fold_gather(const NodeReader& node) {
  const Constant &source = node.constant(0), &indices = node.constant(1);
  const std::size_t axis = normalised_axis(node.integer("axis", 0), source.shape.size(), node);
  const std::int64_t size = source.shape[axis];
  const std::vector<std::int64_t> strides = strides_of(source.shape);
  Constant picked{source.shape, {}};
  picked.shape.erase(picked.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  picked.shape.insert(picked.shape.begin() + static_cast<std::ptrdiff_t>(axis), indices.shape.begin(),
                      indices.shape.end());
  if (checked_count(picked.shape, node.failure("the result")) > max_folded)
    node.fail("the constant result is too large");
  for (const std::int64_t index : node.integers(1))
    if (index < -size || index >= size) node.fail(fmt::format("index {} is outside an axis of {}", index, size));

  const std::int64_t inner = strides[axis];
  const std::int64_t outer = size == 0 ? 0 : element_count(source.shape) / (inner * size == 0 ? 1 : inner * size);
  std::visit(
      [&](const auto& values) {
        std::decay_t<decltype(values)> out;
        for (std::int64_t o = 0; o < outer; ++o)
          for (const std::int64_t index : indices.integers()) {
            const auto first = values.begin() + (o * size + (index < 0 ? index + size : index)) * inner;
            out.insert(out.end(), first, first + inner);
          }
        picked.data = std::move(out);
      },
      source.data);
  return picked;
}

Constant fold_concat(const NodeReader& node) {
  Constant result = node.constant(0);
  const std::size_t axis = normalised_axis(node.integer("axis"), result.shape.size(), node);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < node.input_count(); ++i) {
    const Constant& part = node.constant(i);
    Shape other = part.shape;
    if (other.size() == result.shape.size()) {
      total += other[axis];
      other[axis] = result.shape[axis];
    }
    if (other != result.shape || part.is_float() != result.is_float())
      node.fail(fmt::format("input {} of shape {} cannot be joined to {} on axis {}", i, to_string(part.shape),
                            to_string(result.shape), axis));
  }
  result.shape[axis] = total;
  if (checked_count(result.shape, node.failure("the result")) > max_folded)
    node.fail("the constant result is too large");
  const std::int64_t outer =
      element_count(Shape(result.shape.begin(), result.shape.begin() + static_cast<std::ptrdiff_t>(axis)));
  std::visit(
      [&](auto& joined) {
        joined.clear();
        for (std::int64_t o = 0; o < outer; ++o)
          for (std::size_t i = 0; i < node.input_count(); ++i) {
            const auto& values = std::get<std::decay_t<decltype(joined)>>(node.constant(i).data);
            const auto block = static_cast<std::int64_t>(values.size()) / outer;
            joined.insert(joined.end(), values.begin() + o * block, values.begin() + (o + 1) * block);
          }
      },
      result.data);
  return result;
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

Constant fold_transpose(const NodeReader& node) {
  const Constant& source = node.constant(0);
  const std::size_t rank = source.shape.size();
  std::vector<std::int64_t> order(rank);
  std::iota(order.rbegin(), order.rend(), 0);
  order = node.integers("perm", order);
  std::vector<bool> seen(rank, false);
  if (order.size() != rank) node.fail("attribute 'perm' does not fit the rank");
  Shape shape;
  std::vector<std::int64_t> strides;
  for (const std::int64_t axis : order) {
    if (axis < 0 || static_cast<std::size_t>(axis) >= rank || seen[static_cast<std::size_t>(axis)])
      node.fail("attribute 'perm' is not a permutation of the axes");
    seen[static_cast<std::size_t>(axis)] = true;
    shape.push_back(source.shape[static_cast<std::size_t>(axis)]);
    strides.push_back(strides_of(source.shape)[static_cast<std::size_t>(axis)]);
  }
  return gather_strided(source, shape, 0, strides);
}

Constant fold_slice(const NodeReader& node) {
  const Constant& source = node.constant(0);
  Shape shape = source.shape;
  std::vector<std::int64_t> strides = strides_of(shape);
  std::int64_t start = 0;
  for (const SliceRange& range : slice_ranges(node, source.shape)) {
    start += range.start * strides[range.axis];
    shape[range.axis] = range.size();
    strides[range.axis] *= range.step;
  }
  return gather_strided(source, shape, start, strides);
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

std::optional<Constant> fold(const NodeReader& node) {
  const std::string& op = node.op();
  if (op == "Constant") return fold_constant_node(node);
  if (op == "Add") return fold_arithmetic(node, '+');
  if (op == "Sub") return fold_arithmetic(node, '-');
  if (op == "Mul") return fold_arithmetic(node, '*');
  if (op == "Div") return fold_arithmetic(node, '/');
  if (op == "Cast") return fold_cast(node);
  if (op == "Concat") return fold_concat(node);
  if (op == "ConstantOfShape") return fold_constant_of_shape(node);
  if (op == "Gather") return fold_gather(node);
  if (op == "Identity") return node.constant(0);
  if (op == "Slice") return fold_slice(node);
  if (op == "Transpose") return fold_transpose(node);
  if (op == "Shape") return fold_shape(node, node.constant(0).shape);
  if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
    Constant result = node.constant(0);
    result.shape = reshaped_by(node, result.shape);
    return result;
  }
  return std::nullopt;
}

}  // namespace lpa::workloads::detail
