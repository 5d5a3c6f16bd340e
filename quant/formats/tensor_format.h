// The format of a tensor that a simulated machine holds: a logarithmic posit, or what another accelerator computes
// with.
#pragma once

#include <string>
#include <string_view>

#include "quant/formats/family.h"
#include "quant/formats/lp_format.h"
#include "quant/formats/number_format.h"

namespace lpa::formats {

/// "LP", "posit", "adaptivfloat", "int", "pot", "flint": as texts of formats begin.
const char* to_string(Family family);

/// Units of sf_q8 in an octave, and the largest |sf_q8|.
inline constexpr int octave_q8 = 1 << LpFormat::sf_fraction_bits;
inline constexpr int sf_limit_q8 = 127 * octave_q8;

/// A family, its parameters and a scale factor: x = 2^-sf times the value of the word without scale.
struct TensorFormat {
  Family family = Family::lp;
  int n = 8;      ///< Word width in bits: 2, 4 or 8.
  int es = 0;     ///< lp, posit, adaptivfloat: exponent field width in bits; else 0.
  int rs = 7;     ///< lp: largest regime run; else n - 1.
  int sf_q8 = 0;  ///< sf in units of 2^-8, |sf| <= 127. adaptivfloat: whole octaves, its bias is -sf; posit: 0.
  Regime regime = Regime::bounded;  ///< lp.

  TensorFormat() = default;
  /// Every LP is one.
  TensorFormat(const LpFormat& format)  // NOLINT(google-explicit-constructor)
      : n(format.n), es(format.es), rs(format.rs), sf_q8(format.sf_q8), regime(format.regime) {}
  /// Of another family.
  TensorFormat(Family of, int bits, int exponent_bits, int sf)
      : family(of), n(bits), es(exponent_bits), rs(bits - 1), sf_q8(sf) {}

  bool linear() const { return family != Family::lp; }
  /// The family must be lp.
  LpFormat lp() const { return {n, es, rs, sf_q8, regime}; }

  double sf() const { return sf_q8 / 256.0; }
  int word_count() const { return 1 << n; }
  Word zero_word() const { return 0; }
  /// 10..0: NaR of lp and posit. Of other families no encoder produces it (int: the most negative number; sign and
  /// magnitude: a negative zero).
  Word nar_word() const { return static_cast<Word>(1u << (n - 1)); }
  bool has_nar() const { return formats::has_nar(family); }
  bool is_nar(Word word) const { return has_nar() && word == nar_word(); }
  /// Whether the words are sign and magnitude instead of two's complement.
  bool sign_magnitude() const { return is_sign_magnitude(family); }
  /// Ascends with the value of words; that of 10..0 is the least, but for sign and magnitude, where it is 0.
  int order(Word word) const;

  friend bool operator==(const TensorFormat&, const TensorFormat&) = default;
};

/// What is wrong with the parameters, as one line that names the field and its legal range; empty if nothing is.
std::string check(const TensorFormat& format);

/// As the format's own text: "LP<8,1,3,-0.25>", "int<8,0.04998>"; a scale has four digits, which are enough to read it
/// back.
std::string to_string(const TensorFormat& format);

/// Parses what to_string prints. Throws FormatError. Scales become powers of 2^(1/256): the nearest one.
TensorFormat parse_tensor_format(std::string_view text);

/// The same format with its scale. The parameters must be legal.
NumberFormat number_format(const TensorFormat& format);

/// The word's value; NaN for NaR.
double decode(const TensorFormat& format, Word word);

/// Magnitude of a word without the scale: of lp 2^(log2|x| + sf). NaR gives 0.
double unscaled_magnitude(const TensorFormat& format, Word word);
/// Of the words that encoders produce, but zero.
double smallest_magnitude(const TensorFormat& format);
double largest_magnitude(const TensorFormat& format);

}  // namespace lpa::formats
