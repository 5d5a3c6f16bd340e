// A network as the accelerator sees it: a sequence of layers in feature maps of height x width x channels, each a
// product of matrices on the array or an operation of the post-processing unit, with activation functions and a
// residual addition fused.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "workloads/network.h"

namespace lpa::workloads {

/// conv: input by weights. matmul: input by another computed map (attention). The others run on the post-processing
/// unit: add two maps, pool, softmax and layer_norm along the channels of each position, copy words from place to
/// place.
enum class LayerKind { conv, add, max_pool, average_pool, matmul, softmax, layer_norm, copy };

/// Geometry of a convolution or pooling window. A window never reaches beyond the padding; a remainder at the end that
/// no window covers is ignored. Padding is zero for a convolution and an average, and smaller than any number for a
/// maximum. A matrix product M x K by K x N is in_h = M, in_w = 1, in_c = K, out_c = N with a 1x1 kernel; a fully
/// connected layer on a feature map has a kernel as large as the map. Of every other kind only the extents of the
/// stored maps mean something.
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

/// A layer's operand: index of a layer of the same graph, the network's input, or one of the graph's constants.
inline constexpr int network_input = -1;
inline constexpr int no_operand = -2;
constexpr bool is_constant(int operand) {
  return operand < no_operand;
}
/// Operand of LayerGraph::constants[index], and back.
constexpr int constant_operand(int index) {
  return no_operand - 1 - index;
}
constexpr std::size_t constant_index(int operand) {
  return static_cast<std::size_t>(no_operand - 1 - operand);
}

/// What becomes of a layer's results at last.
struct Activation {
  enum class Kind { none, relu, clip, gelu } kind = Kind::none;
  double low = 0, high = 0;  ///< clip

  /// Its value in double precision.
  double operator()(double x) const;
  friend bool operator==(const Activation&, const Activation&) = default;
};

/// Matrices inside a stored map, one for each of outer x inner products: element (row, column) of matrix (i, j) is
/// element offset + i * outer_stride + j * inner_stride + row * row_stride + column * column_stride of the map in its
/// order (y, x, channel).
struct MatrixPlaces {
  std::int64_t offset = 0;
  std::int64_t outer_stride = 0, inner_stride = 0;
  std::int64_t row_stride = 0, column_stride = 1;

  std::int64_t at(std::int64_t i, std::int64_t j, std::int64_t row, std::int64_t column) const {
    return offset + i * outer_stride + j * inner_stride + row * row_stride + column * column_stride;
  }
  friend bool operator==(const MatrixPlaces&, const MatrixPlaces&) = default;
};

/// A matmul layer: outer * inner products of m x k by k x n.
struct MatrixProducts {
  int outer = 1, inner = 1;
  int m = 1, n = 1, k = 1;
  MatrixPlaces input;       ///< m x k in Layer::input; column_stride is 1.
  MatrixPlaces stationary;  ///< k x n in Layer::stationary; one of the two strides is 1.
  MatrixPlaces output;      ///< m x n in the layer's own map and, if there is one, in the addend's; column_stride is 1.
  double scale = 1;         ///< Multiplies the products; above 0.

  friend bool operator==(const MatrixProducts&, const MatrixProducts&) = default;
};

/// A box of a copy layer: element (i, j, c) of `count` goes from from + i * from_stride[0] + j * from_stride[1] + c of
/// the source map to to + i * to_stride[0] + j * to_stride[1] + c of the layer's map, in elements.
struct CopyBox {
  int source = 0;  ///< 0: Layer::input, 1: Layer::addend.
  std::array<std::int64_t, 3> count{1, 1, 1};
  std::int64_t from = 0, to = 0;
  std::array<std::int64_t, 2> from_stride{}, to_stride{};

  friend bool operator==(const CopyBox&, const CopyBox&) = default;
};

struct Layer {
  std::string name;  ///< Name of the ONNX node that gives the layer its kind.
  std::string op;    ///< Its operator: "Conv", "Gemm", "Add", "MaxPool", ...
  LayerKind kind = LayerKind::conv;
  int input = network_input;       ///< Operand.
  int addend = no_operand;         ///< Second operand: of an addition or copy, or the residual that a product adds.
  int stationary = no_operand;     ///< matmul: the operand that stands in the array as weights do.
  Activation activation;           ///< Applied last; a layer of any kind may have it. Beside an addend: none or relu.
  bool count_include_pad = false;  ///< average_pool: whether padding counts in the divisor.
  LayerGeometry geometry;
  MatrixProducts products;     ///< matmul only.
  std::vector<CopyBox> boxes;  ///< copy only; elements of the map that no box fills are 0.
  std::vector<float> weights;  ///< conv: [out_c][kernel_h][kernel_w][in_c / groups]; layer_norm: scale [out_c].
  std::vector<float> bias;     ///< conv: [out_c], always present; layer_norm: shift [out_c].
  double epsilon = 0;          ///< layer_norm
  int value = -1;              ///< The network's value (Network::values) that the layer's output stands for.
  int encoded_value = -1;      ///< The value before the fused addition and activation: what the encoder emits.
                               ///< Without fused addition it equals the value before the activation.

  bool uses_array() const { return kind == LayerKind::conv || kind == LayerKind::matmul; }
  /// The encoder emits another format than the layer's output has: a residual is added or a curve applied behind it.
  bool reencodes() const { return uses_array() && (addend != no_operand || activation.kind == Activation::Kind::gelu); }

  /// The GEMM of one group or product: M x N x K; 0 for layers without array.
  std::int64_t m() const;
  std::int64_t n() const;
  std::int64_t k() const;
  std::int64_t product_count() const;  ///< Groups of a convolution, products of a matmul; 1 for others.
  std::int64_t macs() const { return m() * n() * k() * product_count(); }
};

/// A map that does not depend on the input: HWC.
struct ConstantMap {
  std::string name;
  int h = 1, w = 1, c = 1;
  std::vector<float> data;
};

/// Layers in an order in which every operand comes before its use. The last layer is the network's output.
struct LayerGraph {
  std::string network;  ///< File name of the network, without folder.
  int in_h = 1, in_w = 1, in_c = 1;
  std::vector<ConstantMap> constants;
  std::vector<Layer> layers;

  /// Whether the words of an operand must be 8 bits wide whatever the user asks for: those that a matmul multiplies or
  /// holds in the array and those that a copy moves (the machine addresses them by bytes).
  bool needs_bytes(int operand) const;
};

/// Lowers a network: fuses activations, and an addition into the product of greater depth that feeds nothing else;
/// merges padding; turns matrix products into convolutions, and global pooling into pooling with a window of the map's
/// size; finds the operands of products of computed values where they stand; copies what no layer can read or write
/// where it stands. A layer's result is the row-major value with (c, h, w) changed to (h, w, c), except that the last
/// axis of a value 1 x M x K, and of every result of a product with weights, softmax or layer normalisation, is the
/// channels. The weights become the layers': move a network that is of no more use. Throws InputError naming the node
/// that the accelerator cannot run, and why.
LayerGraph lower(Network network);

}  // namespace lpa::workloads
