#pragma once

#include <cstdint>
#include <vector>

#include "workloads/onnx/node_reader.h"

namespace lpa::workloads::detail {

/// The two-dimensional sliding window of a Conv or a pooling, checked against its input, with auto_pad resolved.
struct Window {
  std::vector<int> kernel, strides, dilations;
  /// top, left, bottom, right. With ceil_mode the end pads are raised to cover the last window, so that the output size
  /// is (input + pads - dilated kernel) / stride + 1 rounded down in any case.
  std::vector<int> pads;
  bool overhangs = false;            ///< ceil_mode raised a pad.
  std::vector<std::int64_t> output;  ///< Height and width.
};

/// Reads strides, pads, dilations, auto_pad and (with `pooling`) ceil_mode. Fails unless the input is 1 x C x H x W,
/// all sizes are sensible and the output has at least one element; for a pooling also if a pad is as large as the
/// window.
Window read_window(const NodeReader& node, const Shape& input, const std::vector<std::int64_t>& kernel, bool pooling);

}  // namespace lpa::workloads::detail
