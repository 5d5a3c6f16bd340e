// Circuits that work on one 8-bit lane, two 4-bit lanes or four 2-bit lanes of the same byte. MODE is the lanes' width.
#pragma once

#include <array>
#include <cstdint>

#include "hw_model/datapath/word.h"

namespace lpa::datapath {

/// Negates every lane whose sign bit is set: four 2-bit slices of XOR and adder; multiplexers driven by MODE choose the
/// sign that a slice obeys and whether its carry comes from its neighbour or starts anew. The most negative value
/// (NaR) stays as it is.
std::uint8_t twos_complement(std::uint8_t word, int mode);

/// Leading zeros of every lane, 0..MODE: counts of pairs, joined to those of nibbles and of the byte.
/// Lanes that MODE does not use are 0.
std::array<std::uint8_t, max_lanes> leading_zeros(std::uint8_t word, int mode);

}  // namespace lpa::datapath
