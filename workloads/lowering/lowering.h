// How a network becomes layers: the state shared by the lowering of the operators, which the files of this folder
// implement by kind.
#pragma once

#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "workloads/layers.h"
#include "workloads/lowering/order.h"
#include "workloads/network.h"

namespace lpa::workloads::lowering {

struct Extents {
  int h = 1, w = 1, c = 1;
  std::int64_t size() const { return std::int64_t{h} * w * c; }
};

/// A stored map that holds a value: its extents, and where in it the value's elements stand.
struct Form {
  Order order;
  Extents extents;
};

/// A value of the network as a way to look at stored maps.
struct View {
  Shape shape;                ///< Without padding that has yet to be merged.
  std::vector<int> operands;  ///< The maps: layers, the network's input, constants. One, unless branches are joined.
  Order order;                ///< Of the value's elements in the maps laid end to end.
  bool exclusive = false;     ///< Whoever uses this value is the only user of the maps.
  int id = -1;                ///< The value.
  int unscaled = -1;          ///< The value, or the one before the factors that have yet to be merged.

  double factor = 1;             ///< Multiplies what stands in the maps.
  const Node* scaled = nullptr;  ///< Node that brought the factor.
  const Node* moved = nullptr;   ///< Node that last moved elements.

  const Node* pad = nullptr;  ///< Set if padding of height and width has yet to be merged into the next layer.
  int top = 0, left = 0, bottom = 0, right = 0;
  float pad_value = 0;
};

/// Multiplies weights.
void scale(std::vector<float>& weights, double factor);

class Lowering {
 public:
  explicit Lowering(Network network);
  LayerGraph run();

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  // lowering.cpp: what all operators need.
  [[noreturn]] void fail(const Node& node, const std::string& what) const;
  const Shape& shape(int value) const { return network_.values[index(value)].shape; }
  Extents extents(int operand) const;
  Form input_form() const;
  View stored_output(const View& output);
  /// The name, or a variation that no layer and no constant has yet.
  std::string unique(const std::string& name, const char* suffix);
  Layer new_layer(const Node& node, LayerKind kind, const View& input, const Extents& in, const Extents& out);
  /// The view of the node's output as the result of a new layer that stores it in that order.
  View add_layer(const Node& node, Layer layer, const Order& order);
  int push_layer(Layer layer);
  int depth(int operand) const { return operand < 0 ? 0 : depths_[index(operand)]; }
  /// The layer whose map the view alone looks at, or null.
  Layer* sole_layer(const View& view);

  // views.cpp: what a layer may ask of its operand.
  const View& operand(const Node& node, std::size_t i = 0) const { return views_[index(node.inputs[i])]; }
  /// The operand with padding made part of the value; also without a factor.
  View unpadded(const Node& node, std::size_t i = 0) const;
  View plain(const Node& node, std::size_t i = 0) const;
  /// One map that consists of the value's elements.
  bool is_whole(const View& view) const;
  bool has_form(const View& view, const Form& form) const;
  /// The value's rows one after the other, or 1 x C x H x W with the channels last.
  static Form rows_form(const Shape& shape);
  static Form map_form(const Shape& shape);
  /// Whichever of the two the value's users want.
  Form natural_form(const View& view) const;
  bool wanted_as_map(int value) const;
  /// The value in that form: the view if it has it, otherwise the result of a copy, or a constant.
  View in_form(const View& view, const Form& form, const Node& consumer);
  View copied(const View& view, const Form& form, const Node& consumer);
  View constant_in_form(const View& view, const Form& form);
  int add_constant(ConstantMap map);
  void join_first_two(std::vector<int>& operands, std::vector<std::int32_t>& gather, const Extents& extents,
                      const View& view, const Node& consumer);
  /// A copy layer of at most two operands; gather as for copy_boxes().
  int add_copy(const std::vector<int>& operands, const std::vector<std::int32_t>& gather, const Extents& extents,
               const View& view, const Node& consumer);

  // windows.cpp
  View lower(const Node& node, Conv& conv);
  View lower(const Node& node, const Pool& pool);
  View lower(const Node& node, const GlobalAveragePool& pool);
  View lower(const Node& node, const Pad& pad);
  bool never_negative(int operand) const;

  // products.cpp
  View lower(const Node& node, Gemm& gemm);
  View lower(const Node& node, const MatMul& product);
  View lower(const Node& node, const Scale& scale);
  bool scale_producer(const View& view, double factor, int value);
  /// Finds the operands where they stand, or copies them: all but the output of the layer's products.
  MatrixProducts find_operands(const Node& node, View& input, View& stationary);
  /// Places the output so that what its only users move it to is stored as they want it, if possible.
  Form place_output(int value, const View& input, const View& stationary, MatrixProducts& products) const;

  // pointwise.cpp
  View lower(const Node& node, const Relu& relu);
  View lower(const Node& node, const Clip& clip);
  View lower(const Node& node, const Gelu& gelu);
  View activate(const Node& node, const Activation& activation);
  View lower(const Node& node, const Add& add);
  View add_constant_to(const Node& node, const View& view, const View& constant);
  std::pair<View, View> in_same_form(const Node& node, const View& a, const View& b);
  bool can_take_addend(const View& view);
  View lower(const Node& node, LayerNorm& norm);
  View lower(const Node& node, const Softmax& softmax);

  // movement.cpp
  View lower(const Node& node, Move& move);
  std::vector<std::int32_t> joined(const Node& node, View& view);
  View lower(const Node& node, const Reshape& reshape);
  View lower(const Node& node, Constant& constant);

  // schedule.cpp
  /// The layers that `output` depends on, each after its operands, otherwise in the network's order, and the constants
  /// that they use; operands renumbered.
  void schedule(int output, LayerGraph& graph);

  /// A value that has been copied, or a constant that has been brought into another order.
  struct Stored {
    int value;
    Form form;
    int operand;
  };

  Network network_;
  std::vector<View> views_;              ///< One a value.
  std::vector<std::vector<int>> users_;  ///< Nodes that use a value, once per use.
  std::vector<int> uses_;                ///< Of a value, by nodes and as the output.
  std::vector<Layer> layers_;            ///< In the network's order; operands are indices into it.
  std::vector<int> depths_;              ///< Layers on the longest way from the input.
  std::vector<ConstantMap> constants_;
  std::vector<Stored> stored_;
  std::unordered_set<std::string> names_;
};

}  // namespace lpa::workloads::lowering
