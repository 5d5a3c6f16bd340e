#include "workloads/onnx/windows.h"

#include <algorithm>

#include <fmt/format.h>

namespace lpa::workloads::detail {
namespace {

constexpr std::int64_t max_attribute = 1 << 20;

std::vector<int> sizes(const NodeReader& node, const char* name, const std::vector<std::int64_t>& values,
                       std::size_t count, std::int64_t least) {
  if (values.size() != count)
    node.fail(fmt::format("'{}' has {} values (expected {}: two spatial axes)", name, values.size(), count));
  std::vector<int> result;
  for (const std::int64_t value : values) {
    if (value < least || value > max_attribute)
      node.fail(fmt::format("'{}' has the value {} (expected {} to {})", name, value, least, max_attribute));
    result.push_back(static_cast<int>(value));
  }
  return result;
}

}  // namespace

Window read_window(const NodeReader& node, const Shape& input, const std::vector<std::int64_t>& kernel, bool pooling) {
  if (input.size() != 4 || input[0] != 1)
    node.fail(fmt::format("input has shape {} (supported: 1 x C x H x W)", to_string(input)));
  Window window;
  window.kernel = sizes(node, "kernel_shape", kernel, 2, 1);
  window.strides = sizes(node, "strides", node.integers("strides", {1, 1}), 2, 1);
  window.dilations = sizes(node, "dilations", node.integers("dilations", {1, 1}), 2, 1);
  const std::string auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  window.pads = {0, 0, 0, 0};
  if (auto_pad == "NOTSET")
    window.pads = sizes(node, "pads", node.integers("pads", {0, 0, 0, 0}), 4, 0);
  else if (!same && auto_pad != "VALID")
    node.fail(fmt::format("'auto_pad' is '{}' (supported: NOTSET, VALID, SAME_UPPER, SAME_LOWER)", auto_pad));
  const bool ceil_mode = pooling && !same && node.integer("ceil_mode", 0) != 0;

  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t size = input[2 + axis], stride = window.strides[axis];
    const std::int64_t extent = std::int64_t{window.dilations[axis]} * (window.kernel[axis] - 1) + 1;
    int &begin = window.pads[axis], &end = window.pads[axis + 2];
    if (same) {
      const std::int64_t count = (size - 1) / stride + 1;
      const std::int64_t total = std::max<std::int64_t>((count - 1) * stride + extent - size, 0);
      if (total > max_attribute) node.fail("the window is too large");
      const auto smaller = static_cast<int>(total / 2), larger = static_cast<int>(total - total / 2);
      begin = auto_pad == "SAME_UPPER" ? smaller : larger;
      end = auto_pad == "SAME_UPPER" ? larger : smaller;
    }
    if (pooling && (begin >= extent || end >= extent))
      node.fail(fmt::format("a pad of {} is not smaller than the window of {}", std::max(begin, end), extent));
    const std::int64_t slack = size + begin + end - extent;
    if (slack < 0)
      node.fail(
          fmt::format("a window of {} does not fit into an input of {} with pads {} and {}", extent, size, begin, end));
    std::int64_t count = slack / stride + 1;
    // A window that would start beyond the input and its leading pad is left out, as exporters assume.
    if (ceil_mode && slack % stride != 0 && count * stride < size + begin) {
      ++count;
      end = static_cast<int>((count - 1) * stride + extent - size - begin);
      window.overhangs = true;
    }
    window.output.push_back(count);
  }
  return window;
}

}  // namespace lpa::workloads::detail
