// Many partial sums at a time: what Accumulator::mac() defines, over vectors of positions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "quant/formats/arithmetic.h"

namespace lpa::formats {

/// An Operand in one integer: log * 256 + (significand - 1) * 2 + negative; zero and NaR are logs far outside what
/// words can hold, so that the sum of two packed operands of LPs tells everything about their product.
using PackedOperand = std::int32_t;
inline constexpr PackedOperand packed_zero = -(1 << 26);
inline constexpr PackedOperand packed_nar = 1 << 28;

PackedOperand pack(const Operand& operand);
Operand unpack(PackedOperand packed);

/// The packed operand of every word of a format of up to 8 bits; words the format does not have are zero.
std::array<PackedOperand, 256> pack_words(const TensorFormat& format);

/// Packed operands [depth][positions], rows padded with zeros to whole vectors. New panels are all zeros.
class OperandPanel {
 public:
  static constexpr std::size_t row_multiple = 64;

  OperandPanel(std::size_t depth, std::size_t positions);
  std::size_t depth() const { return depth_; }
  std::size_t positions() const { return positions_; }
  std::size_t stride() const { return stride_; }
  /// The operands of step k, one per position. Only these may be written: what lies behind stays zero.
  std::span<PackedOperand> row(std::size_t k) { return {data_.data() + k * stride_, positions_}; }
  std::span<const PackedOperand> row(std::size_t k) const { return {data_.data() + k * stride_, positions_}; }

 private:
  std::size_t depth_;
  std::size_t positions_;
  std::size_t stride_;
  std::vector<PackedOperand> data_;
};

/// The values of the kernel's parameters; see BatchAccumulator.
struct BatchParameters {
  bool aligned = true;
  bool vectorised = true;  ///< Whether the kernel can handle this arithmetic at all (lf_bits <= 15).
  int total_bits = 32;
  int place = 0;                      ///< Left shift of a table entry to a sum's fraction.
  int unit = 0;                       ///< Fixed sums: the product exponent at which a table entry is not shifted.
  int largest_left_shift = 0;         ///< Fixed sums: beyond it, products are left to the scalar accumulator.
  std::int64_t largest_product = 0;   ///< Aligned sums: of a product's magnitude.
  std::array<std::int32_t, 64> lf{};  ///< Linear value of 2^(i/64), cut to the sum's fraction bits.
};

/// Accumulator for many positions that share the other operand: equal to it in every bit and in every event.
class BatchAccumulator {
 public:
  /// As Accumulator's. `linear`: operands may be.
  BatchAccumulator(const Arithmetic& arithmetic, int weight_bits, int lsb = 0, bool linear = false);

  /// psums[m] = mac(... mac(psums[m], row[0], panel[0][m]) ..., row[depth - 1], panel[depth - 1][m]) for every position
  /// m of the panel. A product is the same either way round: `row` may be the weights of an output channel and the
  /// panel the activations of its positions, or `row` one position's activations and the panel the weights of many
  /// channels. Throws FormatError if psums or row do not have the panel's sizes. Concurrent calls are safe.
  void mac_row(std::span<Psum> psums, std::span<const PackedOperand> row, const OperandPanel& panel,
               AccumulateEvents* events = nullptr) const;

  /// The same for operands that lie anywhere: that of step k which all share is row[k], that of psums[m]
  /// is lanes[k * stride + m]. Of the lanes, whole groups of 16 are read; those behind the last psum must be
  /// packed_zero.
  void mac_lanes(std::span<Psum> psums, std::size_t depth, const PackedOperand* row, const PackedOperand* lanes,
                 std::size_t stride, AccumulateEvents* events = nullptr) const;

  const Accumulator& scalar() const { return scalar_; }

 private:
  Accumulator scalar_;
  BatchParameters parameters_;
};

}  // namespace lpa::formats
