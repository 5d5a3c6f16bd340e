#include "quant/formats/value_grid.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lpa::formats {
namespace {

bool upper_wins_tie(const GridPoint& lower, const GridPoint& upper, ZeroTie zero_tie) {
  if (lower.value == 0 || upper.value == 0) return (lower.value == 0) == (zero_tie == ZeroTie::smallest);
  if ((lower.word + upper.word) % 2 != 0) return upper.word % 2 == 0;
  return std::abs(upper.value) < std::abs(lower.value);
}

/// The largest double that takes the lower of two neighbouring points.
double threshold(const GridPoint& lower, const GridPoint& upper, ZeroTie zero_tie) {
  constexpr double lowest = -std::numeric_limits<double>::infinity();
  const double a = lower.value;
  const double b = upper.value;
  const double sum = a + b;
  const double b_part = sum - a;
  const double lost = (a - (sum - b_part)) + (b - b_part);  // Exact (Knuth's two-sum).
  const double down = (lost < 0 ? std::nextafter(sum, lowest) : sum) / 2;
  return lost == 0 && upper_wins_tie(lower, upper, zero_tie) ? std::nextafter(down, lowest) : down;
}

}  // namespace

ValueGridEncoder::ValueGridEncoder(std::vector<GridPoint> points, ZeroTie zero_tie) {
  std::sort(points.begin(), points.end(), [](const GridPoint& a, const GridPoint& b) { return a.value < b.value; });
  words_.reserve(points.size());
  thresholds_.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    words_.push_back(points[i].word);
    if (i > 0) thresholds_.push_back(threshold(points[i - 1], points[i], zero_tie));
  }
}

Word ValueGridEncoder::operator()(double x) const {
  if (std::isnan(x)) return (*this)(0.0);
  // A search of fixed depth without branches: the answer is the number of thresholds below x.
  const double* base = thresholds_.data();
  for (std::size_t length = thresholds_.size(); length > 1;) {
    const std::size_t half = length / 2;
    base += half * static_cast<std::size_t>(x > base[half - 1]);
    length -= half;
  }
  const auto index = static_cast<std::size_t>(base - thresholds_.data()) + static_cast<std::size_t>(x > *base);
  return words_[index];
}

std::vector<GridPoint> with_negatives(const std::vector<GridPoint>& magnitudes, int n) {
  std::vector<GridPoint> points = magnitudes;
  for (const GridPoint& point : magnitudes) {
    if (point.value != 0) points.push_back({-point.value, static_cast<Word>(point.word | (1u << (n - 1)))});
  }
  return points;
}

}  // namespace lpa::formats
