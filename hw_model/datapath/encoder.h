// The unified LP encoder below the array and behind the post-processing unit. Integers only.
#pragma once

#include <cstdint>
#include <vector>

#include "hw_model/datapath/word.h"
#include "quant/formats/arithmetic.h"

namespace lpa::datapath {

/// The linear-log converter's gates: log2(1.f) for every f of log_bits bits, correctly rounded to log_bits bits.
std::vector<std::uint16_t> linear_log_gates(int log_bits);

class Encoder {
 public:
  /// The encoder of a column's lanes. `lsb`: exponent of a fixed sum's least bit, ignored for aligned sums.
  /// `scale_q8`: sf_weight + sf_activation - sf_output, units of 2^-8.
  Encoder(const formats::Arithmetic& arithmetic, const WordFormat& output, int mode, int lsb, int scale_q8);

  /// The encoder behind the post-processing unit's adder.
  static Encoder for_ppu(const formats::Arithmetic& arithmetic, const WordFormat& output, int scale_q8);

  /// Leading one, linear-log table, scale, rounding to the nearest word in log2 (ties to even), saturation, flush.
  std::uint8_t operator()(const formats::Psum& sum) const;

 private:
  Encoder(const formats::Arithmetic& arithmetic, const WordFormat& output, formats::PsumKind kind, int point,
          int scale_q8);
  std::uint8_t assemble(std::int32_t log) const;

  WordFormat output_;
  bool fixed_;
  bool flush_;
  int point_;             ///< Exponent of the sum's least bit: lsb, or -fraction_bits beside the sum's own exponent.
  int log_bits_;
  std::int32_t scale_;    ///< In units of 2^-12, as all logarithms here.
  std::int32_t min_log_;  ///< Logarithms of the smallest and largest word produced.
  std::int32_t max_log_;
  std::uint8_t min_word_;
  std::uint8_t max_word_;
  std::vector<std::uint16_t> gates_;
};

}  // namespace lpa::datapath
