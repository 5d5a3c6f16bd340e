// The scale at which a grid of values represents a tensor with the least squared error.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "quant/formats/value_grid.h"

namespace lpa::formats {

/// Empty, or why it cannot be a scale: it must be within 1e-60..1e60.
std::string scale_error(double scale);

/// A tensor's magnitudes, sorted, with running sums: the squared error of a grid costs one search per value of the
/// grid.
class MagnitudeSums {
 public:
  /// Throws FormatError if a value is not finite.
  explicit MagnitudeSums(std::span<const float> values);

  double largest() const { return sorted_.empty() ? 0.0 : sorted_.back(); }

  /// Sum of the squared differences between the tensor's magnitudes and the nearest of `scale * magnitudes[i]`, which
  /// ascend from 0.
  double squared_error(std::span<const double> magnitudes, double scale) const;

 private:
  std::vector<double> sorted_;
  std::vector<double> sum_;         ///< Of the first i magnitudes.
  std::vector<double> square_sum_;  ///< Of their squares.
};

struct ScaleChoice {
  double scale = 1;
  double squared_error = 0;
};

/// Searches scales that map the grid's largest value to 1 ... 1/64 of the tensor's: a geometric ladder, then around its
/// best rung in ever smaller steps. `unit_grid` is symmetric, with scale 1. A tensor of zeros gets scale 1.
ScaleChoice search_scale(const std::vector<GridPoint>& unit_grid, const MagnitudeSums& tensor);

}  // namespace lpa::formats
