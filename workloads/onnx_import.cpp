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
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/onnx_pb.h>

#include "workloads/input_error.h"
#include "workloads/input_file.h"
#include "workloads/onnx/fold.h"
#include "workloads/onnx/operators.h"
#include "workloads/onnx/patterns.h"

namespace lpa::workloads {
namespace {

using detail::Constant;
using detail::NodeReader;
using detail::Operand;
using detail::Pattern;

constexpr std::int64_t first_opset = 13, last_opset = 17;

::onnx::ModelProto parse_model(const std::filesystem::path& path) {
  InputFile file(path);
  if (file.size > static_cast<std::uint64_t>(std::numeric_limits<int>::max()))
    throw InputError(fmt::format("{}: {} bytes, but an ONNX file has less than 2 GiB", path.string(), file.size));
  ::onnx::ModelProto model;
  google::protobuf::io::IstreamInputStream bytes(&file.stream);
  google::protobuf::io::CodedInputStream stream(&bytes);
  stream.SetTotalBytesLimit(std::numeric_limits<int>::max());
  const auto limit = stream.PushLimit(static_cast<int>(file.size));
  const bool parsed = model.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage() &&
                      stream.CurrentPosition() == static_cast<int>(file.size);
  stream.PopLimit(limit);
  if (!parsed || !model.has_graph() || model.graph().node_size() == 0)
    throw InputError(fmt::format("{}: not an ONNX model, or truncated ({} bytes)", path.string(), file.size));
  return model;
}

/// Turns the ONNX graph into a Network, node by node in the file's order, which ONNX requires to be topological.
/// Weights move from the model to the network.
class GraphImporter {
 public:
  GraphImporter(const std::string& file, ::onnx::ModelProto& model)
      : model_(model), graph_(*model.mutable_graph()), builder_(file) {}

  Network run() {
    check_opset();
    if (graph_.output_size() != 1) fail(fmt::format("has {} outputs (supported: 1)", graph_.output_size()));
    if (graph_.sparse_initializer_size() > 0) fail("has sparse initializers, which are not supported");
    find_live_nodes();
    find_initializers();
    read_input();
    patterns_ = detail::find_patterns(graph_, live_);
    pattern_of_.assign(static_cast<std::size_t>(graph_.node_size()), nullptr);
    for (const Pattern& pattern : patterns_)
      for (const int node : pattern.nodes) pattern_of_[static_cast<std::size_t>(node)] = &pattern;
    for (int i = 0; i < graph_.node_size(); ++i) {
      if (!live_[static_cast<std::size_t>(i)]) continue;
      const Pattern* pattern = pattern_of_[static_cast<std::size_t>(i)];
      if (!pattern)
        import_node(i);
      else if (i == pattern->nodes.back())
        import_pattern(*pattern);
    }

    const std::string& name = graph_.output(0).name();
    const auto output = operands_.find(name);
    if (output == operands_.end() && !initializers_.contains(name))
      fail(fmt::format("output '{}' is produced by no node", name));
    if (output == operands_.end() || output->second.value < 0 || output->second.value == input_)
      fail(fmt::format("output '{}' is not computed from the input", name));
    return builder_.finish(output->second.value);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(builder_.file() + ": " + what); }

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

  /// Marks the nodes that the output depends on and counts how often each name is read by them.
  void find_live_nodes() {
    std::unordered_map<std::string, int> producer;
    for (int i = 0; i < graph_.node_size(); ++i)
      for (const std::string& name : graph_.node(i).output())
        if (!name.empty() && !producer.emplace(name, i).second)
          fail(fmt::format("node '{}': value '{}' is produced twice", node_name(i), name));
    live_.assign(static_cast<std::size_t>(graph_.node_size()), false);
    std::vector<std::string> pending{graph_.output(0).name()};
    ++uses_[graph_.output(0).name()].values;
    while (!pending.empty()) {
      const auto found = producer.find(pending.back());
      pending.pop_back();
      if (found == producer.end() || live_[static_cast<std::size_t>(found->second)]) continue;
      live_[static_cast<std::size_t>(found->second)] = true;
      for (const std::string& name : graph_.node(found->second).input()) {
        if (name.empty()) continue;
        ++(graph_.node(found->second).op_type() == "Shape" ? uses_[name].shapes : uses_[name].values);
        pending.push_back(name);
      }
    }
  }

  void define(const std::string& name, Operand operand) {
    if (operand.value >= 0) builder_.expect(operand.value, uses_[name].values);
    if (initializers_.contains(name) || !operands_.emplace(name, std::move(operand)).second)
      fail(fmt::format("value '{}' is defined twice", name));
  }

  void find_initializers() {
    for (auto& tensor : *graph_.mutable_initializer())
      if (uses_.contains(tensor.name()) && !initializers_.emplace(tensor.name(), &tensor).second)
        fail(fmt::format("value '{}' is defined twice", tensor.name()));
  }

  Operand read_initializer(::onnx::TensorProto& tensor) const {
    const auto failure = [&](const std::string& what) {
      fail(fmt::format("initializer '{}' {}", tensor.name(), what));
    };
    auto constant = std::make_shared<Constant>(detail::read_tensor(tensor, failure));
    if (tensor.has_raw_data()) delete tensor.release_raw_data();  // Clearing it would keep the memory.
    return {std::move(constant), -1};
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
    input_ = builder_.append_input(input->name(), std::move(shape));
    define(input->name(), {nullptr, input_});
  }

  std::string node_name(int index) const {
    const auto& node = graph_.node(index);
    return node.name().empty() ? fmt::format("{}_{}", node.op_type(), index) : node.name();
  }

  /// What a node's input is. At the last use of a constant the reader becomes its only owner.
  Operand operand(int index, const std::string& name) {
    if (name.empty()) return {};
    const auto known = operands_.find(name);
    const auto initializer = initializers_.find(name);
    if (known == operands_.end() && initializer == initializers_.end())
      fail(fmt::format("node '{}' ({}): input '{}' is produced by no earlier node (missing, or the graph has a cycle)",
                       node_name(index), graph_.node(index).op_type(), name));
    Operand& operand = known != operands_.end() ? known->second : operands_[name];
    if (!operand.defined() && initializer != initializers_.end()) operand = read_initializer(*initializer->second);
    Uses& uses = uses_[name];
    --(graph_.node(index).op_type() == "Shape" ? uses.shapes : uses.values);
    const bool last = uses.values + uses.shapes == 0;
    return last && operand.constant ? std::exchange(operand, {}) : operand;
  }

  /// A reader of the node. Results of other nodes of the same pattern have no operand.
  NodeReader reader(int index, const Pattern* pattern = nullptr) {
    const auto inside = [&](const std::string& name) {
      return pattern && std::ranges::any_of(pattern->nodes, [&](int other) {
               return !name.empty() && other != pattern->nodes.back() && graph_.node(other).output(0) == name;
             });
    };
    std::vector<Operand> inputs;
    for (const std::string& name : graph_.node(index).input())
      inputs.push_back(inside(name) ? Operand{} : operand(index, name));
    return {builder_.file(), graph_.node(index), node_name(index), std::move(inputs)};
  }

  /// The node has done with its inputs.
  void consume_inputs(const NodeReader& node) {
    if (node.op() == "Shape") return;
    for (std::size_t i = 0; i < node.input_count(); ++i)
      if (node.has(i) && !node.is_constant(i)) builder_.consume(node.value(i), 1);
  }

  void import_node(int index) {
    const auto& node = graph_.node(index);
    NodeReader reader = this->reader(index);
    if (node.output_size() == 0 || node.output(0).empty())
      fail(fmt::format("node '{}' ({}): the first output is not the one that is used", node_name(index),
                       node.op_type()));
    if (!node.domain().empty() && node.domain() != "ai.onnx")
      fail(fmt::format("node '{}': operator '{}.{}' is not supported (supported: {})", node_name(index), node.domain(),
                       node.op_type(), detail::supported_operators));
    for (int i = 0; i < node.output_size(); ++i)
      if (uses_.contains(node.output(i))) define(node.output(i), imported(reader, static_cast<std::size_t>(i)));
    consume_inputs(reader);
  }

  /// What an output of the node is.
  Operand imported(NodeReader& node, std::size_t output) {
    bool constant = true;
    for (std::size_t i = 0; i < node.input_count(); ++i) constant = constant && (!node.has(i) || node.is_constant(i));
    // The shape of a computed value is as good as a constant.
    if (node.op() == "Shape" && !constant)
      return {std::make_shared<Constant>(detail::fold_shape(node, builder_.shape(node.value(0)))), -1};
    if (constant && node.op() == "Identity") return node.operand(0);
    if (constant)
      if (auto folded = detail::fold(node, output)) return {std::make_shared<Constant>(std::move(*folded)), -1};
    return {nullptr, detail::import_operator(builder_, node, output)};
  }

  void import_pattern(const Pattern& pattern) {
    std::vector<NodeReader> readers;
    for (const int node : pattern.nodes) readers.push_back(reader(node, &pattern));
    const int value = detail::import_pattern(builder_, pattern, readers);
    define(graph_.node(pattern.nodes.back()).output(0), {nullptr, value});
    for (const NodeReader& node : readers) consume_inputs(node);
  }

  /// How often live nodes, and the network's output, read a name: its values, or its shape only.
  struct Uses {
    int values = 0, shapes = 0;
  };

  const ::onnx::ModelProto& model_;
  ::onnx::GraphProto& graph_;
  detail::NetworkBuilder builder_;
  int input_ = -1;
  std::vector<bool> live_;
  std::unordered_map<std::string, Uses> uses_;  ///< Those to come. Names that are never used are not in it.
  std::unordered_map<std::string, ::onnx::TensorProto*> initializers_;  ///< Those that are used.
  std::vector<Pattern> patterns_;
  std::vector<const Pattern*> pattern_of_;  ///< Of each node, or null.
  std::unordered_map<std::string, Operand> operands_;
};

}  // namespace

Network import_onnx(const std::filesystem::path& path) {
  ::onnx::ModelProto model = parse_model(path);
  return GraphImporter(path.string(), model).run();
}

}  // namespace lpa::workloads
