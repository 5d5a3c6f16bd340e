// lpasim evaluate: a quantized network in software, with the machine's arithmetic but without its cycles.
#include "quant/lpq/evaluate.h"

#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/report.h"
#include "tools/lpasim/result_file.h"
#include "tools/lpasim/table.h"
#include "tools/lpasim/version.h"
#include "workloads/atomic_file.h"

namespace lpa::cli {
namespace {

Command evaluate_command() {
  return {
      .name = "evaluate",
      .summary =
          "Evaluates a quantized network in software, in the arithmetic of the machine: the same words as\n"
          "lpasim run computes, without its cycles. Of the machine only what decides the words matters:\n"
          "--psum.preset wide|poster|fixed, --pe.converter, --encoder.log_bits, ...",
      .options =
          {network_option(),
           quantized_option(),
           dataset_option(),
           {.name = "images", .placeholder = "N", .description = "the first N images of the data set (default: all)"},
           {.name = "out", .placeholder = "FILE", .description = "write the result as JSON, too"},
           {.name = "force", .placeholder = "", .description = "replace an existing file", .kind = Option::Kind::flag},
           threads_option()},
      .machine = true};
}

}  // namespace

ExitCode evaluate(const Words& arguments) {
  const Command command = evaluate_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const hw::MachineConfig machine = options.machine();
  const int threads = thread_count(options);
  const auto file = options.path("out");
  check_output_file("--out", file, options.flag("force"));
  const std::uint64_t limit =
      options.text("images").empty() ? 0 : options.integer("images", 1, std::numeric_limits<int>::max());
  const Inputs inputs = read_inputs(options, static_cast<int>(limit));
  const lpq::QuantizedModel model = read_quantized(options, inputs.graph);

  if (model.input.linear() && machine.arithmetic.psum != formats::PsumKind::fixed) {
    throw Error(ExitCode::usage, fmt::format("option '--psum.preset': {} words are added in fixed sums, expected fixed",
                                             formats::to_string(model.input.family)));
  }

  catch_interrupts();
  lpq::Evaluation words;
  lpq::Evaluation fp32;
  try {
    Progress progress;
    const auto show = [&](int done, int total) { progress.show(fmt::format("evaluate: image {} of {}", done, total)); };
    const int images = inputs.dataset.count;
    words =
        lpq::evaluate(inputs.graph, model, machine.arithmetic, inputs.dataset, images, threads, show, &interrupted());
    fp32 = lpq::evaluate_fp32(inputs.network, inputs.dataset, images, threads, {}, &interrupted());
  } catch (const lpq::Cancelled&) {
    fail_interrupted();
  }
  if (!file.empty()) {
    const nlohmann::ordered_json report{
        {"schema_version", 1},
        {"generator", {{"name", "lpasim"}, {"version", version()}}},
        {"hardware", hardware_report(machine)},
        {"network", options.text("network")},
        {"quantized", options.text("quantized")},
        {"dataset", options.text("dataset")},
        {"accuracy", {{"images", words.images}, {"top1", words.top1()}, {"top1_fp32", fp32.top1()}}},
        {"saturations", words.events.saturations},
        {"nar_products", words.events.nar_products}};
    workloads::write_file_atomically(file, report.dump(2) + '\n');
  }
  fmt::print("top-1: {} in the machine's arithmetic, {} in fp32 ({} images)\n", percent(words.top1()),
             percent(fp32.top1()), words.images);
  fmt::print("{} partial sums saturated, {} products with NaR\n", grouped(words.events.saturations),
             grouped(words.events.nar_products));
  return ExitCode::success;
}

}  // namespace lpa::cli
