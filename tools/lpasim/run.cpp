// lpasim run: a quantized network on the simulated machine, cycle by cycle.
#include <limits>

#include <fmt/format.h>

#include "quant/lpq/evaluate.h"
#include "quant/lpq/software_machine.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/simulation.h"

namespace lpa::cli {
namespace {

Command run_command() {
  Command command{
      .name = "run",
      .summary =
          "Runs a quantized network on the simulated machine, cycle by cycle, and writes what it measured:\n"
          "report.json and layers.csv.",
      .options =
          {network_option(),
           quantized_option(),
           dataset_option(),
           {.name = "images", .placeholder = "N", .description = "the first N images of the data set", .fallback = "8"},
           threads_option()},
      .machine = true};
  const std::vector<Option> simulation = Simulation::options();
  command.options.insert(command.options.end(), simulation.begin(), simulation.end());
  return command;
}

/// Of the finished images.
double fraction_right(const driver::RunResult& result, const workloads::Dataset& dataset) {
  std::size_t hits = 0;
  for (std::size_t image = 0; image < result.labels.size(); ++image) {
    if (result.labels[image] == dataset.labels.at(image)) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(result.images);
}

/// What is known of the run's accuracy. An interrupted run takes no time to evaluate the fp32 network.
void add_accuracy(RunRecord& record, const Inputs& inputs, int threads) {
  record.top1 = fraction_right(record.result, inputs.dataset);
  if (record.interrupted) return;
  try {
    record.top1_fp32 =
        lpq::evaluate_fp32(inputs.network, inputs.dataset, inputs.dataset.count, threads, {}, &interrupted()).top1();
  } catch (const lpq::Cancelled&) {
    record.interrupted = true;
  }
}

}  // namespace

ExitCode run(const Words& arguments) {
  const Command command = run_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  Simulation simulation(command.name, options);
  const int threads = thread_count(options);
  simulation.record().network = options.text("network");
  simulation.record().quantized = options.text("quantized");
  simulation.record().dataset = options.text("dataset");
  const auto asked_for = options.integer("images", 1, std::numeric_limits<int>::max());
  const Inputs inputs = read_inputs(options, static_cast<int>(asked_for));
  const lpq::QuantizedModel model = read_quantized(options, inputs.graph);

  const auto words = [&](std::size_t image) {
    return lpq::quantize_input(inputs.dataset.image(static_cast<int>(image)), model.input);
  };
  const Workload work{inputs.graph, model, {static_cast<std::size_t>(inputs.dataset.count), words}};
  simulation.run(work, threads, [&](RunRecord& record) {
    if (record.values) add_accuracy(record, inputs, threads);
  });
  return ExitCode::success;
}

}  // namespace lpa::cli
