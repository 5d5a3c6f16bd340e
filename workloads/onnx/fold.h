#pragma once

#include <optional>

#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

/// Folded constants are shapes, masks and parameters, hence small.
inline constexpr std::int64_t max_folded = 1 << 24;

/// Output `output` of a node all of whose inputs are constants (Constant nodes have none), by the operators of opset 13
/// to 17 that exporters use to compute shapes, masks and parameters; nothing if the operator is not one of them. Throws
/// InputError on invalid inputs.
std::optional<Constant> fold(const NodeReader& node, std::size_t output = 0);

/// The same for operators that work element by element.
std::optional<Constant> fold_elementwise(const NodeReader& node);

/// The constant repeated along the axes in which `shape`, to which it can be broadcast, is larger.
Constant broadcast_to(const Constant& source, const Shape& shape);

/// Result of a Shape node (with opset 15's start and end) on a tensor of that shape.
Constant fold_shape(const NodeReader& node, const Shape& shape);

}  // namespace lpa::workloads::detail
