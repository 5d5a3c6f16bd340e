// The format of one tensor: the legal (es, rs, sf) of a width with the least squared error on given values.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/formats/lp_format.h"

namespace lpa::lpq {

/// How the values become words where the tensor comes to life.
enum class Quantizer {
  offline,  ///< nearest_linear: weights and the network's input, rounded by the front end.
  encoder,  ///< nearest_log with flush: whatever the machine's encoder emits.
};

/// A tensor's magnitudes, sorted, with running sums. Gives the squared error of any format without a pass over the
/// values: every word's share follows from the values between its two thresholds.
class ValueStatistics {
 public:
  /// The values must be finite. Signs are dropped: a format is symmetric about zero.
  explicit ValueStatistics(const std::vector<float>& values);

  /// Number of values, zeros included.
  std::size_t count() const { return count_; }
  /// Largest magnitude; 0 if all values are zero.
  float largest() const { return magnitudes_.empty() ? 0.0F : magnitudes_.back(); }
  /// Root mean square of the nonzero values.
  double rms() const;

  /// Sum of (x - word(x))^2 over the words' magnitudes `levels` (ascending) with `thresholds[i]` between level i - 1
  /// and level i (level -1 is zero), both times `scale`. A value on a threshold takes the upper word.
  double squared_error(const std::vector<double>& levels, const std::vector<double>& thresholds, double scale) const;

 private:
  std::size_t below(double threshold) const;

  std::size_t count_ = 0;
  std::vector<float> magnitudes_;     ///< Ascending, zeros left out.
  std::vector<double> sum_, square_;  ///< Of the first i magnitudes.
  std::uint32_t first_cell_ = 0;      ///< A cell holds the floats that agree in sign, exponent and 8 mantissa bits.
  std::vector<std::uint32_t> cells_;  ///< Number of magnitudes below each cell.
};

struct FormatChoice {
  formats::LpFormat format;
  double mean_squared_error = 0;
};

/// Squared error of one format, per value.
double mean_squared_error(const ValueStatistics& values, const formats::LpFormat& format, Quantizer quantizer);

/// The best sf for the n, es and rs of `shape`. As search_format() finds it, but for widths above 4 always from the
/// grid.
FormatChoice search_scale(const ValueStatistics& values, const formats::LpFormat& shape, Quantizer quantizer);

/// The best format of `n` bits (2..8, bounded regimes). Widths up to 4 and tensors of up to 512 values, whose error is
/// a jagged function of sf, are searched over every sf; others from a grid of 1/8 octave down to 2^-8 around its best
/// points. The range reaches from a largest word 4 octaves below the values' rms (but at most 32 octaves below for the
/// formats' centre) to a centre 2 octaves above the largest value. Equal errors: the first in the order of
/// all_lp_formats, then of sf. Values that are all zero give sf = 0.
FormatChoice search_format(const ValueStatistics& values, int n, Quantizer quantizer);

}  // namespace lpa::lpq
