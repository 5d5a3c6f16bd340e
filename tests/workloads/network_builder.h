#pragma once

#include <string>
#include <vector>

#include "tests/workloads/model_builder.h"
#include "workloads/network.h"

namespace lpa::workloads::testing {

/// Builds networks as the import leaves them. Every function adds a node, named after its operator and its number
/// unless a name is given, and returns the value that it computes. Weights are random.
class NetworkBuilder {
 public:
  NetworkBuilder(const Shape& input_shape, Random& random);

  static constexpr int input = 0;
  const Shape& shape(int value) const { return network_.values[static_cast<std::size_t>(value)].shape; }

  int node(const std::string& op, Operator attributes, const std::vector<int>& inputs, const Shape& shape,
           const std::string& name = "");
  int constant(const Shape& shape, const std::string& name = "");

  int conv(int x, int out_c, int kernel, int stride, int pad, int groups = 1, const std::string& name = "");
  int linear(int x, int n, const std::string& name = "");
  int matmul(int a, int b, const std::string& name = "");
  int add(int a, int b, const std::string& name = "");
  int scale(int x, float factor, const std::string& name = "");
  int layer_norm(int x);
  /// Relu, Clip, Gelu, Softmax.
  int pointwise(const std::string& op, Operator attributes, int x, const std::string& name = "");

  int reshape(int x, const Shape& shape);
  int transpose(int x, const std::vector<int>& axes);
  int slice(int x, std::size_t axis, int begin, int end, int step = 1, const std::string& name = "");
  int concat(const std::vector<int>& values, std::size_t axis, const std::string& name = "");
  /// Rotates an axis to the left: slices and a concatenation.
  int roll(int x, std::size_t axis, int by);

  /// The network with that output.
  Network network(int output) const;

 private:
  Network network_;
  Random* random_;
};

/// Every value of the network for an input: loops in double precision, written apart from the library.
std::vector<Tensor> naive_network(const Network& network, const Tensor& input);

}  // namespace lpa::workloads::testing
