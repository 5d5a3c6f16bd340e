// The two stages of a processing element's lane: MUL adds logarithms, ADD converts the product and adds it to the sum.
#pragma once

#include <algorithm>
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
  /// `significands`: products are such, and sums fixed: no converter. The converter must outlive the stage and have
  /// arithmetic.lf_bits.
  AddStage(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic, int mode, int lsb,
           bool significands = false);

  /// The post-processing unit's adder: aligned, arithmetic.ppu wide; its converter has 8 index bits.
  static AddStage for_ppu(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic);

  /// A zero product leaves the sum as it is; NaR makes it NaR for good and is counted.
  formats::Psum add(const formats::Psum& sum, const Product& product, formats::AccumulateEvents& events) const;

  /// Adds +-2^(log.exponent + log.fraction / 2^index_bits); a result that does not fit saturates and is counted.
  formats::Psum add(const formats::Psum& sum, const UnpackedLog& log, bool negative,
                    formats::AccumulateEvents& events) const;

 private:
  AddStage(const LogLinearConverter& converter, formats::PsumKind kind, int fraction_bits, int total_bits, int lsb);
  formats::Psum add_fixed(const formats::Psum& sum, std::int64_t magnitude, int up, bool negative,
                          formats::AccumulateEvents& events) const;
  formats::Psum not_a_real() const { return {0, fixed_ ? std::int16_t{0} : formats::Psum::no_exponent, true}; }

  const std::uint32_t* lf_;  ///< The converter.
  bool fixed_;
  bool significands_ = false;
  int lsb_;
  int lf_up_;         ///< Wiring of lf to an aligned sum's adder: so many bits to the left ...
  int lf_down_;       ///< ... or to the right; one of them is 0.
  int fixed_point_;   ///< Exponent of a product whose lf enters a fixed sum unshifted.
  std::int64_t max_;  ///< Largest sum.
};

// Inline and with few branches: a simulation spends much of its time here.

inline formats::Psum AddStage::add(const formats::Psum& sum, const Product& product,
                                   formats::AccumulateEvents& events) const {
  if (product.nar) [[unlikely]] {
    ++events.nar_products;
    return not_a_real();
  }
  if (product.zero) return sum;
  if (significands_) {
    return sum.nar ? not_a_real() : add_fixed(sum, product.u, product.r - lsb_, product.negative, events);
  }
  return add(sum, unpack(product), product.negative, events);
}

inline formats::Psum AddStage::add_fixed(const formats::Psum& sum, std::int64_t magnitude, int up, bool negative,
                                         formats::AccumulateEvents& events) const {
  // As far as a shifter has to go: 63 to the right clear everything; 40 to the left are beyond every sum's range.
  constexpr int far_right = 63;
  constexpr int far_left = 40;
  const std::int64_t placed = up >= 0 ? magnitude << std::min(up, far_left) : magnitude >> std::min(-up, far_right);
  const std::int64_t sign = -std::int64_t{negative};
  const std::int64_t value = sum.value + ((placed ^ sign) - sign);
  const std::int64_t fitting = std::clamp(value, -max_ - 1, max_);
  events.saturations += static_cast<std::uint64_t>(fitting != value);
  return {static_cast<std::int32_t>(fitting), sum.exponent, false};
}

inline formats::Psum AddStage::add(const formats::Psum& sum, const UnpackedLog& log, bool negative,
                                   formats::AccumulateEvents& events) const {
  if (sum.nar) [[unlikely]]
    return not_a_real();
  const std::int64_t lf = lf_[log.fraction];
  if (fixed_) return add_fixed(sum, lf, log.exponent - fixed_point_, negative, events);
  constexpr int far_right = 63;  // Clears everything.
  const auto mask = [](bool bit) { return -std::int64_t{bit}; };
  const auto negate = [](std::int64_t value, std::int64_t sign) { return (value ^ sign) - sign; };

  // No product met yet means an exponent below all others and the value 0: the product is taken as it is.
  const int exponent = std::max<int>(sum.exponent, log.exponent);
  const std::int64_t magnitude = (lf << lf_up_) >> std::min(lf_down_ + exponent - log.exponent, far_right);
  const std::int64_t sum_sign = mask(sum.value < 0);
  const std::int64_t sum_magnitude = negate(sum.value, sum_sign) >> std::min(exponent - sum.exponent, far_right);
  const std::int64_t value = negate(sum_magnitude, sum_sign) + negate(magnitude, mask(negative));
  const std::int64_t fitting = std::clamp(value, -max_ - 1, max_);
  events.saturations += static_cast<std::uint64_t>(fitting != value);
  return {static_cast<std::int32_t>(fitting), static_cast<std::int16_t>(exponent), false};
}

}  // namespace lpa::datapath
