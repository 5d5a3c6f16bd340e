// lpasim replay: a trace on the simulated machine, cycle by cycle.
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "hw_model/driver/machine_error.h"
#include "quant/lpq/trace_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/shipped_traces.h"
#include "tools/lpasim/simulation.h"
#include "traces/excerpt.h"
#include "traces/recipe.h"
#include "traces/scalesim.h"
#include "workloads/input_error.h"

namespace lpa::cli {
namespace {

Command replay_command() {
  Command command{
      .name = "replay",
      .summary =
          "Runs the layers of a trace on the simulated machine, cycle by cycle, and writes what it measured:\n"
          "report.json and layers.csv. TRACE is the name of a trace that comes with the program (lpasim traces), a\n"
          "file that lpasim import wrote, or a topology of SCALE-Sim (.csv), whose layers run independently.",
      .options = {{.name = "layers",
                   .placeholder = "A:B",
                   .description = "only layers A <= l < B, counted from 0 (default: all)"},
                  {.name = "seed",
                   .placeholder = "S",
                   .description = "of the words that are drawn where the trace brings none",
                   .fallback = "1"},
                  {.name = "weight-bits",
                   .placeholder = "BITS",
                   .description = "weights of 8, 4 or 2 bits in every layer instead of the trace's formats\n"
                                  "(a topology's: 8)"}},
      .machine = true,
      .positional = "TRACE"};
  const std::vector<Option> simulation = Simulation::options();
  command.options.insert(command.options.end(), simulation.begin(), simulation.end());
  return command;
}

bool is_topology(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return extension == ".csv";
}

traces::Trace read_topology(const std::filesystem::path& path) {
  traces::Trace trace = traces::independent_layers(path.filename().string(), traces::read_scalesim_topology(path));
  traces::apply_recipe(trace, traces::Recipe::w8);
  try {
    traces::check_trace(trace);
  } catch (const traces::TraceFault& fault) {
    throw workloads::InputError(fmt::format("{}: {}: {}", path.string(), fault.path(), fault.what()));
  }
  return trace;
}

/// --layers and --weight-bits.
traces::Trace chosen_part(const Arguments& options, traces::Trace trace) {
  if (!options.text("weight-bits").empty()) {
    if (!trace.tensors.empty())
      throw Error(ExitCode::usage, "option '--weight-bits': the trace brings the words of its own formats");
    traces::set_weight_bits(trace, std::stoi(options.choice("weight-bits", {"8", "4", "2"})));
  }
  if (options.text("layers").empty()) return trace;
  const Range layers = range(options, "layers", UINT64_MAX);
  if (layers.end > trace.layers.size()) {
    throw Error(ExitCode::usage,
                fmt::format("option '--layers': the trace has layers 0 to {} only", trace.layers.size() - 1));
  }
  return traces::excerpt(trace, layers.first, layers.end);
}

/// A trace without words takes the formats of the machine.
void use_machine_numbers(const hw::MachineConfig& machine, traces::Trace& trace) {
  if (trace.tensors.empty()) traces::use_numbers(trace, machine.numbers());
}

/// Nothing is drawn for a network that has no room in the machine's memory.
void check_memory(const traces::Trace& trace, const hw::MachineConfig& machine) {
  const workloads::LayerGraph& graph = trace.graph;
  const auto bytes = [](double elements, int bits) { return elements * bits / 8; };
  const auto map_bytes = [&](int h, int w, int c, int bits) { return bytes(double{1} * h * w * c, bits); };
  double needed = map_bytes(graph.in_h, graph.in_w, graph.in_c, trace.input.n);
  for (std::size_t i = 0; i < trace.constants.size(); ++i) {
    const workloads::ConstantMap& map = graph.constants[i];
    needed += map_bytes(map.h, map.w, map.c, trace.constants[i].format.n);
  }
  for (std::size_t i = 0; i < trace.layers.size(); ++i) {
    const workloads::LayerGeometry& g = graph.layers[i].geometry;
    needed += map_bytes(g.out_h, g.out_w, g.out_c, trace.layers[i].output.n);
    const std::int64_t weights = traces::work_of(graph.layers[i]).weights;
    needed += bytes(static_cast<double>(weights), trace.layers[i].weight.n);
  }
  const double room = static_cast<double>(machine.memory.mib) * 1024 * 1024;
  if (needed <= room) return;
  throw driver::MachineError(fmt::format(
      "'{}' needs {:.0f} bytes of memory and the machine has {:.0f}; raise memory.mib", graph.network, needed, room));
}

}  // namespace

ExitCode replay(const Words& arguments) {
  const Command command = replay_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  Simulation simulation(command.name, options);
  const std::uint64_t seed = options.integer("seed", 0, UINT64_MAX);
  const std::filesystem::path file = find_trace(options.text(command.positional));
  traces::Trace trace = chosen_part(options, is_topology(file) ? read_topology(file) : traces::read_trace(file));
  use_machine_numbers(simulation.machine(), trace);
  check_memory(trace, simulation.machine());

  lpq::QuantizedModel model = lpq::blank_model(trace, simulation.values());
  if (simulation.values()) {
    lpq::draw_words(trace, seed, model);
    if (!trace.tensors.empty()) lpq::read_words(file.parent_path() / trace.tensors, trace, model);
  }
  simulation.record().network = options.text(command.positional);
  simulation.record().replay = Replay{.words = trace.tensors.empty() ? "drawn" : "file", .seed = seed};
  const auto input = [&](std::size_t) { return lpq::draw_input(trace, seed); };
  simulation.run({trace.graph, model, {1, input}}, 1);
  return ExitCode::success;
}

}  // namespace lpa::cli
