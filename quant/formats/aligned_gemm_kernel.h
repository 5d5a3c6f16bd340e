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

/// Adds `depth` products to the first `count` sums of the block (the others may change too), `panel` pointing at the
/// block's first position in row 0. Returns false, with the block undefined, if it met a product that is only for the
/// scalar accumulator: NaR, or too large for a shift.
bool accumulate_block(const BatchParameters& parameters, const PackedOperand* row, std::size_t depth,
                      const PackedOperand* panel, std::size_t stride, std::size_t count, PsumBlock& block,
                      std::uint64_t& saturations);

}  // namespace lpa::formats
