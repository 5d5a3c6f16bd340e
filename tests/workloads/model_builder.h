#pragma once

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/network.h"

namespace lpa::workloads::testing {

using Random = std::mt19937;

/// An integer between the two, both included.
int pick(Random& random, int least, int most);

/// Values between -1 and 1.
Tensor random_tensor(const Shape& shape, Random& random);

/// Builds ONNX models in memory.
class ModelBuilder {
 public:
  /// A model with the input "input" of that shape; 0 is a symbolic size.
  explicit ModelBuilder(const Shape& input, int opset = 13);

  /// Adds a node of one output named after itself, "<op><index>" unless named; returns that name.
  std::string node(const std::string& op, const std::vector<std::string>& inputs, const std::string& name = "");

  /// Adds a node of several outputs, named after it with "_0", "_1", ...; returns them.
  std::vector<std::string> split_node(const std::string& op, const std::vector<std::string>& inputs, int outputs);

  /// Attributes of the node added last.
  ModelBuilder& ints(const std::string& name, const std::vector<std::int64_t>& values);
  ModelBuilder& integer(const std::string& name, std::int64_t value);
  ModelBuilder& real(const std::string& name, float value);
  ModelBuilder& text(const std::string& name, const std::string& value);

  /// Adds initializers; return their names.
  std::string constant(const Tensor& tensor, const std::string& name = "");
  std::string constant(const std::vector<std::int64_t>& values, const std::string& name = "");
  std::string scalar(std::int64_t value);
  std::string real_scalar(float value);

  /// Conv of random weights and bias with the same pad on all sides; the output's name.
  std::string conv(const std::string& input, int in_c, int out_c, int kernel, int stride, int pad, Random& random,
                   const std::string& name = "");
  std::string gemm(const std::string& input, int k, int n, Random& random, const std::string& name = "");

  void output(const std::string& name);

  std::string bytes() const;
  /// Writes the model to a temporary file named "model.onnx" and imports it.
  Network import() const;

  onnx::ModelProto model;

 private:
  onnx::AttributeProto& attribute(const std::string& name, onnx::AttributeProto::AttributeType type);
};

Network import_bytes(std::string_view bytes);

}  // namespace lpa::workloads::testing
