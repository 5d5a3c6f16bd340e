// Arrays in NumPy's .npy files, format versions 1 and 2 (numpy.lib.format), little-endian, C order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads {

struct ByteArray {
  Shape shape;
  std::vector<std::uint8_t> data;  ///< Row-major.
};

/// Reads an array of uint8 ('|u1'). `max_rows` > 0 reads at most that many entries of the first axis (the file must be
/// complete all the same). Throws InputError with the dtype, order or byte count found and expected.
ByteArray read_npy_u8(const std::filesystem::path& path, std::int64_t max_rows = 0);

/// Reads an array of float32 ('<f4'); otherwise like read_npy_u8.
Tensor read_npy_f32(const std::filesystem::path& path, std::int64_t max_rows = 0);

/// Writes version 1 atomically. Requires data.size() == element_count(shape). Throws OutputError.
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const std::uint8_t> data);
void write_npy(const std::filesystem::path& path, const Shape& shape, std::span<const float> data);

}  // namespace lpa::workloads
