// lpasim report-quant: what a quantizer chose, drawn.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "quant/lpq/channel_scales.h"
#include "quant/lpq/quantized_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/result_file.h"
#include "tools/lpasim/svg.h"
#include "workloads/atomic_file.h"
#include "workloads/onnx_import.h"

namespace lpa::cli {
namespace {

using Anchor = Svg::Anchor;

constexpr double page_width = 1000, left = 80, right = 30;
constexpr double inner_width = page_width - left - right;
constexpr double panel_height = 200;
constexpr int bins = 120;

Command report_command() {
  return {.name = "report-quant",
          .summary =
              "Draws what lpasim quantize chose: the search's fitness, the width and format of each layer's\n"
              "weights, and one layer's weights over the words of its format. QUANTIZED is what it wrote.",
          .options = {network_option(),
                      {.name = "out", .placeholder = "FILE", .description = "drawing to write, .svg", .required = true},
                      {.name = "layer",
                       .placeholder = "NAME",
                       .description = "whose weights are drawn (default: the layer with most of them)"},
                      {.name = "force",
                       .placeholder = "",
                       .description = "replace an existing result",
                       .kind = Option::Kind::flag}},
          .positional = "QUANTIZED"};
}

std::vector<std::size_t> weighted_layers(const workloads::LayerGraph& graph) {
  std::vector<std::size_t> layers;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].kind == workloads::LayerKind::conv) layers.push_back(i);
  }
  if (layers.empty()) throw Error(ExitCode::input, fmt::format("{}: no layer has weights", graph.network));
  return layers;
}

/// --layer, or the largest one.
std::size_t chosen_layer(const Arguments& options, const workloads::LayerGraph& graph,
                         const std::vector<std::size_t>& layers) {
  const auto* name = options.find("layer");
  if (name == nullptr || name->text.empty()) {
    return *std::ranges::max_element(layers, {}, [&](std::size_t i) { return graph.layers[i].weights.size(); });
  }
  std::vector<std::string> names;
  for (const std::size_t i : layers) {
    if (graph.layers[i].name == name->text) return i;
    names.push_back(graph.layers[i].name);
  }
  const std::string candidate = nearest(name->text, names);
  bad_value(*name, candidate.empty() ? "a layer that has weights"
                                     : fmt::format("a layer that has weights, such as '{}'", candidate));
}

void draw_fitness(Svg& svg, double top, const lpq::SearchRecord& search) {
  std::vector<double> fitness{search.initial_fitness};
  for (const lpq::SearchStep& step : search.history) fitness.push_back(step.fitness);
  const auto [low, high] = std::ranges::minmax(fitness);
  const double margin = std::max({0.05 * (high - low), 1e-6 * std::abs(high), 1e-9});
  svg.text({left, top - 12},
           fmt::format("Fitness of the best candidate: {}, {}, population {}, {} evaluations", search.objective,
                       search.budget > 0 ? fmt::format("budget {:.6g} {}", search.budget, search.cost)
                                         : fmt::format("lambda {}", search.lambda),
                       search.population, search.evaluations),
           Anchor::start, 14);
  Axes axes(svg, {left, top}, inner_width, panel_height, {0, low - margin},
            {static_cast<double>(std::max<std::size_t>(fitness.size() - 1, 1)), high + margin});
  axes.ticks_y(5);
  axes.ticks_x(10);
  axes.label_x("cycle");
  axes.label_y("fitness");
  std::vector<Point> points;
  for (std::size_t i = 0; i < fitness.size(); ++i) points.push_back(axes.at(static_cast<double>(i), fitness[i]));
  svg.polyline(points, "#1f5fa8");
}

void draw_widths(Svg& svg, double top, const lpq::QuantizedModel& model, const std::vector<std::size_t>& layers) {
  double bits = 0, weights = 0;
  for (const std::size_t i : layers) {
    bits += static_cast<double>(model.layers[i].weights.size()) * model.layers[i].weight.n;
    weights += static_cast<double>(model.layers[i].weights.size());
  }
  svg.text({left, top - 12},
           fmt::format("Bits and format of each layer's weights ({:.2f} bits on average)", bits / weights),
           Anchor::start, 14);
  const auto count = static_cast<double>(layers.size());
  Axes axes(svg, {left, top}, inner_width, panel_height, {0, 0}, {count, 8.4});
  axes.ticks_y(5);
  axes.label_y("bits");
  const double size = std::clamp(inner_width / count * 0.7, 4.0, 11.0);
  for (std::size_t bar = 0; bar < layers.size(); ++bar) {
    const lpq::QuantizedLayer& layer = model.layers[layers[bar]];
    const auto x = static_cast<double>(bar);
    const Point corner = axes.at(x + 0.1, layer.weight.n), foot = axes.at(x + 0.9, 0);
    const char* colour = layer.weight.n == 8 ? "#1f5fa8" : layer.weight.n == 4 ? "#4fa05a" : "#d98a2b";
    svg.box(corner, foot.x - corner.x, foot.y - corner.y, colour,
            fmt::format("{}: {}, {} weights", layer.name, to_string(layer.weight), layer.weights.size()));
    const Point below = axes.at(x + 0.5, 0);
    svg.text({below.x + size / 3, below.y + 8}, to_string(layer.weight), Anchor::end, size, -90);
  }
}

/// Weights as the layer's format sees them: those of a channel with a scale of its own are scaled by it.
std::vector<double> scaled_weights(const workloads::Layer& layer, const lpq::QuantizedLayer& quantized) {
  std::vector<double> weights(layer.weights.begin(), layer.weights.end());
  lpq::for_channels(weights.size(), quantized.channel_sf_q8, [&](std::size_t begin, std::size_t end, double factor) {
    for (std::size_t i = begin; i < end; ++i) weights[i] *= factor;
  });
  return weights;
}

void draw_weights(Svg& svg, double top, const workloads::Layer& layer, const lpq::QuantizedLayer& quantized) {
  const formats::TensorFormat& format = quantized.weight;
  const std::vector<double> weights = scaled_weights(layer, quantized);
  double largest = 0;
  for (const double weight : weights) largest = std::max(largest, std::abs(weight));
  largest = largest > 0 ? 1.05 * largest : 1;
  std::vector<double> counts(bins);
  for (const double weight : weights) {
    const auto bin = static_cast<int>((weight + largest) / (2 * largest) * bins);
    ++counts[static_cast<std::size_t>(std::clamp(bin, 0, bins - 1))];
  }
  svg.text({left, top - 12},
           fmt::format("{} weights of {}{} over the words of {}", weights.size(), layer.name,
                       quantized.channel_sf_q8.empty() ? "" : ", in their channels' scales,", to_string(format)),
           Anchor::start, 14);
  Axes axes(svg, {left, top}, inner_width, panel_height, {-largest, 0},
            {largest, std::max(1.0, 1.05 * *std::ranges::max_element(counts))});
  axes.ticks_y(4);
  axes.ticks_x(10);
  axes.label_x("weight");
  axes.label_y("weights");
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    const double from = -largest + 2 * largest * static_cast<double>(bin) / bins;
    const Point corner = axes.at(from, counts[bin]), foot = axes.at(from + 2 * largest / bins, 0);
    svg.box(corner, foot.x - corner.x, foot.y - corner.y, "#b9cbe0");
  }
  for (int word = 0; word < format.word_count(); ++word) {
    const double value = formats::decode(format, static_cast<formats::Word>(word));
    if (std::isnan(value) || std::abs(value) > largest) continue;
    const Point foot = axes.at(value, 0);
    svg.line({foot.x, foot.y - 14}, foot, "#c0392b");
  }
}

}  // namespace

ExitCode report_quant(const Words& arguments) {
  const Command command = report_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  check_output_file("--out", options.path("out"), options.flag("force"));
  const workloads::LayerGraph graph = workloads::lower(workloads::import_onnx(options.path("network")));
  const lpq::QuantizedModel model = lpq::read_quantized_model(options.path(command.positional), graph);
  const std::vector<std::size_t> layers = weighted_layers(graph);
  const std::size_t layer = chosen_layer(options, graph, layers);

  constexpr double gap = 90, formats_gap = 170;
  const double search_height = model.search ? panel_height + gap : 0;
  double top = 50;
  Svg svg(page_width, top + search_height + 2 * panel_height + formats_gap + 60);
  if (model.search) {
    draw_fitness(svg, top, *model.search);
    top += search_height;
  }
  draw_widths(svg, top, model, layers);
  top += panel_height + formats_gap;
  draw_weights(svg, top, graph.layers[layer], model.layers[layer]);
  workloads::write_file_atomically(options.path("out"), svg.finish());
  fmt::print("Written to {}\n", options.text("out"));
  return ExitCode::success;
}

}  // namespace lpa::cli
