#include "hw_model/datapath/multi_precision.h"

namespace lpa::datapath {
namespace {

/// MODE as the wires m1 m0: 1x for one 8-bit lane, 01 for two of 4 bits, 00 for four of 2 bits.
struct ModeWires {
  explicit ModeWires(int mode) : m1(mode == 8), m0(mode == 4) {}
  bool m1;
  bool m0;
};

constexpr unsigned multiplex(bool select, unsigned one, unsigned zero) {
  return select ? one : zero;
}

/// Zeros in front of a field's first one; a field of zeros has as many as it has bits.
struct ZeroCount {
  unsigned count;
  bool all_zero;
};

constexpr ZeroCount count_pair(unsigned pair) {
  return {multiplex((pair & 2) != 0, 0, multiplex((pair & 1) != 0, 1, 2)), pair == 0};
}

/// The higher half decides; if it is all zero, the lower half's count is added to its width.
constexpr ZeroCount join(const ZeroCount& high, const ZeroCount& low) {
  return {multiplex(high.all_zero, high.count + low.count, high.count), high.all_zero && low.all_zero};
}

}  // namespace

std::uint8_t twos_complement(std::uint8_t word, int mode) {
  const ModeWires m(mode);
  const unsigned op1 = (word >> 1) & 1u, op3 = (word >> 3) & 1u, op5 = (word >> 5) & 1u, op7 = (word >> 7) & 1u;

  // The sign that each slice obeys, from the slice of bits 1:0 upwards.
  const std::array<unsigned, 4> sign{multiplex(m.m1, op7, multiplex(m.m0, op3, op1)),  //
                                     multiplex(m.m1, op7, op3),                        //
                                     multiplex(m.m1, op7, multiplex(m.m0, op7, op5)),  //
                                     op7};
  // Whether a slice takes its neighbour's carry; if not, it starts a lane and adds the lane's sign.
  const std::array<bool, 4> chained{false, m.m1 || m.m0, m.m1, m.m1 || m.m0};

  unsigned result = 0;
  unsigned carry = 0;
  for (std::size_t slice = 0; slice < 4; ++slice) {
    const unsigned bit = 2 * static_cast<unsigned>(slice);
    const unsigned operand = (unsigned{word} >> bit) & 3u;
    const unsigned inverted = operand ^ (sign[slice] * 3u);
    const unsigned sum = inverted + multiplex(chained[slice], carry, sign[slice]);
    result |= (sum & 3u) << bit;
    carry = sum >> 2;
  }
  return static_cast<std::uint8_t>(result);
}

std::array<std::uint8_t, max_lanes> leading_zeros(std::uint8_t word, int mode) {
  const std::array<ZeroCount, 4> pair{count_pair(word & 3u), count_pair((word >> 2) & 3u), count_pair((word >> 4) & 3u),
                                      count_pair((word >> 6) & 3u)};
  const std::array<ZeroCount, 2> nibble{join(pair[1], pair[0]), join(pair[3], pair[2])};
  const ZeroCount byte = join(nibble[1], nibble[0]);

  const ModeWires m(mode);
  const auto narrow = [](unsigned count) { return static_cast<std::uint8_t>(count); };
  if (m.m1) return {narrow(byte.count), 0, 0, 0};
  if (m.m0) return {narrow(nibble[0].count), narrow(nibble[1].count), 0, 0};
  return {narrow(pair[0].count), narrow(pair[1].count), narrow(pair[2].count), narrow(pair[3].count)};
}

}  // namespace lpa::datapath
