// The arithmetic of an LPA processing element and encoder as plain integer functions: the golden model that the
// software evaluation of a network uses and that the bit-level datapath is tested against.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/lp_format.h"
#include "quant/formats/tensor_format.h"

namespace lpa::formats {

/// Fraction bits of the fixed-point log2 that decoders emit and MUL adds: enough for every word of up to 8 bits.
inline constexpr int log_fraction_bits = 6;

enum class Converter {
  exact_table,  ///< 2^frac correctly rounded (to nearest) to lf_bits fraction bits.
  mitchell,     ///< 1 + frac, truncated to lf_bits fraction bits (Mitchell 1962).
};

enum class PsumKind {
  aligned,  ///< {exponent, fraction}: the larger exponent is kept, the smaller operand is shifted right (the paper).
  fixed,    ///< Two's complement accumulator whose least bit weighs 2^lsb, lsb chosen per layer.
};

/// Widths of an aligned partial sum's linear fraction: two's complement of integer_bits + fraction_bits bits in all.
struct AlignedWidths {
  int integer_bits = 16;   ///< Headroom, sign included.
  int fraction_bits = 16;  ///< Bits below the binary point of the value 1.f of a product.
  friend bool operator==(const AlignedWidths&, const AlignedWidths&) = default;
};

/// Everything about a machine that decides which words it computes.
struct Arithmetic {
  Converter converter = Converter::exact_table;
  int lf_bits = 8;  ///< Fraction bits of the log-linear converter's output, 1..16.
  PsumKind psum = PsumKind::aligned;
  std::array<AlignedWidths, 3> aligned{};  ///< For the lanes of 8-, 4- and 2-bit weights, in this order.
  int fixed_bits = 32;                     ///< Width of a fixed partial sum, 8..32.
  int encoder_log_bits = 8;                ///< Bits of the encoder's linear-log table, in and out, 4..12.
  bool flush = true;                       ///< Encoder: magnitudes below minpos/2 become zero.
  AlignedWidths ppu{};                     ///< Adder of the post-processing unit; always aligned.

  const AlignedWidths& widths(int weight_bits) const {
    return aligned[weight_bits == 8 ? 0 : weight_bits == 4 ? 1 : 2];
  }
  friend bool operator==(const Arithmetic&, const Arithmetic&) = default;
};

/// "wide" (aligned, 16+16 bits for every lane; the default), "poster" (aligned, 8+8, 4+4 and 2+2 bits) or "fixed"
/// (32-bit accumulators). Throws FormatError for another name.
Arithmetic arithmetic_preset(std::string_view name);

/// What is wrong with the parameters, as one line that names the field and its legal range; empty if nothing is.
std::string check(const Arithmetic& arithmetic);

/// A decoded operand without its scale factor: significand * 2^(log / 2^6), beside its flags. The significand of an LP
/// is 1; the logarithm of all others is a whole number. A zero or NaR has log = 0, negative = false.
struct Operand {
  std::int16_t log = 0;
  bool negative = false;
  bool zero = true;
  bool nar = false;
  std::uint8_t significand = 1;  ///< 1..128
  friend bool operator==(const Operand&, const Operand&) = default;
};

/// Decodes a word of a format of up to 8 bits.
Operand to_operand(const TensorFormat& format, Word word);

/// A partial sum. Aligned: value * 2^(exponent - fraction_bits). Fixed: value * 2^lsb, exponent unused (0).
struct Psum {
  static constexpr std::int16_t no_exponent = -1024;  ///< Exponent of a sum that has met no product yet.

  std::int32_t value = 0;
  std::int16_t exponent = no_exponent;
  bool nar = false;
  friend bool operator==(const Psum&, const Psum&) = default;
};

/// A number as a layer's file stores it for any accumulator: mantissa * 2^(exponent - 24), |mantissa| < 2^25.
struct BiasTerm {
  std::int32_t mantissa = 0;
  std::int16_t exponent = 0;
  friend bool operator==(const BiasTerm&, const BiasTerm&) = default;
};

/// `value * 2^scale` (scale = sf_weight + sf_activation, in units of 2^-8) in the psum's terms: exponent is
/// floor(log2|.|), the mantissa is truncated towards zero, so 2^24 <= |mantissa| < 2^25. Zero, and what is below
/// 2^-1000, gives {0, 0}. Throws FormatError if not finite or not below 2^1001.
BiasTerm to_bias_term(double value, int scale_q8);

/// Exponent of the least bit that a product of these linear formats can have.
int least_product_exponent(const TensorFormat& weight, const TensorFormat& activation);

struct AccumulateEvents {
  std::uint64_t saturations = 0;   ///< Additions whose result did not fit.
  std::uint64_t nar_products = 0;  ///< Products with a NaR operand.
};

/// The accumulator of one lane: multiplies operands and adds products in order. Aligned sums depend on that order.
///
/// A product is +-lf * 2^(E - lf_bits) with E = floor(log) and lf from the converter's table, 2^lf_bits <= lf <=
/// 2^(lf_bits + 1) (a coarse table may round up to 2).
/// - Aligned: lf is moved to the sum's fraction_bits; the larger of the two exponents is kept, also by a sum that has
///   cancelled to 0; the magnitude of the other operand is shifted right by the difference and truncated before its
///   sign is applied; the two's complement sum saturates at integer_bits + fraction_bits bits. The first product is no
///   exception. An empty sum has Psum::no_exponent, which is below every exponent.
/// - Fixed: the magnitude floor(lf * 2^(E - lf_bits - lsb)) is added with its sign, saturating at fixed_bits bits.
/// - Linear operands, which fixed sums alone take: a product is +-s * 2^E, s that of the significands; the magnitude
///   floor(s * 2^(E - lsb)) is added.
/// - NaR: once an operand is NaR, the sum is {0, no_exponent (fixed: 0), nar} whatever follows.
class Accumulator {
 public:
  /// `lsb`: exponent of a fixed sum's least bit; ignored for aligned sums. Throws FormatError on bad parameters.
  Accumulator(const Arithmetic& arithmetic, int weight_bits, int lsb = 0);

  /// The post-processing unit's adder: aligned, `arithmetic.ppu` wide, whatever the PEs use.
  static Accumulator for_ppu(const Arithmetic& arithmetic);

  /// The psum a lane starts from. Magnitudes are truncated to the sum's least bit; what does not fit saturates, without
  /// being counted. A zero bias gives an empty aligned sum.
  Psum start(const BiasTerm& bias) const;

  /// One MAC: psum + weight * activation. NaR, even times zero, makes it NaR, for good; else a zero operand leaves psum
  /// as it is.
  Psum mac(const Psum& psum, const Operand& weight, const Operand& activation,
           AccumulateEvents* events = nullptr) const;

  /// Adds +-2^(log_q8 / 2^8): the part of mac() behind the multiplier, which calls it with log_q8 = 4 * (sum of logs).
  /// The integer part of the log is the product's exponent; its fraction indexes the log-linear converter.
  Psum add(const Psum& psum, std::int32_t log_q8, bool negative, AccumulateEvents* events = nullptr) const;

  bool fixed() const { return arithmetic_.psum == PsumKind::fixed; }
  int fraction_bits() const { return fraction_bits_; }
  int total_bits() const { return total_bits_; }
  /// Linear value of 2^(i/256), i = 0..255, with lf_bits fraction bits. Decoded words reach every fourth entry only.
  const std::array<std::int32_t, 256>& lf_table() const { return lf_; }

 private:
  Arithmetic arithmetic_;
  int fraction_bits_;
  int total_bits_;
  int lsb_;
  std::array<std::int32_t, 256> lf_{};
};

/// log2(count) in units of 2^-8, rounded to nearest: how an average pool divides, as part of the encoder's scale.
int log2_q8(int count);

/// log2|x| of a real operand of the format, sf subtracted, in units of 2^-8 (that of a significand rounded to nearest):
/// an operand of the PPU's adder.
std::int32_t scaled_log_q8(const TensorFormat& format, const Operand& operand);

/// The encoder, of an LP: psum -> leading one -> linear-log table -> subtract the scale -> round to nearest in log2
/// (ties to even), saturate, flush -> word.
///
/// The magnitude's bits below the leading one are truncated to log_bits bits, which index a table of log2(1.f)
/// correctly rounded to log_bits fraction bits. The word's log2 + sf is the psum's log2 minus the scale: sf_weight +
/// sf_activation - sf_output for a layer, in units of 2^-8; all its bits take part in the rounding. A zero sum gives
/// zero, NaR gives NaR.
///
/// Of a linear format the encoder behind an array multiplies instead: |sum| times 2^(i/256) with 15 fraction bits,
/// rounded to nearest, i the fraction of the negated scale; and gives the word that is nearest to the product by the
/// format's own rule. The post-processing unit's goes by logarithms there too, and gives the word that is nearest to
/// 2^log.
class PsumEncoder {
 public:
  /// weight_bits chooses the lane's widths, lsb is that of a fixed sum. Throws FormatError on bad parameters.
  PsumEncoder(const Arithmetic& arithmetic, const TensorFormat& output, int weight_bits, int lsb, int scale_q8);

  /// The encoder behind the post-processing unit's adder.
  static PsumEncoder for_ppu(const Arithmetic& arithmetic, const TensorFormat& output, int scale_q8);
  /// `channel_scale_q8` is added to the scale: what the output channel's sf_weight exceeds the layer's by.
  Word operator()(const Psum& psum, int channel_scale_q8 = 0) const;

  /// The word of +-2^(log_q8 / 2^8): what follows the table. The scale is subtracted here too.
  Word from_log(bool negative, std::int32_t log_q8) const {
    return from_work_log(negative ? -1 : 0, log_q8 * (1 << (work_bits_ - 8)) - scale_);
  }
  /// log2 of an integer that is not 0, in units of 2^-8: the leading one's place and the table, which is truncated to 8
  /// fraction bits.
  std::int32_t magnitude_log_q8(std::uint32_t magnitude) const { return work_log(magnitude) >> (work_bits_ - 8); }

 private:
  Word multiplied(const Psum& psum, std::int32_t scale_q8) const;
  /// log2 of an integer that is not 0, with work_bits_ fraction bits.
  std::int32_t work_log(std::uint32_t magnitude) const {
    const int leading = 31 - std::countl_zero(magnitude);
    const std::uint64_t fraction = ((std::uint64_t{magnitude} << log_bits_) >> leading) & (log_table_.size() - 1);
    return leading * (1 << work_bits_) + log_table_[fraction];
  }
  /// The word of a log, scale subtracted, with work_bits_ fraction bits; `sign` is 0 or -1. Signs are random: no
  /// branch.
  Word from_work_log(std::int32_t sign, std::int32_t log) const {
    const int last = static_cast<int>(cells_.size()) - 1;
    const Cell& cell = cells_[static_cast<std::size_t>(std::clamp((log - first_log_) >> cell_bits_, 0, last))];
    const int word = log >= cell.limit ? cell.above : cell.below;
    if (sign_bit_ != 0) return static_cast<Word>(word == 0 ? 0 : word | (sign & sign_bit_));
    return static_cast<Word>(((word ^ sign) - sign) & word_mask_);
  }
  /// The positive words in ascending order of magnitude, each with the least log that takes it.
  struct Limits {
    std::vector<std::int32_t> logs;
    std::vector<Word> words;
  };
  Limits log_limits() const;
  Limits linear_limits() const;
  void make_cells(const Limits& limits, bool least_is_limitless);

  TensorFormat output_;
  int log_bits_;
  int work_bits_ = 8;        ///< Fraction bits of the logs below.
  int exponent_offset_ = 0;  ///< Exponent of a sum's least bit, but for the sum's own exponent.
  bool exponent_used_ = true;
  std::int32_t scale_ = 0;
  std::vector<std::int32_t> log_table_;  ///< log2(1.f) by the bits of f.

  /// A piece of the logs' axis in which at most one more word begins.
  struct Cell {
    std::int32_t limit = 0;     ///< The log at which it begins.
    Word below = 0, above = 0;  ///< The words on both sides.
  };
  int cell_bits_ = 0;  ///< log2 of a cell's length.
  std::int32_t first_log_ = 0;
  std::vector<Cell> cells_;
  int word_mask_ = 0;
  int sign_bit_ = 0;  ///< Of sign and magnitude; 0 for two's complement.

  bool multiplies_ = false;
  std::int32_t scale_q8_ = 0;
  std::optional<NumberEncoder> nearest_;  ///< Of a linear format, without its scale.
};

}  // namespace lpa::formats
