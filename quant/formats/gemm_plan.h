// What a GemmKernel works out once: the kernel and the forms of its operands. Not for other users.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "quant/formats/aligned_gemm.h"
#include "quant/formats/arithmetic.h"
#include "quant/formats/gemm_tiles.h"
#include "quant/formats/tensor_format.h"

namespace lpa::formats {

/// How a kernel wants words: as `planes` elements each. A row holds `interleave` steps, the elements of a lane's steps
/// side by side; its planes follow one another.
struct GemmForm {
  std::size_t element_bytes = 4;
  std::size_t interleave = 1;
  std::size_t planes = 1;
  std::array<std::array<std::uint32_t, 256>, 4> table{};  ///< [plane][word]; NaR is like zero.
};

struct alignas(64) GemmTableRow {
  std::array<std::int32_t, 16> product{};
};

/// A word's place among the magnitudes of a format, +-x -> x; 10..0 is the largest.
class GemmCode {
 public:
  explicit GemmCode(const TensorFormat& format)
      : mask_(static_cast<std::uint8_t>(format.word_count() - 1)),
        top_(static_cast<std::uint8_t>(format.nar_word())),
        flip_(format.sign_magnitude() ? 0 : mask_),
        add_(format.sign_magnitude() ? top_ : std::uint8_t{1}) {}
  std::uint8_t operator()(std::uint8_t word) const {
    const auto negated = static_cast<std::uint8_t>(((word ^ flip_) + add_) & mask_);
    return word > top_ ? negated : word;
  }

 private:
  std::uint8_t mask_, top_, flip_, add_;
};

/// Words of a format in order of magnitude: the code of -x is that of x.
struct GemmMagnitudes {
  std::array<double, 256> of_word{};     ///< 2^log, zero for zero and NaR.
  std::array<double, 256> up_to_code{};  ///< The largest of_word of all words of at most this code.
};

struct GemmPlan {
  GemmPlan(const Arithmetic& arithmetic, const TensorFormat& weight, const TensorFormat& activation, int lsb);

  /// The shapes for a panel whose largest code is this.
  std::span<const GemmTileShape> shapes(std::uint8_t largest_code) const {
    return shapes_[digits_of_code_[largest_code]];
  }

  bool fast() const { return name != ordered_name; }
  /// What sets the tile's constants.
  void prepare(GemmTile& tile) const;

  static constexpr std::string_view ordered_name = "ordered";

  bool linear;  ///< Both formats are.
  BatchAccumulator batch;
  TensorFormat weight_format, activation_format;
  std::array<PackedOperand, 256> weight_operands, activation_operands;
  std::string_view name = ordered_name;
  GemmForm weight_form, panel_form;
  GemmCode weight_code, activation_code;
  GemmMagnitudes weight_magnitudes, activation_magnitudes;
  double product_scale = 1;  ///< No product is larger than the magnitudes' product times this.
  std::uint32_t limit = 0;   ///< The largest sum.
  bool ternary = false;      ///< Weights are -1, 0 and 1, whose sums the tiles need.

 private:
  /// Golden products by the sum of the operands' logs.
  class Products;

  void use_ordered();
  void use_floats(const Arithmetic& arithmetic, int lsb, std::span<const GemmTileShape> shapes);
  void use_table(const Products& products, const GemmTileSet& set);
  void use_ternary(const Products& products, const GemmTileSet& set);
  /// Whether every shape gives every product that fits in a sum.
  bool right(const Products& products) const;
  bool right(const Products& products, const GemmTileShape& shape, std::size_t digits, std::size_t step) const;

  std::array<std::span<const GemmTileShape>, 5> shapes_;  ///< By number of digits; 0 for kernels without.
  std::array<std::uint8_t, 256> digits_of_code_{};
  std::vector<GemmTableRow> table_;
  std::uint32_t rounding_ = 0, mask_ = 0;
};

}  // namespace lpa::formats
