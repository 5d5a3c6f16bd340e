#include "workloads/layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <queue>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::workloads {
namespace {

/// A value of the network as a way to look at a layer's result or at the network's input.
struct View {
  int layer = network_input;
  int h = 1, w = 1, c = 1;    ///< The layer's feature map, without padding.
  bool channel_major = true;  ///< Row-major elements of the value run over (c, h, w), otherwise over (h, w, c).
  bool flat = false;          ///< Seen as a vector of h*w*c elements in that order.
  bool exclusive = false;     ///< Whoever uses this value is the only user of the layer's result.
  const Node* pad = nullptr;  ///< Set if padding has yet to be merged into the next layer.
  int top = 0, left = 0, bottom = 0, right = 0;
  float pad_value = 0;

  bool same_map(const View& other) const { return h == other.h && w == other.w && c == other.c; }
};

/// Row-major order of weights [out][c][h][w] changed to [out][h][w][c].
std::vector<float> channels_last(const std::vector<float>& source, int out, int c, int h, int w) {
  std::vector<float> result(source.size());
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  std::size_t next = 0;
  for (std::size_t o = 0; o < size(out); ++o)
    for (std::size_t y = 0; y < size(h); ++y)
      for (std::size_t x = 0; x < size(w); ++x)
        for (std::size_t i = 0; i < size(c); ++i)
          result[next++] = source[((o * size(c) + i) * size(h) + y) * size(w) + x];
  return result;
}

class Lowering {
 public:
  explicit Lowering(const Network& network) : network_(network), views_(network.values.size()) {
    uses_.assign(network.values.size(), 0);
    ++uses_[index(network.output)];
    for (const Node& node : network.nodes)
      for (const int input : node.inputs) ++uses_[index(input)];
  }

  LayerGraph run() {
    View input = view_of_shape(network_.values[index(network_.input)].shape);
    input.layer = network_input;
    views_[index(network_.input)] = input;
    for (const Node& node : network_.nodes) {
      View view = std::visit([&](const auto& attributes) { return lower(node, attributes); }, node.attributes);
      view.exclusive = view.exclusive && uses_[index(node.output)] == 1;
      views_[index(node.output)] = view;
    }
    const View& output = views_[index(network_.output)];
    if (output.pad) fail(*output.pad, "is the network's output; padding can only be merged into a Conv or a pooling");
    if (output.layer == network_input) throw InputError(network_.file + ": the network has no layer to run");

    LayerGraph graph;
    graph.network = network_.file.substr(network_.file.find_last_of('/') + 1);
    graph.in_h = input.h;
    graph.in_w = input.w;
    graph.in_c = input.c;
    graph.layers = scheduled(output.layer);
    return graph;
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  [[noreturn]] void fail(const Node& node, const std::string& what) const {
    throw InputError(fmt::format("{}: node '{}' ({}): {}", network_.file, node.name, node.op, what));
  }

  const Shape& shape(int value) const { return network_.values[index(value)].shape; }

  View view_of_shape(const Shape& s) const {
    View view;
    const auto size = [&](std::size_t i) { return static_cast<int>(s[i]); };
    if (s.size() == 4) {
      view.c = size(1), view.h = size(2), view.w = size(3);
    } else if (s.size() == 3) {
      view.h = size(1), view.c = size(2), view.channel_major = false;
    } else if (s.size() == 2) {
      view.c = size(1), view.channel_major = false;
    } else {
      throw InputError(
          fmt::format("{}: a tensor of shape {} is not a feature map (supported: 1 x C x H x W, 1 x M x K, "
                      "1 x K)",
                      network_.file, to_string(s)));
    }
    return view;
  }

  const View& operand(const Node& node, std::size_t i = 0) const { return views_[index(node.inputs[i])]; }

  /// An operand that is a feature map as it stands.
  const View& map_operand(const Node& node, std::size_t i = 0) const {
    const View& view = operand(node, i);
    if (view.flat && view.h * view.w > 1)
      fail(node, "takes a flattened feature map (supported: only a matrix product may)");
    return view;
  }

  /// ... and has no padding that waits to be merged.
  const View& plain_operand(const Node& node, std::size_t i = 0) const {
    const View& view = operand(node, i);
    if (view.pad)
      fail(*view.pad, fmt::format("is followed by node '{}' ({}); padding can only be merged into a Conv or a pooling",
                                  node.name, node.op));
    return view;
  }

  int depth(int layer) const { return layer < 0 ? 0 : depths_[index(layer)]; }

  Layer new_layer(const Node& node, LayerKind kind, const View& input) const {
    Layer layer;
    layer.name = node.name;
    layer.op = node.op;
    layer.kind = kind;
    layer.input = input.layer;
    layer.value = layer.encoded_value = node.output;
    layer.geometry.in_h = input.h;
    layer.geometry.in_w = input.w;
    layer.geometry.in_c = input.c;
    return layer;
  }

  /// The view of the node's output as the result of a new layer.
  View add_layer(const Node& node, Layer layer) {
    View view = view_of_shape(shape(node.output));
    layer.geometry.out_h = view.h;
    layer.geometry.out_w = view.w;
    layer.geometry.out_c = view.c;
    depths_.push_back(1 + std::max(depth(layer.input), depth(layer.addend)));
    view.layer = static_cast<int>(layers_.size());
    view.exclusive = true;
    layers_.push_back(std::move(layer));
    return view;
  }

  static void set_window(LayerGeometry& geometry, const std::vector<int>& kernel, const std::vector<int>& strides,
                         const std::vector<int>& pads, const std::vector<int>& dilations) {
    geometry.kernel_h = kernel[0], geometry.kernel_w = kernel[1];
    geometry.stride_h = strides[0], geometry.stride_w = strides[1];
    geometry.pad_top = pads[0], geometry.pad_left = pads[1];
    geometry.pad_bottom = pads[2], geometry.pad_right = pads[3];
    geometry.dilation_h = dilations[0], geometry.dilation_w = dilations[1];
  }

  static void merge_pad(LayerGeometry& geometry, const View& view) {
    geometry.pad_top += view.top;
    geometry.pad_left += view.left;
    geometry.pad_bottom += view.bottom;
    geometry.pad_right += view.right;
  }

  View lower(const Node& node, const Conv& conv) {
    const View& input = map_operand(node);
    Layer layer = new_layer(node, LayerKind::conv, input);
    set_window(layer.geometry, conv.kernel, conv.strides, conv.pads, conv.dilations);
    if (input.pad) {
      if (input.pad_value != 0)
        fail(*input.pad, fmt::format("pads with {} before a Conv (supported: 0)", input.pad_value));
      merge_pad(layer.geometry, input);
    }
    layer.geometry.groups = conv.groups;
    layer.weights = channels_last(conv.weights.data, static_cast<int>(conv.weights.shape[0]), input.c / conv.groups,
                                  conv.kernel[0], conv.kernel[1]);
    layer.bias = conv.bias.data;
    return add_layer(node, std::move(layer));
  }

  View lower(const Node& node, const Gemm& gemm) {
    const View& input = plain_operand(node);
    Layer layer = new_layer(node, LayerKind::conv, input);
    layer.bias = gemm.bias.data;
    if (input.flat) {
      layer.geometry.kernel_h = input.h;
      layer.geometry.kernel_w = input.w;
    }
    const bool permute = input.flat && input.channel_major && input.h * input.w > 1;
    layer.weights =
        permute ? channels_last(gemm.weights.data, static_cast<int>(gemm.weights.shape[0]), input.c, input.h, input.w)
                : gemm.weights.data;
    return add_layer(node, std::move(layer));
  }

  View lower(const Node& node, const Relu&) {
    View view = plain_operand(node);
    if (view.layer == network_input)
      fail(node, "is applied to the network's input; only a layer's result can pass ReLU");
    Layer& layer = layers_[index(view.layer)];
    if (!view.exclusive && layer.activation.kind != Activation::Kind::relu)
      fail(node, fmt::format("cannot be fused into node '{}' ({}), whose result others use before ReLU", layer.name,
                             layer.op));
    if (view.exclusive) {
      layer.activation.kind = Activation::Kind::relu;
      layer.value = node.output;
    }
    return view;
  }

  bool can_take_addend(const View& view) const {
    if (!view.exclusive || view.layer < 0) return false;
    const Layer& layer = layers_[index(view.layer)];
    return layer.kind == LayerKind::conv && layer.activation.kind == Activation::Kind::none &&
           layer.addend == no_operand;
  }

  View lower(const Node& node, const Add&) {
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      plain_operand(node, i);
      map_operand(node, i);
    }
    View a = operand(node, 0), b = operand(node, 1);
    if (!a.same_map(b)) fail(node, "adds two feature maps of different layouts");
    // The deeper convolution adds: its other operand can always be computed before it. A convolution whose only user is
    // the addition takes its place without creating a cycle.
    const bool a_can = can_take_addend(a), b_can = can_take_addend(b);
    const auto order = [&](const View& view) { return std::pair(depth(view.layer), view.layer); };
    if (b_can && (!a_can || order(b) > order(a))) std::swap(a, b);
    if (a_can || b_can) {
      Layer& layer = layers_[index(a.layer)];
      layer.addend = b.layer;
      layer.value = node.output;
      depths_[index(a.layer)] = std::max(depth(a.layer), depth(b.layer) + 1);
      return a;
    }
    Layer layer = new_layer(node, LayerKind::add, a);
    layer.addend = b.layer;
    return add_layer(node, std::move(layer));
  }

  bool never_negative(int layer) const {
    while (layer >= 0 && layers_[index(layer)].activation.kind != Activation::Kind::relu) {
      const LayerKind kind = layers_[index(layer)].kind;
      if (kind != LayerKind::max_pool && kind != LayerKind::average_pool) return false;
      layer = layers_[index(layer)].input;
    }
    return layer >= 0;
  }

  View lower(const Node& node, const Pool& pool) {
    const View& input = map_operand(node);
    const bool maximum = pool.kind == Pool::Kind::max;
    Layer layer = new_layer(node, maximum ? LayerKind::max_pool : LayerKind::average_pool, input);
    LayerGeometry& geometry = layer.geometry;
    set_window(geometry, pool.kernel, pool.strides, pool.pads, pool.dilations);
    layer.count_include_pad = !maximum && pool.count_include_pad;
    if (input.pad) {
      const bool lowest = input.pad_value <= std::numeric_limits<float>::lowest();
      if (maximum && !lowest && !(input.pad_value == 0 && never_negative(input.layer)))
        fail(*input.pad,
             fmt::format("pads with {} before a MaxPool (supported: -infinity, or 0 after Relu)", input.pad_value));
      if (!maximum) {
        const bool own_padding = std::ranges::any_of(pool.pads, [](int pad) { return pad > 0; });
        if (input.pad_value != 0 || (own_padding && !pool.count_include_pad))
          fail(*input.pad, "cannot be merged into the AveragePool, which pads by itself or would need zeros");
        layer.count_include_pad = true;
      }
      merge_pad(geometry, input);
      const int extent_h = geometry.dilation_h * (geometry.kernel_h - 1) + 1;
      const int extent_w = geometry.dilation_w * (geometry.kernel_w - 1) + 1;
      if (std::max(geometry.pad_top, geometry.pad_bottom) >= extent_h ||
          std::max(geometry.pad_left, geometry.pad_right) >= extent_w)
        fail(*input.pad, "makes the padding as large as the pooling window");
    }
    return add_layer(node, std::move(layer));
  }

  View lower(const Node& node, const GlobalAveragePool&) {
    plain_operand(node);
    const View& input = map_operand(node);
    Layer layer = new_layer(node, LayerKind::average_pool, input);
    layer.geometry.kernel_h = input.h;
    layer.geometry.kernel_w = input.w;
    return add_layer(node, std::move(layer));
  }

  View lower(const Node& node, const Pad& pad) {
    View view = map_operand(node);
    if (pad.begins.size() != 4 || pad.begins[0] + pad.begins[1] + pad.ends[0] + pad.ends[1] != 0)
      fail(node, "pads another axis than height and width");
    if (view.pad && view.pad_value != pad.value) fail(node, "follows a Pad of another value");
    view.pad = &node;
    view.pad_value = pad.value;
    view.top += pad.begins[2];
    view.left += pad.begins[3];
    view.bottom += pad.ends[2];
    view.right += pad.ends[3];
    return view;
  }

  template <class Other>
  View lower(const Node& node, const Other&) {
    fail(node, "cannot be run by the accelerator");
  }

  View lower(const Node& node, const Reshape&) {
    View view = plain_operand(node);
    const Shape& target = shape(node.output);
    if (target == shape(node.inputs[0])) return view;
    const bool vector = target.size() == 2 && target[0] == 1;
    if (vector) {
      view.flat = true;
      return view;
    }
    const View seen = view_of_shape(target);
    const bool point = view.h * view.w == 1 && seen.h * seen.w == 1;
    // A vector may also become a feature map again, namely the one that it was.
    const bool same = seen.same_map(view) && seen.channel_major == view.channel_major;
    if (!point && !same)
      fail(node, fmt::format("reshapes {} to {} (supported: flattening to 1 x K, and shapes of one position)",
                             to_string(shape(node.inputs[0])), to_string(target)));
    view.flat = false;
    return view;
  }

  /// The layers that `output` depends on, each after its operands, otherwise in the network's order; operands
  /// renumbered.
  std::vector<Layer> scheduled(int output) {
    std::vector<bool> needed(layers_.size(), false);
    std::vector<int> pending{output};
    while (!pending.empty()) {
      const int layer = pending.back();
      pending.pop_back();
      if (layer < 0 || needed[index(layer)]) continue;
      needed[index(layer)] = true;
      pending.insert(pending.end(), {layers_[index(layer)].input, layers_[index(layer)].addend});
    }
    std::vector<int> waiting(layers_.size(), 0);
    std::vector<std::vector<int>> users(layers_.size());
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int i = 0; i < static_cast<int>(layers_.size()); ++i) {
      if (!needed[index(i)]) continue;
      for (const int operand : {layers_[index(i)].input, layers_[index(i)].addend}) {
        if (operand < 0) continue;
        users[index(operand)].push_back(i);
        ++waiting[index(i)];
      }
      if (waiting[index(i)] == 0) ready.push(i);
    }
    std::vector<int> position(layers_.size(), -1);
    std::vector<Layer> result;
    while (!ready.empty()) {
      const int layer = ready.top();
      ready.pop();
      position[index(layer)] = static_cast<int>(result.size());
      result.push_back(std::move(layers_[index(layer)]));
      for (const int user : users[index(layer)])
        if (--waiting[index(user)] == 0) ready.push(user);
    }
    for (Layer& layer : result)
      for (int* operand : {&layer.input, &layer.addend})
        if (*operand >= 0) *operand = position[index(*operand)];
    return result;
  }

  const Network& network_;
  std::vector<View> views_;    ///< One a value.
  std::vector<int> uses_;      ///< Of a value, by nodes and as the output.
  std::vector<Layer> layers_;  ///< In the network's order; operands are indices into it.
  std::vector<int> depths_;    ///< Layers on the longest way from the input.
};

}  // namespace

double Activation::operator()(double x) const {
  switch (kind) {
    case Kind::relu:
      return std::max(x, 0.0);
    case Kind::clip:
      return std::clamp(x, low, high);
    case Kind::gelu:
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    case Kind::none:
      break;
  }
  return x;
}

std::int64_t Layer::m() const {
  return kind == LayerKind::matmul ? products.m : std::int64_t{geometry.out_h} * geometry.out_w;
}

std::int64_t Layer::n() const {
  if (kind == LayerKind::matmul) return products.n;
  return kind == LayerKind::conv ? geometry.out_c / geometry.groups : 0;
}

std::int64_t Layer::k() const {
  if (kind == LayerKind::matmul) return products.k;
  if (kind != LayerKind::conv) return 0;
  return std::int64_t{geometry.kernel_h} * geometry.kernel_w * (geometry.in_c / geometry.groups);
}

std::int64_t Layer::product_count() const {
  return kind == LayerKind::matmul ? std::int64_t{products.outer} * products.inner : geometry.groups;
}

bool LayerGraph::needs_bytes(int operand) const {
  return std::ranges::any_of(layers, [operand](const Layer& layer) {
    if (layer.kind == LayerKind::matmul)
      return layer.input == operand || layer.stationary == operand || layer.addend == operand;
    return layer.kind == LayerKind::copy && (layer.input == operand || layer.addend == operand);
  });
}

LayerGraph lower(const Network& network) {
  return Lowering(network).run();
}

}  // namespace lpa::workloads
