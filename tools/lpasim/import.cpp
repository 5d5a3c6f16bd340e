// lpasim import: from a trained network to a trace.
#include <limits>

#include <fmt/format.h>

#include "quant/lpq/trace_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/result_file.h"
#include "tools/lpasim/table.h"
#include "traces/recipe.h"
#include "workloads/onnx_import.h"

namespace lpa::cli {
namespace {

Command import_command() {
  return {.name = "import",
          .summary =
              "Makes a trace of a trained network (ONNX): its layers as the machine runs them, with number formats,\n"
              "for lpasim replay.",
          .options = {{.name = "out", .placeholder = "FILE", .description = "trace to write, .json", .required = true},
                      {.name = "quantized",
                       .placeholder = "DIR",
                       .description = "take the formats from what lpasim quantize wrote"},
                      {.name = "recipe",
                       .placeholder = "RECIPE",
                       .description = "without --quantized: w8, w4, w2, or mixed, by the number of a layer's weights\n"
                                      "(default w8)"},
                      {.name = "with-tensors",
                       .placeholder = "",
                       .description = "write the words of --quantized, too, as .safetensors beside the trace",
                       .kind = Option::Kind::flag},
                      {.name = "parameters",
                       .placeholder = "N",
                       .description = "the network's number of parameters (default: as many as the layers hold)"},
                      {.name = "source", .placeholder = "TEXT", .description = "where the network comes from"},
                      {.name = "force",
                       .placeholder = "",
                       .description = "replace existing files",
                       .kind = Option::Kind::flag}},
          .machine = false,
          .positional = "NETWORK"};
}

std::int64_t count_parameters(const workloads::LayerGraph& graph) {
  std::size_t count = 0;
  for (const auto& constant : graph.constants) count += constant.data.size();
  for (const auto& layer : graph.layers) count += layer.weights.size() + layer.bias.size();
  return static_cast<std::int64_t>(count);
}

void check_options(const Arguments& options) {
  const bool quantized = !options.text("quantized").empty();
  if (quantized && !options.text("recipe").empty())
    throw Error(ExitCode::usage, "option '--recipe': --quantized gives the formats");
  if (!quantized && options.flag("with-tensors"))
    throw Error(ExitCode::usage, "option '--with-tensors': needs --quantized");
  if (options.path("out").extension() != ".json")
    throw Error(ExitCode::usage, fmt::format("--out {}: must end in .json", options.text("out")));
}

}  // namespace

ExitCode import_trace(const Words& arguments) {
  const Command command = import_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  check_options(options);
  const bool force = options.flag("force"), tensors = options.flag("with-tensors");
  const std::filesystem::path file = options.path("out");
  const std::filesystem::path words = std::filesystem::path(file).replace_extension(".safetensors");
  check_output_file("--out", file, force);
  if (tensors) check_output_file("--out", words, force);
  const std::string recipe = options.text("recipe").empty() ? "w8" : options.choice("recipe", traces::recipe_names());
  const bool counted = options.text("parameters").empty();
  const std::uint64_t parameters =
      counted ? 0 : options.integer("parameters", 0, std::numeric_limits<std::int64_t>::max());

  const workloads::LayerGraph graph = workloads::lower(workloads::import_onnx(options.path(command.positional)));
  traces::Trace trace;
  if (options.text("quantized").empty()) {
    trace = lpq::to_trace(graph);
    traces::apply_recipe(trace, traces::recipe_of(recipe));
  } else {
    const lpq::QuantizedModel model = read_quantized(options, graph);
    trace = lpq::to_trace(graph, model);
    if (tensors) {
      trace.tensors = words.filename().string();
      lpq::write_words(words, trace, model);
    }
  }
  trace.source = options.text("source");
  trace.parameters = counted ? count_parameters(graph) : static_cast<std::int64_t>(parameters);
  traces::write_trace(file, trace);
  fmt::print("{} layers, {} MACs, {} parameters\nWritten to {}\n", trace.layers.size(),
             grouped(static_cast<std::uint64_t>(traces::total_work(trace).macs)),
             grouped(static_cast<std::uint64_t>(trace.parameters)), options.text("out"));
  return ExitCode::success;
}

}  // namespace lpa::cli
