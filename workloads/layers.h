// A network as the accelerator sees it: a sequence of layers in feature maps of height x width x channels, each a
// convolution (a matrix product is a 1x1 one), an addition or a pooling, with ReLU and a residual addition fused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workloads/network.h"

namespace lpa::workloads {

enum class LayerKind { conv, add, max_pool, average_pool };

/// Geometry of a convolution or pooling window. A window never reaches beyond the padding; a remainder at the end that
/// no window covers is ignored. Padding is zero for a convolution and an average, and smaller than any number for a
/// maximum. A matrix product M x K by K x N is in_h = M, in_w = 1, in_c = K, out_c = N with a 1x1 kernel; a fully
/// connected layer on a feature map has a kernel as large as the map.
struct LayerGeometry {
  int in_h = 1, in_w = 1, in_c = 1;
  int out_h = 1, out_w = 1, out_c = 1;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  int dilation_h = 1, dilation_w = 1;
  int groups = 1;

  friend bool operator==(const LayerGeometry&, const LayerGeometry&) = default;
};

/// Index of a layer's operand: a layer of the same graph or the network's input.
inline constexpr int network_input = -1;
inline constexpr int no_operand = -2;

struct Layer {
  std::string name;  ///< Name of the ONNX node that gives the layer its kind.
  std::string op;    ///< Its operator: "Conv", "Gemm", "Add", "MaxPool", ...
  LayerKind kind = LayerKind::conv;
  int input = network_input;       ///< Operand: layer index or network_input.
  int addend = no_operand;         ///< Second operand: of an addition, or the residual that a convolution adds.
  bool relu = false;               ///< Applied last; a layer of any kind may have it.
  bool count_include_pad = false;  ///< average_pool: whether padding counts in the divisor.
  LayerGeometry geometry;
  std::vector<float> weights;  ///< conv: [out_c][kernel_h][kernel_w][in_c / groups].
  std::vector<float> bias;     ///< conv: [out_c], always present.
  int value = -1;              ///< The network's value (Network::values) that the layer's output stands for.
  int encoded_value = -1;      ///< The value before the fused addition and ReLU: what the encoder emits. For a layer
                               ///< without fused addition it equals the value before ReLU.

  /// The GEMM of one group: M = out_h*out_w, N = out_c/groups, K = kernel_h*kernel_w*in_c/groups (0 for non-conv).
  std::int64_t m() const { return std::int64_t{geometry.out_h} * geometry.out_w; }
  std::int64_t n() const { return kind == LayerKind::conv ? geometry.out_c / geometry.groups : 0; }
  std::int64_t k() const {
    return kind == LayerKind::conv
               ? std::int64_t{geometry.kernel_h} * geometry.kernel_w * (geometry.in_c / geometry.groups)
               : 0;
  }
  std::int64_t macs() const { return m() * n() * k() * geometry.groups; }
};

/// Layers in an order in which every operand comes before its use. The last layer is the network's output.
struct LayerGraph {
  std::string network;  ///< File name of the network, without folder.
  int in_h = 1, in_w = 1, in_c = 1;
  std::vector<Layer> layers;
};

/// Lowers a network: fuses ReLU, and an addition into the convolution of greater depth that feeds nothing else; merges
/// padding; turns matrix products into convolutions, and global pooling into pooling with a window of the map's size. A
/// layer's result is the row-major value with (c, h, w) changed to (h, w, c), except that a value 1 x M x K is a map of
/// height M, width 1 and K channels as it stands. Throws InputError naming the node that the accelerator cannot run,
/// and why.
LayerGraph lower(const Network& network);

}  // namespace lpa::workloads
