#include "hw_model/datapath/mac.h"

#include <algorithm>

namespace lpa::datapath {
namespace {

/// As far as a shifter has to go: 63 to the right clear everything; 40 to the left are beyond every sum's range.
constexpr int far_right = 63;
constexpr int far_left = 40;

std::int64_t apply_sign(std::uint64_t magnitude, bool negative) {
  const auto value = static_cast<std::int64_t>(magnitude);
  return negative ? -value : value;
}

}  // namespace

AddStage::AddStage(const LogLinearConverter& converter, formats::PsumKind kind, int fraction_bits, int total_bits,
                   int lsb)
    : converter_(&converter),
      fixed_(kind == formats::PsumKind::fixed),
      lf_up_(std::max(0, fraction_bits - converter.lf_bits())),
      lf_down_(std::max(0, converter.lf_bits() - fraction_bits)),
      fixed_point_(converter.lf_bits() + lsb),
      max_((std::int64_t{1} << (total_bits - 1)) - 1) {}

AddStage::AddStage(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic, int mode, int lsb)
    : AddStage(converter, arithmetic.psum, arithmetic.widths(mode).fraction_bits,
               arithmetic.psum == formats::PsumKind::fixed
                   ? arithmetic.fixed_bits
                   : arithmetic.widths(mode).integer_bits + arithmetic.widths(mode).fraction_bits,
               lsb) {}

AddStage AddStage::for_ppu(const LogLinearConverter& converter, const formats::Arithmetic& arithmetic) {
  return {converter, formats::PsumKind::aligned, arithmetic.ppu.fraction_bits,
          arithmetic.ppu.integer_bits + arithmetic.ppu.fraction_bits, 0};
}

formats::Psum AddStage::not_a_real() const {
  return {0, fixed_ ? std::int16_t{0} : formats::Psum::no_exponent, true};
}

formats::Psum AddStage::saturated(std::int64_t value, int exponent, formats::AccumulateEvents& events) const {
  const std::int64_t fitting = std::clamp(value, -max_ - 1, max_);
  events.saturations += static_cast<std::uint64_t>(fitting != value);
  return {static_cast<std::int32_t>(fitting), static_cast<std::int16_t>(exponent), false};
}

formats::Psum AddStage::add(const formats::Psum& sum, const Product& product, formats::AccumulateEvents& events) const {
  if (product.nar) {
    ++events.nar_products;
    return not_a_real();
  }
  if (product.zero) return sum;
  return add(sum, unpack(product), product.negative, events);
}

formats::Psum AddStage::add(const formats::Psum& sum, const UnpackedLog& log, bool negative,
                            formats::AccumulateEvents& events) const {
  if (sum.nar) return not_a_real();
  const std::uint64_t lf = (*converter_)(log.fraction);

  if (fixed_) {
    const int up = log.exponent - fixed_point_;
    const std::uint64_t magnitude = up >= 0 ? lf << std::min(up, far_left) : lf >> std::min(-up, far_right);
    return saturated(sum.value + apply_sign(magnitude, negative), sum.exponent, events);
  }

  // No product met yet means an exponent below all others and the value 0: the product is taken as it is.
  const int exponent = std::max<int>(sum.exponent, log.exponent);
  const std::uint64_t magnitude = (lf << lf_up_) >> std::min(lf_down_ + exponent - log.exponent, far_right);
  const bool sum_negative = sum.value < 0;
  const auto sum_magnitude =
      static_cast<std::uint64_t>(apply_sign(static_cast<std::uint64_t>(std::int64_t{sum.value}), sum_negative)) >>
      std::min(exponent - sum.exponent, far_right);
  return saturated(apply_sign(sum_magnitude, sum_negative) + apply_sign(magnitude, negative), exponent, events);
}

}  // namespace lpa::datapath
