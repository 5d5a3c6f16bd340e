#include "tests/quant/lpq/small_network.h"

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
