#include "tools/lpasim/comparison.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <fmt/format.h>

#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/error.h"
#include "tools/lpasim/report.h"
#include "tools/lpasim/version.h"

namespace lpa::cli {
namespace {

using nlohmann::ordered_json;

double compute_area(hw::MachineConfig machine, int rows, int columns, const cost::Constants& constants) {
  machine.array.rows = rows;
  machine.array.columns = columns;
  return cost::CostModel(machine, constants).area().compute();
}

/// Columns that a machine's array has a multiple of, for the narrowest results that its layers may have.
int narrow_step(const ComparedMachine& machine) {
  int narrowest = 8;
  for (const auto& [network, shares] : machine.shares) narrowest = std::min(narrowest, shares.begin()->first);
  return machine.narrow_activations ? 8 / narrowest : 1;
}

Percentiles percentiles(std::vector<double> values) {
  std::ranges::sort(values);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.05), at(0.5), at(0.95)};
}

ordered_json shares_json(const std::map<int, double>& shares) {
  ordered_json json = ordered_json::object();
  for (const auto& [bits, share] : shares) json[std::to_string(bits)] = share;
  return json;
}

ordered_json percentiles_json(const Percentiles& p) {
  return {{"p5", p.low}, {"p50", p.median}, {"p95", p.high}};
}

}  // namespace

const ComparedRun& Comparison::base_of(const ComparedRun& run) const {
  return *std::ranges::find_if(
      runs, [&](const ComparedRun& other) { return other.network == run.network && other.machine == base; });
}

void make_areas_equal(std::vector<ComparedMachine>& machines, const cost::Constants& constants) {
  constexpr int largest = 64;
  const double room = cost::CostModel(machines.front().hardware, constants).area().compute();
  for (std::size_t m = 1; m < machines.size(); ++m) {
    hw::MachineConfig& hardware = machines[m].hardware;
    const int step = narrow_step(machines[m]);
    int best_rows = 0, best_columns = 0;
    for (int rows = 1; rows <= largest; ++rows) {
      // The most columns with so many rows; arrays more than twice as long as wide are left out. As many at a time as
      // make tiles of narrow results end at bytes.
      int columns = 0;
      while (columns < std::min(2 * rows, largest) && compute_area(hardware, rows, columns + step, constants) <= room) {
        columns += step;
      }
      if (columns == 0 || rows > 2 * columns) continue;
      const int pes = rows * columns, best = best_rows * best_columns;
      const bool squarer = std::abs(rows - columns) < std::abs(best_rows - best_columns);
      if (pes > best || (pes == best && squarer)) {
        best_rows = rows;
        best_columns = columns;
      }
    }
    if (best_rows == 0) {
      throw Error(ExitCode::machine, fmt::format("not a single PE of '{}' fits in {:.5f} mm2, the compute area of '{}'",
                                                 machines[m].name, room, machines.front().name));
    }
    if (best_rows == largest && best_columns == largest) {
      throw Error(
          ExitCode::machine,
          fmt::format("the compute area of '{}', {:.5f} mm2, is more than {} x {} PEs of '{}' fill: --at equal-pes",
                      machines.front().name, room, largest, largest, machines[m].name));
    }
    hardware.array.rows = best_rows;
    hardware.array.columns = best_columns;
  }
}

void work_out(Comparison& comparison, const cost::Constants& constants) {
  for (ComparedRun& run : comparison.runs) {
    const hw::MachineConfig& hardware = comparison.machines[run.machine].hardware;
    const cost::CostModel model(hardware, constants);
    run.area = model.area();
    run.energy = {};
    run.macs = 0;
    run.ms = 0;
    for (const cost::Activity& layer : run.layers) {
      run.energy += model.energy(layer);
      run.macs += layer.counters.macs;
      run.ms += static_cast<double>(layer.counters.cycles) * static_cast<double>(hardware.period_ps()) * 1e-9;
    }
    run.efficiency = cost::efficiency(run.macs, run.ms, run.energy, run.area);
  }
}

std::vector<Spread> draw_spreads(const Comparison& comparison, const cost::Constants& constants, int draws,
                                 std::uint64_t seed) {
  if (draws == 0) return {};
  std::vector<std::vector<double>> energies(comparison.runs.size()), areas(comparison.runs.size());
  Comparison drawn = comparison;
  std::mt19937_64 random(seed);
  for (int draw = 0; draw < draws; ++draw) {
    work_out(drawn, constants.drawn(random()));
    for (std::size_t i = 0; i < drawn.runs.size(); ++i) {
      const ComparedRun& run = drawn.runs[i];
      const ComparedRun& base = drawn.base_of(run);
      energies[i].push_back(run.energy.total() / base.energy.total());
      areas[i].push_back(run.area.compute() / base.area.compute());
    }
  }
  std::vector<Spread> spreads;
  for (std::size_t i = 0; i < energies.size(); ++i) {
    spreads.push_back({percentiles(std::move(energies[i])), percentiles(std::move(areas[i]))});
  }
  return spreads;
}

ordered_json comparison_json(const Comparison& comparison, const std::vector<Spread>& spreads,
                             const cost::Constants& constants, bool equal_area, int draws, std::uint64_t seed) {
  ordered_json machines = ordered_json::array();
  for (const ComparedMachine& machine : comparison.machines) {
    machines.push_back({{"name", machine.name},
                        {"rows", machine.hardware.array.rows},
                        {"columns", machine.hardware.array.columns},
                        {"hardware", hardware_report(machine.hardware)},
                        {"widths", machine.source}});
  }
  ordered_json runs = ordered_json::array();
  for (std::size_t i = 0; i < comparison.runs.size(); ++i) {
    const ComparedRun& run = comparison.runs[i];
    const ComparedRun& base = comparison.base_of(run);
    ordered_json json{{"network", run.network},
                      {"machine", comparison.machines[run.machine].name},
                      {"shares", shares_json(comparison.machines[run.machine].shares_of(run.network))},
                      {"latency_ms", run.ms},
                      {"macs", run.macs},
                      {"energy_pj", energy_report(run.energy)},
                      {"area_mm2", area_report(run.area)},
                      {"gops", run.efficiency.gops},
                      {"tops_per_w", run.efficiency.tops_per_w},
                      {"tops_per_mm2", run.efficiency.tops_per_mm2},
                      {"relative_latency", run.ms / base.ms},
                      {"relative_energy", run.energy.total() / base.energy.total()}};
    if (!spreads.empty()) {
      json["spread"] = {{"relative_energy", percentiles_json(spreads[i].energy)},
                        {"relative_compute_area", percentiles_json(spreads[i].compute_area)}};
    }
    runs.push_back(std::move(json));
  }
  return {{"schema_version", 1},
          {"generator", {{"name", "lpasim"}, {"version", version()}}},
          {"at", equal_area ? "equal-area" : "equal-pes"},
          {"relative_to", comparison.machines[comparison.base].name},
          {"draws", draws},
          {"seed", seed},
          {"replaced_constants", replaced_constants(constants)},
          {"machines", std::move(machines)},
          {"runs", std::move(runs)}};
}

}  // namespace lpa::cli
