// A trained network: a graph of operators on named values, as imported from ONNX and simplified.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads {

struct Conv {
  std::vector<int> kernel, strides, pads, dilations;  ///< ONNX order: pads are top, left, bottom, right.
  int groups = 1;
  Tensor weights;  ///< [out_c, in_c / groups, kernel_h, kernel_w]
  Tensor bias;     ///< [out_c], always present.
};
struct Gemm {
  Tensor weights;  ///< [N, K]: transposed at import where the file has [K, N]; alpha folded in.
  Tensor bias;     ///< [N], always present; beta folded in.
};
struct Relu {};
struct Add {};  ///< Two inputs of the same shape.
struct Pool {
  enum class Kind { max, average } kind = Kind::max;
  std::vector<int> kernel, strides, dilations;
  std::vector<int> pads;           ///< With ceil_mode the end pads already reach to the end of the last window.
  bool ceil_mode = false;          ///< As in the file; the output size follows from the pads alone.
  bool count_include_pad = false;  ///< average: whether padding counts in the divisor.
};
struct GlobalAveragePool {};  ///< The mean over height and width of 1 x C x H x W.
struct Pad {
  std::vector<int> begins, ends;  ///< Per axis; constant mode.
  float value = 0;
};
struct Reshape {};  ///< Flatten, Reshape and Squeeze alike: the shape is the output value's.
/// Slice, Concat, Split, Gather, Transpose, Expand and whatever chain of them: element i of the output is element
/// source[i] of the inputs laid end to end, or 0 where source[i] is -1.
struct Move {
  std::vector<std::int32_t> source;
};
/// Product of two computed values, [..., M, K] by [..., K, N], whose other axes are the same.
struct MatMul {};
struct Softmax {};  ///< Along the last axis.
/// (x - mean) / sqrt(variance + epsilon) * scale + shift, along the last axis.
struct LayerNorm {
  Tensor scale, shift;  ///< [K], always present.
  float epsilon = 1e-5f;
};
struct Gelu {};  ///< x / 2 * (1 + erf(x / sqrt(2))).
struct Clip {
  float low, high;  ///< Either may be infinite.
};
struct Scale {
  float factor;  ///< Not 0.
};
/// A value that does not depend on the network's input; no inputs. An addend has the other operand's shape.
struct Constant {
  Tensor value;
};

using Operator = std::variant<Conv, Gemm, Relu, Add, Pool, GlobalAveragePool, Pad, Reshape, Move, MatMul, Softmax,
                              LayerNorm, Gelu, Clip, Scale, Constant>;

struct Node {
  std::string name;  ///< The ONNX node's name, or "<op>_<index>" where the file has none.
  std::string op;    ///< ONNX operator type.
  Operator attributes;
  std::vector<int> inputs;  ///< Indices into Network::values.
  int output = -1;
};

struct Value {
  std::string name;  ///< As in the file; where several nodes became one, the name of the last one's result.
  Shape shape;       ///< Batch 1.
};

/// Nodes in topological order; one input, one output.
struct Network {
  std::string file;  ///< As given, for messages.
  std::vector<Value> values;
  std::vector<Node> nodes;
  int input = -1;
  int output = -1;
};

}  // namespace lpa::workloads
