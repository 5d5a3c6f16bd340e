#include "workloads/onnx/selection.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <string_view>

#include <fmt/format.h>

#include "workloads/onnx/shapes.h"

namespace lpa::workloads::detail {
namespace {

using Strides = std::vector<std::int64_t>;

Strides strides_of(const Shape& shape) {
  Strides strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
  return strides;
}

/// Calls visit(offset) for each element of `shape` in row-major order.
template <class Visit>
void for_each_offset(const Shape& shape, std::int64_t start, const Strides& strides, Visit visit) {
  if (std::ranges::find(shape, 0) != shape.end()) return;
  const std::size_t outer = shape.empty() ? 0 : shape.size() - 1;
  const std::int64_t inner_size = shape.empty() ? 1 : shape.back(), inner_stride = shape.empty() ? 0 : strides.back();
  std::vector<std::int64_t> index(outer, 0);
  std::int64_t offset = start;
  while (true) {
    for (std::int64_t i = 0; i < inner_size; ++i) visit(offset + i * inner_stride);
    std::size_t axis = outer;
    for (; axis > 0; --axis) {
      offset += strides[axis - 1];
      if (++index[axis - 1] < shape[axis - 1]) break;
      offset -= strides[axis - 1] * shape[axis - 1];
      index[axis - 1] = 0;
    }
    if (axis == 0) return;
  }
}

Selection strided(Shape shape, std::int64_t start, const Strides& strides) {
  Selection result{std::move(shape), {}};
  result.source.reserve(static_cast<std::size_t>(element_count(result.shape)));
  for_each_offset(result.shape, start, strides,
                  [&](std::int64_t offset) { result.source.push_back(static_cast<std::int32_t>(offset)); });
  return result;
}

/// Fails if a result of that shape would be too large.
void check_size(const NodeReader& node, const Shape& shape) {
  if (checked_count(shape, node.failure("the result")) > max_moved)
    node.fail(fmt::format("moves elements to a result of shape {} (supported: up to {} elements)", to_string(shape),
                          max_moved));
}

Selection slice(const NodeReader& node, Shape shape) {
  Strides strides = strides_of(shape);
  std::int64_t start = 0;
  for (const SliceRange& range : slice_ranges(node, shape)) {
    start += range.start * strides[range.axis];
    shape[range.axis] = range.size();
    strides[range.axis] *= range.step;
  }
  check_size(node, shape);
  return strided(std::move(shape), start, strides);
}

Selection split(const NodeReader& node, Shape shape, std::size_t output) {
  const std::size_t axis = normalised_axis(node.integer("axis", 0), shape.size(), node);
  const auto parts = static_cast<std::int64_t>(node.output_count());
  std::vector<std::int64_t> sizes;
  if (node.has(1)) {
    sizes = node.integers(1);
  } else {
    if (shape[axis] % parts != 0)
      node.fail(fmt::format("cannot split an axis of {} into {} equal parts", shape[axis], parts));
    sizes.assign(static_cast<std::size_t>(parts), shape[axis] / parts);
  }
  std::int64_t total = 0, start = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || sizes[i] > shape[axis] - total) node.fail("the parts do not add up to the axis");
    if (i == output) start = total;
    total += sizes[i];
  }
  if (static_cast<std::int64_t>(sizes.size()) != parts || total != shape[axis])
    node.fail(fmt::format("{} parts of {} in all do not fit {} outputs of an axis of {}", sizes.size(), total, parts,
                          shape[axis]));
  const Strides strides = strides_of(shape);
  shape[axis] = sizes[output];
  check_size(node, shape);
  return strided(std::move(shape), start * strides[axis], strides);
}

Selection gather(const NodeReader& node, const Shape& shape) {
  const std::size_t axis = normalised_axis(node.integer("axis", 0), shape.size(), node);
  const std::int64_t size = shape[axis];
  const std::vector<std::int64_t>& indices = node.integers(1);
  for (const std::int64_t index : indices)
    if (index < -size || index >= size) node.fail(fmt::format("index {} is outside an axis of {}", index, size));
  const auto at = static_cast<std::ptrdiff_t>(axis);
  const Shape before(shape.begin(), shape.begin() + at), after(shape.begin() + at + 1, shape.end());
  Selection result{before, {}};
  result.shape.insert(result.shape.end(), node.constant(1).shape.begin(), node.constant(1).shape.end());
  result.shape.insert(result.shape.end(), after.begin(), after.end());
  check_size(node, result.shape);
  if (element_count(result.shape) == 0) return result;
  const std::int64_t outer = element_count(before), inner = element_count(after);
  result.source.reserve(static_cast<std::size_t>(element_count(result.shape)));
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t index : indices) {
      const std::int64_t first = (o * size + (index < 0 ? index + size : index)) * inner;
      for (std::int64_t i = 0; i < inner; ++i) result.source.push_back(static_cast<std::int32_t>(first + i));
    }
  return result;
}

Selection concat(const NodeReader& node, std::span<const Shape> shapes) {
  Selection result{shapes[0], {}};
  const std::size_t axis = normalised_axis(node.integer("axis"), result.shape.size(), node);
  std::int64_t length = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    Shape other = shapes[i];
    if (other.size() == result.shape.size()) {
      length += other[axis];
      other[axis] = result.shape[axis];
    }
    if (other != result.shape)
      node.fail(fmt::format("input {} of shape {} cannot be joined to {} on axis {}", i, to_string(shapes[i]),
                            to_string(shapes[0]), axis));
  }
  result.shape[axis] = length;
  check_size(node, result.shape);
  if (element_count(result.shape) == 0) return result;
  const std::int64_t outer =
      element_count(Shape(result.shape.begin(), result.shape.begin() + static_cast<std::ptrdiff_t>(axis)));
  result.source.reserve(static_cast<std::size_t>(element_count(result.shape)));
  for (std::int64_t o = 0; o < outer; ++o) {
    std::int64_t begin = 0;
    for (const Shape& shape : shapes) {
      const std::int64_t count = element_count(shape), block = count / outer;
      for (std::int64_t i = 0; i < block; ++i)
        result.source.push_back(static_cast<std::int32_t>(begin + o * block + i));
      begin += count;
    }
  }
  return result;
}

Selection transpose(const NodeReader& node, const Shape& source) {
  const std::size_t rank = source.size();
  std::vector<std::int64_t> perm(rank);
  std::iota(perm.rbegin(), perm.rend(), 0);
  perm = node.integers("perm", perm);
  std::vector<bool> seen(rank, false);
  if (perm.size() != rank) node.fail("attribute 'perm' does not fit the rank");
  std::vector<std::size_t> order;
  for (const std::int64_t axis : perm) {
    if (axis < 0 || static_cast<std::size_t>(axis) >= rank || seen[static_cast<std::size_t>(axis)])
      node.fail("attribute 'perm' is not a permutation of the axes");
    order.push_back(static_cast<std::size_t>(axis));
    seen[order.back()] = true;
  }
  return transposed(source, order, node);
}

Selection expand(const NodeReader& node, const Shape& shape) {
  const Shape target = broadcast_shape(shape, node.integers(1), node);
  check_size(node, target);
  return expanded(shape, target);
}

Selection tile(const NodeReader& node, const Shape& source) {
  const std::vector<std::int64_t>& repeats = node.integers(1);
  if (repeats.size() != source.size())
    node.fail(fmt::format("{} repeats for a tensor of rank {}", repeats.size(), source.size()));
  // Each axis is two: the repeats, which do not move the source, and the axis itself.
  const Strides own = strides_of(source);
  Shape shape, twofold;
  Strides strides;
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (repeats[i] < 0 || repeats[i] > max_moved)
      node.fail(fmt::format("{} repeats (supported: 0 to {})", repeats[i], max_moved));
    shape.push_back(source[i] * repeats[i]);
    twofold.insert(twofold.end(), {repeats[i], source[i]});
    strides.insert(strides.end(), {0, own[i]});
  }
  check_size(node, shape);
  Selection result = strided(std::move(twofold), 0, strides);
  result.shape = std::move(shape);
  return result;
}

Selection pad(const NodeReader& node, const Shape& source) {
  const Padding padding = read_padding(node, source);
  if (padding.value != 0)
    node.fail(fmt::format("pads with {} (supported: 0, or on height and width of a feature map)", padding.value));
  check_size(node, padding.shape);
  return padded(source, padding.begins, padding.shape);
}

}  // namespace

bool selects(const std::string& op) {
  static constexpr std::array<std::string_view, 8> operators{"Slice",     "Split",  "Gather", "Concat",
                                                             "Transpose", "Expand", "Tile",   "Pad"};
  return std::ranges::find(operators, op) != operators.end();
}

std::size_t moved_inputs(const NodeReader& node) {
  return node.op() == "Concat" ? node.input_count() : 1;
}

Selection select(const NodeReader& node, std::span<const Shape> shapes, std::size_t output) {
  std::int64_t total = 0;
  for (const Shape& shape : shapes) {
    total += checked_count(shape, node.failure("an input"));
    if (total > std::numeric_limits<std::int32_t>::max()) node.fail("the inputs together have too many elements");
  }
  const std::string& op = node.op();
  if (op == "Slice") return slice(node, shapes[0]);
  if (op == "Split") return split(node, shapes[0], output);
  if (op == "Gather") return gather(node, shapes[0]);
  if (op == "Concat") return concat(node, shapes);
  if (op == "Transpose") return transpose(node, shapes[0]);
  if (op == "Expand") return expand(node, shapes[0]);
  if (op == "Tile") return tile(node, shapes[0]);
  return pad(node, shapes[0]);
}

Selection expanded(const Shape& from, const Shape& to) {
  Strides strides(to.size(), 0);
  const Strides own = strides_of(from);
  const std::size_t lead = to.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] != 1) strides[lead + i] = own[i];
  return strided(to, 0, strides);
}

Selection transposed(const Shape& from, const std::vector<std::size_t>& order, const NodeReader& node) {
  check_size(node, from);
  const Strides own = strides_of(from);
  Shape shape;
  Strides strides;
  for (const std::size_t axis : order) {
    shape.push_back(from[axis]);
    strides.push_back(own[axis]);
  }
  return strided(std::move(shape), 0, strides);
}

Selection padded(const Shape& from, const std::vector<int>& begins, const Shape& to) {
  const Strides strides = strides_of(to);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < from.size(); ++i) start += begins[i] * strides[i];
  Selection result{to, std::vector<std::int32_t>(static_cast<std::size_t>(element_count(to)), -1)};
  std::int32_t next = 0;
  for_each_offset(from, start, strides,
                  [&](std::int64_t offset) { result.source[static_cast<std::size_t>(offset)] = next++; });
  return result;
}

}  // namespace lpa::workloads::detail
