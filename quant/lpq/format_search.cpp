#include "quant/lpq/format_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace lpa::lpq {
namespace {

using formats::LpFormat;

constexpr int cell_shift = 15;  // float mantissa bits that a cell ignores
constexpr int sf_limit_q8 = 127 * 256;
constexpr std::size_t exhaustive_values = 512;
constexpr int coarse_step = 32, middle_step = 4;  // in units of 2^-8
constexpr std::size_t coarse_survivors = 3;       // grid points refined per (es, rs)
constexpr double survivor_ratio = 2.0;            // against the best error on the whole grid

std::uint32_t cell_of(float magnitude) {
  return std::bit_cast<std::uint32_t>(magnitude) >> cell_shift;
}

/// A format's positive words for sf = 0.
struct Grid {
  LpFormat format;
  std::vector<double> levels;
  std::vector<double> thresholds;
};

Grid make_grid(LpFormat format, Quantizer quantizer) {
  format.sf_q8 = 0;
  Grid grid{.format = format, .levels = {}, .thresholds = {}};
  for (int word = 1; word <= format.maxpos_word(); ++word) {
    const double log = formats::log2_q14(format, static_cast<formats::Word>(word)) / 16384.0;
    const double level = std::exp2(log);
    if (grid.levels.empty()) {
      grid.thresholds.push_back(level / 2);  // both quantizers flush below half of minpos
    } else if (quantizer == Quantizer::offline) {
      grid.thresholds.push_back((grid.levels.back() + level) / 2);
    } else {
      grid.thresholds.push_back(std::sqrt(grid.levels.back()) * std::sqrt(level));
    }
    grid.levels.push_back(level);
  }
  return grid;
}

struct Candidate {
  double error = std::numeric_limits<double>::infinity();
  int sf_q8 = 0;
};

/// Evaluates `grid` for every sf from `first` to `last` and keeps the best.
Candidate best_of(const ValueStatistics& values, const Grid& grid, int first, int last, int step) {
  Candidate best;
  for (int sf = std::max(first, -sf_limit_q8); sf <= std::min(last, sf_limit_q8); sf += step) {
    const double error = values.squared_error(grid.levels, grid.thresholds, std::exp2(-sf / 256.0));
    if (error < best.error) best = {error, sf};
  }
  return best;
}

struct SfRange {
  int first = 0, last = 0;
};

SfRange sf_range(const ValueStatistics& values, const Grid& grid) {
  const double largest = std::log2(values.largest());
  const double rms = std::log2(values.rms());
  const double highest_centre = largest + 2;
  const double lowest_centre = rms - std::min(std::log2(grid.levels.back()) + 4, 32.0);
  const auto in_q8 = [](double sf) {
    return std::clamp(static_cast<int>(std::lround(sf * 256)), -sf_limit_q8, sf_limit_q8);
  };
  return {in_q8(-highest_centre), in_q8(-lowest_centre)};
}

std::vector<Candidate> coarse_points(const ValueStatistics& values, const Grid& grid) {
  const SfRange range = sf_range(values, grid);
  std::vector<Candidate> points;
  for (int sf = range.first; sf <= range.last; sf += coarse_step) {
    points.push_back({values.squared_error(grid.levels, grid.thresholds, std::exp2(-sf / 256.0)), sf});
  }
  const auto kept = std::min(points.size(), coarse_survivors);
  std::partial_sort(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(kept), points.end(),
                    [](const Candidate& a, const Candidate& b) {
                      return a.error != b.error ? a.error < b.error : a.sf_q8 < b.sf_q8;
                    });
  points.resize(kept);
  return points;
}

bool is_exhaustive(const ValueStatistics& values, int n) {
  return n <= 4 || values.count() <= exhaustive_values;
}

Candidate refine(const ValueStatistics& values, const Grid& grid, const Candidate& point) {
  const Candidate middle = best_of(values, grid, point.sf_q8 - coarse_step, point.sf_q8 + coarse_step, middle_step);
  return best_of(values, grid, middle.sf_q8 - middle_step, middle.sf_q8 + middle_step, 1);
}

}  // namespace

ValueStatistics::ValueStatistics(const std::vector<float>& values) : count_(values.size()) {
  magnitudes_.reserve(values.size());
  for (const float value : values) {
    if (value != 0) magnitudes_.push_back(std::abs(value));
  }
  std::sort(magnitudes_.begin(), magnitudes_.end());
  sum_.reserve(magnitudes_.size() + 1);
  square_.reserve(magnitudes_.size() + 1);
  sum_.push_back(0);
  square_.push_back(0);
  for (const double magnitude : magnitudes_) {
    sum_.push_back(sum_.back() + magnitude);
    square_.push_back(square_.back() + magnitude * magnitude);
  }
  if (magnitudes_.empty()) return;
  first_cell_ = cell_of(magnitudes_.front());
  cells_.assign(cell_of(magnitudes_.back()) - first_cell_ + 2, 0);
  for (const float magnitude : magnitudes_) ++cells_[cell_of(magnitude) - first_cell_ + 1];
  for (std::size_t i = 1; i < cells_.size(); ++i) cells_[i] += cells_[i - 1];
}

double ValueStatistics::rms() const {
  return magnitudes_.empty() ? 0.0 : std::sqrt(square_.back() / static_cast<double>(magnitudes_.size()));
}

std::size_t ValueStatistics::below(double threshold) const {
  if (!(threshold > magnitudes_.front())) return 0;
  if (threshold > magnitudes_.back()) return magnitudes_.size();
  // The least float that is not below the threshold splits the floats in the same way.
  auto split = static_cast<float>(threshold);
  if (split < threshold) split = std::nextafter(split, std::numeric_limits<float>::infinity());
  const std::size_t cell = cell_of(split) - first_cell_;
  const auto begin = magnitudes_.begin() + cells_[cell];
  const auto end = magnitudes_.begin() + cells_[cell + 1];
  return static_cast<std::size_t>(std::lower_bound(begin, end, split) - magnitudes_.begin());
}

double ValueStatistics::squared_error(const std::vector<double>& levels, const std::vector<double>& thresholds,
                                      double scale) const {
  if (magnitudes_.empty()) return 0;
  std::size_t from = below(thresholds.front() * scale);
  double error = square_[from];
  for (std::size_t i = 0; i < levels.size() && from < magnitudes_.size(); ++i) {
    // Nothing of this level: most levels of a small tensor.
    if (i + 1 < levels.size() && thresholds[i + 1] * scale <= magnitudes_[from]) continue;
    const std::size_t to = i + 1 < levels.size() ? below(thresholds[i + 1] * scale) : magnitudes_.size();
    const double level = levels[i] * scale;
    error += (square_[to] - square_[from]) - 2 * level * (sum_[to] - sum_[from]) +
             level * level * static_cast<double>(to - from);
    from = to;
  }
  return std::max(error, 0.0);
}

double mean_squared_error(const ValueStatistics& values, const LpFormat& format, Quantizer quantizer) {
  if (values.count() == 0) return 0;
  const Grid grid = make_grid(format, quantizer);
  return values.squared_error(grid.levels, grid.thresholds, std::exp2(-format.sf())) /
         static_cast<double>(values.count());
}

FormatChoice search_scale(const ValueStatistics& values, const LpFormat& shape, Quantizer quantizer) {
  const Grid grid = make_grid(shape, quantizer);
  if (values.largest() == 0) return {grid.format, 0};
  Candidate best;
  if (shape.n <= 4) {
    const SfRange range = sf_range(values, grid);
    best = best_of(values, grid, range.first, range.last, 1);
  } else {
    for (const Candidate& point : coarse_points(values, grid)) {
      const Candidate refined = refine(values, grid, point);
      if (refined.error < best.error) best = refined;
    }
  }
  LpFormat format = grid.format;
  format.sf_q8 = best.sf_q8;
  return {format, best.error / static_cast<double>(values.count())};
}

FormatChoice search_format(const ValueStatistics& values, int n, Quantizer quantizer) {
  std::vector<Grid> grids;
  for (const LpFormat& format : formats::all_lp_formats(n)) grids.push_back(make_grid(format, quantizer));
  if (values.largest() == 0) return {grids.front().format, 0};

  const bool exhaustive = is_exhaustive(values, n);
  std::vector<std::vector<Candidate>> points(grids.size());
  double best_coarse = std::numeric_limits<double>::infinity();
  if (!exhaustive) {
    for (std::size_t g = 0; g < grids.size(); ++g) {
      points[g] = coarse_points(values, grids[g]);
      best_coarse = std::min(best_coarse, points[g].front().error);
    }
  }

  Candidate best;
  LpFormat format = grids.front().format;
  const auto consider = [&](const Candidate& candidate, const Grid& grid) {
    if (candidate.error >= best.error) return;
    best = candidate;
    format = grid.format;
    format.sf_q8 = candidate.sf_q8;
  };
  for (std::size_t g = 0; g < grids.size(); ++g) {
    if (exhaustive) {
      const SfRange range = sf_range(values, grids[g]);
      consider(best_of(values, grids[g], range.first, range.last, 1), grids[g]);
      continue;
    }
    for (const Candidate& point : points[g]) {
      if (point.error <= survivor_ratio * best_coarse) consider(refine(values, grids[g], point), grids[g]);
    }
  }
  return {format, best.error / static_cast<double>(values.count())};
}

}  // namespace lpa::lpq
