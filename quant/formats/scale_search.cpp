#include "quant/formats/scale_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {

std::string scale_error(double scale) {
  constexpr double smallest = 1e-60;
  constexpr double largest = 1e60;
  if (scale >= smallest && scale <= largest) return {};
  return fmt::format("scale is {} but must be {}..{}", scale, smallest, largest);
}

MagnitudeSums::MagnitudeSums(std::span<const float> values) {
  sorted_.reserve(values.size());
  for (const float value : values) {
    if (!std::isfinite(value)) throw FormatError(fmt::format("a value is {} but must be finite", value));
    sorted_.push_back(std::abs(double{value}));
  }
  std::sort(sorted_.begin(), sorted_.end());
  sum_.assign(1, 0.0);
  square_sum_.assign(1, 0.0);
  for (const double magnitude : sorted_) {
    sum_.push_back(sum_.back() + magnitude);
    square_sum_.push_back(square_sum_.back() + magnitude * magnitude);
  }
}

double MagnitudeSums::squared_error(std::span<const double> magnitudes, double scale) const {
  double error = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < magnitudes.size(); ++i) {
    const double value = scale * magnitudes[i];
    std::size_t last = sorted_.size();
    if (i + 1 < magnitudes.size()) {
      const double limit = scale * (magnitudes[i] + magnitudes[i + 1]) / 2;
      const auto from = sorted_.begin() + static_cast<std::ptrdiff_t>(first);
      last = static_cast<std::size_t>(std::upper_bound(from, sorted_.end(), limit) - sorted_.begin());
    }
    const double count = static_cast<double>(last - first);
    error += (square_sum_[last] - square_sum_[first]) - 2 * value * (sum_[last] - sum_[first]) + value * value * count;
    first = last;
  }
  return error;
}

ScaleChoice search_scale(const std::vector<GridPoint>& unit_grid, const MagnitudeSums& tensor) {
  std::vector<double> magnitudes;
  for (const GridPoint& point : unit_grid) {
    if (point.value >= 0) magnitudes.push_back(point.value);
  }
  std::sort(magnitudes.begin(), magnitudes.end());
  if (tensor.largest() == 0) return {};

  const double full = tensor.largest() / magnitudes.back();
  const auto at = [&](double octaves_down) {
    const double scale = full * std::exp2(-octaves_down);
    return ScaleChoice{scale, tensor.squared_error(magnitudes, scale)};
  };
  constexpr double lowest = 6;
  constexpr double first_step = 1.0 / 8;
  constexpr double last_step = 1.0 / 1024;
  double best_octaves = 0;
  ScaleChoice best = at(0);
  const auto offer = [&](double octaves_down) {
    if (octaves_down < 0 || octaves_down > lowest) return;
    const ScaleChoice choice = at(octaves_down);
    if (choice.squared_error >= best.squared_error) return;
    best = choice;
    best_octaves = octaves_down;
  };
  for (double octaves = first_step; octaves <= lowest; octaves += first_step) offer(octaves);
  for (double step = first_step / 2; step >= last_step; step /= 2) {
    const double centre = best_octaves;
    offer(centre - step);
    offer(centre + step);
  }
  best.squared_error = std::max(0.0, best.squared_error);
  return best;
}

}  // namespace lpa::formats
