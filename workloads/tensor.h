#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lpa::workloads {

using Shape = std::vector<std::int64_t>;

/// Number of elements; 1 for a scalar's empty shape.
std::int64_t element_count(const Shape& shape);

/// "1x3x32x32".
std::string to_string(const Shape& shape);

/// A dense fp32 tensor, row-major (NCHW for feature maps).
struct Tensor {
  Shape shape;
  std::vector<float> data;
};

}  // namespace lpa::workloads
