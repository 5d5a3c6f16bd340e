// Any of the number formats, chosen at run time by its text: what experiments and the command line use.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quant/formats/adaptiv_float.h"
#include "quant/formats/ant.h"
#include "quant/formats/int_format.h"
#include "quant/formats/lns.h"
#include "quant/formats/lp_format.h"
#include "quant/formats/posit.h"
#include "quant/formats/value_grid.h"

namespace lpa::formats {

using NumberFormat =
    std::variant<LpFormat, PositFormat, AdaptivFloatFormat, IntFormat, PotFormat, FlintFormat, LnsFormat>;

/// Parses "LP<8,1,3,0>", "posit<8,1>", "adaptivfloat<8,4,-15>", "int<8,0.05>", "pot<4,0.01>", "flint<4,0.01>" and
/// "lns<8,4>". Throws FormatError that says what is wrong.
NumberFormat parse_number_format(std::string_view text);
std::string to_string(const NumberFormat& format);
std::string check(const NumberFormat& format);

/// Bits of a word.
int word_width(const NumberFormat& format);

/// The word's value; NaN for NaR.
double decode(const NumberFormat& format, Word word);

/// The nearest word: nearest_linear for LP, the format's own rule for the others.
Word encode(const NumberFormat& format, double x);

/// `encode` for many values.
class NumberEncoder {
 public:
  explicit NumberEncoder(const NumberFormat& format);
  Word operator()(double x) const {
    return std::visit([x](const auto& encoder) { return encoder(x); }, encoder_);
  }
  /// The value that x becomes.
  double quantize(double x) const { return values_[(*this)(x)]; }

 private:
  struct PositEncoder {
    PositFormat format;
    Word operator()(double x) const { return encode(format, x); }
  };
  using Encoder = std::variant<LpEncoder, PositEncoder, ValueGridEncoder>;
  static Encoder make_encoder(const NumberFormat& format);

  Encoder encoder_;
  std::vector<double> values_;  ///< By word.
};

/// A row of the table of a format's words. Texts are empty where the format has no such field.
struct WordDescription {
  std::string bits;  ///< The word in binary, first bit first.
  std::string kind;  ///< "zero", "NaR", "real", or "unused" for a word that no encoder produces.
  std::string sign;  ///< "+" or "-".
  std::string k;     ///< Regime.
  std::string e;     ///< Exponent.
  std::string f;     ///< Fraction bits.
  double value = 0;  ///< NaN for NaR.
};

/// All words of a format, in the order of their codes.
std::vector<WordDescription> describe_words(const NumberFormat& format);

}  // namespace lpa::formats
