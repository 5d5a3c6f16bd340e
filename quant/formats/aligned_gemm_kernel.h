// The vector kernel behind BatchAccumulator; not for other users.
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/formats/aligned_gemm.h"

namespace lpa::formats {

/// Sums of a block of positions, as the kernel keeps them.
struct PsumBlock {
  static constexpr std::size_t size = OperandPanel::row_multiple;
  alignas(64) std::int32_t value[size];
  alignas(64) std::int32_t exponent[size];
};

/// Operands of step k: row[k], shared by all lanes, and lanes[k * stride + i]. Whole vectors of up to 16
/// lanes are read; those from `count` on are packed_zero.
struct LaneOperands {
  const PackedOperand* row = nullptr;
  const PackedOperand* lanes = nullptr;
  std::size_t stride = 0;
  std::size_t depth = 0;
  std::size_t count = 0;
};

/// Adds `depth` products to the first `count` sums of the block. Returns false, with the block undefined, if it met a
/// product that is only for the scalar accumulator: NaR, or too large for a shift.
bool accumulate_block(const BatchParameters& parameters, const LaneOperands& operands, PsumBlock& block,
                      std::uint64_t& saturations);

}  // namespace lpa::formats
