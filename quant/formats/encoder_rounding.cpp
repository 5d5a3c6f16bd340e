#include "quant/formats/encoder_rounding.h"

#include <bit>
#include <cstdint>
#include <limits>

namespace lpa::formats {
namespace {

constexpr int mantissa_bits = 23;
constexpr int exponent_bias = 127;
constexpr std::uint32_t magnitude_mask = 0x7fffffff;

/// An encoder behind sums that hold every float.
PsumEncoder encoder_of_floats(Arithmetic arithmetic, const LpFormat& output) {
  arithmetic.psum = PsumKind::aligned;
  arithmetic.aligned.fill({32 - mantissa_bits, mantissa_bits});
  return {arithmetic, output, 8, 0, -output.sf_q8};
}

}  // namespace

EncoderRounding::EncoderRounding(const Arithmetic& arithmetic, const LpFormat& output)
    : shift_(mantissa_bits - arithmetic.encoder_log_bits) {
  const PsumEncoder encoder = encoder_of_floats(arithmetic, output);
  const std::uint32_t per_exponent = 1u << arithmetic.encoder_log_bits;
  const std::uint32_t finite = 255 * per_exponent;
  std::vector<float> words;
  for (int word = 0; word < output.word_count(); ++word) {
    words.push_back(static_cast<float>(decode(output, static_cast<Word>(word))));
  }
  values_.assign(256 * per_exponent, 0.0f);
  for (std::uint32_t i = per_exponent; i < finite; ++i) {
    const auto mantissa = static_cast<std::int32_t>((per_exponent + i % per_exponent) << shift_);
    const auto exponent = static_cast<std::int16_t>(static_cast<int>(i / per_exponent) - exponent_bias);
    values_[i] = words[encoder({mantissa, exponent, false})];
  }
  for (std::uint32_t i = finite; i < values_.size(); ++i) values_[i] = std::numeric_limits<float>::quiet_NaN();
}

void EncoderRounding::operator()(std::span<float> values) const {
  for (float& value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto rounded = std::bit_cast<std::uint32_t>(values_[(bits & magnitude_mask) >> shift_]);
    value = std::bit_cast<float>(rounded | (bits & ~magnitude_mask));
  }
}

}  // namespace lpa::formats
