// lpasim compare-formats: the error of number formats of equal width on the weights of networks.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "quant/formats/format_error.h"
#include "quant/lpq/format_comparison.h"
#include "quant/lpq/parallel.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/result_file.h"
#include "tools/lpasim/svg.h"
#include "tools/lpasim/table.h"
#include "tools/lpasim/version.h"
#include "workloads/atomic_file.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

namespace lpa::cli {
namespace {

using Anchor = Svg::Anchor;
using lpq::FormatKind;

Command compare_command() {
  return {
      .name = "compare-formats",
      .summary =
          "Compares number formats of equal width on the weights of trained networks: of LP, AdaptivFloat,\n"
          "posit, LNS, integers and ANT the format of least squared error for every layer, and the quartiles\n"
          "of its root mean square error over all layers, by that of the layer's weights.",
      .options = {{.name = "network",
                   .placeholder = "FILE",
                   .description = "trained network, ONNX; may be repeated",
                   .kind = Option::Kind::repeated,
                   .required = true},
                  {.name = "bits", .placeholder = "N", .description = "width of the formats, 4 to 8", .fallback = "8"},
                  {.name = "out", .placeholder = "FILE", .description = "write every layer's as JSON, too"},
                  {.name = "svg", .placeholder = "FILE", .description = "draw a box plot of the errors"},
                  threads_option(),
                  {.name = "force",
                   .placeholder = "",
                   .description = "replace an existing result",
                   .kind = Option::Kind::flag}}};
}

/// The weights of one layer and what the formats make of them.
struct Sample {
  std::string network, layer;
  std::vector<float> weights;
  double rms = 0;
  std::vector<lpq::FormatFit> fits;  ///< By all_format_kinds.

  double relative(std::size_t kind) const { return fits[kind].rmse / rms; }
};

std::vector<Sample> read_layers(const Arguments& options) {
  std::vector<Sample> samples;
  for (const auto& network : options.list("network")) {
    workloads::LayerGraph graph = workloads::lower(workloads::import_onnx(network.text));
    for (workloads::Layer& layer : graph.layers) {
      if (layer.kind != workloads::LayerKind::conv) continue;
      double square = 0;
      for (const double weight : layer.weights) square += weight * weight;
      if (square == 0) continue;  // Any format has zeros.
      const double rms = std::sqrt(square / static_cast<double>(layer.weights.size()));
      samples.push_back({network.text, layer.name, std::move(layer.weights), rms, {}});
    }
  }
  if (samples.empty()) throw Error(ExitCode::input, "no layer of the networks has weights that are not 0");
  return samples;
}

/// Least value, quartiles (between two values linearly interpolated) and largest value.
std::array<double, 5> quartiles(std::vector<double> values) {
  std::ranges::sort(values);
  std::array<double, 5> result{};
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double at = static_cast<double>(i) / 4 * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const double above = values[std::min(below + 1, values.size() - 1)];
    result[i] = values[below] + (at - static_cast<double>(below)) * (above - values[below]);
  }
  return result;
}

using Errors = std::array<std::array<double, 5>, lpq::all_format_kinds.size()>;

Errors summarise(const std::vector<Sample>& samples) {
  Errors errors{};
  for (std::size_t kind = 0; kind < errors.size(); ++kind) {
    std::vector<double> relative;
    for (const Sample& sample : samples) relative.push_back(sample.relative(kind));
    errors[kind] = quartiles(std::move(relative));
  }
  return errors;
}

std::string draw(const Errors& errors, int bits, std::size_t layers) {
  constexpr double width = 720, height = 440, left = 80, top = 60, inner_width = width - left - 30, inner_height = 310;
  Svg svg(width, height);
  svg.text({left, top - 24},
           fmt::format("Error of {}-bit formats on the weights of {} layers: quartiles and extremes", bits, layers),
           Anchor::start, 14);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const auto log = [](double error) { return std::log10(std::max(error, 1e-12)); };
  for (const auto& box : errors) {
    low = std::min(low, log(box.front()));
    high = std::max(high, log(box.back()));
  }
  const double margin = std::max(0.05 * (high - low), 0.05);
  Axes axes(svg, {left, top}, inner_width, inner_height, {0, low - margin},
            {static_cast<double>(errors.size()), high + margin});
  axes.ticks_y(6);
  axes.label_y("log10 of RMS error / RMS of weights");
  for (std::size_t kind = 0; kind < errors.size(); ++kind) {
    const auto x = static_cast<double>(kind);
    const auto at = [&](double dx, std::size_t quartile) { return axes.at(x + dx, log(errors[kind][quartile])); };
    svg.line(at(0.5, 0), at(0.5, 4), "#333333");
    for (const std::size_t end : {std::size_t{0}, std::size_t{4}}) svg.line(at(0.4, end), at(0.6, end), "#333333");
    const Point corner = at(0.25, 3), foot = at(0.75, 1);
    const char* name = to_string(lpq::all_format_kinds[kind]);
    svg.box(corner, foot.x - corner.x, std::max(foot.y - corner.y, 1.0), "#b9cbe0",
            fmt::format("{}: median {:.4g}", name, errors[kind][2]));
    svg.line(at(0.25, 2), at(0.75, 2), "#c0392b", 2);
    svg.text({axes.at(x + 0.5, 0).x, top + inner_height + 22}, name, Anchor::middle);
  }
  return svg.finish();
}

std::string as_json(const std::vector<Sample>& samples, int bits) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const Sample& sample : samples) {
    nlohmann::ordered_json fits;
    for (std::size_t kind = 0; kind < lpq::all_format_kinds.size(); ++kind) {
      fits[to_string(lpq::all_format_kinds[kind])] = {{"format", formats::to_string(sample.fits[kind].format)},
                                                      {"rmse", sample.fits[kind].rmse},
                                                      {"relative_rmse", sample.relative(kind)}};
    }
    layers.push_back({{"network", sample.network},
                      {"layer", sample.layer},
                      {"weights", sample.weights.size()},
                      {"rms", sample.rms},
                      {"formats", std::move(fits)}});
  }
  const nlohmann::ordered_json report{{"schema_version", 1},
                                      {"generator", {{"name", "lpasim"}, {"version", version()}}},
                                      {"bits", bits},
                                      {"layers", std::move(layers)}};
  return report.dump(1) + "\n";
}

}  // namespace

ExitCode compare_formats(const Words& arguments) {
  const Command command = compare_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const int bits = static_cast<int>(options.integer("bits", 4, 8));
  const int threads = thread_count(options);
  for (const char* name : {"out", "svg"}) {
    check_output_file(fmt::format("--{}", name), options.path(name), options.flag("force"));
  }
  if (!options.text("svg").empty() &&
      options.path("svg").lexically_normal() == options.path("out").lexically_normal()) {
    bad_value(*options.find("svg"), "another file than --out");
  }
  std::vector<Sample> samples = read_layers(options);
  catch_interrupts();
  constexpr std::size_t kinds = lpq::all_format_kinds.size();
  for (Sample& sample : samples) sample.fits.resize(kinds);
  try {
    Progress progress;
    lpq::parallel_for(
        static_cast<int>(samples.size() * kinds), threads,
        [&](int item, int) {
          Sample& sample = samples[static_cast<std::size_t>(item) / kinds];
          const std::size_t kind = static_cast<std::size_t>(item) % kinds;
          try {
            sample.fits[kind] = lpq::best_format(lpq::all_format_kinds[kind], bits, sample.weights);
          } catch (const formats::FormatError& error) {
            throw Error(ExitCode::input, fmt::format("{}: layer '{}': {}", sample.network, sample.layer, error.what()));
          }
        },
        [&](int done, int total) { progress.show(fmt::format("compare-formats: {} of {}", done, total)); },
        &interrupted());
  } catch (const lpq::Cancelled&) {
    fail_interrupted();
  }
  const Errors errors = summarise(samples);
  if (!options.text("svg").empty()) {
    workloads::write_file_atomically(options.path("svg"), draw(errors, bits, samples.size()));
  }
  if (!options.text("out").empty()) workloads::write_file_atomically(options.path("out"), as_json(samples, bits));

  Table table({"format", "least", "quartile", "median", "quartile", "largest"});
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    std::vector<std::string> row{to_string(lpq::all_format_kinds[kind])};
    for (const double error : errors[kind]) row.push_back(fmt::format("{:.5f}", error));
    table.add(row);
  }
  fmt::print("{} bits, {} layers: RMS error by the RMS of the layer's weights\n\n{}", bits, samples.size(),
             table.text());
  for (const char* name : {"out", "svg"}) {
    if (!options.text(name).empty()) fmt::print("Written to {}\n", options.text(name));
  }
  return ExitCode::success;
}

}  // namespace lpa::cli
