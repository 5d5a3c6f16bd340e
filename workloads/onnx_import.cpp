#include "workloads/onnx_import.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include "workloads/input_error.h"
#include "workloads/input_file.h"
#include "workloads/onnx/fold.h"
#include "workloads/onnx/operators.h"

namespace lpa::workloads {
namespace {

using detail::Constant;
using detail::NodeReader;
using detail::Operand;

constexpr std::int64_t first_opset = 13, last_opset = 17;

::onnx::ModelProto parse_model(const std::filesystem::path& path) {
  const std::string bytes = read_whole_file(path);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw InputError(fmt::format("{}: {} bytes, but an ONNX file has less than 2 GiB", path.string(), bytes.size()));
  ::onnx::ModelProto model;
  google::protobuf::io::ArrayInputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream stream(&array);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  if (!model.ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage() || !model.has_graph() ||
      model.graph().node_size() == 0)
    throw InputError(fmt::format("{}: not an ONNX model, or truncated ({} bytes)", path.string(), bytes.size()));
  return model;
}

/// Turns the ONNX graph into a Network, node by node in the file's order, which ONNX requires to be topological.
class GraphImporter {
 public:
  GraphImporter(std::string file, const ::onnx::ModelProto& model) : model_(model), graph_(model.graph()) {
    network_.file = std::move(file);
  }

  Network run() {
    check_opset();
    if (graph_.output_size() != 1) fail(fmt::format("has {} outputs (supported: 1)", graph_.output_size()));
    if (graph_.sparse_initializer_size() > 0) fail("has sparse initializers, which are not supported");
    find_live_nodes();
    read_initializers();
    read_input();
    for (int i = 0; i < graph_.node_size(); ++i)
      if (live_[static_cast<std::size_t>(i)]) import_node(i);

    const std::string& name = graph_.output(0).name();
    const auto output = operands_.find(name);
    if (output == operands_.end()) fail(fmt::format("output '{}' is produced by no node", name));
    if (output->second.constant || output->second.value == network_.input)
      fail(fmt::format("output '{}' is not computed from the input", name));
    network_.output = output->second.value;
    remove_dead_nodes();
    return std::move(network_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(network_.file + ": " + what); }

  void check_opset() const {
    for (const auto& entry : model_.opset_import()) {
      if (!entry.domain().empty() && entry.domain() != "ai.onnx") continue;
      if (entry.version() < first_opset || entry.version() > last_opset)
        fail(fmt::format("ONNX opset {} is not supported (supported: {} to {})", entry.version(), first_opset,
                         last_opset));
      return;
    }
    fail("names no ONNX opset: not an ONNX model, or truncated");
  }

  /// Marks the nodes that the output depends on and counts the uses of each name by them.
  void find_live_nodes() {
    std::unordered_map<std::string, int> producer;
    for (int i = 0; i < graph_.node_size(); ++i)
      for (const std::string& name : graph_.node(i).output())
        if (!name.empty() && !producer.emplace(name, i).second)
          fail(fmt::format("node '{}': value '{}' is produced twice", node_name(i), name));
    live_.assign(static_cast<std::size_t>(graph_.node_size()), false);
    std::vector<std::string> pending{graph_.output(0).name()};
    uses_[graph_.output(0).name()] = 1;
    while (!pending.empty()) {
      const auto found = producer.find(pending.back());
      pending.pop_back();
      if (found == producer.end() || live_[static_cast<std::size_t>(found->second)]) continue;
      live_[static_cast<std::size_t>(found->second)] = true;
      for (const std::string& name : graph_.node(found->second).input()) {
        uses_[name] += graph_.node(found->second).op_type() == "Shape" ? 0 : 1;  // Shape reads no values.
        pending.push_back(name);
      }
    }
  }

  void define(const std::string& name, Operand operand) {
    if (!operands_.emplace(name, std::move(operand)).second) fail(fmt::format("value '{}' is defined twice", name));
  }

  void read_initializers() {
    for (const auto& tensor : graph_.initializer()) {
      if (!uses_.contains(tensor.name())) continue;
      const auto failure = [&](const std::string& what) {
        fail(fmt::format("initializer '{}' {}", tensor.name(), what));
      };
      define(tensor.name(), {std::make_shared<Constant>(detail::read_tensor(tensor, failure)), -1});
    }
  }

  void read_input() {
    std::unordered_set<std::string> initializers;
    for (const auto& tensor : graph_.initializer()) initializers.insert(tensor.name());
    const ::onnx::ValueInfoProto* input = nullptr;
    for (const auto& candidate : graph_.input()) {
      if (initializers.contains(candidate.name())) continue;  // Older exporters list weights as inputs too.
      if (input) fail(fmt::format("has more than one input: '{}' and '{}'", input->name(), candidate.name()));
      input = &candidate;
    }
    if (!input) fail("has no input");
    const auto invalid = [&](const std::string& what) { fail(fmt::format("input '{}' {}", input->name(), what)); };
    const auto& type = input->type().tensor_type();
    if (!input->type().has_tensor_type() || type.elem_type() != ::onnx::TensorProto::FLOAT)
      invalid("is not a tensor of FLOAT");
    Shape shape;
    for (const auto& dimension : type.shape().dim()) {
      const bool fixed = dimension.has_dim_value() && dimension.dim_value() > 0;
      if (shape.empty()) {
        if (fixed && dimension.dim_value() != 1)
          invalid(fmt::format("has batch size {} (supported: 1 or symbolic)", dimension.dim_value()));
        shape.push_back(1);
      } else {
        if (!fixed) invalid(fmt::format("has no fixed size on axis {} (supported: only the batch)", shape.size()));
        shape.push_back(dimension.dim_value());
      }
    }
    if (shape.size() < 2) invalid("has fewer than two axes (expected 1 x C x H x W or 1 x K)");
    detail::checked_count(shape, invalid);
    network_.input = 0;
    network_.values.push_back({input->name(), std::move(shape)});
    value_uses_.push_back(uses_[input->name()]);
    define(input->name(), {nullptr, 0});
  }

  std::string node_name(int index) const {
    const auto& node = graph_.node(index);
    return node.name().empty() ? fmt::format("{}_{}", node.op_type(), index) : node.name();
  }

  void import_node(int index) {
    const auto& node = graph_.node(index);
    std::vector<Operand> inputs;
    bool constant = true;
    for (const std::string& name : node.input()) {
      const auto found = operands_.find(name);
      if (!name.empty() && found == operands_.end())
        fail(
            fmt::format("node '{}' ({}): input '{}' is produced by no earlier node (missing, or the graph has a cycle)",
                        node_name(index), node.op_type(), name));
      inputs.push_back(name.empty() ? Operand{} : found->second);
      constant = constant && (name.empty() || inputs.back().constant);
    }
    if (node.output_size() == 0 || node.output(0).empty())
      fail(fmt::format("node '{}' ({}): the first output is not the one that is used", node_name(index),
                       node.op_type()));
    const std::string& output = node.output(0);
    if (!node.domain().empty() && node.domain() != "ai.onnx")
      fail(fmt::format("node '{}': operator '{}.{}' is not supported (supported: {})", node_name(index), node.domain(),
                       node.op_type(), detail::supported_operators));

    const NodeReader reader(network_.file, node, node_name(index), std::move(inputs));
    // The shape of a computed value is as good as a constant.
    if (node.op_type() == "Shape" && reader.has(0) && !reader.is_constant(0)) {
      const Shape& shape = network_.values[static_cast<std::size_t>(reader.value(0))].shape;
      define(output, {std::make_shared<Constant>(detail::fold_shape(reader, shape)), -1});
      return;
    }
    if (constant) {
      if (auto folded = detail::fold(reader)) {
        define(output, {std::make_shared<Constant>(std::move(*folded)), -1});
        return;
      }
    }
    const std::size_t known = network_.values.size();
    const int value = detail::import_operator(network_, reader, output, [this](int candidate) {
      return value_uses_[static_cast<std::size_t>(candidate)] == 1;
    });
    // A node that left its input's value in place gives it its own users instead of itself.
    if (static_cast<std::size_t>(value) < known) value_uses_[static_cast<std::size_t>(value)] += uses_[output] - 1;
    value_uses_.resize(network_.values.size(), uses_[output]);
    define(output, {nullptr, value});
  }

  /// Drops what only a folded Shape asked for, and the values that nothing computes or uses any more.
  void remove_dead_nodes() {
    std::vector<bool> needed(network_.values.size(), false);
    needed[static_cast<std::size_t>(network_.output)] = true;
    for (auto node = network_.nodes.rbegin(); node != network_.nodes.rend(); ++node)
      if (needed[static_cast<std::size_t>(node->output)])
        for (const int input : node->inputs) needed[static_cast<std::size_t>(input)] = true;
    if (!needed[0]) fail(fmt::format("output '{}' is not computed from the input", graph_.output(0).name()));
    std::erase_if(network_.nodes, [&](const Node& node) { return !needed[static_cast<std::size_t>(node.output)]; });
    std::vector<int> moved(network_.values.size(), -1);
    std::vector<Value> kept;
    for (std::size_t i = 0; i < needed.size(); ++i) {
      if (!needed[i]) continue;
      moved[i] = static_cast<int>(kept.size());
      kept.push_back(std::move(network_.values[i]));
    }
    network_.values = std::move(kept);
    network_.output = moved[static_cast<std::size_t>(network_.output)];
    for (Node& node : network_.nodes) {
      node.output = moved[static_cast<std::size_t>(node.output)];
      for (int& input : node.inputs) input = moved[static_cast<std::size_t>(input)];
    }
  }

  const ::onnx::ModelProto& model_;
  const ::onnx::GraphProto& graph_;
  Network network_;
  std::vector<bool> live_;
  std::unordered_map<std::string, int> uses_;  ///< Of a name, by live nodes and as the output.
  std::vector<int> value_uses_;                ///< Of a value, under all its names.
  std::unordered_map<std::string, Operand> operands_;
};

}  // namespace

Network import_onnx(const std::filesystem::path& path) {
  const ::onnx::ModelProto model = parse_model(path);
  return GraphImporter(path.string(), model).run();
}

}  // namespace lpa::workloads
