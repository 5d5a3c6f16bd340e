// lpasim run: a quantized network on the simulated machine, cycle by cycle.
#include <chrono>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "hw_model/driver/simulation.h"
#include "quant/lpq/evaluate.h"
#include "quant/lpq/software_machine.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/output_folder.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/recordings.h"
#include "tools/lpasim/report.h"

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
           {.name = "out", .placeholder = "DIR", .description = "folder to write", .required = true},
           {.name = "images", .placeholder = "N", .description = "the first N images of the data set", .fallback = "8"},
           {.name = "model",
            .placeholder = "MODEL",
            .description = "fast, or pin: one SystemC module per processing element, for waveforms;\n"
                           "both give the same words, cycles and counters",
            .fallback = "fast"},
           {.name = "values",
            .placeholder = "on|off",
            .description = "off: only cycles, traffic and counters, no words (fast model)",
            .fallback = "on"},
           {.name = "check",
            .placeholder = "",
            .description = "compare the words of every layer with the software evaluation",
            .kind = Option::Kind::flag},
           {.name = "force",
            .placeholder = "",
            .description = "replace an existing result",
            .kind = Option::Kind::flag}},
      .machine = true};
  const std::vector<Option> recordings = Recordings::options();
  command.options.insert(command.options.end(), recordings.begin(), recordings.end());
  return command;
}

/// --model and --values.
driver::RunOptions model_options(const Arguments& options) {
  driver::RunOptions run;
  run.model = options.choice("model", {"fast", "pin"}) == "pin" ? driver::ModelKind::pin : driver::ModelKind::fast;
  run.values = options.choice("values", {"on", "off"}) == "on";
  if (run.values) return run;
  if (run.model == driver::ModelKind::pin) throw Error(ExitCode::usage, "option '--values': off needs --model fast");
  if (options.flag("check")) throw Error(ExitCode::usage, "option '--check': needs --values on");
  return run;
}

double fraction_right(const std::vector<int>& labels, const workloads::Dataset& dataset) {
  std::size_t hits = 0;
  for (std::size_t image = 0; image < labels.size(); ++image) {
    if (labels[image] == dataset.labels.at(image)) ++hits;
  }
  return labels.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(labels.size());
}

/// Throws Error for the first word in which the machine differs from the software evaluation of the same arithmetic.
void check_words(const driver::RunResult& result, const Inputs& inputs, const lpq::QuantizedModel& model,
                 const hw::MachineConfig& machine, const std::vector<lpq::WordMap>& images) {
  const lpq::SoftwareMachine software(inputs.graph, model, machine.arithmetic);
  formats::AccumulateEvents events;
  for (std::size_t image = 0; image < images.size(); ++image) {
    const std::vector<lpq::WordMap> expected = software.run(images[image], &events);
    for (std::size_t layer = 0; layer < expected.size(); ++layer) {
      const lpq::WordMap& want = expected[layer];
      const lpq::WordMap& got = result.maps.at(image).at(layer);
      const std::string where = fmt::format("image {}, layer '{}'", image, inputs.graph.layers[layer].name);
      if (got.words.size() != want.words.size()) {
        throw Error(ExitCode::machine, fmt::format("{}: the machine gave {} words, the software evaluation {}", where,
                                                   got.words.size(), want.words.size()));
      }
      for (std::size_t word = 0; word < want.words.size(); ++word) {
        if (got.words[word] == want.words[word]) continue;
        const auto channels = static_cast<std::size_t>(want.channels);
        const auto width = static_cast<std::size_t>(want.width);
        throw Error(ExitCode::machine,
                    fmt::format("{}, row {}, column {}, channel {}: the machine gave word {:#04x}, the software "
                                "evaluation {:#04x}",
                                where, word / channels / width, word / channels % width, word % channels,
                                got.words[word], want.words[word]));
      }
    }
  }
  if (events.saturations != result.total.saturations) {
    throw Error(ExitCode::machine, fmt::format("the machine counted {} saturations, the software evaluation {}",
                                               result.total.saturations, events.saturations));
  }
}

driver::RunResult simulate(const hw::MachineConfig& machine, const Inputs& inputs, const lpq::QuantizedModel& model,
                           const std::vector<lpq::WordMap>& images, driver::RunOptions options) {
  Progress progress;
  options.cancel = &interrupted();
  options.progress = [&, next = std::move(options.progress)](int image, int layer) {
    if (next) next(image, layer);
    progress.show(fmt::format("run: image {} of {}, layer {} of {}", image + 1, images.size(), layer + 1,
                              inputs.graph.layers.size()));
  };
  driver::RunResult result = driver::run_network(machine, inputs.graph, model, images, options);
  if (result.cancelled || interrupted()) fail_interrupted();
  return result;
}

}  // namespace

ExitCode run(const Words& arguments) {
  const Command command = run_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  driver::RunOptions run = model_options(options);
  RunRecord record;
  record.machine = options.machine();
  record.network = options.text("network");
  record.quantized = options.text("quantized");
  record.dataset = options.text("dataset");
  record.model = options.text("model");
  record.values = run.values;
  record.images = options.integer("images", 1, std::numeric_limits<int>::max());
  run.keep_maps = options.flag("check");
  Recordings recordings(options);
  std::vector<std::string> contents{"report.json", "layers.csv", "waveform.vcd", "timeline.json"};
  for (std::string& name : recordings.names_in_folder()) contents.push_back(std::move(name));

  const Inputs inputs = read_inputs(options, static_cast<int>(record.images));
  const lpq::QuantizedModel model = read_quantized(options, inputs.graph);
  catch_interrupts();
  OutputFolder folder(options.path("out"), options.flag("force"), contents);
  recordings.attach(run, folder, options.flag("force"), record.machine, inputs.graph);
  std::vector<lpq::WordMap> images;
  images.reserve(static_cast<std::size_t>(inputs.dataset.count));
  for (int image = 0; image < inputs.dataset.count; ++image) {
    images.push_back(lpq::quantize_input(inputs.dataset.image(image), model.input));
  }

  const auto start = std::chrono::steady_clock::now();
  record.result = simulate(record.machine, inputs, model, images, run);
  record.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  try {
    if (options.flag("check")) check_words(record.result, inputs, model, record.machine, images);
    if (run.values) {
      record.top1 = fraction_right(record.result.labels, inputs.dataset);
      record.top1_fp32 =
          lpq::evaluate_fp32(inputs.network, inputs.dataset, inputs.dataset.count, 1, {}, &interrupted()).top1();
    }
  } catch (const lpq::Cancelled&) {
    fail_interrupted();
  }

  const nlohmann::ordered_json report = build_report(record);
  folder.write("report.json", report.dump(2) + '\n');
  folder.write("layers.csv", layers_csv(report));
  if (interrupted()) fail_interrupted();
  recordings.commit();
  folder.commit();
  fmt::print("{}", report_text(report));
  if (options.flag("check")) fmt::print("check: every word equals the software evaluation's\n");
  fmt::print("Written to {}\n", options.text("out"));
  if (!recordings.missing().empty()) throw Error(ExitCode::usage, recordings.missing());
  return ExitCode::success;
}

}  // namespace lpa::cli
