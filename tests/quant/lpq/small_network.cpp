#include "tests/quant/lpq/small_network.h"

#include <cmath>
#include <functional>
#include <random>

namespace lpa::lpq::testing {
namespace {

using workloads::Network;
using workloads::Shape;
using workloads::Tensor;

class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::uint64_t seed) : random_(seed) {
    network_.file = "small.onnx";
    network_.input = value("input", {1, 3, 8, 8});
  }

  Tensor tensor(const Shape& shape, double scale) {
    std::normal_distribution<double> normal(0, scale);
    Tensor result{shape, {}};
    for (std::int64_t i = 0; i < workloads::element_count(shape); ++i) {
      result.data.push_back(static_cast<float>(normal(random_)));
    }
    return result;
  }

  int node(const std::string& name, const std::string& op, workloads::Operator attributes, std::vector<int> inputs,
           const Shape& shape) {
    const int output = value(name + "_output", shape);
    network_.nodes.push_back({name, op, std::move(attributes), std::move(inputs), output});
    return output;
  }

  Network finish(int output) {
    network_.output = output;
    return std::move(network_);
  }

  int input() const { return network_.input; }

  int constant(const std::string& name, const Shape& shape, double scale) {
    return node(name, "Constant", workloads::Constant{tensor(shape, scale)}, {}, shape);
  }

  int linear(const std::string& name, int input, int tokens, int in, int out) {
    workloads::Gemm gemm{.weights = tensor({out, in}, 1 / std::sqrt(in)), .bias = tensor({out}, 0.1)};
    return node(name, "Gemm", std::move(gemm), {input}, {1, tokens, out});
  }

  int normalize(const std::string& name, int input, int tokens, int channels) {
    workloads::LayerNorm norm{.scale = tensor({channels}, 0.2), .shift = tensor({channels}, 0.2)};
    for (float& scale : norm.scale.data) scale += 1;
    return node(name, "LayerNormalization", std::move(norm), {input}, {1, tokens, channels});
  }

  /// Element (i0, i1, ...) of the output is element source(i0, i1, ...) of the inputs.
  int move(const std::string& name, std::vector<int> inputs, const Shape& shape,
           const std::function<std::int64_t(std::int64_t, std::int64_t, std::int64_t)>& source) {
    workloads::Move move;
    const std::int64_t inner = shape.back(), middle = shape[shape.size() - 2];
    for (std::int64_t i = 0; i < workloads::element_count(shape); ++i) {
      move.source.push_back(static_cast<std::int32_t>(source(i / inner / middle, i / inner % middle, i % inner)));
    }
    return node(name, "Transpose", std::move(move), std::move(inputs), shape);
  }

 private:
  int value(const std::string& name, const Shape& shape) {
    network_.values.push_back({name, shape});
    return static_cast<int>(network_.values.size()) - 1;
  }

  std::mt19937_64 random_;
  Network network_;
};

workloads::Conv conv3x3(NetworkBuilder& builder, int in, int out) {
  workloads::Conv conv;
  conv.kernel = {3, 3};
  conv.strides = conv.dilations = {1, 1};
  conv.pads = {1, 1, 1, 1};
  conv.weights = builder.tensor({out, in, 3, 3}, 0.3);
  conv.bias = builder.tensor({out}, 0.2);
  return conv;
}

}  // namespace

Network make_small_network(std::uint64_t seed) {
  NetworkBuilder b(seed);
  const Shape map{1, 6, 8, 8};
  const int conv1 = b.node("conv1", "Conv", conv3x3(b, 3, 6), {b.input()}, map);
  const int relu1 = b.node("relu1", "Relu", workloads::Relu{}, {conv1}, map);
  const int conv2 = b.node("conv2", "Conv", conv3x3(b, 6, 6), {relu1}, map);
  const int sum = b.node("sum", "Add", workloads::Add{}, {conv2, relu1}, map);
  const int relu2 = b.node("relu2", "Relu", workloads::Relu{}, {sum}, map);
  workloads::Pool pool;
  pool.kind = workloads::Pool::Kind::max;
  pool.kernel = pool.strides = {2, 2};
  pool.pads = {0, 0, 0, 0};
  pool.dilations = {1, 1};
  const int pooled = b.node("pool", "MaxPool", pool, {relu2}, {1, 6, 4, 4});
  const int average = b.node("average", "GlobalAveragePool", workloads::GlobalAveragePool{}, {pooled}, {1, 6, 1, 1});
  const int flat = b.node("flatten", "Flatten", workloads::Reshape{}, {average}, {1, 6});
  const workloads::Gemm gemm{.weights = b.tensor({4, 6}, 0.5), .bias = b.tensor({4}, 0.2)};
  return b.finish(b.node("fc", "Gemm", gemm, {flat}, {1, 4}));
}

Network make_small_transformer(std::uint64_t seed) {
  constexpr int tokens = 5, channels = 8, heads = 2, depth = channels / heads;
  NetworkBuilder b(seed);
  workloads::Conv conv;
  conv.kernel = conv.strides = {4, 4};
  conv.dilations = {1, 1};
  conv.pads = {0, 0, 0, 0};
  conv.weights = b.tensor({channels, 3, 4, 4}, 0.15);
  conv.bias = b.tensor({channels}, 0.2);
  const int patches = b.node("patches", "Conv", conv, {b.input()}, {1, channels, 2, 2});
  const int token = b.constant("token", {1, 1, channels}, 1);
  const int joined = b.move("join", {token, patches}, {1, tokens, channels},
                            [](auto, auto t, auto c) { return t == 0 ? c : channels + c * (tokens - 1) + t - 1; });
  const int position = b.constant("position", {1, tokens, channels}, 0.5);
  const int start = b.node("embed", "Add", workloads::Add{}, {joined, position}, {1, tokens, channels});

  const int qkv = b.linear("qkv", b.normalize("norm1", start, tokens, channels), tokens, channels, 3 * channels);
  const auto head = [](int part) {
    return [part](auto h, auto t, auto c) { return t * 3 * channels + part * channels + h * depth + c; };
  };
  const Shape split{1, heads, tokens, depth}, square{1, heads, tokens, tokens};
  const int query = b.move("query", {qkv}, split, head(0));
  const int key =
      b.move("key", {qkv}, {1, heads, depth, tokens}, [&](auto h, auto c, auto t) { return head(1)(h, t, c); });
  const int scaled = b.node("scale", "Mul", workloads::Scale{.factor = 0.5F}, {query}, split);
  const int scores = b.node("scores", "MatMul", workloads::MatMul{}, {scaled, key}, square);
  const int weights = b.node("softmax", "Softmax", workloads::Softmax{}, {scores}, square);
  const int values = b.move("values", {qkv}, split, head(2));
  const int context = b.node("context", "MatMul", workloads::MatMul{}, {weights, values}, split);
  const int merged = b.move("merge", {context}, {1, tokens, channels},
                            [](auto, auto t, auto c) { return (c / depth * tokens + t) * depth + c % depth; });
  const int projected = b.linear("projection", merged, tokens, channels, channels);
  const int first = b.node("add1", "Add", workloads::Add{}, {projected, start}, {1, tokens, channels});

  const int wide = b.linear("fc1", b.normalize("norm2", first, tokens, channels), tokens, channels, 2 * channels);
  const int curved = b.node("gelu", "Gelu", workloads::Gelu{}, {wide}, {1, tokens, 2 * channels});
  const int narrow = b.linear("fc2", curved, tokens, 2 * channels, channels);
  const int second = b.node("add2", "Add", workloads::Add{}, {narrow, first}, {1, tokens, channels});
  const int last = b.normalize("norm3", second, tokens, channels);
  const int chosen = b.move("choose", {last}, {1, 1, channels}, [](auto, auto, auto c) { return c; });
  return b.finish(b.linear("head", chosen, 1, channels, 4));
}

workloads::Dataset make_small_dataset(std::uint64_t seed, int count) {
  std::mt19937_64 random(seed);
  workloads::Dataset dataset;
  dataset.name = "small";
  dataset.classes = {"a", "b", "c", "d"};
  dataset.mean = {0.5F, 0.5F, 0.4F};
  dataset.std = {0.25F, 0.3F, 0.25F};
  dataset.count = count;
  dataset.height = dataset.width = 8;
  dataset.channels = 3;
  for (int i = 0; i < count * 8 * 8 * 3; ++i) dataset.pixels.push_back(static_cast<std::uint8_t>(random() & 0xFF));
  for (int i = 0; i < count; ++i) dataset.labels.push_back(static_cast<std::uint8_t>(random() & 3));
  return dataset;
}

}  // namespace lpa::lpq::testing
