#include "workloads/lowering/boxes.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace lpa::workloads::lowering {
namespace {

/// Consecutive elements of one source that stay consecutive.
struct Run {
  std::int64_t from = 0, to = 0, length = 0;
};
/// From one run to another.
struct Step {
  std::int64_t from = 0, to = 0;
};
/// outer x inner runs, the first one given.
struct Grid {
  Step outer_step, inner_step;
  std::int64_t outer = 1, inner = 1;
  std::int64_t size() const { return outer * inner; }
};

std::vector<Run> runs_of(std::span<const std::int32_t> gather, std::int64_t first_size) {
  std::vector<Run> runs;
  for (std::size_t i = 0; i < gather.size(); ++i) {
    if (gather[i] < 0) continue;
    const std::int64_t from = gather[i], to = static_cast<std::int64_t>(i);
    const bool goes_on = !runs.empty() && runs.back().from + runs.back().length == from &&
                         runs.back().to + runs.back().length == to && from != first_size;
    if (goes_on)
      ++runs.back().length;
    else
      runs.push_back({from, to, 1});
  }
  return runs;
}

/// The runs with those cut that are as long as several of the most common length: runs of neighbouring rows that
/// happen to meet. As they are if that makes too many.
std::vector<Run> cut_runs(const std::vector<Run>& runs) {
  std::map<std::int64_t, std::size_t> frequency;
  for (const Run& run : runs) ++frequency[run.length];
  const std::int64_t common =
      std::ranges::max_element(frequency, {}, [](const auto& entry) { return entry.second; })->first;
  std::vector<Run> result;
  for (const Run& run : runs) {
    const std::int64_t length = run.length % common == 0 ? common : run.length;
    if (result.size() + static_cast<std::size_t>(run.length / length) > 2 * runs.size()) return runs;
    for (std::int64_t begin = 0; begin < run.length; begin += length)
      result.push_back({run.from + begin, run.to + begin, length});
  }
  return result;
}

/// Takes from the runs not yet taken, again and again, the largest grid among a few that begin with the first of them.
class Grouping {
 public:
  Grouping(std::vector<Run> runs, std::int64_t first_size, std::size_t map_size)
      : runs_(std::move(runs)), first_size_(first_size), run_at_(map_size, none) {
    for (std::size_t i = 0; i < runs_.size(); ++i)
      run_at_[static_cast<std::size_t>(runs_[i].to)] = static_cast<std::int32_t>(i);
  }

  std::vector<CopyBox> boxes() {
    std::vector<CopyBox> result;
    for (std::size_t first = 0; first < runs_.size(); ++first) {
      if (!waits(first)) continue;
      const Grid grid = largest_grid(first);
      take(first, grid);
      result.push_back(box(runs_[first], grid));
    }
    return result;
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t candidates = 4;  ///< Runs looked at as a loop's second step, from two starting points.
  static constexpr std::size_t reach = 64;      ///< Runs looked through for them.
  using Candidates = std::array<std::size_t, 2 * candidates>;

  bool waits(std::size_t run) const { return run_at_[static_cast<std::size_t>(runs_[run].to)] != none; }
  bool second_source(const Run& run) const { return run.from >= first_size_; }

  /// A run like `run`, `outer` and `inner` steps further, waits.
  bool waits(const Run& run, const Grid& grid, std::int64_t outer, std::int64_t inner) const {
    const std::int64_t to = run.to + outer * grid.outer_step.to + inner * grid.inner_step.to;
    if (to < 0 || to >= static_cast<std::int64_t>(run_at_.size())) return false;
    const std::int32_t index = run_at_[static_cast<std::size_t>(to)];
    if (index == none) return false;
    const Run& other = runs_[static_cast<std::size_t>(index)];
    return other.length == run.length && second_source(other) == second_source(run) &&
           other.from == run.from + outer * grid.outer_step.from + inner * grid.inner_step.from;
  }

  /// Adds to `found` the first runs from `start` on that wait, are like `run` and do not come before it in its source.
  std::size_t look_for(const Run& run, std::size_t start, Candidates& found, std::size_t count) const {
    const std::size_t most = count + candidates;
    const std::size_t end = std::min(runs_.size(), start + reach);
    for (std::size_t i = start; i < end && count < most; ++i)
      if (waits(i) && runs_[i].length == run.length && runs_[i].from >= run.from &&
          second_source(runs_[i]) == second_source(run))
        found[count++] = i;
    return count;
  }

  Grid largest_grid(std::size_t first) const {
    const Run& run = runs_[first];
    Grid best;
    Candidates steps{};
    const std::size_t count = look_for(run, first + 1, steps, 0);
    for (std::size_t i = 0; i < count; ++i) {
      Grid grid;
      grid.inner_step = {runs_[steps[i]].from - run.from, runs_[steps[i]].to - run.to};
      while (waits(run, grid, 0, grid.inner)) ++grid.inner;
      grid = with_outer_loop(first, grid);
      if (grid.size() > best.size()) best = grid;
    }
    return best;
  }

  /// The grid of one row continued by the best of a few distances.
  Grid with_outer_loop(std::size_t first, const Grid& row) const {
    const Run& run = runs_[first];
    const std::int64_t last_to = run.to + (row.inner - 1) * row.inner_step.to;
    Candidates steps{};
    std::size_t count = look_for(run, first + 1, steps, 0);
    count = look_for(run, static_cast<std::size_t>(run_at_[static_cast<std::size_t>(last_to)]) + 1, steps, count);
    Grid best = row;
    for (std::size_t i = 0; i < count; ++i) {
      Grid grid = row;
      grid.outer_step = {runs_[steps[i]].from - run.from, runs_[steps[i]].to - run.to};
      while (whole_row_waits(run, grid, grid.outer)) ++grid.outer;
      if (grid.size() > best.size()) best = grid;
    }
    return best;
  }

  bool whole_row_waits(const Run& run, const Grid& grid, std::int64_t outer) const {
    const std::int64_t distance = outer * grid.outer_step.to, step = grid.inner_step.to;
    if (distance % step == 0 && distance / step < grid.inner) return false;  // Lies in the first row.
    for (std::int64_t inner = 0; inner < grid.inner; ++inner)
      if (!waits(run, grid, outer, inner)) return false;
    return true;
  }

  void take(std::size_t first, const Grid& grid) {
    const std::int64_t to = runs_[first].to;
    for (std::int64_t outer = 0; outer < grid.outer; ++outer)
      for (std::int64_t inner = 0; inner < grid.inner; ++inner)
        run_at_[static_cast<std::size_t>(to + outer * grid.outer_step.to + inner * grid.inner_step.to)] = none;
  }

  CopyBox box(const Run& run, const Grid& grid) const {
    CopyBox result;
    result.source = second_source(run) ? 1 : 0;
    result.count = {grid.outer, grid.inner, run.length};
    result.from = run.from - (result.source == 1 ? first_size_ : 0);
    result.to = run.to;
    if (grid.outer > 1) result.from_stride[0] = grid.outer_step.from, result.to_stride[0] = grid.outer_step.to;
    if (grid.inner > 1) result.from_stride[1] = grid.inner_step.from, result.to_stride[1] = grid.inner_step.to;
    return result;
  }

  std::vector<Run> runs_;  ///< By ascending place in the map.
  std::int64_t first_size_;
  std::vector<std::int32_t> run_at_;  ///< By place in the map: the run that begins there and has not been taken.
};

}  // namespace

std::vector<CopyBox> copy_boxes(std::span<const std::int32_t> gather, std::int64_t first_size) {
  const std::vector<Run> runs = runs_of(gather, first_size);
  if (runs.empty()) return {};
  std::vector<CopyBox> boxes = Grouping(runs, first_size, gather.size()).boxes();
  const std::vector<Run> cut = cut_runs(runs);
  if (cut.size() == runs.size()) return boxes;
  std::vector<CopyBox> others = Grouping(cut, first_size, gather.size()).boxes();
  return others.size() < boxes.size() ? others : boxes;
}

}  // namespace lpa::workloads::lowering
