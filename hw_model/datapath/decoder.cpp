#include "hw_model/datapath/decoder.h"

#include <algorithm>

#include "hw_model/datapath/multi_precision.h"

namespace lpa::datapath {
namespace {

/// What the whole byte's circuits make of a packed word.
struct Stripped {
  unsigned sign;                            ///< The lanes' sign bits, in place.
  unsigned body;                            ///< Magnitudes without their signs, moved up to the top of their lanes.
  unsigned flip;                            ///< All bits of the lanes whose regime is a run of ones.
  std::array<std::uint8_t, max_lanes> run;  ///< Its length, not yet capped.
};

Stripped strip(std::uint8_t word, int mode) {
  const unsigned tops = mode == 8 ? 0x80u : mode == 4 ? 0x88u : 0xAAu;
  const unsigned bottoms = tops >> (mode - 1);
  const unsigned lane_mask = (1u << mode) - 1;
  const unsigned body = (unsigned{twos_complement(word, mode)} << 1) & ~bottoms & 0xFFu;
  const unsigned flip = ((body & tops) >> (mode - 1)) * lane_mask;
  return {word & tops, body, flip, leading_zeros(static_cast<std::uint8_t>(body ^ flip), mode)};
}

Lane construct(const Stripped& stripped, int lane, int mode, int es, int rs) {
  const int low = lane * mode;
  const unsigned lane_mask = (1u << mode) - 1;
  const unsigned body = (stripped.body >> low) & lane_mask;
  const bool negative = ((stripped.sign >> (low + mode - 1)) & 1u) != 0;
  if (body == 0) return {.r = 0, .u = 0, .negative = false, .zero = !negative, .nar = negative};

  const int run = std::min<int>(stripped.run[static_cast<std::size_t>(lane)], rs);
  const int regime_bits = run < rs ? run + 1 : run;
  const bool ones = ((stripped.flip >> low) & 1u) != 0;
  const int k = ones ? run - 1 : -run;
  // e.f stands left-aligned in the lane; the binary point is es bits from the left.
  const unsigned rest = (body << regime_bits) & lane_mask;
  return {.r = static_cast<std::int16_t>(k * (1 << es)),
          .u = static_cast<std::uint16_t>((rest << (es + log_fraction_bits)) >> mode),
          .negative = negative,
          .zero = false,
          .nar = false};
}

}  // namespace

DecodedWord decode(std::uint8_t word, int mode, int es, int rs) {
  const Stripped stripped = strip(word, mode);
  DecodedWord decoded;
  for (int lane = 0; lane < lanes(mode); ++lane) {
    decoded.lane[static_cast<std::size_t>(lane)] = construct(stripped, lane, mode, es, rs);
  }
  return decoded;
}

Lane decode_lane(std::uint8_t word, const WordFormat& format) {
  return construct(strip(word, format.n), 0, format.n, format.es, format.rs);
}

}  // namespace lpa::datapath
