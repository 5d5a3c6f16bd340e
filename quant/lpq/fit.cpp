#include "quant/lpq/fit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "quant/lpq/calibration.h"
#include "quant/lpq/format_search.h"
#include "quant/lpq/linear_search.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::TensorFormat;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGraph;
using workloads::LayerKind;
using workloads::Network;
using workloads::Tensor;

/// How far partial sums may exceed the largest bound of the calibration images.
constexpr double sum_margin = 4;

int weight_bits(const Layer& layer, const FitOptions& options) {
  const auto found = options.layer_weight_bits.find(layer.name);
  return found == options.layer_weight_bits.end() ? options.weight_bits : found->second;
}

void require_bits(int bits, const std::string& what, formats::NumberSystem numbers) {
  if (bits != 2 && bits != 4 && bits != 8) throw InputError(fmt::format("{} is {} but must be 2, 4 or 8", what, bits));
  if (formats_of(numbers, bits).empty()) {
    throw InputError(fmt::format("{} is {} but {} has no words of that width", what, bits, to_string(numbers)));
  }
}

void check_options(const LayerGraph& graph, const std::vector<Tensor>& images, const FitOptions& options) {
  require_bits(options.weight_bits, "weight bits", options.numbers);
  if (options.activation_bits != follow_weights)
    require_bits(options.activation_bits, "activation bits", options.numbers);
  if (images.empty()) throw InputError("there must be at least one calibration image");
  for (const auto& [name, bits] : options.layer_weight_bits) {
    require_bits(bits, fmt::format("weight bits of layer \"{}\"", name), options.numbers);
    const auto is_it = [&name = name](const Layer& layer) {
      return layer.name == name && layer.kind == LayerKind::conv;
    };
    if (std::none_of(graph.layers.begin(), graph.layers.end(), is_it)) {
      throw InputError(fmt::format("weight bits are given for layer \"{}\" but {} has no such layer with weights", name,
                                   graph.network));
    }
  }
}

/// One tensor whose format is to be found.
struct Search {
  const std::vector<float>* values = nullptr;
  std::string what;
  int bits = 8;
  Quantizer quantizer = Quantizer::encoder;
  TensorFormat* result = nullptr;
  const Layer* layer = nullptr;                     ///< Weights whose channels have scales of their own:
  std::vector<std::int16_t>* channel_sf = nullptr;  ///< they go here.
};

std::vector<Search> plan_searches(const Network& network, const LayerGraph& graph, const Calibration& calibration,
                                  const FitOptions& options, NetworkFormats& formats) {
  const auto bits = [&](int operand) {
    if (must_have_bytes(graph, operand)) return 8;
    if (options.activation_bits != follow_weights) return options.activation_bits;
    const bool has_weights = operand >= 0 && graph.layers[static_cast<std::size_t>(operand)].kind == LayerKind::conv;
    return has_weights ? std::min(8, 2 * weight_bits(graph.layers[static_cast<std::size_t>(operand)], options)) : 8;
  };
  std::vector<Search> searches;
  searches.push_back({&calibration.samples(network.input), "the network's input", bits(workloads::network_input),
                      Quantizer::offline, &formats.input});
  for (std::size_t i = 0; i < graph.constants.size(); ++i) {
    const workloads::ConstantMap& constant = graph.constants[i];
    searches.push_back({&constant.data, fmt::format("constant \"{}\"", constant.name),
                        bits(workloads::constant_operand(static_cast<int>(i))), Quantizer::offline,
                        &formats.constants[i]});
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    LayerFormats& result = formats.layers[i];
    const auto what = [&layer](const char* tensor) { return fmt::format("layer \"{}\", {}", layer.name, tensor); };
    const int of_output = bits(static_cast<int>(i));
    if (layer.kind == LayerKind::conv) {
      Search& search = searches.emplace_back(
          Search{&layer.weights, what("weights"), weight_bits(layer, options), Quantizer::offline, &result.weight});
      if (options.scales == ScaleMode::per_channel) {
        search.layer = &layer;
        search.channel_sf = &result.channel_sf_q8;
      }
    }
    if (!keeps_format(layer)) {
      searches.push_back(
          {&calibration.samples(layer.value), what("output"), of_output, Quantizer::encoder, &result.output});
    }
    if (layer.reencodes()) {
      const char* tensor =
          layer.addend == workloads::no_operand ? "output before the activation" : "output before the addition";
      searches.push_back(
          {&calibration.samples(layer.encoded_value), what(tensor), of_output, Quantizer::encoder, &result.encoded});
    }
  }
  return searches;
}

}  // namespace

NetworkFormats fit_formats(const Network& network, const LayerGraph& graph, const std::vector<Tensor>& images,
                           const FitOptions& options, const Progress& progress, const CancelFlag* cancel) {
  check_options(graph, images, options);
  Calibration calibration(network, graph, images.size(), options.seed);
  NetworkFormats formats;
  formats.constants.resize(graph.constants.size());
  formats.layers.resize(graph.layers.size());
  const std::vector<Search> searches = plan_searches(network, graph, calibration, options, formats);

  const int total = static_cast<int>(images.size() + searches.size());
  const auto report_from = [&progress, total](std::size_t first) -> Progress {
    if (!progress) return {};
    return [&progress, total, first](int done, int) { progress(static_cast<int>(first) + done, total); };
  };

  // One executor per worker, each on one thread: what an image gives does not depend on the number of threads.
  std::vector<std::optional<workloads::Executor>> executors(static_cast<std::size_t>(std::max(1, options.threads)));
  parallel_for(
      static_cast<int>(images.size()), options.threads,
      [&](int item, int worker) {
        auto& executor = executors[static_cast<std::size_t>(worker)];
        if (!executor) executor.emplace(network, 1);
        const auto image = static_cast<std::size_t>(item);
        executor->run(images[image], [&](int value, std::span<float> data) { calibration.see(image, value, data); });
      },
      report_from(0), cancel);
  executors.clear();
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    formats.layers[i].sum_bound = sum_margin * calibration.largest_sum(i);
  }

  parallel_for(
      static_cast<int>(searches.size()), options.threads,
      [&](int item, int) {
        const Search& search = searches[static_cast<std::size_t>(item)];
        const auto bad = std::find_if_not(search.values->begin(), search.values->end(),
                                          [](float value) { return std::isfinite(value); });
        if (bad != search.values->end()) {
          throw InputError(fmt::format("{}: a value is {} but all must be finite", search.what, *bad));
        }
        if (options.numbers != formats::NumberSystem::lp) {
          *search.result =
              search.layer == nullptr
                  ? search_linear_format(ValueStatistics(*search.values), options.numbers, search.bits).format
                  : search_linear_channels(*search.layer, options.numbers, search.bits, *search.channel_sf).format;
          return;
        }
        if (search.layer != nullptr) {
          const ChannelScales scales(*search.layer);
          const formats::LpFormat best = scales.best(search.bits).format;
          *search.result = best;
          *search.channel_sf = scales.of(best).channel_sf_q8;
          return;
        }
        *search.result = search_format(ValueStatistics(*search.values), search.bits, search.quantizer).format;
      },
      report_from(images.size()), cancel);
  return formats;
}

QuantizedModel fit(const Network& network, const LayerGraph& graph, const std::vector<Tensor>& images,
                   const FitOptions& options, const Progress& progress, const CancelFlag* cancel) {
  QuantizedModel model = quantize(graph, fit_formats(network, graph, images, options, progress, cancel));
  model.method = "fit";
  model.seed = options.seed;
  model.calibration_images = static_cast<int>(images.size());
  return model;
}

}  // namespace lpa::lpq
