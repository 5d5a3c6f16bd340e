// Named tensors in a safetensors file: 8 bytes of little-endian header length, a JSON header with the type, shape and
// byte range of every tensor, then the data (https://github.com/huggingface/safetensors, format section).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads {

/// A tensor of one of the supported types: U8, I16, I32, F32. Row-major.
struct StoredTensor {
  Shape shape;
  std::variant<std::vector<std::uint8_t>, std::vector<std::int16_t>, std::vector<std::int32_t>, std::vector<float>>
      data;
};

struct SafeTensors {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;  ///< Free text by key ("__metadata__" in the file).
};

/// Throws InputError naming the file and the tensor: header beyond the file or over 100 MB, not JSON, a field missing,
/// an unknown dtype, a byte range that does not fit the shape or the file, overlapping ranges or gaps.
SafeTensors read_safetensors(const std::filesystem::path& path);

/// Writes atomically, tensors in name order, data aligned to 8 bytes. Throws OutputError if the file cannot be written,
/// std::invalid_argument if a tensor's data does not fit its shape.
void write_safetensors(const std::filesystem::path& path, const SafeTensors& content);

}  // namespace lpa::workloads
