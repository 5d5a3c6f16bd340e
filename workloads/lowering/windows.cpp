// Convolutions and poolings, and the padding that merges into them.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "workloads/lowering/lowering.h"

namespace lpa::workloads::lowering {
namespace {

/// Row-major order of weights [out][c][h][w] changed to [out][h][w][c].
std::vector<float> channels_last(std::vector<float> source, std::size_t c, std::size_t positions) {
  if (positions == 1) return source;
  std::vector<float> result(source.size());
  std::size_t next = 0;
  for (std::size_t kernel = 0; kernel < source.size(); kernel += c * positions)
    for (std::size_t position = 0; position < positions; ++position)
      for (std::size_t i = 0; i < c; ++i) result[next++] = source[kernel + i * positions + position];
  return result;
}

void set_window(LayerGeometry& geometry, const std::vector<int>& kernel, const std::vector<int>& strides,
                const std::vector<int>& pads, const std::vector<int>& dilations) {
  geometry.kernel_h = kernel[0], geometry.kernel_w = kernel[1];
  geometry.stride_h = strides[0], geometry.stride_w = strides[1];
  geometry.pad_top = pads[0], geometry.pad_left = pads[1];
  geometry.pad_bottom = pads[2], geometry.pad_right = pads[3];
  geometry.dilation_h = dilations[0], geometry.dilation_w = dilations[1];
}

void merge_pad(LayerGeometry& geometry, const View& view) {
  geometry.pad_top += view.top;
  geometry.pad_left += view.left;
  geometry.pad_bottom += view.bottom;
  geometry.pad_right += view.right;
}

}  // namespace

View Lowering::lower(const Node& node, Conv& conv) {
  const View& operand = this->operand(node);
  const Form in = map_form(operand.shape), out = map_form(shape(node.output));
  const View input = in_form(operand, in, node);
  Layer layer = new_layer(node, LayerKind::conv, input, in.extents, out.extents);
  set_window(layer.geometry, conv.kernel, conv.strides, conv.pads, conv.dilations);
  if (input.pad) {
    if (input.pad_value != 0)
      fail(*input.pad, fmt::format("pads with {} before a Conv (supported: 0)", input.pad_value));
    merge_pad(layer.geometry, input);
  }
  layer.geometry.groups = conv.groups;
  const Shape& kernels = conv.weights.shape;
  layer.weights = channels_last(std::move(conv.weights.data), index(kernels[1]), index(kernels[2] * kernels[3]));
  scale(layer.weights, input.factor);
  layer.bias = std::move(conv.bias.data);
  return add_layer(node, std::move(layer), out.order);
}

bool Lowering::never_negative(int operand) const {
  while (operand >= 0) {
    const Layer& layer = layers_[index(operand)];
    const Activation& activation = layer.activation;
    if (activation.kind == Activation::Kind::relu || layer.kind == LayerKind::softmax ||
        (activation.kind == Activation::Kind::clip && activation.low >= 0))
      return true;
    if (layer.kind != LayerKind::max_pool && layer.kind != LayerKind::average_pool) return false;
    operand = layer.input;
  }
  return false;
}

View Lowering::lower(const Node& node, const Pool& pool) {
  const View& operand = this->operand(node);
  const Form in = map_form(operand.shape), out = map_form(shape(node.output));
  const View input = in_form(operand.pad ? operand : plain(node), in, node);
  const bool maximum = pool.kind == Pool::Kind::max;
  Layer layer =
      new_layer(node, maximum ? LayerKind::max_pool : LayerKind::average_pool, input, in.extents, out.extents);
  LayerGeometry& geometry = layer.geometry;
  set_window(geometry, pool.kernel, pool.strides, pool.pads, pool.dilations);
  layer.count_include_pad = !maximum && pool.count_include_pad;
  if (input.pad) {
    if (input.factor != 1) fail(*input.scaled, "is followed by padding and a pooling, which cannot take its factor");
    const bool lowest = input.pad_value <= std::numeric_limits<float>::lowest();
    if (maximum && !lowest && !(input.pad_value == 0 && never_negative(input.operands[0])))
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
  return add_layer(node, std::move(layer), out.order);
}

View Lowering::lower(const Node& node, const GlobalAveragePool&) {
  const View operand = plain(node);
  const Form in = map_form(operand.shape), out = map_form(shape(node.output));
  const View input = in_form(operand, in, node);
  Layer layer = new_layer(node, LayerKind::average_pool, input, in.extents, out.extents);
  layer.geometry.kernel_h = in.extents.h;
  layer.geometry.kernel_w = in.extents.w;
  return add_layer(node, std::move(layer), out.order);
}

View Lowering::lower(const Node& node, const Pad& pad) {
  View view = operand(node);
  const bool of_a_map = pad.begins.size() == 4 && pad.begins[0] == 0 && pad.begins[1] == 0 && pad.ends[0] == 0 &&
                        pad.ends[1] == 0 && (!view.pad || view.pad_value == pad.value);
  if (of_a_map && view.shape.size() == 4) {
    view.pad = &node;
    view.pad_value = pad.value;
    view.top += pad.begins[2];
    view.left += pad.begins[3];
    view.bottom += pad.ends[2];
    view.right += pad.ends[3];
    return view;
  }
  if (pad.value != 0)
    fail(node, fmt::format("pads another axis than height and width with {} (supported: 0)", pad.value));
  view = unpadded(node);
  view.order = view.order.after(padded_source(view.shape, pad.begins, pad.ends));
  view.moved = &node;
  return view;
}

}  // namespace lpa::workloads::lowering
