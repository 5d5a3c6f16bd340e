#include "workloads/onnx/shapes.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace lpa::workloads::detail {

std::size_t normalised_axis(std::int64_t axis, std::size_t rank, const NodeReader& node) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank)
    node.fail(fmt::format("axis {} is outside a tensor of rank {}", axis, rank));
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

Shape reshaped(const Shape& shape, const std::vector<std::int64_t>& target, bool allow_zero, const NodeReader& node) {
  const auto refuse = [&] { node.fail(fmt::format("cannot reshape {} to {}", to_string(shape), to_string(target))); };
  Shape result = target;
  std::int64_t known = 1;
  std::size_t inferred = result.size();
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i] == 0 && !allow_zero) {
      if (i >= shape.size()) refuse();
      result[i] = shape[i];
    }
    if (result[i] == -1 && inferred == result.size()) {
      inferred = i;
      continue;
    }
    if (result[i] < 0 || (result[i] > 0 && known > max_elements / result[i])) refuse();
    known *= std::max<std::int64_t>(result[i], 1);
  }
  if (std::ranges::find(result, 0) != result.end()) known = 0;
  const std::int64_t count = element_count(shape);
  if (inferred < result.size()) {
    if (known == 0 || count % known != 0) refuse();
    result[inferred] = count / known;
  } else if (known != count) {
    refuse();
  }
  return result;
}

namespace {

std::vector<std::size_t> axes_input(const NodeReader& node, std::size_t rank) {
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : node.integers(1)) axes.push_back(normalised_axis(axis, rank, node));
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) node.fail("an axis is named twice");
  return axes;
}

Shape squeezed(const NodeReader& node, const Shape& shape) {
  std::vector<std::size_t> axes;
  if (node.has(1)) {
    axes = axes_input(node, shape.size());
  } else {
    for (std::size_t i = 0; i < shape.size(); ++i)
      if (shape[i] == 1) axes.push_back(i);
  }
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (!std::ranges::binary_search(axes, i)) {
      result.push_back(shape[i]);
    } else if (shape[i] != 1) {
      node.fail(fmt::format("axis {} of {} is not of size 1", i, to_string(shape)));
    }
  }
  return result;
}

Shape unsqueezed(const NodeReader& node, const Shape& shape) {
  const std::size_t rank = shape.size() + node.integers(1).size();
  if (rank > 16) node.fail(fmt::format("rank {} is too large", rank));
  const std::vector<std::size_t> axes = axes_input(node, rank);
  Shape result;
  auto next = shape.begin();
  for (std::size_t i = 0; i < rank; ++i) result.push_back(std::ranges::binary_search(axes, i) ? 1 : *next++);
  return result;
}

}  // namespace

Shape reshaped_by(const NodeReader& node, const Shape& shape) {
  if (node.op() == "Squeeze") return squeezed(node, shape);
  if (node.op() == "Unsqueeze") return unsqueezed(node, shape);
  if (node.op() == "Reshape") return reshaped(shape, node.integers(1), node.integer("allowzero", 0) != 0, node);
  // Flatten: the axis may equal the rank.
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis > rank) node.fail(fmt::format("axis {} is outside a tensor of rank {}", axis, rank));
  if (axis < 0) axis += rank;
  return {element_count(Shape(shape.begin(), shape.begin() + axis)),
          element_count(Shape(shape.begin() + axis, shape.end()))};
}

std::int64_t SliceRange::size() const {
  const std::int64_t distance = step > 0 ? end - start : start - end;
  const std::int64_t stride = step > 0 ? step : -step;
  return distance <= 0 ? 0 : (distance - 1) / stride + 1;
}

std::vector<SliceRange> slice_ranges(const NodeReader& node, const Shape& shape) {
  const std::vector<std::int64_t>&starts = node.integers(1), &ends = node.integers(2);
  std::vector<std::int64_t> axes, steps(starts.size(), 1);
  for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (node.has(3)) axes = node.integers(3);
  if (node.has(4)) steps = node.integers(4);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    node.fail("starts, ends, axes and steps differ in length");

  std::vector<SliceRange> ranges;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    SliceRange range;
    range.axis = normalised_axis(axes[i], shape.size(), node);
    if (std::ranges::any_of(ranges, [&](const SliceRange& other) { return other.axis == range.axis; }))
      node.fail("an axis is named twice");
    const std::int64_t size = shape[range.axis];
    if (steps[i] == 0) node.fail("a step is 0");
    // A longer step picks one element just the same; the bound keeps products small.
    range.step = std::clamp<std::int64_t>(steps[i], -max_elements, max_elements);
    const bool forward = range.step > 0;
    const auto normalise = [&](std::int64_t position) {
      if (position < 0) position += size;
      return forward ? std::clamp<std::int64_t>(position, 0, size) : std::clamp<std::int64_t>(position, -1, size - 1);
    };
    range.start = normalise(starts[i]);
    range.end = normalise(ends[i]);
    if (range.size() == 0) range.start = range.end = 0;
    ranges.push_back(range);
  }
  return ranges;
}

Shape broadcast_shape(const Shape& a, const Shape& b, const NodeReader& node) {
  Shape shape(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1)
      node.fail(fmt::format("shapes {} and {} cannot be broadcast", to_string(a), to_string(b)));
    shape[shape.size() - 1 - i] = x == 1 ? y : x;
  }
  checked_count(shape, node.failure("the result"));
  return shape;
}

Padding read_padding(const NodeReader& node, const Shape& shape) {
  if (const std::string mode = node.text("mode", "constant"); mode != "constant")
    node.fail(fmt::format("'mode' is '{}' (supported: constant)", mode));
  const std::vector<std::int64_t>& amounts = node.integers(1);
  if (amounts.size() != 2 * shape.size())
    node.fail(fmt::format("{} pads for a tensor of rank {} (expected twice the rank)", amounts.size(), shape.size()));
  Padding padding{{}, {}, 0, shape};
  for (std::size_t i = 0; i < amounts.size(); ++i) {
    if (amounts[i] < 0 || amounts[i] > max_elements)
      node.fail(fmt::format("a pad of {} (supported: 0 to {})", amounts[i], max_elements));
    (i < shape.size() ? padding.begins : padding.ends).push_back(static_cast<int>(amounts[i]));
    padding.shape[i % shape.size()] += amounts[i];
  }
  if (node.has(2)) padding.value = static_cast<float>(node.number(2));
  return padding;
}

}  // namespace lpa::workloads::detail
