// Tensors of an ONNX file that are known at import: initializers, Constant nodes and whatever is folded from them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "workloads/tensor.h"

namespace onnx {
class TensorProto;
}

namespace lpa::workloads::detail {

/// Reports an error at the place that the caller has bound to it; never returns.
using Fail = std::function<void(const std::string&)>;

/// No tensor of a file may have more elements: keeps every size computation within 64 bits and a damaged file from
/// asking for all memory.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 28;

struct Constant {
  Shape shape;
  /// Floating-point types are kept as float, integer and Boolean ones as int64.
  std::variant<std::vector<float>, std::vector<std::int64_t>> data;

  bool is_float() const { return data.index() == 0; }
  const std::vector<float>& floats() const { return std::get<0>(data); }
  const std::vector<std::int64_t>& integers() const { return std::get<1>(data); }
};

/// Number of elements, or a failure if a size is negative or there are more than max_elements.
std::int64_t checked_count(const Shape& shape, const Fail& fail);

/// Decodes FLOAT, DOUBLE, INT64, INT32, INT8, UINT8 and BOOL tensors stored in the file itself.
Constant read_tensor(const ::onnx::TensorProto& tensor, const Fail& fail);

}  // namespace lpa::workloads::detail
