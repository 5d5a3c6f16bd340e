#pragma once

#include <optional>

#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

/// Result of a node all of whose inputs are constants (Constant nodes have none), by the operators of opset 13 that
/// exporters use to compute shapes and parameters; nothing if the operator is not one of them. Throws InputError on
/// invalid inputs.
std::optional<Constant> fold(const NodeReader& node);

/// Result of a Shape node (with opset 15's start and end) on a tensor of that shape.
Constant fold_shape(const NodeReader& node, const Shape& shape);

/// The normalised index of an axis, which may count from the end; fails unless it is within the rank.
std::size_t normalised_axis(std::int64_t axis, std::size_t rank, const NodeReader& node);

/// Shape after Reshape to `target`, whose entries may be 0 (copy, unless allow_zero) and once -1 (infer). Fails unless
/// the number of elements stays the same.
Shape reshaped(const Shape& shape, const std::vector<std::int64_t>& target, bool allow_zero, const NodeReader& node);

/// Shape after Flatten, Squeeze, Unsqueeze or Reshape, as the node says.
Shape reshaped_by(const NodeReader& node, const Shape& shape);

/// Range of one axis by Slice: normalised to the axis's size, for either sign of the step.
struct SliceRange {
  std::size_t axis = 0;
  std::int64_t start = 0, end = 0, step = 1;
  std::int64_t size() const;  ///< Elements kept.
};
std::vector<SliceRange> slice_ranges(const NodeReader& node, const Shape& shape);

}  // namespace lpa::workloads::detail
