// What the post-processing unit's decoder makes of a word.
#pragma once

#include <cstdint>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/datapath/mac.h"
#include "hw_model/datapath/word.h"

namespace lpa::hw {

/// Fraction bits of the unit's logarithms: the scale factor's resolution.
inline constexpr int ppu_log_bits = 8;

/// A logarithm of the unit as its log-linear converter takes it.
constexpr datapath::UnpackedLog unpack_log(std::int32_t log) {
  return {log >> ppu_log_bits, static_cast<unsigned>(log) & ((1u << ppu_log_bits) - 1)};
}

/// log2|x| = 2^es*k + ulfx - sf, and flags of which at most one is set; then log and sign mean nothing.
struct PpuOperand {
  std::int32_t log = 0;  ///< Units of 2^-8.
  bool negative = false;
  bool zero = true;
  bool nar = false;
};

/// log2 of an integer from 1 on, units of 2^-ppu_log_bits, rounded.
int log2_of_integer(int number);

/// A number format as the datapath's wires see it.
datapath::WordFormat to_word_format(const FormatFields& format);

/// The decoder for one format. It is a function of the word, so it is worked out once for all words.
class PpuDecoder {
 public:
  PpuDecoder() = default;
  explicit PpuDecoder(const FormatFields& format);
  const PpuOperand& operator()(std::uint8_t word) const { return operands_[word]; }

 private:
  std::vector<PpuOperand> operands_;
};

/// The unit's converters, which do not depend on the layer.
struct PpuConverters {
  explicit PpuConverters(const formats::Arithmetic& arithmetic)
      : to_linear(arithmetic.converter, arithmetic.lf_bits, ppu_log_bits), to_log(arithmetic.encoder_log_bits) {}

  datapath::LogLinearConverter to_linear;
  datapath::LinearLogConverter to_log;
};

}  // namespace lpa::hw
