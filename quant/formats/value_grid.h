// Rounding to the nearest of an arbitrary set of values: what the comparison formats share.
#pragma once

#include <vector>

#include "quant/formats/lp_format.h"

namespace lpa::formats {

/// A word and the value it stands for.
struct GridPoint {
  double value = 0;
  Word word = 0;
  friend bool operator==(const GridPoint&, const GridPoint&) = default;
};

/// Who wins halfway between zero and the smallest magnitude. Everywhere else the even word wins, or the smaller
/// magnitude if both words are even or both are odd.
enum class ZeroTie { zero, smallest };

/// Rounds to the nearest value, exactly; beyond the largest it saturates, infinities too. NaN gives zero.
class ValueGridEncoder {
 public:
  /// `points` must contain 0 and no value twice; any order.
  explicit ValueGridEncoder(std::vector<GridPoint> points, ZeroTie zero_tie = ZeroTie::zero);
  Word operator()(double x) const;

 private:
  std::vector<Word> words_;         ///< By ascending value.
  std::vector<double> thresholds_;  ///< x takes the word with as many thresholds below it.
};

/// The magnitudes and, with the sign bit 2^(n-1) set, their negatives: the words of a sign-magnitude format. Zero is in
/// it once.
std::vector<GridPoint> with_negatives(const std::vector<GridPoint>& magnitudes, int n);

}  // namespace lpa::formats
