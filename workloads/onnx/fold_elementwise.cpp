// Folding of the operators that compute each element of the result from one element of each input.
#include <algorithm>
#include <cmath>
#include <compare>
#include <functional>
#include <limits>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include "workloads/onnx/fold.h"
#include "workloads/onnx/selection.h"
#include "workloads/onnx/shapes.h"

namespace lpa::workloads::detail {
namespace {

using Integers = std::vector<std::int64_t>;
using Floats = std::vector<float>;

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

[[noreturn]] void fail_integer(const NodeReader& node, std::int64_t a, std::int64_t b) {
  node.fail(fmt::format("integer overflow or division by zero with {} and {}", a, b));
}

std::int64_t add(std::int64_t a, std::int64_t b, const NodeReader& node) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) fail_integer(node, a, b);
  return result;
}
std::int64_t subtract(std::int64_t a, std::int64_t b, const NodeReader& node) {
  std::int64_t result = 0;
  if (__builtin_sub_overflow(a, b, &result)) fail_integer(node, a, b);
  return result;
}
std::int64_t multiply(std::int64_t a, std::int64_t b, const NodeReader& node) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) fail_integer(node, a, b);
  return result;
}
std::int64_t divide(std::int64_t a, std::int64_t b, const NodeReader& node) {
  if (b == 0 || (b == -1 && a == lowest)) fail_integer(node, a, b);
  return a / b;
}

/// The remainder with the sign of the divisor or, with `fmod`, of the dividend.
std::int64_t remainder(std::int64_t a, std::int64_t b, const NodeReader& node) {
  if (b == 0) fail_integer(node, a, b);
  if (b == -1) return 0;
  const std::int64_t result = a % b;
  return node.integer("fmod", 0) == 0 && result != 0 && (result < 0) != (b < 0) ? result + b : result;
}

std::int64_t power(std::int64_t base, std::int64_t exponent, const NodeReader& node) {
  const double result = std::pow(static_cast<double>(base), static_cast<double>(exponent));
  if (!(std::abs(result) < 0x1p53)) fail_integer(node, base, exponent);
  return static_cast<std::int64_t>(result);
}

/// How a binary operator works on either kind of elements.
struct Binary {
  std::function<float(float, float)> floats;
  std::function<std::int64_t(std::int64_t, std::int64_t, const NodeReader&)> integers;
};

const Binary* arithmetic(std::string_view op) {
  static const std::unordered_map<std::string_view, Binary> operators{
      {"Add", {std::plus<float>(), add}},
      {"Sub", {std::minus<float>(), subtract}},
      {"Mul", {std::multiplies<float>(), multiply}},
      {"Div", {std::divides<float>(), divide}},
      {"Mod", {[](float a, float b) { return std::fmod(a, b); }, remainder}},
      {"Pow", {[](float a, float b) { return std::pow(a, b); }, power}},
      {"Min", {[](float a, float b) { return std::min(a, b); }, [](auto a, auto b, auto&) { return std::min(a, b); }}},
      {"Max", {[](float a, float b) { return std::max(a, b); }, [](auto a, auto b, auto&) { return std::max(a, b); }}},
  };
  const auto found = operators.find(op);
  return found == operators.end() ? nullptr : &found->second;
}

/// Whether a comparison holds of two elements in that order.
using Relation = bool (*)(std::partial_ordering);

Relation relation(std::string_view op) {
  if (op == "Equal") return [](auto order) { return order == 0; };
  if (op == "Less") return [](auto order) { return order < 0; };
  if (op == "LessOrEqual") return [](auto order) { return order <= 0; };
  if (op == "Greater") return [](auto order) { return order > 0; };
  if (op == "GreaterOrEqual") return [](auto order) { return order >= 0; };
  return nullptr;
}

/// Shape of a result that is folded.
Shape folded_shape(const Shape& a, const Shape& b, const NodeReader& node) {
  Shape shape = broadcast_shape(a, b, node);
  if (checked_count(shape, node.failure("the result")) > max_folded) node.fail("the constant result is too large");
  return shape;
}

/// The operands in the shape of the result.
std::pair<Constant, Constant> broadcast(const NodeReader& node, const Constant& a, const Constant& b) {
  if (a.is_float() != b.is_float()) node.fail("one operand holds integers, the other floats");
  const Shape shape = folded_shape(a.shape, b.shape, node);
  return {broadcast_to(a, shape), broadcast_to(b, shape)};
}

Constant fold_arithmetic(const NodeReader& node, const Binary& binary, const Constant& a, const Constant& b) {
  auto [left, right] = broadcast(node, a, b);
  if (left.is_float()) {
    std::ranges::transform(left.floats(), right.floats(), std::get<0>(left.data).begin(), binary.floats);
  } else {
    std::ranges::transform(left.integers(), right.integers(), std::get<1>(left.data).begin(),
                           [&](std::int64_t x, std::int64_t y) { return binary.integers(x, y, node); });
  }
  return std::move(left);
}

/// Min and Max take any number of operands; the others two.
Constant fold_arithmetic(const NodeReader& node, const Binary& binary) {
  if (node.op() == "Min" || node.op() == "Max") {
    Constant result = node.constant(0);
    for (std::size_t i = 1; i < node.input_count(); ++i)
      result = fold_arithmetic(node, binary, result, node.constant(i));
    return result;
  }
  Constant exponent = node.constant(1);
  // Pow has the type of its base.
  if (node.op() == "Pow" && node.constant(0).is_float() && !exponent.is_float())
    exponent.data = Floats(exponent.integers().begin(), exponent.integers().end());
  return fold_arithmetic(node, binary, node.constant(0), exponent);
}

Constant fold_relation(const NodeReader& node, Relation holds) {
  const auto [left, right] = broadcast(node, node.constant(0), node.constant(1));
  Constant result{left.shape, Integers()};
  std::visit(
      [&, &data = right.data](const auto& values) {
        const auto& others = std::get<std::decay_t<decltype(values)>>(data);
        std::ranges::transform(values, others, std::back_inserter(std::get<1>(result.data)),
                               [&](auto x, auto y) { return holds(x <=> y) ? 1 : 0; });
      },
      left.data);
  return result;
}

/// And, Or.
Constant fold_logic(const NodeReader& node) {
  node.integers(0);
  auto [left, right] = broadcast(node, node.constant(0), node.constant(1));
  const bool both = node.op() == "And";
  std::ranges::transform(left.integers(), right.integers(), std::get<1>(left.data).begin(),
                         [&](auto x, auto y) { return (both ? x != 0 && y != 0 : x != 0 || y != 0) ? 1 : 0; });
  return std::move(left);
}

Constant fold_where(const NodeReader& node) {
  const auto [yes, no] = broadcast(node, node.constant(1), node.constant(2));
  node.integers(0);
  const Shape shape = folded_shape(node.constant(0).shape, yes.shape, node);
  const Constant condition = broadcast_to(node.constant(0), shape);
  Constant result = broadcast_to(yes, shape);
  const Constant otherwise = broadcast_to(no, shape);
  std::visit(
      [&](auto& values) {
        const auto& others = std::get<std::decay_t<decltype(values)>>(otherwise.data);
        for (std::size_t i = 0; i < values.size(); ++i)
          if (condition.integers()[i] == 0) values[i] = others[i];
      },
      result.data);
  return result;
}

/// Sqrt, Floor, Ceil, Neg and Not.
std::optional<Constant> fold_unary(const NodeReader& node) {
  const std::string& op = node.op();
  if (op == "Sqrt" || op == "Floor" || op == "Ceil") {
    Floats values = node.floats(0);
    for (float& value : values)
      value = op == "Sqrt" ? std::sqrt(value) : op == "Floor" ? std::floor(value) : std::ceil(value);
    return Constant{node.constant(0).shape, std::move(values)};
  }
  if (op == "Not") {
    Integers values = node.integers(0);
    for (std::int64_t& value : values) value = value == 0 ? 1 : 0;
    return Constant{node.constant(0).shape, std::move(values)};
  }
  if (op == "Neg") {
    Constant result = node.constant(0);
    if (result.is_float()) {
      for (float& value : std::get<0>(result.data)) value = -value;
    } else {
      for (std::int64_t& value : std::get<1>(result.data)) value = subtract(0, value, node);
    }
    return result;
  }
  return std::nullopt;
}

Constant fold_cast(const NodeReader& node) {
  using Type = ::onnx::TensorProto;
  Constant source = node.constant(0);
  const std::int64_t to = node.integer("to");
  const bool to_float = to == Type::FLOAT || to == Type::DOUBLE;
  if (!to_float && to != Type::INT64 && to != Type::INT32 && to != Type::BOOL)
    node.fail(fmt::format("cast to data type {} (supported: FLOAT, DOUBLE, INT64, INT32, BOOL)", to));
  if (to_float && !source.is_float()) {
    source.data = Floats(source.integers().begin(), source.integers().end());
  } else if (to == Type::BOOL) {
    Integers truth;
    std::visit(
        [&](const auto& values) {
          for (const auto value : values) truth.push_back(value != 0 ? 1 : 0);
        },
        source.data);
    source.data = std::move(truth);
  } else if (!to_float) {
    Integers integers;
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

}  // namespace

Constant broadcast_to(const Constant& source, const Shape& shape) {
  if (source.shape == shape) return source;
  const Selection selection = expanded(source.shape, shape);
  Constant result{shape, {}};
  std::visit(
      [&](const auto& values) {
        std::decay_t<decltype(values)> repeated;
        repeated.reserve(selection.source.size());
        for (const std::int32_t at : selection.source) repeated.push_back(values[static_cast<std::size_t>(at)]);
        result.data = std::move(repeated);
      },
      source.data);
  return result;
}

std::optional<Constant> fold_elementwise(const NodeReader& node) {
  if (const Binary* binary = arithmetic(node.op())) return fold_arithmetic(node, *binary);
  if (const Relation holds = relation(node.op())) return fold_relation(node, holds);
  if (node.op() == "And" || node.op() == "Or") return fold_logic(node);
  if (node.op() == "Where") return fold_where(node);
  if (node.op() == "Cast") return fold_cast(node);
  return fold_unary(node);
}

}  // namespace lpa::workloads::detail
