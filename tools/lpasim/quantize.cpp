// lpasim quantize: from a trained network to the formats and words of every tensor.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "quant/lpq/fit.h"
#include "quant/lpq/quantized_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/output_folder.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/table.h"

namespace lpa::cli {
namespace {

const std::vector<std::string> bit_widths{"8", "4", "2"};
constexpr int max_images = std::numeric_limits<int>::max();

Command quantize_command() {
  return {.name = "quantize",
          .summary =
              "Chooses the number format of every weight tensor and activation of a trained network, and writes\n"
              "the formats (quant.json) and the packed words (weights.safetensors).",
          .options = {network_option(),
                      dataset_option(),
                      {.name = "out", .placeholder = "DIR", .description = "folder to write", .required = true},
                      {.name = "images",
                       .placeholder = "N",
                       .description = "calibration images: the first N of the data set",
                       .fallback = "128"},
                      {.name = "method",
                       .placeholder = "METHOD",
                       .description = "fit: least squared error of every tensor",
                       .fallback = "fit"},
                      {.name = "weight-bits",
                       .placeholder = "BITS",
                       .description = "width of the weights: 8, 4 or 2",
                       .fallback = "8"},
                      {.name = "layer-bits",
                       .placeholder = "NAME=BITS",
                       .description = "weight width of one layer instead; may be repeated",
                       .kind = Option::Kind::repeated},
                      {.name = "activation-bits",
                       .placeholder = "BITS",
                       .description = "width of the activations: 8, 4 or 2",
                       .fallback = "8"},
                      {.name = "seed", .placeholder = "S", .description = "of the sampling", .fallback = "1"},
                      threads_option(),
                      {.name = "force",
                       .placeholder = "",
                       .description = "replace an existing result",
                       .kind = Option::Kind::flag}}};
}

int bits_of(const Arguments& options, const std::string& name) {
  return std::stoi(options.choice(name, bit_widths));
}

/// --layer-bits NAME=BITS, checked against the network's layers.
std::map<std::string, int> layer_bits(const Arguments& options, const workloads::LayerGraph& graph) {
  std::map<std::string, int> bits;
  for (const auto& value : options.list("layer-bits")) {
    const std::size_t equals = value.text.rfind('=');
    const std::string name = value.text.substr(0, equals);
    const std::string width = equals == std::string::npos ? "" : value.text.substr(equals + 1);
    if (std::find(bit_widths.begin(), bit_widths.end(), width) == bit_widths.end()) {
      bad_value(value, "NAME=BITS with 8, 4 or 2 bits");
    }
    std::vector<std::string> names;
    for (const auto& layer : graph.layers) {
      if (layer.kind == workloads::LayerKind::conv) names.push_back(layer.name);
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string candidate = nearest(name, names);
      bad_value(value, candidate.empty() ? "a layer of the network that has weights"
                                         : fmt::format("a layer that has weights, such as '{}'", candidate));
    }
    if (!bits.emplace(name, std::stoi(width)).second) {
      bad_value(value, fmt::format("layer '{}' once", name));
    }
  }
  return bits;
}

std::string format_table(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model) {
  Table table({"layer", "op", "weights", "weight format", "output format"});
  table.add({"input", "", "", "", formats::to_string(model.input)});
  std::size_t bits = 0;
  for (std::size_t index = 0; index < graph.layers.size(); ++index) {
    const auto& layer = model.layers[index];
    const bool weights = !layer.weights.empty();
    table.add({layer.name, graph.layers[index].op, weights ? grouped(layer.weights.size()) : "-",
               weights ? formats::to_string(layer.weight) : "-", formats::to_string(layer.output)});
    if (weights) bits += layer.weights.size() * static_cast<std::size_t>(layer.weight.n);
  }
  return table.text() + fmt::format("\nWeights take {} bytes.\n", grouped((bits + 7) / 8));
}

}  // namespace

ExitCode quantize(const Words& arguments) {
  const Command command = quantize_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  options.choice("method", {"fit"});
  const int images = static_cast<int>(options.integer("images", 1, max_images));
  lpq::FitOptions fit_options;
  fit_options.weight_bits = bits_of(options, "weight-bits");
  fit_options.activation_bits = bits_of(options, "activation-bits");
  fit_options.seed = options.integer("seed", 0, UINT64_MAX);
  fit_options.threads = thread_count(options);

  const Inputs inputs = read_inputs(options, images);
  fit_options.layer_weight_bits = layer_bits(options, inputs.graph);
  catch_interrupts();
  OutputFolder folder(options.path("out"), options.flag("force"), {"quant.json", "weights.safetensors"});
  std::vector<workloads::Tensor> calibration;
  calibration.reserve(static_cast<std::size_t>(images));
  for (int image = 0; image < images; ++image) calibration.push_back(inputs.dataset.image(image));

  lpq::QuantizedModel model;
  try {
    Progress progress;
    model = lpq::fit(
        inputs.network, inputs.graph, calibration, fit_options,
        [&](int done, int total) { progress.show(fmt::format("quantize: {} of {}", done, total)); }, &interrupted());
  } catch (const lpq::Cancelled&) {
    fail_interrupted();
  }
  lpq::write(model, folder.staging());
  if (interrupted()) fail_interrupted();
  folder.commit();
  fmt::print("{}Written to {}\n", format_table(inputs.graph, model), options.text("out"));
  return ExitCode::success;
}

}  // namespace lpa::cli
