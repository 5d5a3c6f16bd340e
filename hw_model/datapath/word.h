// The values that travel on the datapath's wires: formats of words, decoded lanes, products.
#pragma once

#include <array>
#include <cstdint>

#include "quant/formats/family.h"
#include "quant/formats/tensor_format.h"

namespace lpa::datapath {

/// Lanes of a packed word: 8 / MODE are in use.
inline constexpr int max_lanes = 4;
/// Activations that a PE can take at a time.
inline constexpr int max_inputs = 4;
/// Fraction bits of a lane's u: the logarithm of every word of up to 8 bits is exact in them.
inline constexpr int log_fraction_bits = 6;

/// What a PE's lane multiplies.
enum class Multiplier {
  logarithms,    ///< It adds them: LPA.
  significands,  ///< In one multiplier; exponents add up.
  nibbles,       ///< The same, in parts of 4 by 4 bits that are shifted and added: ANT.
  bricks,        ///< The same in parts of 2 by 2 bits: BitFusion.
};

/// The static wires of a decoder or encoder. Legal: n 8, 4 or 2; of lp es 0..max(0, n-3) and rs 1..n-1 (2..n-1 if
/// terminated); posit: es 1; adaptivfloat: n 8 and es 4; pot and flint: n 4, es 0; integer: es 0; all these rs = n-1.
struct WordFormat {
  std::uint8_t n = 8;
  std::uint8_t es = 0;
  std::uint8_t rs = 7;
  formats::Regime regime = formats::Regime::bounded;  ///< Only encoders look at it.
  formats::Family family = formats::Family::lp;
  friend bool operator==(const WordFormat&, const WordFormat&) = default;
};

/// The wires of a number format; sf is not among them.
inline WordFormat to_word_format(const formats::TensorFormat& format) {
  return {static_cast<std::uint8_t>(format.n), static_cast<std::uint8_t>(format.es),
          static_cast<std::uint8_t>(format.rs), format.regime, format.family};
}

/// Lanes that a word of MODE (8, 4 or 2) carries.
constexpr int lanes(int mode) {
  return mode == 8 ? 1 : mode == 4 ? 2 : max_lanes;
}

/// One decoded operand: of lp |x| = 2^(r + u / 2^6), of others u * 2^r. r and u are 0 if zero or nar is set.
struct Lane {
  std::int16_t r = 0;   ///< lp: 2^es * k.
  std::uint16_t u = 0;  ///< lp: ulfx = e.f, in units of 2^-6; else the significand.
  bool negative = false;
  bool zero = true;
  bool nar = false;
  friend bool operator==(const Lane&, const Lane&) = default;
};

/// A decoded packed word; lanes that the mode does not use hold zero.
struct DecodedWord {
  std::array<Lane, max_lanes> lane;
  friend bool operator==(const DecodedWord&, const DecodedWord&) = default;
};

/// What MUL hands to ADD: +-2^(r + u / 2^6), of significands +-u * 2^r. If nar or zero is set (never both), r, u and
/// negative mean nothing.
struct Product {
  std::int16_t r = 0;
  std::uint16_t u = 0;
  bool negative = false;
  bool zero = true;
  bool nar = false;
  friend bool operator==(const Product&, const Product&) = default;
};

}  // namespace lpa::datapath
