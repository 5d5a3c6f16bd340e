// The two stages of a processing element's lane: MUL adds logarithms, ADD converts the product and adds it to the sum.
#pragma once

#include <cstdint>

#include "hw_model/datapath/converters.h"
#include "hw_model/datapath/word.h"
#include "quant/formats/arithmetic.h"

namespace lpa::datapath {

/// MUL: regimes and ulfx add up, signs meet in an XOR. NaR wins over zero.
inline Product mul(const Lane& weight, const Lane& activation) {
  const bool nar = weight.nar || activation.nar;
  return {static_cast<std::int16_t>(weight.r + activation.r), static_cast<std::uint16_t>(weight.u + activation.u),
          weight.negative != activation.negative, !nar && (weight.zero || activation.zero), nar};
}

/// A logarithm split where the log-linear converter needs it.
struct UnpackedLog {
  int exponent = 0;       ///< E_m
  unsigned fraction = 0;  ///< Index of the converter.
};

/// The integer part of u joins r; the fraction is left.
inline UnpackedLog unpack(const Product& product) {
  return {product.r + (product.u >> log_fraction_bits), product.u & ((1u << log_fraction_bits) - 1)};
}

/// ADD of one lane. Sums are formats::Psum, the wires' type.
class AddStage {
 public:
  /// The stage of a PE's lanes. `lsb`: exponent of a fixed sum's least bit, ignored for aligned sums.
  /// The converter must outlive the stage and have arithmetic.lf_bits.
  AddStage(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic, int mode, int lsb);

  /// The post-processing unit's adder: aligned, arithmetic.ppu wide; its converter has 8 index bits.
  static AddStage for_ppu(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic);

  /// A zero product leaves the sum as it is; NaR makes it NaR for good and is counted.
  formats::Psum add(const formats::Psum& sum, const Product& product, formats::AccumulateEvents& events) const;

  /// Adds +-2^(log.exponent + log.fraction / 2^index_bits); a result that does not fit saturates and is counted.
  formats::Psum add(const formats::Psum& sum, const UnpackedLog& log, bool negative,
                    formats::AccumulateEvents& events) const;

 private:
  AddStage(const LogLinearConverter& converter, formats::PsumKind kind, int fraction_bits, int total_bits, int lsb);
  formats::Psum not_a_real() const;
  formats::Psum saturated(std::int64_t value, int exponent, formats::AccumulateEvents& events) const;

  const LogLinearConverter* converter_;
  bool fixed_;
  int lf_up_;         ///< Wiring of lf to an aligned sum's adder: so many bits to the left ...
  int lf_down_;       ///< ... or to the right; one of them is 0.
  int fixed_point_;   ///< Exponent of a product whose lf enters a fixed sum unshifted.
  std::int64_t max_;  ///< Largest sum.
};

}  // namespace lpa::datapath
