// Operators that only move elements: Slice, Split, Gather, Concat, Transpose, Expand, Tile and Pad.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

/// Element i of the output is element source[i] of the moved inputs laid end to end, or 0 where source[i] is -1.
struct Selection {
  Shape shape;
  std::vector<std::int32_t> source;
};

/// Whether the operator only moves elements.
bool selects(const std::string& op);

/// How many of the node's inputs are moved, from the first on; the others say how.
std::size_t moved_inputs(const NodeReader& node);

/// What the node makes output `output` of, given the shapes of its moved inputs. Throws InputError on invalid inputs
/// and on results of more than max_moved elements.
Selection select(const NodeReader& node, std::span<const Shape> shapes, std::size_t output);

/// The selection of an Expand of a tensor to a shape to which it can be broadcast.
Selection expanded(const Shape& from, const Shape& to);

/// The selection of a Transpose to axes in that order, a permutation. Fails for a result of more than max_moved
/// elements.
Selection transposed(const Shape& from, const std::vector<std::size_t>& order, const NodeReader& node);

/// The selection of a Pad with zeros.
Selection padded(const Shape& from, const std::vector<int>& begins, const Shape& to);

/// Keeps the tables of sources small.
inline constexpr std::int64_t max_moved = 1 << 24;

}  // namespace lpa::workloads::detail
