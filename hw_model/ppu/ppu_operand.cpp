#include "hw_model/ppu/ppu_operand.h"

#include "hw_model/datapath/decoder.h"

namespace lpa::hw {

datapath::WordFormat to_word_format(const FormatFields& format) {
  return {static_cast<std::uint8_t>(format.bits), static_cast<std::uint8_t>(format.es),
          static_cast<std::uint8_t>(format.rs),
          format.regime == 0 ? formats::Regime::bounded : formats::Regime::terminated};
}

PpuDecoder::PpuDecoder(const FormatFields& format) {
  constexpr int to_log_bits = ppu_log_bits - datapath::log_fraction_bits;
  const datapath::WordFormat wires = to_word_format(format);
  for (unsigned word = 0; word < 1u << format.bits; ++word) {
    const datapath::Lane lane = datapath::decode_lane(static_cast<std::uint8_t>(word), wires);
    const int log = lane.r * (1 << ppu_log_bits) + (lane.u << to_log_bits) - static_cast<int>(format.sf);
    operands_.push_back({log, lane.negative, lane.zero, lane.nar});
  }
}

}  // namespace lpa::hw
