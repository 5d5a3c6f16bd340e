#include "tests/workloads/network_builder.h"

#include <fmt/format.h>

namespace lpa::workloads::testing {
namespace {

std::vector<std::int64_t> strides_of(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t axis = shape.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * shape[axis];
  return strides;
}

/// Of every element of a value of that shape, in order, the sum of index * stride.
std::vector<std::int32_t> places(const Shape& shape, const std::vector<std::int64_t>& strides, std::int64_t offset) {
  std::vector<std::int32_t> result;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    std::int64_t rest = i, place = offset;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) place += rest % shape[axis] * strides[axis];
    result.push_back(static_cast<std::int32_t>(place));
  }
  return result;
}

}  // namespace

NetworkBuilder::NetworkBuilder(const Shape& input_shape, Random& random) : random_(&random) {
  network_.file = "folder/built.onnx";
  network_.values.push_back({"input", input_shape});
  network_.input = 0;
}

int NetworkBuilder::node(const std::string& op, Operator attributes, const std::vector<int>& inputs, const Shape& shape,
                         const std::string& name) {
  const std::string own = name.empty() ? fmt::format("{}_{}", op, network_.nodes.size()) : name;
  const int output = static_cast<int>(network_.values.size());
  network_.values.push_back({own + "_output", shape});
  network_.nodes.push_back({own, op, std::move(attributes), inputs, output});
  return output;
}

int NetworkBuilder::constant(const Shape& shape, const std::string& name) {
  return node("Constant", Constant{random_tensor(shape, *random_)}, {}, shape, name);
}

int NetworkBuilder::conv(int x, int out_c, int kernel, int stride, int pad, int groups, const std::string& name) {
  const Shape in = shape(x);
  const auto extent = [&](std::size_t axis) { return (in[axis] + 2 * pad - kernel) / stride + 1; };
  Conv conv;
  conv.kernel = {kernel, kernel}, conv.strides = {stride, stride}, conv.dilations = {1, 1};
  conv.pads = {pad, pad, pad, pad};
  conv.groups = groups;
  conv.weights = random_tensor({out_c, in[1] / groups, kernel, kernel}, *random_);
  conv.bias = random_tensor({out_c}, *random_);
  return node("Conv", conv, {x}, {1, out_c, extent(2), extent(3)}, name);
}

int NetworkBuilder::linear(int x, int n, const std::string& name) {
  Shape out = shape(x);
  const Gemm gemm{random_tensor({n, out.back()}, *random_), random_tensor({n}, *random_)};
  out.back() = n;
  return node("Gemm", gemm, {x}, out, name);
}

int NetworkBuilder::matmul(int a, int b, const std::string& name) {
  Shape out = shape(a);
  out.back() = shape(b).back();
  return node("MatMul", MatMul{}, {a, b}, out, name);
}

int NetworkBuilder::add(int a, int b, const std::string& name) {
  return node("Add", Add{}, {a, b}, Shape(shape(a)), name);
}

int NetworkBuilder::scale(int x, float factor, const std::string& name) {
  return node("Mul", Scale{factor}, {x}, Shape(shape(x)), name);
}

int NetworkBuilder::layer_norm(int x) {
  const Shape channels{shape(x).back()};
  return node("LayerNormalization", LayerNorm{random_tensor(channels, *random_), random_tensor(channels, *random_)},
              {x}, Shape(shape(x)));
}

int NetworkBuilder::pointwise(const std::string& op, Operator attributes, int x, const std::string& name) {
  return node(op, std::move(attributes), {x}, Shape(shape(x)), name);
}

int NetworkBuilder::reshape(int x, const Shape& to) {
  return node("Reshape", Reshape{}, {x}, to);
}

int NetworkBuilder::transpose(int x, const std::vector<int>& axes) {
  Shape out;
  std::vector<std::int64_t> strides;
  for (const int axis : axes) {
    out.push_back(shape(x)[static_cast<std::size_t>(axis)]);
    strides.push_back(strides_of(shape(x))[static_cast<std::size_t>(axis)]);
  }
  return node("Transpose", Move{places(out, strides, 0)}, {x}, out);
}

int NetworkBuilder::slice(int x, std::size_t axis, int begin, int end, int step, const std::string& name) {
  Shape out = shape(x);
  std::vector<std::int64_t> strides = strides_of(out);
  const std::int64_t offset = begin * strides[axis];
  out[axis] = (end - begin + step - 1) / step;
  strides[axis] *= step;
  return node("Slice", Move{places(out, strides, offset)}, {x}, out, name);
}

int NetworkBuilder::concat(const std::vector<int>& values, std::size_t axis, const std::string& name) {
  Shape out = shape(values.front());
  out[axis] = 0;
  for (const int value : values) out[axis] += shape(value)[axis];
  Move move;
  move.source.resize(static_cast<std::size_t>(element_count(out)));
  std::int64_t begin = 0;
  std::int32_t source = 0;
  for (const int value : values) {
    const std::vector<std::int64_t> strides = strides_of(out);
    for (const std::int32_t place : places(shape(value), strides, begin * strides[axis]))
      move.source[static_cast<std::size_t>(place)] = source++;
    begin += shape(value)[axis];
  }
  return node("Concat", move, values, out, name);
}

int NetworkBuilder::roll(int x, std::size_t axis, int by) {
  const int extent = static_cast<int>(shape(x)[axis]);
  return concat({slice(x, axis, by, extent), slice(x, axis, 0, by)}, axis);
}

Network NetworkBuilder::network(int output) const {
  Network result = network_;
  result.output = output;
  return result;
}

}  // namespace lpa::workloads::testing
