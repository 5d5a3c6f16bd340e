// Functions of the post-processing unit on words and rows of words: activation tables, softmax, layer normalisation.
// The golden model of the rules in hw_model/README.md, "Post-processing".
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/lp_format.h"

namespace lpa::formats {

/// For every word of `from` the word of `to` nearest in log2 to function(value): saturating, below minpos/2 zero, NaR
/// for NaR.
std::vector<Word> word_table(const LpFormat& from, const LpFormat& to, const std::function<double(double)>& function);

/// A real number as a layer normalisation's parameter memory holds it: +-2^(log_q8 / 2^8) or zero.
struct LogNumber {
  std::int16_t log_q8 = 0;
  bool negative = false;
  bool zero = true;
  friend bool operator==(const LogNumber&, const LogNumber&) = default;
};

/// Nearest in log2; below 2^-120 zero. Throws FormatError if not finite or not below 2^120.
LogNumber to_log_number(double value);

/// Scale and shift of a channel.
struct NormTerm {
  LogNumber gamma, beta;
  friend bool operator==(const NormTerm&, const NormTerm&) = default;
};

inline constexpr int no_epsilon = std::numeric_limits<int>::min();

/// Softmax of a row of words. Throws FormatError on bad parameters.
class SoftmaxRow {
 public:
  SoftmaxRow(const Arithmetic& arithmetic, const LpFormat& input, const LpFormat& output);
  /// `row` has 1 to 65535 words; `result` as many.
  void operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const;

 private:
  LpFormat output_;
  int lf_bits_;
  std::vector<std::int32_t> scaled_;  ///< t of every word.
  std::vector<bool> nar_;
  Accumulator adder_;
  PsumEncoder encoder_;
};

/// Layer normalisation of a row of words by the parameters of its channels.
class LayerNormRow {
 public:
  LayerNormRow(const Arithmetic& arithmetic, const LpFormat& input, const LpFormat& output,
               std::vector<NormTerm> parameters, int epsilon_log_q8);
  /// Both have as many words as there are parameters.
  void operator()(std::span<const Word> row, std::span<Word> result, AccumulateEvents& events) const;

 private:
  LpFormat input_, output_;
  std::vector<NormTerm> parameters_;
  int epsilon_log_q8_;
  std::vector<Operand> operands_;  ///< By word.
  Accumulator adder_;
  PsumEncoder encoder_;
};

}  // namespace lpa::formats
