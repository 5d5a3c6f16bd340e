#include "hw_model/ppu/ppu_datapath.h"

#include <cmath>

#include "hw_model/datapath/decoder.h"

namespace lpa::hw {
namespace {

constexpr int index_bits = 8;  // The scale factor's resolution.

/// Sign-extends a word of `bits` bits.
int to_integer(std::uint8_t word, std::int64_t bits) {
  const int sign = 1 << (bits - 1);
  return (word ^ sign) - sign;
}

std::uint8_t nar_word(std::int64_t bits) {
  return static_cast<std::uint8_t>(1u << (bits - 1));
}

}  // namespace

datapath::WordFormat to_word_format(const FormatFields& format) {
  return {static_cast<std::uint8_t>(format.bits), static_cast<std::uint8_t>(format.es),
          static_cast<std::uint8_t>(format.rs),
          format.regime == 0 ? formats::Regime::bounded : formats::Regime::terminated};
}

PpuDatapath::PpuDatapath(const formats::Arithmetic& arithmetic, const Descriptor& descriptor)
    : arithmetic_(arithmetic),
      input_(descriptor.input),
      output_(descriptor.output),
      to_linear_(arithmetic.converter, arithmetic.lf_bits, index_bits),
      to_log_(arithmetic.encoder_log_bits),
      adder_(datapath::AddStage::for_ppu(to_linear_, arithmetic)) {}

formats::Psum PpuDatapath::accumulate(const formats::Psum& sum, std::uint8_t word, const FormatFields& format) {
  const datapath::Lane lane = datapath::decode_lane(word, to_word_format(format));
  if (sum.nar || lane.nar) {
    events_.nar_products += lane.nar ? 1 : 0;
    formats::Psum nar;
    nar.nar = true;
    return nar;
  }
  if (lane.zero) return sum;
  constexpr int to_index_bits = index_bits - datapath::log_fraction_bits;
  const int log = (lane.r << index_bits) + (lane.u << to_index_bits) - static_cast<int>(format.sf);
  const datapath::UnpackedLog unpacked{log >> index_bits, static_cast<unsigned>(log) & ((1u << index_bits) - 1)};
  return adder_.add(sum, unpacked, lane.negative, events_);
}

std::uint8_t PpuDatapath::add(std::uint8_t a, const FormatFields& a_format, std::uint8_t b,
                              const FormatFields& b_format) {
  return encoder(1)(accumulate(accumulate({}, a, a_format), b, b_format));
}

std::uint8_t PpuDatapath::relu(std::uint8_t word) const {
  return to_integer(word, output_.bits) < 0 && word != nar_word(output_.bits) ? std::uint8_t{0} : word;
}

std::uint8_t PpuDatapath::max(std::uint8_t a, std::uint8_t b) const {
  const std::uint8_t nar = nar_word(input_.bits);
  if (a == nar || b == nar) return nar;
  return to_integer(a, input_.bits) >= to_integer(b, input_.bits) ? a : b;
}

formats::Psum PpuDatapath::accumulate(const formats::Psum& sum, std::uint8_t word) {
  return accumulate(sum, word, input_);
}

std::uint8_t PpuDatapath::average(const formats::Psum& sum, int count) {
  return encoder(count)(sum);
}

const datapath::Encoder& PpuDatapath::encoder(int count) {
  const auto found = encoders_.find(count);
  if (found != encoders_.end()) return found->second;
  const int log2_count = static_cast<int>(std::lround(std::log2(count) * (1 << index_bits)));
  const int scale = log2_count - static_cast<int>(output_.sf);
  return encoders_.emplace(count, datapath::Encoder::for_ppu(to_log_, arithmetic_, to_word_format(output_), scale))
      .first->second;
}

}  // namespace lpa::hw
