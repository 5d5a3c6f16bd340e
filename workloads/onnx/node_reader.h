#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "workloads/onnx/constant.h"

namespace onnx {
class AttributeProto;
class NodeProto;
}  // namespace onnx

namespace lpa::workloads::detail {

/// What an input name of a node stands for: exactly one of the two is set.
struct Operand {
  std::shared_ptr<Constant> constant;  ///< Shared by all who use it; nobody changes it.
  int value = -1;                      ///< Index into Network::values.

  bool defined() const { return constant != nullptr || value >= 0; }
};

/// Checked access to one ONNX node: every error names the file and the node. Refers to the node and must not outlive
/// it.
class NodeReader {
 public:
  NodeReader(const std::string& file, const ::onnx::NodeProto& node, std::string name, std::vector<Operand> inputs);

  const std::string& name() const { return name_; }
  const std::string& op() const;
  std::size_t input_count() const { return inputs_.size(); }
  const std::string& input_name(std::size_t i) const;

  /// Whether input i is there; optional inputs may be absent.
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i].defined(); }
  bool is_constant(std::size_t i) const { return has(i) && inputs_[i].constant != nullptr; }

  const Operand& operand(std::size_t i) const { return inputs_[i]; }
  /// Index of the network value that input i is; fails if it is absent or constant.
  int value(std::size_t i) const;
  /// The constant that input i is; fails if it is absent or computed from the network's input.
  const Constant& constant(std::size_t i) const;
  const std::vector<float>& floats(std::size_t i) const;
  const std::vector<std::int64_t>& integers(std::size_t i) const;
  /// The only element of the constant that input i is.
  double number(std::size_t i) const;
  /// The constant's floats, not copied if nobody else needs them; the input is spent then.
  std::vector<float> take_floats(std::size_t i);

  std::size_t output_count() const;
  const std::string& output_name(std::size_t i) const;

  bool has_attribute(const char* attribute) const;
  std::int64_t integer(const char* attribute, std::int64_t otherwise) const;
  /// The attribute, or fails if it is missing.
  std::int64_t integer(const char* attribute) const;
  float real(const char* attribute, float otherwise) const;
  std::string text(const char* attribute, const std::string& otherwise) const;
  std::vector<std::int64_t> integers(const char* attribute, std::vector<std::int64_t> otherwise) const;
  std::vector<float> reals(const char* attribute) const;
  Constant tensor(const char* attribute) const;

  /// Throws InputError "<file>: node '<name>' (<op>): <what>".
  [[noreturn]] void fail(const std::string& what) const;
  /// A callback that fails with `subject` before the text.
  Fail failure(const std::string& subject) const;

 private:
  /// The attribute of that name or null; fails if it has another type.
  const ::onnx::AttributeProto* find(const char* attribute, int type) const;

  const std::string& file_;
  const ::onnx::NodeProto& node_;
  std::string name_;
  std::vector<Operand> inputs_;
};

}  // namespace lpa::workloads::detail
