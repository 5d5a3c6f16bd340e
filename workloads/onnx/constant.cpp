#include "workloads/onnx/constant.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

namespace lpa::workloads::detail {
namespace {

template <class Stored, class Kept>
std::vector<Kept> read_raw(const std::string& raw, std::int64_t count, const Fail& fail) {
  const auto bytes = static_cast<std::size_t>(count) * sizeof(Stored);
  if (raw.size() != bytes)
    fail(fmt::format("has {} bytes of data (expected {}: {} elements of {} bytes)", raw.size(), bytes, count,
                     sizeof(Stored)));
  std::vector<Kept> values(static_cast<std::size_t>(count));
  if constexpr (std::is_same_v<Stored, Kept>) {
    if (bytes > 0) std::memcpy(values.data(), raw.data(), bytes);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      Stored value;
      std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
      values[i] = static_cast<Kept>(value);
    }
  }
  return values;
}

template <class Stored, class Kept, class Field>
std::vector<Kept> read_data(const ::onnx::TensorProto& tensor, const Field& field, std::int64_t count,
                            const Fail& fail) {
  if (tensor.has_raw_data()) return read_raw<Stored, Kept>(tensor.raw_data(), count, fail);
  if (field.size() != count) fail(fmt::format("has {} values (expected {})", field.size(), count));
  std::vector<Kept> values(static_cast<std::size_t>(count));
  std::ranges::transform(field, values.begin(), [](auto value) { return static_cast<Kept>(value); });
  return values;
}

}  // namespace

std::int64_t checked_count(const Shape& shape, const Fail& fail) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 0) fail(fmt::format("has a negative size in its shape {}", to_string(shape)));
    // Empty tensors are bounded by their other sizes too, so that no stride can overflow.
    if (size > 0 && count > max_elements / size)
      fail(fmt::format("has more than {} elements: {}", max_elements, to_string(shape)));
    count *= std::max<std::int64_t>(size, 1);
  }
  return element_count(shape);
}

Constant read_tensor(const ::onnx::TensorProto& tensor, const Fail& fail) {
  using Type = ::onnx::TensorProto;
  Constant constant;
  constant.shape.assign(tensor.dims().begin(), tensor.dims().end());
  const std::int64_t count = checked_count(constant.shape, fail);
  if (tensor.data_location() == Type::EXTERNAL || tensor.external_data_size() > 0)
    fail("has its data in another file (supported: data inside the model file)");
  if (tensor.has_segment()) fail("is stored in segments, which is not supported");

  switch (tensor.data_type()) {
    case Type::FLOAT:
      constant.data = read_data<float, float>(tensor, tensor.float_data(), count, fail);
      break;
    case Type::DOUBLE:
      constant.data = read_data<double, float>(tensor, tensor.double_data(), count, fail);
      break;
    case Type::INT64:
      constant.data = read_data<std::int64_t, std::int64_t>(tensor, tensor.int64_data(), count, fail);
      break;
    case Type::INT32:
      constant.data = read_data<std::int32_t, std::int64_t>(tensor, tensor.int32_data(), count, fail);
      break;
    case Type::INT8:
      constant.data = read_data<std::int8_t, std::int64_t>(tensor, tensor.int32_data(), count, fail);
      break;
    case Type::UINT8:
    case Type::BOOL:
      constant.data = read_data<std::uint8_t, std::int64_t>(tensor, tensor.int32_data(), count, fail);
      break;
    default: {
      const auto& names =
          ::onnx::TensorProto_DataType_Name(static_cast<::onnx::TensorProto_DataType>(tensor.data_type()));
      fail(fmt::format("has data type {} (supported: FLOAT, DOUBLE, INT64, INT32, INT8, UINT8, BOOL)",
                       names.empty() ? std::to_string(tensor.data_type()) : names));
    }
  }
  return constant;
}

}  // namespace lpa::workloads::detail
