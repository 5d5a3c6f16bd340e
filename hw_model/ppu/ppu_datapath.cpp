#include "hw_model/ppu/ppu_datapath.h"

#include <utility>

#include "hw_model/datapath/linear.h"

namespace lpa::hw {
namespace {

/// Ascends with the value of words.
int order(std::uint8_t word, const FormatFields& format) {
  const int sign = 1 << (format.bits - 1);
  const bool negative = (word & sign) != 0;
  if (!formats::is_sign_magnitude(format.kind())) return negative ? word - 2 * sign : word;
  int magnitude = word & (sign - 1);
  if (format.kind() == formats::Family::flint) {  // The only one whose magnitudes are not in the order of their codes.
    const datapath::Lane lane = datapath::decode_linear(word, to_word_format(format));
    magnitude = lane.u << lane.r;
  }
  return negative ? -magnitude : magnitude;
}

bool is_nar(std::uint8_t word, const FormatFields& format) {
  return formats::has_nar(format.kind()) && word == 1u << (format.bits - 1);
}

}  // namespace

PpuDatapath::PpuDatapath(const PpuConverters& converters, const formats::Arithmetic& arithmetic,
                         const Descriptor& descriptor)
    : converters_(converters),
      arithmetic_(arithmetic),
      input_(descriptor.input),
      output_(descriptor.output),
      adder_(datapath::AddStage::for_ppu(converters.to_linear, arithmetic)) {
  if (descriptor.adds()) {
    word_decoder_ = PpuDecoder(descriptor.uses_array() ? descriptor.encoded : descriptor.input);
    residual_decoder_ = PpuDecoder(descriptor.addend);
    undivided_ = &encoder(1);
    sums_.resize(std::size_t{1} << 16);
  } else if (descriptor.operation() == LayerOp::average_pool) {
    word_decoder_ = PpuDecoder(descriptor.input);
  }
}

formats::Psum PpuDatapath::accumulate(const formats::Psum& sum, const PpuOperand& operand) {
  if (sum.nar || operand.nar) {
    events_.nar_products += operand.nar ? 1 : 0;
    formats::Psum nar;
    nar.nar = true;
    return nar;
  }
  if (operand.zero) return sum;
  return adder_.add(sum, unpack_log(operand.log), operand.negative, events_);
}

std::uint8_t PpuDatapath::add(std::uint8_t word, std::uint8_t residual) {
  Sum& sum = sums_[std::size_t{word} << 8 | residual];
  if (!sum.known) sum = add_pair(word, residual);
  events_.saturations += sum.saturations;
  events_.nar_products += sum.nars;
  return sum.word;
}

PpuDatapath::Sum PpuDatapath::add_pair(std::uint8_t word, std::uint8_t residual) {
  const formats::AccumulateEvents before = std::exchange(events_, {});
  const formats::Psum sum = accumulate(accumulate({}, word_decoder_(word)), residual_decoder_(residual));
  const formats::AccumulateEvents events = std::exchange(events_, before);
  return {true, (*undivided_)(sum), static_cast<std::uint8_t>(events.saturations),
          static_cast<std::uint8_t>(events.nar_products)};
}

std::uint8_t PpuDatapath::relu(std::uint8_t word) const {
  const bool negative = (word >> (output_.bits - 1) & 1) != 0;
  return negative && !is_nar(word, output_) ? std::uint8_t{0} : word;
}

std::uint8_t PpuDatapath::max(std::uint8_t a, std::uint8_t b) const {
  if (is_nar(a, input_)) return a;
  if (is_nar(b, input_)) return b;
  return order(a, input_) >= order(b, input_) ? a : b;
}

formats::Psum PpuDatapath::accumulate(const formats::Psum& sum, std::uint8_t word) {
  return accumulate(sum, word_decoder_(word));
}

std::uint8_t PpuDatapath::average(const formats::Psum& sum, int count) {
  return encoder(count)(sum);
}

const datapath::Encoder& PpuDatapath::encoder(int count) {
  const auto found = encoders_.find(count);
  if (found != encoders_.end()) return found->second;
  const int scale = log2_of_integer(count) - static_cast<int>(output_.sf);
  return encoders_
      .emplace(count, datapath::Encoder::for_ppu(converters_.to_log, arithmetic_, to_word_format(output_), scale))
      .first->second;
}

}  // namespace lpa::hw
