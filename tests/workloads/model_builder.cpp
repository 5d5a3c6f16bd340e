#include "tests/workloads/model_builder.h"

#include <fmt/format.h>

#include "workloads/onnx_import.h"

namespace lpa::workloads::testing {

int pick(Random& random, int least, int most) {
  return std::uniform_int_distribution(least, most)(random);
}

Tensor random_tensor(const Shape& shape, Random& random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  Tensor tensor{shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)))};
  for (float& value : tensor.data) value = uniform(random);
  return tensor;
}

ModelBuilder::ModelBuilder(const Shape& input, int opset) {
  model.set_ir_version(7);
  model.add_opset_import()->set_version(opset);
  auto* value = model.mutable_graph()->add_input();
  value->set_name("input");
  auto* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : input) {
    auto* dimension = type->mutable_shape()->add_dim();
    if (size > 0)
      dimension->set_dim_value(size);
    else
      dimension->set_dim_param("N");
  }
}

std::string ModelBuilder::node(const std::string& op, const std::vector<std::string>& inputs, const std::string& name) {
  auto* node = model.mutable_graph()->add_node();
  node->set_op_type(op);
  node->set_name(name.empty() ? fmt::format("{}{}", op, model.graph().node_size()) : name);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(node->name());
  return node->name();
}

std::vector<std::string> ModelBuilder::split_node(const std::string& op, const std::vector<std::string>& inputs,
                                                  int outputs) {
  const std::string name = node(op, inputs);
  auto* added = model.mutable_graph()->mutable_node(model.graph().node_size() - 1);
  added->clear_output();
  for (int i = 0; i < outputs; ++i) added->add_output(fmt::format("{}_{}", name, i));
  return {added->output().begin(), added->output().end()};
}

onnx::AttributeProto& ModelBuilder::attribute(const std::string& name, onnx::AttributeProto::AttributeType type) {
  auto* attribute = model.mutable_graph()->mutable_node(model.graph().node_size() - 1)->add_attribute();
  attribute->set_name(name);
  attribute->set_type(type);
  return *attribute;
}

ModelBuilder& ModelBuilder::ints(const std::string& name, const std::vector<std::int64_t>& values) {
  auto& added = attribute(name, onnx::AttributeProto::INTS);
  for (const std::int64_t value : values) added.add_ints(value);
  return *this;
}

ModelBuilder& ModelBuilder::integer(const std::string& name, std::int64_t value) {
  attribute(name, onnx::AttributeProto::INT).set_i(value);
  return *this;
}

ModelBuilder& ModelBuilder::real(const std::string& name, float value) {
  attribute(name, onnx::AttributeProto::FLOAT).set_f(value);
  return *this;
}

ModelBuilder& ModelBuilder::text(const std::string& name, const std::string& value) {
  attribute(name, onnx::AttributeProto::STRING).set_s(value);
  return *this;
}

std::string ModelBuilder::constant(const Tensor& tensor, const std::string& name) {
  auto* added = model.mutable_graph()->add_initializer();
  added->set_name(name.empty() ? fmt::format("constant{}", model.graph().initializer_size()) : name);
  added->set_data_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t size : tensor.shape) added->add_dims(size);
  added->set_raw_data(tensor.data.data(), tensor.data.size() * sizeof(float));
  return added->name();
}

std::string ModelBuilder::constant(const std::vector<std::int64_t>& values, const std::string& name) {
  auto* added = model.mutable_graph()->add_initializer();
  added->set_name(name.empty() ? fmt::format("constant{}", model.graph().initializer_size()) : name);
  added->set_data_type(onnx::TensorProto::INT64);
  added->add_dims(static_cast<std::int64_t>(values.size()));
  for (const std::int64_t value : values) added->add_int64_data(value);
  return added->name();
}

std::string ModelBuilder::scalar(std::int64_t value) {
  const std::string name = constant(std::vector<std::int64_t>{value});
  model.mutable_graph()->mutable_initializer(model.graph().initializer_size() - 1)->clear_dims();
  return name;
}

std::string ModelBuilder::real_scalar(float value) {
  return constant(Tensor{{}, {value}});
}

std::string ModelBuilder::conv(const std::string& input, int in_c, int out_c, int kernel, int stride, int pad,
                               Random& random, const std::string& name) {
  const std::string weights = constant(random_tensor({out_c, in_c, kernel, kernel}, random));
  const std::string bias = constant(random_tensor({out_c}, random));
  const std::string result = node("Conv", {input, weights, bias}, name);
  ints("kernel_shape", {kernel, kernel}).ints("strides", {stride, stride}).ints("pads", {pad, pad, pad, pad});
  return result;
}

std::string ModelBuilder::gemm(const std::string& input, int k, int n, Random& random, const std::string& name) {
  const std::string weights = constant(random_tensor({n, k}, random));
  const std::string bias = constant(random_tensor({n}, random));
  const std::string result = node("Gemm", {input, weights, bias}, name);
  integer("transB", 1);
  return result;
}

void ModelBuilder::output(const std::string& name) {
  model.mutable_graph()->add_output()->set_name(name);
}

std::string ModelBuilder::bytes() const {
  return model.SerializeAsString();
}

Network ModelBuilder::import() const {
  return import_bytes(bytes());
}

Network import_bytes(std::string_view bytes) {
  static const TemporaryFolder folder;
  const std::filesystem::path file = folder / "model.onnx";
  // A fresh file each time: overwriting one makes some file systems wait for the disk.
  std::filesystem::remove(file);
  write_bytes(file, bytes);
  return import_onnx(file);
}

}  // namespace lpa::workloads::testing
