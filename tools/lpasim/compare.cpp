// lpasim compare: traces on several machines, with the widths that each one's quantization method gives to layers.
#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "hw_model/driver/image_stream.h"
#include "quant/lpq/trace_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/compare_chart.h"
#include "tools/lpasim/compared_machine.h"
#include "tools/lpasim/comparison.h"
#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/output_folder.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/shipped_traces.h"
#include "tools/lpasim/table.h"
#include "traces/recipe.h"

namespace lpa::cli {
namespace {

Command compare_command() {
  return {
      .name = "compare",
      .summary =
          "Runs traces on several machines, without values, and puts latency, energy, throughput and area side by\n"
          "side: compare.json and compare.svg. Layers get the widths that each machine's quantization method gives\n"
          "them, by its shares of MACs.",
      .options = {
          {.name = "trace",
           .placeholder = "TRACE",
           .description = "as of lpasim replay; may be repeated (default: resnet50 and vit_b_16)",
           .kind = Option::Kind::repeated},
          {.name = "hardware",
           .placeholder = "LIST",
           .description = "machines of the comparison's file; the first one is the measure of equal area",
           .fallback = "lpa,ant,bitfusion,adaptivfloat"},
          {.name = "machines",
           .placeholder = "FILE",
           .description = "the comparison's file instead of the program's, configs/comparison.json"},
          {.name = "at",
           .placeholder = "WHAT",
           .description = "equal-area: arrays as large as the first one's PEs and decoders; equal-pes: as they are",
           .fallback = "equal-area"},
          {.name = "relative-to",
           .placeholder = "NAME",
           .description = "machine whose latency and energy are 1 (default: the last one)"},
          {.name = "monte-carlo",
           .placeholder = "N",
           .description = "draws of all constants from their ranges, for the spread of ratios",
           .fallback = "0"},
          {.name = "seed", .placeholder = "S", .description = "of the draws", .fallback = "1"},
          costs_option(),
          {.name = "out", .placeholder = "DIR", .description = "folder to write", .required = true},
          {.name = "force",
           .placeholder = "",
           .description = "replace an existing result",
           .kind = Option::Kind::flag}}};
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream list(text);
  for (std::string part; std::getline(list, part, ',');) {
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    parts.push_back(part);
  }
  return parts;
}

/// A trace on a machine, layer by layer.
driver::RunResult run_trace(const traces::Trace& original, const std::string& network, const ComparedMachine& machine) {
  traces::Trace trace = original;
  traces::set_weight_shares(trace, machine.shares_of(network), machine.narrow_activations);
  traces::use_numbers(trace, machine.hardware.numbers());
  const lpq::QuantizedModel model = lpq::blank_model(trace, false);
  driver::RunOptions run;
  run.values = false;
  run.cancel = &interrupted();
  const driver::ImageInputs inputs{1, [&](std::size_t) { return lpq::draw_input(trace, 1); }};
  return driver::run_images(machine.hardware, trace.graph, model, inputs, run, 1);
}

std::string ratio_table(const Comparison& comparison, const std::vector<Spread>& spreads) {
  Table table({"network", "machine", "array", "compute mm2", "latency ms", "energy uJ", "GOPS", "TOPS/mm2", "TOPS/W",
               "latency", "energy", "energy, 5 to 95 %"});
  for (std::size_t i = 0; i < comparison.runs.size(); ++i) {
    const ComparedRun& run = comparison.runs[i];
    const ComparedRun& base = comparison.base_of(run);
    const hw::ArrayConfig& array = comparison.machines[run.machine].hardware.array;
    table.add({run.network, comparison.machines[run.machine].name, fmt::format("{}x{}", array.rows, array.columns),
               fmt::format("{:.5f}", run.area.compute()), fmt::format("{:.3f}", run.ms),
               fmt::format("{:.0f}", run.energy.total() * 1e-6), fmt::format("{:.1f}", run.efficiency.gops),
               fmt::format("{:.2f}", run.efficiency.tops_per_mm2), fmt::format("{:.3f}", run.efficiency.tops_per_w),
               fmt::format("{:.3f}", run.ms / base.ms), fmt::format("{:.3f}", run.energy.total() / base.energy.total()),
               spreads.empty() ? "-" : fmt::format("{:.3f} to {:.3f}", spreads[i].energy.low, spreads[i].energy.high)});
  }
  return table.text();
}

}  // namespace

ExitCode compare(const Words& arguments) {
  const Command command = compare_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const bool equal_area = options.choice("at", {"equal-area", "equal-pes"}) == "equal-area";
  const auto draws = static_cast<int>(options.integer("monte-carlo", 0, 100000));
  const std::uint64_t seed = options.integer("seed", 0, UINT64_MAX);
  const cost::Constants constants = read_costs(options);
  const std::vector<std::string> names = split(options.text("hardware"));
  if (names.empty()) bad_value(*options.find("hardware"), "names of machines, such as lpa,ant");
  if (std::set(names.begin(), names.end()).size() < names.size()) {
    bad_value(*options.find("hardware"), "each machine once");
  }
  const std::filesystem::path file = options.text("machines").empty() ? shipped_comparison() : options.path("machines");

  Comparison comparison;
  comparison.machines = read_comparison(file, names);
  const std::string base = options.text("relative-to").empty() ? names.back() : options.text("relative-to");
  const auto found = std::ranges::find(names, base);
  if (found == names.end()) bad_value(*options.find("relative-to"), fmt::format("one of {}", options.text("hardware")));
  comparison.base = static_cast<std::size_t>(found - names.begin());
  if (equal_area) make_areas_equal(comparison.machines, constants);

  std::vector<std::string> networks;
  for (const auto& value : options.list("trace")) networks.push_back(value.text);
  if (networks.empty()) networks = {"resnet50", "vit_b_16"};
  std::vector<traces::Trace> traces;
  for (std::string& network : networks) {
    traces.push_back(traces::read_trace(find_trace(network)));
    // "vit_b_16", whatever the file is called that the trace stands in.
    network = std::filesystem::path(traces.back().graph.network).stem().string();
  }
  if (std::set(networks.begin(), networks.end()).size() < networks.size()) {
    throw Error(ExitCode::usage, "option '--trace': expected traces of different networks");
  }

  catch_interrupts();
  OutputFolder folder(options.path("out"), options.flag("force"), {"compare.json", "compare.svg"});
  {
    Progress progress;
    for (std::size_t t = 0; t < traces.size(); ++t) {
      for (std::size_t m = 0; m < comparison.machines.size(); ++m) {
        progress.show(fmt::format("compare: {} on {}", networks[t], comparison.machines[m].name));
        ComparedRun run{.network = networks[t], .machine = m};
        const driver::RunResult result = run_trace(traces[t], networks[t], comparison.machines[m]);
        if (interrupted()) fail_interrupted();
        for (const driver::LayerResult& layer : result.layers) run.layers.push_back(layer.activity(false));
        comparison.runs.push_back(std::move(run));
      }
    }
  }
  work_out(comparison, constants);
  const std::vector<Spread> spreads = draw_spreads(comparison, constants, draws, seed);
  folder.write("compare.json", comparison_json(comparison, spreads, constants, equal_area, draws, seed).dump(2) + '\n');
  folder.write("compare.svg", comparison_chart(comparison));
  folder.commit();
  fmt::print("{}\nLatency and energy: {} = 1. Written to {}\n", ratio_table(comparison, spreads), base,
             options.text("out"));
  return ExitCode::success;
}

}  // namespace lpa::cli
