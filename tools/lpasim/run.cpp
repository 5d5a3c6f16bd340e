// lpasim run: a quantized network on the simulated machine, cycle by cycle.
#include <chrono>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "hw_model/driver/image_stream.h"
#include "quant/lpq/evaluate.h"
#include "quant/lpq/software_machine.h"
#include "tools/lpasim/check_words.h"
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
           threads_option(),
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

/// Of the finished images.
double fraction_right(const driver::RunResult& result, const workloads::Dataset& dataset) {
  std::size_t hits = 0;
  for (std::size_t image = 0; image < result.labels.size(); ++image) {
    if (result.labels[image] == dataset.labels.at(image)) ++hits;
  }
  return static_cast<double>(hits) / static_cast<double>(result.images);
}

/// Runs the images; `run` says how.
driver::RunResult simulate(const hw::MachineConfig& machine, const Inputs& inputs, const lpq::QuantizedModel& model,
                           driver::RunOptions run, bool check, int threads) {
  const auto words = [&](std::size_t image) {
    return lpq::quantize_input(inputs.dataset.image(static_cast<int>(image)), model.input);
  };
  std::optional<WordCheck> word_check;
  if (check) {
    word_check.emplace(inputs.graph, model, machine);
    run.keep_maps = true;
    run.finished = [&](std::size_t image, const driver::ImageResult& result) {
      (*word_check)(image, words(image), result);
    };
  }
  Progress progress;
  const auto count = static_cast<std::size_t>(inputs.dataset.count);
  run.progress = [&, next = std::move(run.progress)](int image, int layer) {
    if (next) next(image, layer);
    progress.show(
        fmt::format("run: image {} of {}, layer {} of {}", image + 1, count, layer + 1, inputs.graph.layers.size()));
  };
  run.cancel = &interrupted();
  return driver::run_images(machine, inputs.graph, model, {count, words}, run, threads);
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
  driver::RunOptions run = model_options(options);
  const bool check = options.flag("check");
  const int threads = thread_count(options);
  RunRecord record;
  record.machine = options.machine();
  record.network = options.text("network");
  record.quantized = options.text("quantized");
  record.dataset = options.text("dataset");
  record.model = options.text("model");
  record.values = run.values;
  const auto asked_for = options.integer("images", 1, std::numeric_limits<int>::max());
  Recordings recordings(options);
  std::vector<std::string> contents{"report.json", "layers.csv", "waveform.vcd", "timeline.json"};
  for (std::string& name : recordings.names_in_folder()) contents.push_back(std::move(name));

  const Inputs inputs = read_inputs(options, static_cast<int>(asked_for));
  const lpq::QuantizedModel model = read_quantized(options, inputs.graph);
  catch_interrupts();
  OutputFolder folder(options.path("out"), options.flag("force"), contents);
  recordings.attach(run, folder, options.flag("force"), record.machine, inputs.graph);

  const auto start = std::chrono::steady_clock::now();
  record.result = simulate(record.machine, inputs, model, run, check, threads);
  record.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  record.images = record.result.images;
  record.interrupted = record.result.cancelled;
  if (record.images == 0) fail_interrupted();
  if (run.values) add_accuracy(record, inputs, threads);

  const nlohmann::ordered_json report = build_report(record);
  folder.write("report.json", report.dump(2) + '\n');
  folder.write("layers.csv", layers_csv(report));
  if (!record.interrupted) recordings.commit();
  folder.commit();
  if (record.interrupted) {
    throw Error(interrupt_code(), fmt::format("interrupted; the report of {} of {} images is in {}", record.images,
                                              asked_for, options.text("out")));
  }
  fmt::print("{}", report_text(report));
  if (check) fmt::print("check: every word equals the software evaluation's\n");
  fmt::print("Written to {}\n", options.text("out"));
  if (!recordings.missing().empty()) throw Error(ExitCode::usage, recordings.missing());
  return ExitCode::success;
}

}  // namespace lpa::cli
