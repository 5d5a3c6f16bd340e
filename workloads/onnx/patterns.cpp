#include "workloads/onnx/patterns.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include "workloads/onnx/shapes.h"

namespace lpa::workloads::detail {
namespace {

class Finder {
 public:
  Finder(const ::onnx::GraphProto& graph, const std::vector<bool>& live) : graph_(graph), live_(live) {
    for (const auto& input : graph.input()) computed_.insert(input.name());
    for (const auto& tensor : graph.initializer()) computed_.erase(tensor.name());
    for (int i = 0; i < graph.node_size(); ++i) {
      if (!live[static_cast<std::size_t>(i)]) continue;
      const auto& node = graph.node(i);
      bool computed = false;
      for (const std::string& name : node.input()) {
        users_[name].push_back(i);
        computed = computed || (computed_.contains(name) && node.op_type() != "Shape");
      }
      for (const std::string& name : node.output()) {
        if (name.empty()) continue;
        producers_[name] = i;
        if (computed) computed_.insert(name);
      }
    }
    for (const auto& output : graph.output()) users_[output.name()].push_back(-1);
  }

  std::vector<Pattern> run() const {
    std::vector<Pattern> patterns;
    std::unordered_set<int> taken;
    for (int i = 0; i < graph_.node_size(); ++i) {
      if (!live_[static_cast<std::size_t>(i)]) continue;
      std::optional<Pattern> found;
      if (graph_.node(i).op_type() == "Erf") found = gelu(i);
      if (graph_.node(i).op_type() == "Sqrt") found = layer_norm(i);
      if (!found) continue;
      // Only a damaged file has the result before the nodes that it needs, or a node in two patterns.
      const int result = found->nodes.back();
      std::ranges::sort(found->nodes);
      bool valid = found->nodes.back() == result;
      for (const int node : found->nodes) valid = taken.insert(node).second && valid;
      if (valid) patterns.push_back(std::move(*found));
    }
    return patterns;
  }

 private:
  const std::string& input(int node, int i) const { return graph_.node(node).input(i); }

  /// Whether it is a node of that operator with that many inputs and one output.
  bool is(int node, const char* op, int inputs) const {
    return node >= 0 && graph_.node(node).op_type() == op && graph_.node(node).input_size() == inputs &&
           graph_.node(node).output_size() == 1;
  }

  int producer(const std::string& name) const {
    const auto found = producers_.find(name);
    return found == producers_.end() ? -1 : found->second;
  }

  /// The uses of a node's result, one for each input that it is; -1 stands for the network's output.
  std::vector<int> users(int node) const {
    const auto found = users_.find(graph_.node(node).output(0));
    return found == users_.end() ? std::vector<int>{} : found->second;
  }
  /// The node that alone uses a node's result, once; or -1.
  int only_user(int node) const {
    const std::vector<int> all = users(node);
    return all.size() == 1 ? all[0] : -1;
  }

  bool computed(const std::string& name) const { return computed_.contains(name); }

  /// The input of a product or sum of a computed value and a constant that is the constant; or -1.
  int constant_input(int node) const {
    const bool first = computed(input(node, 0)), second = computed(input(node, 1));
    return first == second ? -1 : first ? 1 : 0;
  }

  static Pattern::Parameter parameter(int node, int input, double expected) {
    return {node, static_cast<std::size_t>(input), expected};
  }

  std::optional<Pattern> gelu(int erf) const {
    Pattern pattern;
    pattern.kind = Pattern::Kind::gelu;
    if (!is(erf, "Erf", 1)) return std::nullopt;
    const int scaled = producer(input(erf, 0));
    const bool divides = is(scaled, "Div", 2);
    if (!(divides || is(scaled, "Mul", 2)) || only_user(scaled) != erf) return std::nullopt;
    const int root = constant_input(scaled);
    if (root < 0 || (divides && root != 1)) return std::nullopt;
    pattern.input = input(scaled, 1 - root);
    pattern.parameters.push_back(parameter(scaled, root, divides ? std::numbers::sqrt2 : 1 / std::numbers::sqrt2));

    const int sum = only_user(erf);
    if (!is(sum, "Add", 2) || constant_input(sum) < 0) return std::nullopt;
    pattern.parameters.push_back(parameter(sum, constant_input(sum), 1));
    pattern.nodes = {scaled, erf, sum};
    return multiplied(std::move(pattern), sum);
  }

  /// x * sum * 0.5 in any order.
  std::optional<Pattern> multiplied(Pattern pattern, int sum) const {
    const int first = only_user(sum);
    if (!is(first, "Mul", 2)) return std::nullopt;
    pattern.nodes.push_back(first);
    const int half = constant_input(first);
    if (half < 0) {
      const std::string& other = input(first, producer(input(first, 0)) == sum ? 1 : 0);
      if (other != pattern.input) return halved_before(std::move(pattern), producer(other), first);
      const int second = only_user(first);
      if (!is(second, "Mul", 2) || constant_input(second) < 0) return std::nullopt;
      pattern.parameters.push_back(parameter(second, constant_input(second), 0.5));
      pattern.nodes.push_back(second);
      return pattern;
    }
    pattern.parameters.push_back(parameter(first, half, 0.5));
    const int second = only_user(first);
    if (!is(second, "Mul", 2)) return std::nullopt;
    if (input(second, 0) != pattern.input && input(second, 1) != pattern.input) return std::nullopt;
    pattern.nodes.push_back(second);
    return pattern;
  }

  /// (x * 0.5) * sum, where `halved` is the first product.
  std::optional<Pattern> halved_before(Pattern pattern, int halved, int last) const {
    if (!is(halved, "Mul", 2) || only_user(halved) != last) return std::nullopt;
    const int half = constant_input(halved);
    if (half < 0 || input(halved, 1 - half) != pattern.input) return std::nullopt;
    pattern.parameters.push_back(parameter(halved, half, 0.5));
    pattern.nodes.insert(pattern.nodes.begin(), halved);
    return pattern;
  }

  std::optional<Pattern> layer_norm(int root) const {
    Pattern pattern;
    pattern.kind = Pattern::Kind::layer_norm;
    if (!is(root, "Sqrt", 1)) return std::nullopt;
    const int sum = producer(input(root, 0));
    if (!is(sum, "Add", 2) || only_user(sum) != root) return std::nullopt;
    const int epsilon = constant_input(sum);
    if (epsilon < 0) return std::nullopt;
    pattern.epsilon = parameter(sum, epsilon, 0);
    const int variance = producer(input(sum, 1 - epsilon));
    if (!is(variance, "ReduceMean", 1) || only_user(variance) != sum) return std::nullopt;

    const int square = producer(input(variance, 0));
    if (!(is(square, "Pow", 2) || is(square, "Mul", 2)) || only_user(square) != variance) return std::nullopt;
    const int centred = producer(input(square, 0));
    const bool power = is(square, "Pow", 2);
    if (!power && input(square, 0) != input(square, 1)) return std::nullopt;
    if (power && computed(input(square, 1))) return std::nullopt;
    if (power) pattern.parameters.push_back(parameter(square, 1, 2));
    if (!is(centred, "Sub", 2)) return std::nullopt;
    pattern.input = input(centred, 0);
    const int mean = producer(input(centred, 1));
    if (!is(mean, "ReduceMean", 1) || only_user(mean) != centred || input(mean, 0) != pattern.input)
      return std::nullopt;

    const int quotient = only_user(root);
    if (!is(quotient, "Div", 2) || producer(input(quotient, 0)) != centred || producer(input(quotient, 1)) != root)
      return std::nullopt;
    if (users(centred).size() != (power ? 2u : 3u)) return std::nullopt;
    pattern.means = {mean, variance};
    pattern.nodes = {mean, centred, square, variance, sum, root, quotient};
    return pattern;
  }

  const ::onnx::GraphProto& graph_;
  const std::vector<bool>& live_;
  std::unordered_map<std::string, int> producers_;           ///< The live node that computes a name.
  std::unordered_map<std::string, std::vector<int>> users_;  ///< The live nodes that use a name, as often as they do.
  std::unordered_set<std::string> computed_;                 ///< Names of values that depend on the network's input.
};

const NodeReader& reader_of(int node, const Pattern& pattern, const std::vector<NodeReader>& nodes) {
  return nodes[static_cast<std::size_t>(std::ranges::find(pattern.nodes, node) - pattern.nodes.begin())];
}

/// A single number that does not broadcast a tensor of `rank` axes to more.
double number(const NodeReader& node, std::size_t input, std::size_t rank) {
  const double value = node.number(input);
  if (node.constant(input).shape.size() > rank)
    node.fail(fmt::format("input {} ('{}') has more axes than the other operand", input, node.input_name(input)));
  return value;
}

}  // namespace

std::vector<Pattern> find_patterns(const ::onnx::GraphProto& graph, const std::vector<bool>& live) {
  return Finder(graph, live).run();
}

void check_pattern(const Pattern& pattern, const std::vector<NodeReader>& nodes, std::size_t rank) {
  const char* name = pattern.kind == Pattern::Kind::gelu ? "GELU" : "layer normalisation";
  for (const Pattern::Parameter& parameter : pattern.parameters) {
    const NodeReader& node = reader_of(parameter.node, pattern, nodes);
    const double value = number(node, parameter.input, rank);
    if (!(std::abs(value - parameter.expected) <= 1e-6))
      node.fail(
          fmt::format("is part of a {} but has the constant {} (supported: {:.6g})", name, value, parameter.expected));
  }
  for (const int mean : pattern.means) {
    const NodeReader& node = reader_of(mean, pattern, nodes);
    const std::vector<std::int64_t> axes = node.integers("axes", {});
    if (axes.size() != 1 || normalised_axis(axes[0], rank, node) + 1 != rank || node.integer("keepdims", 1) == 0)
      node.fail(fmt::format("is part of a {} (supported: over the last axis, which is kept)", name));
  }
}

float epsilon_of(const Pattern& pattern, const std::vector<NodeReader>& nodes, std::size_t rank) {
  const NodeReader& node = reader_of(pattern.epsilon.node, pattern, nodes);
  return static_cast<float>(number(node, pattern.epsilon.input, rank));
}

}  // namespace lpa::workloads::detail
