// Functions of the post-processing unit on words and rows of words: activation tables, softmax, layer normalisation.
// The golden model of the rules in hw_model/README.md, "Post-processing".
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/tensor_format.h"

namespace lpa::formats {

/// For every word of `from` the word of `to` nearest to function(value): of an lp nearest in log2, saturating, below
/// minpos/2 zero; of others by their own rule. NaR for NaR.
std::vector<Word> word_table(const TensorFormat& from, const TensorFormat& to,
                             const std::function<double(double)>& function);

/// A real number as a layer normalisation's parameter memory holds it: +-2^(log_q8 / 2^8) or zero.
struct LogNumber {
  std::int16_t log_q8 = 0;
  bool negative = false;
  bool zero = true;
  friend bool operator==(const LogNumber&, const LogNumber&) = default;
};

/// Nearest in log2 (of a float exactly; of a double up to 2^-45 beside a tie); below 2^-120 zero. Throws FormatError if
/// not finite or not below 2^120.
LogNumber to_log_number(double value);

/// Scale and shift of a channel.
struct NormTerm {
  LogNumber gamma, beta;
  friend bool operator==(const NormTerm&, const NormTerm&) = default;
};

inline constexpr int no_epsilon = std::numeric_limits<int>::min();

/// A word as the functions below see it.
struct RowWord {
  std::int32_t log_q8 = 0;  ///< log2 of the magnitude, sf subtracted, in units of 2^-8.
  bool negative = false;
  bool zero = true;
  bool nar = false;
};

/// Softmax of a row of words. Throws FormatError on bad parameters.
class SoftmaxRow {
 public:
  SoftmaxRow(const Arithmetic& arithmetic, const TensorFormat& input, const TensorFormat& output);
  /// `row` has 1 to 65535 words; `result` as many. A NaR makes all of them NaR and counts as a NaR product.
  void operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const;

 private:
  TensorFormat output_;
  std::vector<RowWord> words_;
  std::vector<std::int32_t> scaled_;        ///< By word: x / ln 2 in units of 2^-8.
  std::array<std::uint32_t, 256> power_{};  ///< 2^(i/256) with 16 fraction bits.
  PsumEncoder encoder_;
  std::vector<Word> results_;  ///< The word of 2^(-i / 2^8); the last one of all that is smaller, too.
};

/// Layer normalisation of a row of words by the parameters of its channels.
class LayerNormRow {
 public:
  /// Throws FormatError on bad parameters.
  LayerNormRow(const Arithmetic& arithmetic, const TensorFormat& input, const TensorFormat& output,
               std::vector<NormTerm> parameters, int epsilon_log_q8);
  /// Both have as many words as there are parameters. A NaR makes all results NaR and counts as a NaR product. The
  /// difference of a word and the mean is formed twice, and counted twice if an addition saturates.
  void operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const;

 private:
  /// A sum of the post-processing unit's adder: value * 2^(exponent - fraction bits).
  struct Sum {
    std::int32_t value = 0;
    std::int32_t exponent = Psum::no_exponent;
  };
  /// A difference of a word and the mean.
  struct Deviation {
    std::int32_t log_q8 = 0;
    bool negative = false;
    bool zero = true;
  };

  /// Adds +-2^(log_q8 / 2^8): Accumulator::for_ppu() with everything at hand.
  void add(Sum& sum, std::int32_t log_q8, bool negative, std::uint64_t& saturations) const;
  std::int32_t log_q8(const Sum& sum) const;
  Deviation deviation(const RowWord& word, const Sum& sum, std::int32_t mean_log_q8, std::uint64_t& saturations) const;

  TensorFormat output_;
  std::vector<NormTerm> parameters_;
  int epsilon_log_q8_;
  int count_log_q8_;
  std::vector<RowWord> words_;
  int fraction_bits_;
  std::int64_t largest_;                   ///< The largest value of a sum.
  std::array<std::int64_t, 256> power_{};  ///< 2^(i/256) with the sum's fraction bits.
  PsumEncoder encoder_;
};

}  // namespace lpa::formats
