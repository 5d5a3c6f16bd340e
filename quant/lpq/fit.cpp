#include "quant/lpq/fit.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>

#include <fmt/format.h>

#include "quant/lpq/format_search.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LpFormat;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGraph;
using workloads::LayerKind;
using workloads::Network;
using workloads::Tensor;

constexpr std::size_t samples_per_tensor = 200000;

/// SplitMix64 (Steele, Lea, Flood 2014): a good hash of a counter, the same on every platform.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

/// Samples of one value of the network; the part of every image has its own place, whatever thread fills it.
struct ValueSamples {
  std::size_t size = 0;       ///< elements per image
  std::size_t per_image = 0;  ///< elements taken of them
  std::vector<float> samples;
};

void take(const std::span<const float> data, std::uint64_t seed, std::size_t image, ValueSamples& value) {
  float* sample = value.samples.data() + image * value.per_image;
  if (value.per_image == value.size) {
    std::copy(data.begin(), data.end(), sample);
    return;
  }
  std::uint64_t state = mix(seed ^ mix(image));
  for (std::size_t i = 0; i < value.per_image; ++i) {
    // One from each of per_image equal parts.
    const std::size_t begin = i * value.size / value.per_image, end = (i + 1) * value.size / value.per_image;
    state = mix(state);
    sample[i] = data[begin + state % (end - begin)];
  }
}

bool adds_residual(const Layer& layer) {
  return layer.kind == LayerKind::conv && layer.addend != workloads::no_operand;
}

int weight_bits(const Layer& layer, const FitOptions& options) {
  const auto found = options.layer_weight_bits.find(layer.name);
  return found == options.layer_weight_bits.end() ? options.weight_bits : found->second;
}

void require_bits(int bits, const std::string& what) {
  if (bits != 2 && bits != 4 && bits != 8) throw InputError(fmt::format("{} is {} but must be 2, 4 or 8", what, bits));
}

void check_options(const LayerGraph& graph, const std::vector<Tensor>& images, const FitOptions& options) {
  require_bits(options.weight_bits, "weight bits");
  require_bits(options.activation_bits, "activation bits");
  if (images.empty()) throw InputError("there must be at least one calibration image");
  for (const auto& [name, bits] : options.layer_weight_bits) {
    require_bits(bits, fmt::format("weight bits of layer \"{}\"", name));
    const auto is_it = [&name = name](const Layer& layer) {
      return layer.name == name && layer.kind == LayerKind::conv;
    };
    if (std::none_of(graph.layers.begin(), graph.layers.end(), is_it)) {
      throw InputError(fmt::format("weight bits are given for layer \"{}\" but {} has no such layer with weights", name,
                                   graph.network));
    }
  }
}

/// The values of the network that formats are fitted on, empty for those that none is.
std::vector<ValueSamples> plan_samples(const Network& network, const LayerGraph& graph, std::size_t images) {
  std::vector<ValueSamples> values(network.values.size());
  const auto want = [&](int index) {
    ValueSamples& value = values[static_cast<std::size_t>(index)];
    value.size =
        static_cast<std::size_t>(workloads::element_count(network.values[static_cast<std::size_t>(index)].shape));
    value.per_image = std::min(value.size, (samples_per_tensor + images - 1) / images);
    value.samples.resize(value.per_image * images);
  };
  want(network.input);
  for (const Layer& layer : graph.layers) {
    if (layer.kind != LayerKind::max_pool) want(layer.value);
    if (adds_residual(layer)) want(layer.encoded_value);
  }
  return values;
}

/// One tensor whose format is to be found.
struct Search {
  const std::vector<float>* values = nullptr;
  std::string what;
  int bits = 8;
  Quantizer quantizer = Quantizer::encoder;
  LpFormat* result = nullptr;
};

std::vector<Search> plan_searches(const Network& network, const LayerGraph& graph,
                                  const std::vector<ValueSamples>& values, const FitOptions& options,
                                  NetworkFormats& formats) {
  const auto samples = [&values](int index) { return &values[static_cast<std::size_t>(index)].samples; };
  const int bits = options.activation_bits;
  std::vector<Search> searches;
  searches.push_back({samples(network.input), "the network's input", bits, Quantizer::offline, &formats.input});
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    LayerFormats& result = formats.layers[i];
    const auto what = [&layer](const char* tensor) { return fmt::format("layer \"{}\", {}", layer.name, tensor); };
    if (layer.kind == LayerKind::conv) {
      searches.push_back(
          {&layer.weights, what("weights"), weight_bits(layer, options), Quantizer::offline, &result.weight});
    }
    if (layer.kind != LayerKind::max_pool) {
      searches.push_back({samples(layer.value), what("output"), bits, Quantizer::encoder, &result.output});
    }
    if (adds_residual(layer)) {
      searches.push_back({samples(layer.encoded_value), what("output before the addition"), bits, Quantizer::encoder,
                          &result.encoded});
    }
  }
  return searches;
}

}  // namespace

NetworkFormats fit_formats(const Network& network, const LayerGraph& graph, const std::vector<Tensor>& images,
                           const FitOptions& options, const Progress& progress, const CancelFlag* cancel) {
  check_options(graph, images, options);
  std::vector<ValueSamples> values = plan_samples(network, graph, images.size());
  NetworkFormats formats;
  formats.layers.resize(graph.layers.size());
  const std::vector<Search> searches = plan_searches(network, graph, values, options, formats);

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
        executor->run(images[image], [&](int value, std::span<float> data) {
          ValueSamples& samples = values[static_cast<std::size_t>(value)];
          if (samples.per_image > 0) take(data, options.seed ^ mix(static_cast<std::uint64_t>(value)), image, samples);
        });
      },
      report_from(0), cancel);
  executors.clear();

  parallel_for(
      static_cast<int>(searches.size()), options.threads,
      [&](int item, int) {
        const Search& search = searches[static_cast<std::size_t>(item)];
        const auto bad = std::find_if_not(search.values->begin(), search.values->end(),
                                          [](float value) { return std::isfinite(value); });
        if (bad != search.values->end()) {
          throw InputError(fmt::format("{}: a value is {} but all must be finite", search.what, *bad));
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
