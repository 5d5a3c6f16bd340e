// The network as it grows during import.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "workloads/network.h"
#include "workloads/onnx/selection.h"

namespace lpa::workloads::detail {

/// Appends nodes and keeps count of who needs which value, so that a node may be changed when nobody else sees it, and
/// gives up what it holds when nobody needs it any more.
class NetworkBuilder {
 public:
  /// Bounds what a damaged file can make tables of moves and materialised constants take: half a GiB.
  static constexpr std::int64_t most_held = 1 << 27;

  /// `max_held`: elements of tables and constants of all nodes that are needed at a time.
  explicit NetworkBuilder(std::string file, std::int64_t max_held = most_held) : max_held_(max_held) {
    network_.file = std::move(file);
  }

  const std::string& file() const { return network_.file; }
  const Shape& shape(int value) const { return network_.values[index(value)].shape; }
  std::size_t rank(int value) const { return shape(value).size(); }
  /// The node that computes the value; null for the network's input. Valid until the next node is appended.
  Node* producer(int value);

  int append_input(const std::string& name, Shape shape);
  /// Appends a node named after the ONNX node and its value; that value. `name` is the value's.
  int append(const NodeReader& node, const std::string& name, Operator attributes, std::vector<int> inputs,
             Shape shape);
  /// A value that does not depend on the input, under a name that no other such value has.
  int append_constant(const NodeReader& node, const std::string& name, Tensor tensor);
  /// The value in another shape: a Reshape, or the value itself or one that it is a Reshape of.
  int reshape(const NodeReader& node, const std::string& name, int value, Shape shape);
  /// Elements of the values, as the selection says: a Move of the values that theirs come from, or what is as good.
  int move(const NodeReader& node, const std::string& name, const Selection& selection, const std::vector<int>& values);

  /// The value stands for the result of that name from now on.
  void rename(int value, const std::string& name) { network_.values[index(value)].name = name; }

  /// So many uses of the value will come, by nodes not yet imported or as the network's output.
  void expect(int value, int uses);
  /// So many of them have come. Without any left, a value that no node uses is given up.
  void consume(int value, int uses);
  /// Whether the node at hand, with one use, is the only one that needs the value.
  bool sole_use(int value) const { return pending_[index(value)] == 1 && uses_[index(value)] == 0; }
  /// Whether one node that is there is the only one that needs the value.
  bool feeds_one_node(int value) const { return pending_[index(value)] == 0 && uses_[index(value)] == 1; }

  /// The network with that output, without what does not contribute to it. Fails if the output does not depend on the
  /// input.
  Network finish(int output);

 private:
  /// Where the elements of a value come from: those of `values` laid end to end, picked by a table if there is one.
  struct Origin {
    std::vector<int> values;
    const std::vector<std::int32_t>* moved = nullptr;  ///< The table of a Move.
    std::vector<std::int32_t> padded;                  ///< The table of a Pad.
    const std::vector<std::int32_t>* table() const { return padded.empty() ? moved : &padded; }
  };

  static std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }
  int unreshaped(int value);
  Origin origin(int value);
  std::vector<std::int32_t> composed(const std::vector<std::int32_t>& source, const std::vector<int>& values,
                                     std::vector<int>& inputs);
  void drop_unused(std::vector<std::int32_t>& source, std::vector<int>& inputs, const std::vector<bool>& used) const;
  static std::int64_t held(const Node& node);
  void give_up(int value);

  Network network_;
  std::vector<int> producers_;       ///< Of a value: index of the node, or -1.
  std::vector<int> pending_, uses_;  ///< Of a value: uses to come, and by nodes that are there.
  std::vector<bool> given_up_;       ///< Of a value.
  std::int64_t max_held_;
  std::int64_t held_ = 0;                  ///< Elements of all tables and constants.
  std::unordered_set<std::string> names_;  ///< Of constants.
};

}  // namespace lpa::workloads::detail
