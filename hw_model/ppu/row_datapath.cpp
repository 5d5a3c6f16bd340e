#include "hw_model/ppu/row_datapath.h"

#include <algorithm>
#include <cmath>

namespace lpa::hw {
namespace {

constexpr std::int32_t one = 1 << ppu_log_bits;
constexpr std::int32_t log2_log2_e = 135;  ///< log2(log2(e)) in units of 2^-8.
constexpr std::int64_t most_octaves = (std::int64_t{1} << 23) - 1;
constexpr int exponential_bits = 16;  ///< Fraction bits of a softmax's terms.
constexpr int far = 63;               ///< A shift to the right that clears everything.

/// Down to the unit's logarithms from the encoder's.
constexpr std::int32_t to_ppu_log(std::int32_t encoder_log) {
  return encoder_log >> (datapath::Encoder::log_bits - ppu_log_bits);
}

}  // namespace

RowDatapath::RowDatapath(const PpuConverters& converters, const formats::Arithmetic& arithmetic,
                         const Descriptor& descriptor, std::span<const std::uint8_t> parameters)
    : converters_(converters),
      normalises_(descriptor.operation() == LayerOp::layer_norm),
      nar_word_(static_cast<std::uint8_t>(1u << (descriptor.output.bits - 1))),
      decoder_(descriptor.input),
      epsilon_(descriptor.epsilon),
      adder_(datapath::AddStage::for_ppu(converters.to_linear, arithmetic)),
      encoder_(datapath::Encoder::for_ppu(converters.to_log, arithmetic, to_word_format(descriptor.output),
                                          -static_cast<int>(descriptor.output.sf))) {
  if (normalises_) {
    log_count_ = static_cast<std::int32_t>(std::lround(std::log2(static_cast<double>(descriptor.in_c)) * one));
    for (std::size_t at = 0; at < parameters.size(); at += norm_term_bytes) {
      terms_.push_back({read_number(&parameters[at]), read_number(&parameters[at + 4])});
    }
  } else {
    for (unsigned word = 0; word < 1u << descriptor.input.bits; ++word) {
      octaves_.push_back(in_octaves(decoder_(static_cast<std::uint8_t>(word))));
    }
  }
}

RowDatapath::LogNumber RowDatapath::read_number(const std::uint8_t* bytes) {
  const auto log = static_cast<std::int16_t>(bytes[0] | bytes[1] << 8);
  return {log, (bytes[2] & 1u) != 0, (bytes[2] & 2u) != 0};
}

void RowDatapath::operator()(std::span<const std::uint8_t> row, std::span<std::uint8_t> result) {
  const auto nars = std::ranges::count_if(row, [this](std::uint8_t word) { return decoder_(word).nar; });
  if (nars > 0) {
    events_.nar_products += static_cast<std::uint64_t>(nars);
    std::ranges::fill(result, nar_word_);
  } else if (normalises_) {
    normalise(row, result);
  } else {
    softmax(row, result);
  }
}

std::int32_t RowDatapath::in_octaves(const PpuOperand& operand) const {
  if (operand.zero || operand.nar) return 0;
  const datapath::UnpackedLog log = unpack_log(operand.log + log2_log2_e);
  const std::int64_t lf = converters_.to_linear(log.fraction);
  const int up = log.exponent + ppu_log_bits - converters_.to_linear.lf_bits();
  const std::int64_t magnitude = up >= 0 ? lf << std::min(up, 32) : lf >> std::min(-up, far);
  const auto octaves = static_cast<std::int32_t>(std::min(magnitude, most_octaves));
  return operand.negative ? -octaves : octaves;
}

void RowDatapath::softmax(std::span<const std::uint8_t> row, std::span<std::uint8_t> result) const {
  std::int32_t largest = octaves_[row[0]];
  for (const std::uint8_t word : row) largest = std::max(largest, octaves_[word]);
  std::uint64_t sum = 0;
  for (const std::uint8_t word : row) {
    const datapath::UnpackedLog log = unpack_log(octaves_[word] - largest);
    const std::uint64_t lf = converters_.to_linear(log.fraction);
    sum += lf << (exponential_bits - converters_.to_linear.lf_bits()) >> std::min(-log.exponent, far);
  }
  const std::int32_t log_sum = to_ppu_log(datapath::log_of_magnitude(
                                   converters_.to_log, static_cast<std::uint32_t>(sum), datapath::Encoder::log_bits)) -
                               exponential_bits * one;
  constexpr int to_encoder_log = 1 << (datapath::Encoder::log_bits - ppu_log_bits);
  for (std::size_t i = 0; i < row.size(); ++i) {
    result[i] = encoder_.word((octaves_[row[i]] - largest - log_sum) * to_encoder_log, false);
  }
}

formats::Psum RowDatapath::add(const formats::Psum& sum, const LogNumber& number) {
  return number.zero ? sum : adder_.add(sum, unpack_log(number.log), number.negative, events_);
}

RowDatapath::LogNumber RowDatapath::to_log(const formats::Psum& sum) const {
  if (sum.value == 0) return {};
  return {to_ppu_log(encoder_.log(sum)), sum.value < 0, false};
}

RowDatapath::LogNumber RowDatapath::deviation(const PpuOperand& operand, const LogNumber& negative_mean) {
  return to_log(add(add({}, {operand.log, operand.negative, operand.zero}), negative_mean));
}

void RowDatapath::normalise(std::span<const std::uint8_t> row, std::span<std::uint8_t> result) {
  formats::Psum sum;
  for (const std::uint8_t word : row) {
    const PpuOperand& x = decoder_(word);
    sum = add(sum, {x.log, x.negative, x.zero});
  }
  LogNumber negative_mean = to_log(sum);
  negative_mean.log -= log_count_;
  negative_mean.negative = !negative_mean.negative;

  formats::Psum squares;
  for (const std::uint8_t word : row) {
    LogNumber square = deviation(decoder_(word), negative_mean);
    square.log *= 2;
    square.negative = false;
    squares = add(squares, square);
  }
  if (epsilon_ != no_epsilon) squares = add(squares, {static_cast<std::int32_t>(epsilon_) + log_count_, false, false});
  const LogNumber variance = to_log(squares);
  const std::int32_t inverse_deviation = -((variance.log - log_count_) >> 1);

  for (std::size_t i = 0; i < row.size(); ++i) {
    LogNumber x = deviation(decoder_(row[i]), negative_mean);
    const NormTerm& term = terms_[i];
    x.zero = x.zero || term.scale.zero || variance.zero;
    x.log += inverse_deviation + term.scale.log;
    x.negative = x.negative != term.scale.negative;
    result[i] = encoder_(add(add({}, x), term.shift));
  }
}

}  // namespace lpa::hw
