// lpasim quantize: from a trained network to the formats and words of every tensor.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

#include <fmt/format.h>

#include "hw_model/cost/cost_model.h"
#include "hw_model/driver/width_costs.h"
#include "quant/lpq/fit.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/search.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/error.h"
#include "tools/lpasim/inputs.h"
#include "tools/lpasim/interrupt.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/output_folder.h"
#include "tools/lpasim/progress.h"
#include "tools/lpasim/result_file.h"
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
                       .description = "fit: least squared error of every tensor; lpq: genetic search",
                       .fallback = "fit"},
                      {.name = "weight-bits",
                       .placeholder = "BITS",
                       .description = "fit: width of the weights, 8, 4 or 2 (default 8)"},
                      {.name = "layer-bits",
                       .placeholder = "NAME=BITS",
                       .description = "fit: weight width of one layer instead; may be repeated",
                       .kind = Option::Kind::repeated},
                      {.name = "bits",
                       .placeholder = "LIST",
                       .description = "lpq: widths of weights to choose from",
                       .fallback = "2,4,8"},
                      {.name = "budget",
                       .placeholder = "WHAT=N",
                       .description = "lpq: no more than bits=N per weight on average, bytes=N of weights,\n"
                                      "or cycles=N or energy=N (uJ) of an image on the machine"},
                      costs_option(),
                      {.name = "objective",
                       .placeholder = "NAME",
                       .description = "lpq: what is lost: global-local, global, kl or mse",
                       .fallback = "global-local"},
                      {.name = "pooling",
                       .placeholder = "NAME",
                       .description = "lpq: of a channel's positions: kurtosis or mean",
                       .fallback = "kurtosis"},
                      {.name = "population", .placeholder = "N", .description = "lpq: candidates", .fallback = "20"},
                      {.name = "passes", .placeholder = "N", .description = "lpq: over all blocks", .fallback = "10"},
                      {.name = "cycles",
                       .placeholder = "N",
                       .description = "lpq: of regeneration, per block",
                       .fallback = "4"},
                      {.name = "partners",
                       .placeholder = "N",
                       .description = "lpq: random parents of a cycle, for diversity",
                       .fallback = "4"},
                      {.name = "lambda",
                       .placeholder = "X",
                       .description = "lpq: exponent of the compression in the fitness",
                       .fallback = "0.4"},
                      {.name = "temperature",
                       .placeholder = "T",
                       .description = "lpq: of the contrastive objectives",
                       .fallback = "0.1"},
                      {.name = "checkpoint",
                       .placeholder = "FILE",
                       .description = "lpq: kept up to date; a search that has one goes on from it"},
                      {.name = "numbers",
                       .placeholder = "SYSTEM",
                       .description = "fit: what words are: lp, int, ant (int, pot or flint), adaptivfloat or posit;\n"
                                      "evaluate those other than lp with --psum.preset fixed",
                       .fallback = "lp"},
                      {.name = "activation-bits",
                       .placeholder = "BITS",
                       .description = "width of the activations: 8, 4 or 2; or follow: of what a layer with weights\n"
                                      "puts out twice the weights' width, at most 8, of all else 8",
                       .fallback = "8"},
                      {.name = "sf",
                       .placeholder = "MODE",
                       .description = "scale factors of weights: per-tensor or per-channel (of outputs)",
                       .fallback = "per-tensor"},
                      {.name = "seed", .placeholder = "S", .description = "of the sampling", .fallback = "1"},
                      threads_option(),
                      {.name = "force",
                       .placeholder = "",
                       .description = "replace an existing result",
                       .kind = Option::Kind::flag}},
          .machine = true};
}

lpq::ScaleMode scale_mode(const Arguments& options) {
  using enum lpq::ScaleMode;
  const std::string chosen = options.choice("sf", {to_string(per_tensor), to_string(per_channel)});
  return chosen == to_string(per_channel) ? per_channel : per_tensor;
}

int bits_of(const Arguments& options, const std::string& name) {
  return std::stoi(options.choice(name, bit_widths));
}

int activation_bits(const Arguments& options) {
  std::vector<std::string> choices = bit_widths;
  choices.push_back("follow");
  const std::string chosen = options.choice("activation-bits", choices);
  return chosen == "follow" ? lpq::follow_weights : std::stoi(chosen);
}

/// Options that the chosen method does not have.
void refuse(const Arguments& options, const std::vector<std::string>& names, const std::string& method) {
  for (const std::string& name : names) {
    if (const auto* value = options.find(name); value != nullptr && !value->text.empty()) {
      bad_value(*value, fmt::format("none with --method {}", method));
    }
  }
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

/// --numbers, which must have the widths that are asked for.
formats::NumberSystem number_system(const Arguments& options, const lpq::FitOptions& fit, bool searches) {
  const auto numbers = formats::parse_number_system(options.choice("numbers", formats::number_system_names()));
  if (searches && numbers != formats::NumberSystem::lp) {
    bad_value(*options.find("numbers"), "lp with --method lpq, which chooses es and rs");
  }
  const auto require_width = [&](const char* option, int bits) {
    if (bits == lpq::follow_weights || !formats_of(numbers, bits).empty()) return;
    bad_value(*options.find(option), fmt::format("{}, the width of {} words", widths_of(numbers), to_string(numbers)));
  };
  require_width("weight-bits", fit.weight_bits);
  require_width("activation-bits", fit.activation_bits);
  for (const auto& [layer, bits] : fit.layer_weight_bits) require_width("layer-bits", bits);
  if (numbers == formats::NumberSystem::posit && fit.scales == lpq::ScaleMode::per_channel) {
    bad_value(*options.find("sf"), "per-tensor, since posit words have no scale");
  }
  return numbers;
}

/// --bits 2,4,8
std::vector<int> widths(const Arguments& options) {
  std::vector<int> bits;
  std::istringstream list(options.text("bits"));
  for (std::string width; std::getline(list, width, ',');) {
    const bool known = std::find(bit_widths.begin(), bit_widths.end(), width) != bit_widths.end();
    if (!known) bad_value(*options.find("bits"), "some of 2, 4, 8, such as 4,8");
    if (std::find(bits.begin(), bits.end(), std::stoi(width)) == bits.end()) bits.push_back(std::stoi(width));
  }
  if (bits.empty()) bad_value(*options.find("bits"), "some of 2, 4, 8, such as 4,8");
  return bits;
}

double weight_count(const workloads::LayerGraph& graph) {
  double weights = 0;
  for (const workloads::Layer& layer : graph.layers) {
    if (layer.kind == workloads::LayerKind::conv) weights += static_cast<double>(layer.weights.size());
  }
  return weights;
}

constexpr const char* budget_forms = "bits=N, bytes=N, cycles=N or energy=N with a number above 0, such as bits=4.5";

/// Cycles, or uJ, of one image on the machine.
driver::WidthCosts machine_costs(const Arguments& options, const workloads::LayerGraph& graph, bool energy) {
  const hw::MachineConfig machine = options.machine();
  if (!energy) {
    return driver::width_costs(
        machine, graph, [](const driver::LayerResult& layer) { return static_cast<double>(layer.counters.cycles); });
  }
  const cost::CostModel model(machine, read_costs(options));
  return driver::width_costs(machine, graph, [&](const driver::LayerResult& layer) {
    return model.energy(layer.activity(false)).total() * 1e-6;
  });
}

/// --budget
void set_budget(const Arguments& options, const workloads::LayerGraph& graph, lpq::SearchOptions& search) {
  const auto* value = options.find("budget");
  if (!options.text("costs").empty() && (value == nullptr || !value->text.starts_with("energy="))) {
    bad_value(*options.find("costs"), "none without --budget energy=N");
  }
  if (value == nullptr || value->text.empty()) return;
  const std::size_t equals = value->text.find('=');
  const std::string what = value->text.substr(0, equals);
  const char* end = value->text.data() + value->text.size();
  double number = 0;
  const char* begin = equals == std::string::npos ? end : value->text.data() + equals + 1;
  const auto [stop, error] = std::from_chars(begin, end, number);
  const bool on_machine = what == "cycles" || what == "energy";
  const bool known = what == "bits" || what == "bytes" || on_machine;
  if (!known || error != std::errc{} || stop != end || !(number > 0) || !(number < 1e30)) {
    bad_value(*value, budget_forms);
  }
  double unit = what == "bits" ? weight_count(graph) : 8, others = 0;
  if (on_machine) {
    if (search.activation_bits != 8) bad_value(*value, "bits or bytes, since --activation-bits is not 8");
    const hw::MachineConfig machine = options.machine();
    if (machine.numbers() != formats::NumberSystem::lp) {
      bad_value(*value, fmt::format("bits or bytes, since LPQ chooses LP and the machine computes with {} words",
                                    formats::to_string(machine.numbers())));
    }
    if (!std::ranges::all_of(search.bits, [&](int bits) { return machine.takes(bits); })) {
      bad_value(*options.find("bits"), "widths that the machine's PEs take (pe.weight_bits)");
    }
    driver::WidthCosts costs = machine_costs(options, graph, what == "energy");
    unit = 1;
    others = costs.others;
    search.costs = std::move(costs.layers);
    search.cost_name = what == "energy" ? "uJ of layers with weights" : "cycles of layers with weights";
  } else {
    search.costs = lpq::bits_of_weights(graph);
  }
  search.budget = number * unit - others;
  const double least = lpq::least_cost(search.costs, search.bits);
  if (*search.budget < least) bad_value(*value, fmt::format("at least {}={:.6g}", what, (least + others) / unit));
}

lpq::SearchOptions search_options(const Arguments& options, const workloads::LayerGraph& graph) {
  using enum lpq::Objective;
  std::vector<std::string> names;
  std::map<std::string, lpq::Objective> objectives;
  for (const lpq::Objective objective : {global_local, global, kl, mse}) {
    names.emplace_back(to_string(objective));
    objectives[names.back()] = objective;
  }
  lpq::SearchOptions search;
  search.bits = widths(options);
  search.objective = objectives.at(options.choice("objective", names));
  search.pooling =
      options.choice("pooling", {"kurtosis", "mean"}) == "mean" ? lpq::Pooling::mean : lpq::Pooling::kurtosis;
  search.population = static_cast<int>(options.integer("population", 2, 10000));
  search.passes = static_cast<int>(options.integer("passes", 0, 10000));
  search.cycles = static_cast<int>(options.integer("cycles", 1, 1000));
  search.partners = static_cast<int>(options.integer("partners", 0, 1000));
  search.lambda = options.number("lambda", 0, 100);
  search.temperature = options.number("temperature", 1e-3, 1e3);
  search.scales = scale_mode(options);
  search.activation_bits = activation_bits(options);
  search.seed = options.integer("seed", 0, UINT64_MAX);
  search.threads = thread_count(options);
  search.checkpoint = options.path("checkpoint");
  check_output_file("--checkpoint", search.checkpoint, true);
  set_budget(options, graph, search);  // Last, since it may take a while.
  return search;
}

/// Shows how far a search is, and when it will end by the time of the cycles since the first one.
class SearchDisplay {
 public:
  void show(Progress& progress, int done, int total, const lpq::Candidate& best) {
    const auto now = std::chrono::steady_clock::now();
    if (first_ == 0) {
      first_ = done;
      begin_ = now;
      return;
    }
    const double seconds = std::chrono::duration<double>(now - begin_).count() / (done - first_) * (total - done);
    const std::string left = seconds < 90 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
    progress.show(fmt::format("lpq: {} of {} cycles, fitness {:.4g}, cost {:.6g}; {} left", done, total, best.fitness,
                              best.cost, left));
  }

 private:
  int first_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

std::string format_table(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model) {
  Table table({"layer", "op", "weights", "weight format", "output format"});
  table.add({"input", "", "", "", formats::to_string(model.input)});
  double bits = 0;
  for (std::size_t index = 0; index < graph.layers.size(); ++index) {
    const auto& layer = model.layers[index];
    const bool weights = !layer.weights.empty();
    table.add({layer.name, graph.layers[index].op, weights ? grouped(layer.weights.size()) : "-",
               weights ? formats::to_string(layer.weight) : "-", formats::to_string(layer.output)});
    if (weights) bits += static_cast<double>(layer.weights.size()) * layer.weight.n;
  }
  return table.text() + fmt::format("\nWeights take {} bytes, {:.2f} bits each on average.\n",
                                    grouped(static_cast<std::uint64_t>(std::ceil(bits / 8))),
                                    bits / std::max(weight_count(graph), 1.0));
}

}  // namespace

ExitCode quantize(const Words& arguments) {
  const Command command = quantize_command();
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const bool searches = options.choice("method", {"fit", "lpq"}) == "lpq";
  if (searches) refuse(options, {"weight-bits", "layer-bits"}, "lpq");
  if (!searches) refuse(options, {"budget", "checkpoint", "costs"}, "fit");
  const int images = static_cast<int>(options.integer("images", 1, max_images));
  lpq::FitOptions fit_options;
  if (!options.text("weight-bits").empty()) fit_options.weight_bits = bits_of(options, "weight-bits");
  fit_options.scales = scale_mode(options);
  fit_options.activation_bits = activation_bits(options);
  fit_options.seed = options.integer("seed", 0, UINT64_MAX);
  fit_options.threads = thread_count(options);

  options.machine();
  if (searches && images < 2 && options.text("objective").starts_with("global")) {
    bad_value(*options.find("images"), "at least 2 for a contrastive objective");
  }

  const Inputs inputs = read_inputs(options, images);
  fit_options.layer_weight_bits = layer_bits(options, inputs.graph);
  fit_options.numbers = number_system(options, fit_options, searches);
  const lpq::SearchOptions search = search_options(options, inputs.graph);
  catch_interrupts();
  OutputFolder folder(options.path("out"), options.flag("force"), {"quant.json", "weights.safetensors"});
  std::vector<workloads::Tensor> calibration;
  calibration.reserve(static_cast<std::size_t>(images));
  for (int image = 0; image < images; ++image) calibration.push_back(inputs.dataset.image(image));

  lpq::QuantizedModel model;
  try {
    Progress progress;
    if (searches) {
      SearchDisplay display;
      model = lpq::search(
          inputs.network, inputs.graph, calibration, search,
          [&](int done, int total, const lpq::Candidate& best) { display.show(progress, done, total, best); },
          &interrupted());
    } else {
      model = lpq::fit(
          inputs.network, inputs.graph, calibration, fit_options,
          [&](int done, int total) { progress.show(fmt::format("quantize: {} of {}", done, total)); }, &interrupted());
    }
  } catch (const lpq::Cancelled&) {
    if (!search.checkpoint.empty() && std::filesystem::exists(search.checkpoint)) {
      throw Error(interrupt_code(),
                  fmt::format("interrupted; the same command goes on from {}", options.text("checkpoint")));
    }
    fail_interrupted();
  }
  lpq::write(model, folder.staging());
  if (interrupted()) fail_interrupted();
  folder.commit();
  fmt::print("{}Written to {}\n", format_table(inputs.graph, model), options.text("out"));
  return ExitCode::success;
}

}  // namespace lpa::cli
