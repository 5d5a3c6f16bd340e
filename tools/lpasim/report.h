// What a run of the simulated machine reports: report.json (report.schema.json describes it), layers.csv, a table.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "hw_model/cost/constants.h"
#include "hw_model/driver/simulation.h"
#include "hw_model/machine_config.h"

namespace lpa::cli {

/// How a trace was replayed.
struct Replay {
  std::string words;  ///< "file" or "drawn".
  std::uint64_t seed = 0;
};

/// Everything a report is made from. Counts are for the whole run: all images together.
struct RunRecord {
  hw::MachineConfig machine;
  cost::Constants costs = cost::Constants::shipped();
  std::string network, quantized, dataset;  ///< As given on the command line.
  std::optional<Replay> replay;
  std::string model = "fast";
  /// Words were computed. What depends on them is left out otherwise, and energies are those of products of operands
  /// that are not zero.
  bool values = true;
  driver::RunResult result;
  std::uint64_t images = 0;
  bool interrupted = false;    ///< The images are not all that were asked for, or the fp32 network was not evaluated.
  std::optional<double> top1;  ///< Fraction of the images that the simulated machine labels right, if known.
  std::optional<double> top1_fp32;  ///< The same for the fp32 network.
  double wall_seconds = 0;
};

/// The report. Of the three utilizations, `spatial` is MACs / (busy * lanes), `temporal` is busy / cycles and `overall`
/// their product, MACs / (cycles * lanes), where lanes = rows * columns * 8 / weight bits. Lanes differ from layer to
/// layer; for the totals, busy * lanes is summed over the layers, and `overall` is the product again. A layer that does
/// not use the array has 0 everywhere.
nlohmann::ordered_json build_report(const RunRecord& record);

/// The machine's parameters by name, as numbers or truth values where they are.
nlohmann::ordered_json hardware_report(const hw::MachineConfig& machine);

/// One line per layer: the report's `layers` flattened ("utilization.spatial"), in its order. RFC 4180 quoting.
std::string layers_csv(const nlohmann::ordered_json& report);

/// The tables that `lpasim run` prints: layers, cycles by cause, totals and accuracy.
std::string report_text(const nlohmann::ordered_json& report);

}  // namespace lpa::cli
