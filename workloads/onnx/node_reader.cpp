#include "workloads/onnx/node_reader.h"

#include <utility>

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include "workloads/input_error.h"

namespace lpa::workloads::detail {

using Attribute = ::onnx::AttributeProto;

NodeReader::NodeReader(const std::string& file, const ::onnx::NodeProto& node, std::string name,
                       std::vector<Operand> inputs)
    : file_(file), node_(node), name_(std::move(name)), inputs_(std::move(inputs)) {}

const std::string& NodeReader::op() const {
  return node_.op_type();
}

const std::string& NodeReader::input_name(std::size_t i) const {
  return node_.input(static_cast<int>(i));
}

void NodeReader::fail(const std::string& what) const {
  throw InputError(fmt::format("{}: node '{}' ({}): {}", file_, name_, op(), what));
}

Fail NodeReader::failure(const std::string& subject) const {
  return [this, subject](const std::string& what) { fail(subject + " " + what); };
}

int NodeReader::value(std::size_t i) const {
  if (!has(i)) fail(fmt::format("input {} is missing", i));
  if (is_constant(i)) fail(fmt::format("input {} ('{}') is a constant (expected a computed value)", i, input_name(i)));
  return inputs_[i].value;
}

const Constant& NodeReader::constant(std::size_t i) const {
  if (!has(i)) fail(fmt::format("input {} is missing", i));
  if (!is_constant(i))
    fail(fmt::format("input {} ('{}') depends on the network's input (expected a constant)", i, input_name(i)));
  return *inputs_[i].constant;
}

const std::vector<float>& NodeReader::floats(std::size_t i) const {
  const Constant& found = constant(i);
  if (!found.is_float()) fail(fmt::format("input {} ('{}') holds integers (expected floats)", i, input_name(i)));
  return found.floats();
}

const std::vector<std::int64_t>& NodeReader::integers(std::size_t i) const {
  const Constant& found = constant(i);
  if (found.is_float()) fail(fmt::format("input {} ('{}') holds floats (expected integers)", i, input_name(i)));
  return found.integers();
}

double NodeReader::number(std::size_t i) const {
  const Constant& found = constant(i);
  return std::visit(
      [&](const auto& values) {
        if (values.size() != 1)
          fail(fmt::format("input {} ('{}') has shape {} (expected a single number)", i, input_name(i),
                           to_string(found.shape)));
        return static_cast<double>(values[0]);
      },
      found.data);
}

std::vector<float> NodeReader::take_floats(std::size_t i) {
  const std::vector<float>& values = floats(i);
  if (inputs_[i].constant.use_count() > 1) return values;
  return std::move(std::get<0>(inputs_[i].constant->data));
}

std::size_t NodeReader::output_count() const {
  return static_cast<std::size_t>(node_.output_size());
}

const std::string& NodeReader::output_name(std::size_t i) const {
  return node_.output(static_cast<int>(i));
}

const Attribute* NodeReader::find(const char* attribute, int type) const {
  for (const Attribute& candidate : node_.attribute()) {
    if (candidate.name() != attribute) continue;
    if (candidate.type() != type)
      fail(fmt::format("attribute '{}' has type {} (expected {})", attribute,
                       ::onnx::AttributeProto_AttributeType_Name(candidate.type()),
                       ::onnx::AttributeProto_AttributeType_Name(static_cast<Attribute::AttributeType>(type))));
    return &candidate;
  }
  return nullptr;
}

bool NodeReader::has_attribute(const char* attribute) const {
  for (const Attribute& candidate : node_.attribute())
    if (candidate.name() == attribute) return true;
  return false;
}

std::int64_t NodeReader::integer(const char* attribute, std::int64_t otherwise) const {
  const Attribute* found = find(attribute, Attribute::INT);
  return found ? found->i() : otherwise;
}

std::int64_t NodeReader::integer(const char* attribute) const {
  if (!has_attribute(attribute)) fail(fmt::format("attribute '{}' is missing", attribute));
  return integer(attribute, 0);
}

float NodeReader::real(const char* attribute, float otherwise) const {
  const Attribute* found = find(attribute, Attribute::FLOAT);
  return found ? found->f() : otherwise;
}

std::string NodeReader::text(const char* attribute, const std::string& otherwise) const {
  const Attribute* found = find(attribute, Attribute::STRING);
  return found ? found->s() : otherwise;
}

std::vector<std::int64_t> NodeReader::integers(const char* attribute, std::vector<std::int64_t> otherwise) const {
  const Attribute* found = find(attribute, Attribute::INTS);
  return found ? std::vector<std::int64_t>(found->ints().begin(), found->ints().end()) : std::move(otherwise);
}

std::vector<float> NodeReader::reals(const char* attribute) const {
  const Attribute* found = find(attribute, Attribute::FLOATS);
  return found ? std::vector<float>(found->floats().begin(), found->floats().end()) : std::vector<float>{};
}

Constant NodeReader::tensor(const char* attribute) const {
  const Attribute* found = find(attribute, Attribute::TENSOR);
  if (!found) fail(fmt::format("attribute '{}' is missing", attribute));
  return read_tensor(found->t(), failure(fmt::format("attribute '{}'", attribute)));
}

}  // namespace lpa::workloads::detail
