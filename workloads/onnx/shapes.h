// Shapes after the operators that move or pick elements; shared by constants and computed values.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

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

/// Shape to which two tensors are broadcast; fails if they cannot be.
Shape broadcast_shape(const Shape& a, const Shape& b, const NodeReader& node);

/// What a Pad node asks for.
struct Padding {
  std::vector<int> begins, ends;  ///< Per axis, at least 0.
  float value = 0;
  Shape shape;  ///< Of the result.
};
Padding read_padding(const NodeReader& node, const Shape& shape);

}  // namespace lpa::workloads::detail
