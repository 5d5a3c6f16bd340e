// Where the elements of a GEMM's operands lie. Not for other users.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

#include "quant/formats/gemm_plan.h"

namespace lpa::formats {

/// Blocks of lanes, each with all its rows one behind another, so that a tile walks through contiguous memory.
struct GemmLayout {
  GemmLayout(const GemmForm& form, std::size_t depth, std::size_t lanes)
      : width(std::clamp<std::size_t>(std::bit_ceil(lanes), 16, 64)),
        rows((depth + form.interleave - 1) / form.interleave),
        lane_bytes(form.element_bytes * form.interleave),
        plane_bytes(width * lane_bytes),
        row_bytes(plane_bytes * form.planes),
        block_bytes(row_bytes * rows),
        size((lanes + width - 1) / width * block_bytes) {}

  /// Of the lane's first element in row 0.
  std::size_t offset(std::size_t lane) const { return lane / width * block_bytes + lane % width * lane_bytes; }

  std::size_t width;  ///< Lanes of a block.
  std::size_t rows;
  std::size_t lane_bytes, plane_bytes, row_bytes, block_bytes, size;
};

}  // namespace lpa::formats
