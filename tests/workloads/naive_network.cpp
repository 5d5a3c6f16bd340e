#include <algorithm>
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

std::vector<float> evaluate(const Conv& conv, const Inputs& in, const Shape&) {
  return naive_conv(*in[0], conv.weights, conv.bias, window_of(conv.kernel, conv.strides, conv.pads, conv.dilations),
                    conv.groups)
      .data;
}
std::vector<float> evaluate(const Gemm& gemm, const Inputs& in, const Shape& shape) {
  const auto k = static_cast<std::size_t>(in[0]->shape.back());
  std::vector<float> result;
  for (std::size_t i = 0; i < static_cast<std::size_t>(element_count(shape)); ++i) {
    const std::size_t row = i / gemm.bias.data.size(), column = i % gemm.bias.data.size();
    double sum = gemm.bias.data[column];
    for (std::size_t j = 0; j < k; ++j) sum += double{in[0]->data[row * k + j]} * gemm.weights.data[column * k + j];
    result.push_back(static_cast<float>(sum));
  }
  return result;
}
std::vector<float> evaluate(const MatMul&, const Inputs& in, const Shape&) {
  return naive_matmul(*in[0], *in[1]).data;
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
std::vector<float> evaluate(const Softmax&, const Inputs& in, const Shape&) {
  return naive_softmax(*in[0]).data;
}
std::vector<float> evaluate(const LayerNorm& norm, const Inputs& in, const Shape&) {
  return naive_layer_norm(*in[0], norm.scale, norm.shift, double{norm.epsilon}).data;
}
std::vector<float> evaluate(const Constant& constant, const Inputs&, const Shape&) {
  return constant.value.data;
}

std::vector<float> evaluate(const Relu&, const Inputs& in, const Shape&) {
  return naive_map(*in[0], [](double x) { return std::max(x, 0.0); }).data;
}
std::vector<float> evaluate(const Clip& clip, const Inputs& in, const Shape&) {
  return naive_map(*in[0], [&](double x) { return std::min<double>(std::max<double>(x, clip.low), clip.high); }).data;
}
std::vector<float> evaluate(const Gelu&, const Inputs& in, const Shape&) {
  return naive_map(*in[0], naive_gelu).data;
}
std::vector<float> evaluate(const Scale& scale, const Inputs& in, const Shape&) {
  return naive_map(*in[0], [&](double x) { return x * scale.factor; }).data;
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
