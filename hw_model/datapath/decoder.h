// The unified LP decoder that stands at the array's edges.
#pragma once

#include <cstdint>

#include "hw_model/datapath/word.h"

namespace lpa::datapath {

/// Decodes a packed word: 8 / mode lanes, lane 0 in the lowest bits. A run that reaches rs has no terminator; codes
/// that a terminated regime never produces are decoded by the same rule, so the regime's kind is not asked for.
DecodedWord decode(std::uint8_t word, int mode, int es, int rs);

/// Decodes a single word of format.n bits, right-aligned (an activation); bits above are ignored.
Lane decode_lane(std::uint8_t word, const WordFormat& format);

}  // namespace lpa::datapath
