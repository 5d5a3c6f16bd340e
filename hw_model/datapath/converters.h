// The converters between logarithms and linear significands: gates, worked out once per machine.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "quant/formats/arithmetic.h"

namespace lpa::datapath {

/// 2^f of the fraction f of a logarithm.
class LogLinearConverter {
 public:
  /// `index_bits`: width of the fraction: 6 in a PE, 8 in the post-processing unit. `lf_bits`: fraction bits
  /// out, 1..16.
  LogLinearConverter(formats::Converter kind, int lf_bits, int index_bits = 6);

  /// 2^(fraction / 2^index_bits) with lf_bits fraction bits; fraction < 2^index_bits.
  std::uint32_t operator()(unsigned fraction) const { return gates_[fraction]; }

  /// The same as a table.
  const std::uint32_t* gates() const { return gates_.data(); }

  int lf_bits() const { return lf_bits_; }
  int index_bits() const { return index_bits_; }

 private:
  int lf_bits_;
  int index_bits_;
  std::vector<std::uint32_t> gates_;
};

/// log2(1.f) of the bits f below a leading one.
class LinearLogConverter {
 public:
  /// `log_bits`: bits in and out, 4..12.
  explicit LinearLogConverter(int log_bits);

  /// log2(1 + fraction / 2^log_bits), correctly rounded, in units of 2^-log_bits; fraction < 2^log_bits.
  std::uint32_t operator()(unsigned fraction) const { return gates_[fraction]; }

  int log_bits() const { return log_bits_; }

 private:
  int log_bits_;
  std::vector<std::uint16_t> gates_;
};

/// log2 of an integer that is not 0, with `fraction_bits` >= log_bits fraction bits: the leading one's place, and the
/// converter on the bits below it.
inline std::int32_t log_of_magnitude(const LinearLogConverter& converter, std::uint32_t magnitude, int fraction_bits) {
  const int leading = 31 - std::countl_zero(magnitude);
  // The bits below the leading one, left-aligned, of which the converter takes the first ones.
  const std::uint32_t below = leading == 0 ? 0u : magnitude << (32 - leading);
  const unsigned index = below >> (32 - converter.log_bits());
  return (leading << fraction_bits) +
         static_cast<std::int32_t>(converter(index) << (fraction_bits - converter.log_bits()));
}

}  // namespace lpa::datapath
