#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <stdexcept>

#include "tests/workloads/naive_operators.h"
#include "tests/workloads/network_builder.h"

namespace lpa::workloads::testing {
namespace {

using Inputs = std::vector<const Tensor*>;

NaiveWindow window_of(const std::vector<int>& kernel, const std::vector<int>& strides, const std::vector<int>& pads,
                      const std::vector<int>& dilations) {
  return {kernel[0], kernel[1], strides[0], strides[1], pads[0], pads[1], pads[2], pads[3], dilations[0], dilations[1]};
}

/// [..., M, K] by [..., K, N], or by [N, K] for every row.
std::vector<float> products(const Tensor& a, const std::vector<float>& b, std::size_t n, bool rows_of_b) {
  const auto k = static_cast<std::size_t>(a.shape.back());
  const std::size_t m = rows_of_b ? a.data.size() / k : static_cast<std::size_t>(a.shape[a.shape.size() - 2]);
  std::vector<float> result;
  for (std::size_t row = 0; row < a.data.size() / k; ++row)
    for (std::size_t column = 0; column < n; ++column) {
      double sum = 0;
      for (std::size_t i = 0; i < k; ++i)
        sum += double{a.data[row * k + i]} * (rows_of_b ? b[column * k + i] : b[(row / m * k + i) * n + column]);
      result.push_back(static_cast<float>(sum));
    }
  return result;
}

std::vector<float> evaluate(const Conv& conv, const Inputs& in, const Shape&) {
  return naive_conv(*in[0], conv.weights, conv.bias, window_of(conv.kernel, conv.strides, conv.pads, conv.dilations),
                    conv.groups)
      .data;
}
std::vector<float> evaluate(const Gemm& gemm, const Inputs& in, const Shape&) {
  const std::size_t n = gemm.bias.data.size();
  std::vector<float> result = products(*in[0], gemm.weights.data, n, true);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] += gemm.bias.data[i % n];
  return result;
}
std::vector<float> evaluate(const MatMul&, const Inputs& in, const Shape& shape) {
  return products(*in[0], in[1]->data, static_cast<std::size_t>(shape.back()), false);
}
std::vector<float> evaluate(const Add&, const Inputs& in, const Shape&) {
  std::vector<float> result = in[0]->data;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] += in[1]->data[i];
  return result;
}
std::vector<float> evaluate(const Pool& pool, const Inputs& in, const Shape&) {
  const Pooling kind = pool.kind == Pool::Kind::max ? Pooling::max
                       : pool.count_include_pad     ? Pooling::average_with_padding
                                                    : Pooling::average;
  return naive_pool(*in[0], kind, window_of(pool.kernel, pool.strides, pool.pads, pool.dilations), false).data;
}
std::vector<float> evaluate(const GlobalAveragePool&, const Inputs& in, const Shape&) {
  const std::size_t area = static_cast<std::size_t>(in[0]->shape[2] * in[0]->shape[3]);
  std::vector<double> sums(in[0]->data.size() / area, 0);
  for (std::size_t i = 0; i < in[0]->data.size(); ++i) sums[i / area] += in[0]->data[i];
  std::vector<float> result;
  for (const double sum : sums) result.push_back(static_cast<float>(sum / static_cast<double>(area)));
  return result;
}
std::vector<float> evaluate(const Pad& pad, const Inputs& in, const Shape& shape) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    std::int64_t rest = i, place = 0, stride = 1;
    bool inside = true;
    for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis], stride *= in[0]->shape[axis]) {
      const std::int64_t at = rest % shape[axis] - pad.begins[axis];
      inside = inside && at >= 0 && at < in[0]->shape[axis];
      place += at * stride;
    }
    result.push_back(inside ? in[0]->data[static_cast<std::size_t>(place)] : pad.value);
  }
  return result;
}
std::vector<float> evaluate(const Reshape&, const Inputs& in, const Shape&) {
  return in[0]->data;
}
std::vector<float> evaluate(const Move& move, const Inputs& in, const Shape&) {
  std::vector<float> all, result;
  for (const Tensor* tensor : in) all.insert(all.end(), tensor->data.begin(), tensor->data.end());
  for (const std::int32_t source : move.source)
    result.push_back(source < 0 ? 0 : all.at(static_cast<std::size_t>(source)));
  return result;
}
std::vector<float> evaluate(const Softmax&, const Inputs& in, const Shape& shape) {
  std::vector<float> result = in[0]->data;
  for (auto row = result.begin(); row != result.end(); row += shape.back()) {
    double sum = 0;
    for (auto x = row; x != row + shape.back(); ++x) sum += std::exp(double{*x});
    for (auto x = row; x != row + shape.back(); ++x) *x = static_cast<float>(std::exp(double{*x}) / sum);
  }
  return result;
}
std::vector<float> evaluate(const LayerNorm& norm, const Inputs& in, const Shape& shape) {
  const auto k = static_cast<std::size_t>(shape.back());
  std::vector<float> result = in[0]->data;
  for (std::size_t row = 0; row < result.size(); row += k) {
    double sum = 0, squares = 0;
    for (std::size_t i = row; i < row + k; ++i) sum += result[i], squares += double{result[i]} * result[i];
    const double n = static_cast<double>(k), mean = sum / n, variance = squares / n - mean * mean;
    for (std::size_t i = 0; i < k; ++i)
      result[row + i] = static_cast<float>(
          (result[row + i] - mean) / std::sqrt(variance + norm.epsilon) * norm.scale.data[i] + norm.shift.data[i]);
  }
  return result;
}
std::vector<float> evaluate(const Constant& constant, const Inputs&, const Shape&) {
  return constant.value.data;
}

template <class Function>
std::vector<float> map(const Tensor& in, Function function) {
  std::vector<float> result;
  for (const float x : in.data) result.push_back(static_cast<float>(function(double{x})));
  return result;
}
std::vector<float> evaluate(const Relu&, const Inputs& in, const Shape&) {
  return map(*in[0], [](double x) { return std::max(x, 0.0); });
}
std::vector<float> evaluate(const Clip& clip, const Inputs& in, const Shape&) {
  return map(*in[0], [&](double x) { return std::min<double>(std::max<double>(x, clip.low), clip.high); });
}
std::vector<float> evaluate(const Gelu&, const Inputs& in, const Shape&) {
  return map(*in[0], [](double x) { return x * 0.5 * std::erfc(-x / std::numbers::sqrt2); });
}
std::vector<float> evaluate(const Scale& scale, const Inputs& in, const Shape&) {
  return map(*in[0], [&](double x) { return x * scale.factor; });
}

}  // namespace

std::vector<Tensor> naive_network(const Network& network, const Tensor& input) {
  std::vector<Tensor> values(network.values.size());
  values[static_cast<std::size_t>(network.input)] = input;
  for (const Node& node : network.nodes) {
    Inputs in;
    for (const int value : node.inputs) in.push_back(&values[static_cast<std::size_t>(value)]);
    const Shape& shape = network.values[static_cast<std::size_t>(node.output)].shape;
    Tensor result{shape, std::visit([&](const auto& op) { return evaluate(op, in, shape); }, node.attributes)};
    if (static_cast<std::int64_t>(result.data.size()) != element_count(shape)) throw std::logic_error(node.name);
    values[static_cast<std::size_t>(node.output)] = std::move(result);
  }
  return values;
}

}  // namespace lpa::workloads::testing
