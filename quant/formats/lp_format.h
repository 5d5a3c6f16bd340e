// The logarithmic posit LP<n,es,rs,sf>: its parameters, its words and its rounding. This is the golden model of the
// number format; the hardware's decoders and encoders are written apart from it and tested against it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lpa::formats {

/// One code word, right-aligned; bits at n and above are zero.
using Word = std::uint16_t;

/// How a regime run of the largest length is written.
enum class Regime {
  bounded,     ///< A run that reaches rs has no terminator: k in [-rs, rs-1].
  terminated,  ///< The run field counts its terminator within rs: k in [-(rs-1), rs-2].
};

/// How a real number becomes a word.
enum class Rounding {
  nearest_log,     ///< Nearest in log2|x| among nonzero words, ties to even, saturating; never to zero or NaR.
  nearest_linear,  ///< Nearest in value, zero included, ties to even, saturating at maxpos.
  posit,           ///< Like nearest_log, and exactly 0 for 0 only.
};

enum class WordKind { zero, nar, real };

/// A word taken apart. For a real: |x| = 2^(2^es*k - sf) * 2^(e + fraction / 2^fraction_bits).
struct WordFields {
  WordKind kind = WordKind::zero;
  bool negative = false;
  int k = 0;              ///< Regime value.
  int e = 0;              ///< Exponent, 0 <= e < 2^es; bits that no longer fit in the word read as 0.
  int fraction = 0;       ///< Fraction bits as an integer.
  int fraction_bits = 0;  ///< Number of fraction bits the word holds.

  friend bool operator==(const WordFields&, const WordFields&) = default;
};

/// The parameters of a logarithmic posit: x = (-1)^sign * 2^(2^es*k - sf) * 2^(e + 0.f).
struct LpFormat {
  static constexpr int sf_fraction_bits = 8;

  int n = 8;      ///< Word width in bits, 2..16; the hardware takes 2, 4 and 8.
  int es = 0;     ///< Exponent field width in bits, 0..min(5, max(0, n-3)).
  int rs = 7;     ///< Largest regime run, 1..n-1 (2..n-1 for a terminated regime).
  int sf_q8 = 0;  ///< Scale-factor bias sf in units of 2^-8; subtracted in the exponent. |sf| <= 127.
  Regime regime = Regime::bounded;

  double sf() const { return sf_q8 / 256.0; }
  int word_count() const { return 1 << n; }
  Word zero_word() const { return 0; }
  Word nar_word() const { return static_cast<Word>(1u << (n - 1)); }
  /// The largest and the smallest positive word that an encoder produces; every word between them is one too.
  Word maxpos_word() const { return static_cast<Word>((1u << (n - 1)) - 1 - unused_codes()); }
  Word minpos_word() const { return static_cast<Word>(1 + unused_codes() - (regime == Regime::terminated ? 1 : 0)); }

  friend bool operator==(const LpFormat&, const LpFormat&) = default;

 private:
  /// Of a terminated regime, at either end of the positive words, zero included: those whose run reaches rs.
  unsigned unused_codes() const { return regime == Regime::terminated ? 1u << (n - 1 - rs) : 0u; }
};

/// What is wrong with the parameters, as one line that names the field and its legal range; empty if nothing is.
std::string check(const LpFormat& format);

/// "LP<8,1,3,-0.25>"; a terminated regime is a fifth field: "LP<8,1,3,-0.25,terminated>".
std::string to_string(const LpFormat& format);

/// Parses what to_string prints. Throws FormatError (quant/formats/format_error.h) that says what is wrong. A scale
/// factor that is no multiple of 2^-8 is rounded to the nearest one.
LpFormat parse_lp_format(std::string_view text);

/// Takes a word apart. In a terminated regime the codes that are never produced are decoded by the bounded rule.
WordFields decode_fields(const LpFormat& format, Word word);

/// log2|x| + sf of a real word in units of 2^-14, exactly: 2^es*k + e + 0.f.
std::int32_t log2_q14(const LpFormat& format, Word word);

/// The word's value, correctly rounded to double; NaN for NaR.
double decode(const LpFormat& format, Word word);

/// Rounds x to a word. NaN and infinities give NaR. Zero is below minpos: nearest_log makes it +minpos, the other modes
/// and `flush` make it zero. A tie between zero and minpos (nearest_linear) takes zero; exactly minpos/2 is not
/// flushed. In log2 a tie is a geometric mean that is a double, so a power of two; every comparison is exact. `flush`
/// sends magnitudes below minpos/2 to zero (the hardware encoder's switch); it changes nearest_log and posit only.
/// Requires check(format).empty().
Word encode(const LpFormat& format, double x, Rounding rounding, bool flush = false);

/// `encode` for many values with the thresholds worked out once.
class LpEncoder {
 public:
  explicit LpEncoder(const LpFormat& format, Rounding rounding, bool flush = false);
  Word operator()(double x) const;
  const LpFormat& format() const { return format_; }

 private:
  LpFormat format_;
  std::vector<double> thresholds_;  ///< Ascending; a magnitude takes the candidate with as many thresholds below it.
};

/// All legal (es, rs) for a width, bounded regimes, sf = 0.
std::vector<LpFormat> all_lp_formats(int n);

}  // namespace lpa::formats
