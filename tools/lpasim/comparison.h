// What a comparison of machines works out of their runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "hw_model/cost/cost_model.h"
#include "tools/lpasim/compared_machine.h"

namespace lpa::cli {

/// A network on a machine.
struct ComparedRun {
  std::string network;
  std::size_t machine = 0;
  std::vector<cost::Activity> layers{};

  // Worked out of these.
  double ms = 0;
  std::uint64_t macs = 0;
  cost::Energy energy{};
  cost::Area area{};
  cost::Efficiency efficiency{};
};

struct Comparison {
  std::vector<ComparedMachine> machines;
  std::vector<ComparedRun> runs;  ///< Network by network, each on all machines.
  std::size_t base = 0;           ///< The machine that ratios are relative to.

  /// The same network on the base machine.
  const ComparedRun& base_of(const ComparedRun& run) const;
};

/// Resizes the arrays of all machines but the first so that their PEs and decoders take as much of the first one's area
/// as possible, and no more: the most PEs, at most 64 x 64, and of as many the squarest array. Throws Error if no PE
/// fits, or more would.
void make_areas_equal(std::vector<ComparedMachine>& machines, const cost::Constants& constants);

/// Latency, energy and area of all runs.
void work_out(Comparison& comparison, const cost::Constants& constants);

/// Percentiles of a ratio over draws of the constants.
struct Percentiles {
  double low = 0, median = 0, high = 0;  ///< 5, 50 and 95 %.
};
/// Of a run, relative to the base machine's.
struct Spread {
  Percentiles energy, compute_area;
};

/// By run; empty without draws. Arrays keep their sizes.
std::vector<Spread> draw_spreads(const Comparison& comparison, const cost::Constants& constants, int draws,
                                 std::uint64_t seed);

nlohmann::ordered_json comparison_json(const Comparison& comparison, const std::vector<Spread>& spreads,
                                       const cost::Constants& constants, bool equal_area, int draws,
                                       std::uint64_t seed);

}  // namespace lpa::cli
