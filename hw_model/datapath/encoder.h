// The encoder below the array and behind the post-processing unit. Integers only.
#pragma once

#include <cstdint>
#include <memory>

#include "hw_model/datapath/converters.h"
#include "hw_model/datapath/linear.h"
#include "hw_model/datapath/word.h"
#include "quant/formats/arithmetic.h"

namespace lpa::datapath {

class Encoder {
 public:
  /// The encoder of a column's lanes. `lsb`: exponent of a fixed sum's least bit, ignored for aligned sums.
  /// `scale_q8`: sf_weight + sf_activation - sf_output, units of 2^-8, |scale_q8| <= 2^18.
  /// The converter must outlive the encoder and have arithmetic.encoder_log_bits.
  Encoder(const LinearLogConverter& converter, const formats::Arithmetic& arithmetic, const WordFormat& output,
          int mode, int lsb, int scale_q8);

  /// The encoder behind the post-processing unit's adder.
  static Encoder for_ppu(const LinearLogConverter& converter, const formats::Arithmetic& arithmetic,
                         const WordFormat& output, int scale_q8);

  /// Leading one, linear-log converter, scale, rounding to the nearest word in log2 (ties to even), saturation, flush.
  /// Of a linear format below an array: LinearEncoder; behind the unit's adder the word that is nearest to 2^log.
  /// `channel_scale_q8` is added to the scale: a channel's own part of it.
  std::uint8_t operator()(const formats::Psum& sum, std::int16_t channel_scale_q8 = 0) const;

  /// Fraction bits of the logarithms below: enough for the widest converter and for the scale.
  static constexpr int log_bits = 12;

  /// The first half of it: log2 of a sum's magnitude, without the scale. The sum is neither zero nor NaR.
  std::int32_t log(const formats::Psum& sum) const;
  /// The second half: the word of +-2^(log - scale).
  std::uint8_t word(std::int32_t log, bool negative) const;

 private:
  Encoder(const LinearLogConverter& converter, const WordFormat& output, bool flush, bool aligned, int point,
          int scale_q8);
  std::uint8_t round(std::int32_t log) const;
  std::uint8_t nar_word() const { return static_cast<std::uint8_t>(1u << (output_.n - 1)); }

  static constexpr std::int32_t one = 1 << log_bits;

  const LinearLogConverter* converter_;
  WordFormat output_;
  bool flush_;
  bool aligned_;  ///< A sum's own exponent counts.
  int point_;     ///< Exponent of a sum's least bit, without the sum's own exponent.
  std::int32_t scale_;
  std::uint8_t min_word_;
  std::uint8_t max_word_;
  std::int32_t min_log_;
  std::int32_t max_log_;
  // Of linear formats; what does not change may be shared.
  std::shared_ptr<const LinearEncoder> linear_;
  std::shared_ptr<const LogSteps> log_steps_;
};

}  // namespace lpa::datapath
