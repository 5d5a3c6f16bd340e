#include "hw_model/datapath/encoder.h"

#include "hw_model/datapath/decoder.h"

namespace lpa::datapath {
namespace {

/// A positive word's log2 + sf.
std::int32_t log_of(std::uint8_t word, const WordFormat& format) {
  const Lane lane = decode_lane(word, format);
  return (lane.r * (1 << log_fraction_bits) + lane.u) * (1 << (Encoder::log_bits - log_fraction_bits));
}

/// Codes at either end of the positive words whose run reaches rs: a terminated regime does not produce them.
unsigned unused_codes(const WordFormat& format) {
  return format.regime == formats::Regime::terminated ? 1u << (format.n - 1 - format.rs) : 0u;
}

}  // namespace

Encoder::Encoder(const LinearLogConverter& converter, const WordFormat& output, bool flush, bool aligned, int point,
                 int scale_q8)
    : converter_(&converter),
      output_(output),
      flush_(flush),
      aligned_(aligned),
      point_(point),
      scale_(scale_q8 * (1 << (log_bits - formats::LpFormat::sf_fraction_bits))),
      min_word_(static_cast<std::uint8_t>(unused_codes(output) == 0 ? 1u : unused_codes(output))),
      max_word_(static_cast<std::uint8_t>((1u << (output.n - 1)) - 1 - unused_codes(output))),
      min_log_(log_of(min_word_, output)),
      max_log_(log_of(max_word_, output)) {
  if (output.family == formats::Family::lp) return;
  if (aligned) {
    log_steps_ = std::make_shared<const LogSteps>(output, log_bits);
  } else {
    linear_ = std::make_shared<const LinearEncoder>(output, point, scale_q8);
  }
}

Encoder::Encoder(const LinearLogConverter& converter, const formats::Arithmetic& arithmetic, const WordFormat& output,
                 int mode, int lsb, int scale_q8)
    : Encoder(converter, output, arithmetic.flush, arithmetic.psum == formats::PsumKind::aligned,
              arithmetic.psum == formats::PsumKind::aligned ? -arithmetic.widths(mode).fraction_bits : lsb, scale_q8) {}

Encoder Encoder::for_ppu(const LinearLogConverter& converter, const formats::Arithmetic& arithmetic,
                         const WordFormat& output, int scale_q8) {
  return {converter, output, arithmetic.flush, true, -arithmetic.ppu.fraction_bits, scale_q8};
}

std::uint8_t Encoder::operator()(const formats::Psum& sum, std::int16_t channel_scale_q8) const {
  if (sum.nar) return nar_word();
  if (sum.value == 0) return 0;
  if (linear_) return (*linear_)(sum.value, channel_scale_q8);
  return word(log(sum) - channel_scale_q8 * (1 << (log_bits - formats::LpFormat::sf_fraction_bits)), sum.value < 0);
}

std::int32_t Encoder::log(const formats::Psum& sum) const {
  const auto bits = static_cast<std::uint32_t>(sum.value);
  const std::uint32_t magnitude = sum.value < 0 ? 0u - bits : bits;
  return log_of_magnitude(*converter_, magnitude, log_bits) + (point_ + (aligned_ ? sum.exponent : 0)) * one;
}

std::uint8_t Encoder::word(std::int32_t log, bool negative) const {
  const std::uint8_t word = log_steps_ ? log_steps_->nearest(log - scale_) : round(log - scale_);
  return negative ? negated(word, output_) : word;
}

/// The words of a format, read as integers, rise with their logarithms, and a word's bits continued to the right
/// (regime, exponent, endless fraction) are the logarithm itself. So the nearest word is the bit string rounded.
std::uint8_t Encoder::round(std::int32_t log) const {
  if (flush_ && log < min_log_ - one) return 0;
  if (log <= min_log_) return min_word_;
  if (log >= max_log_) return max_word_;

  const int tail_bits = output_.es + log_bits;
  const int k = log >> tail_bits;
  const auto tail = static_cast<std::uint32_t>(log) & ((1u << tail_bits) - 1);
  const int run = k >= 0 ? k + 1 : -k;
  const bool terminator = run < output_.rs;
  const std::uint32_t ones = (1u << run) - 1;
  const std::uint32_t regime = k >= 0 ? ones << (terminator ? 1 : 0) : (terminator ? 1u : 0u);
  const int regime_bits = run + (terminator ? 1 : 0);

  const std::uint32_t string = (regime << tail_bits) | tail;
  const int dropped = regime_bits + tail_bits - (output_.n - 1);
  const std::uint32_t word = string >> dropped;
  const std::uint32_t rest = string & ((1u << dropped) - 1);
  const std::uint32_t half = 1u << (dropped - 1);
  const bool up = rest > half || (rest == half && (word & 1u) != 0);
  return static_cast<std::uint8_t>(word + (up ? 1u : 0u));
}

}  // namespace lpa::datapath
