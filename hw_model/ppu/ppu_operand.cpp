#include "hw_model/ppu/ppu_operand.h"

#include <cmath>

#include "hw_model/datapath/decoder.h"
#include "hw_model/datapath/linear.h"

namespace lpa::hw {

int log2_of_integer(int number) {
  return static_cast<int>(std::lround(std::log2(number) * (1 << ppu_log_bits)));
}

datapath::WordFormat to_word_format(const FormatFields& format) {
  return {static_cast<std::uint8_t>(format.bits), static_cast<std::uint8_t>(format.es),
          static_cast<std::uint8_t>(format.rs),
          format.regime == 0 ? formats::Regime::bounded : formats::Regime::terminated, format.kind()};
}

PpuDecoder::PpuDecoder(const FormatFields& format) {
  constexpr int to_log_bits = ppu_log_bits - datapath::log_fraction_bits;
  const datapath::WordFormat wires = to_word_format(format);
  for (unsigned word = 0; word < 1u << format.bits; ++word) {
    const bool is_lp = wires.family == formats::Family::lp;
    const datapath::Lane lane = is_lp ? datapath::decode_lane(static_cast<std::uint8_t>(word), wires)
                                      : datapath::decode_linear(static_cast<std::uint8_t>(word), wires);
    const int fraction = is_lp ? lane.u << to_log_bits : lane.zero || lane.nar ? 0 : log2_of_integer(lane.u);
    const int log = lane.r * (1 << ppu_log_bits) + fraction - static_cast<int>(format.sf);
    operands_.push_back({log, lane.negative, lane.zero, lane.nar});
  }
}

}  // namespace lpa::hw
