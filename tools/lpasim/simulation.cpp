#include "tools/lpasim/simulation.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "tools/lpasim/check_words.h"
#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/output_folder.h"
#include "tools/lpasim/progress.h"

namespace lpa::cli {
namespace {

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

}  // namespace

std::vector<Option> Simulation::options() {
  std::vector<Option> options{
      {.name = "out", .placeholder = "DIR", .description = "folder to write", .required = true},
      {.name = "model",
       .placeholder = "MODEL",
       .description = "fast, or pin: one SystemC module per processing element, for waveforms;\n"
                      "both give the same words, cycles and counters",
       .fallback = "fast"},
      {.name = "values",
       .placeholder = "on|off",
       .description = "off: only cycles, traffic and counters, no words (fast model)",
       .fallback = "on"},
      costs_option(),
      {.name = "check",
       .placeholder = "",
       .description = "compare the words of every layer with the software evaluation",
       .kind = Option::Kind::flag},
      {.name = "force", .placeholder = "", .description = "replace an existing result", .kind = Option::Kind::flag}};
  const std::vector<Option> recordings = Recordings::options();
  options.insert(options.end(), recordings.begin(), recordings.end());
  return options;
}

Simulation::Simulation(std::string command, const Arguments& options)
    : command_(std::move(command)),
      options_(options),
      run_(model_options(options)),
      check_(options.flag("check")),
      recordings_(options) {
  record_.machine = options.machine();
  record_.costs = read_costs(options);
  record_.model = options.text("model");
  record_.values = run_.values;
}

driver::RunResult Simulation::simulate(const Workload& work, int threads) {
  driver::RunOptions run = run_;
  std::optional<WordCheck> word_check;
  if (check_) {
    run.keep_maps = true;
    run.finished = [&](std::size_t image, const driver::ImageResult& result) {
      // Not before the machine has taken the network: its message is the better one.
      if (!word_check) word_check.emplace(work.graph, work.model, record_.machine);
      (*word_check)(image, work.inputs.image(image), result);
    };
  }
  Progress progress;
  run.progress = [&, next = std::move(run.progress)](int image, int layer) {
    if (next) next(image, layer);
    progress.show(fmt::format("{}: image {} of {}, layer {} of {}", command_, image + 1, work.inputs.count, layer + 1,
                              work.graph.layers.size()));
  };
  run.cancel = &interrupted();
  return driver::run_images(record_.machine, work.graph, work.model, work.inputs, run, threads);
}

void Simulation::run(const Workload& work, int threads, const std::function<void(RunRecord&)>& complete) {
  std::vector<std::string> contents{"report.json", "layers.csv", "waveform.vcd", "timeline.json"};
  for (std::string& name : recordings_.names_in_folder()) contents.push_back(std::move(name));
  catch_interrupts();
  OutputFolder folder(options_.path("out"), options_.flag("force"), contents);
  recordings_.attach(run_, folder, options_.flag("force"), record_.machine, work.graph);

  const auto start = std::chrono::steady_clock::now();
  record_.result = simulate(work, threads);
  record_.wall_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  record_.images = record_.result.images;
  record_.interrupted = record_.result.cancelled;
  if (record_.images == 0) fail_interrupted();
  if (complete) complete(record_);

  const nlohmann::ordered_json report = build_report(record_);
  folder.write("report.json", report.dump(2) + '\n');
  folder.write("layers.csv", layers_csv(report));
  if (!record_.interrupted) recordings_.commit();
  folder.commit();
  if (record_.interrupted) {
    throw Error(interrupt_code(), fmt::format("interrupted; the report of {} of {} images is in {}", record_.images,
                                              work.inputs.count, options_.text("out")));
  }
  fmt::print("{}", report_text(report));
  if (check_) fmt::print("check: every word equals the software evaluation's\n");
  fmt::print("Written to {}\n", options_.text("out"));
  if (!recordings_.missing().empty()) throw Error(ExitCode::usage, recordings_.missing());
}

}  // namespace lpa::cli
