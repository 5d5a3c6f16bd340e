#include "hw_model/driver/width_costs.h"

#include "hw_model/driver/image_stream.h"
#include "quant/lpq/quantize.h"

namespace lpa::driver {
namespace {

/// Any formats of these widths that the machine has.
lpq::NetworkFormats some_formats(const workloads::LayerGraph& graph, formats::NumberSystem numbers, int weight_bits) {
  const formats::TensorFormat weight = formats_of(numbers, weight_bits).front();
  const formats::TensorFormat other = formats_of(numbers, 8).front();
  return {other, std::vector(graph.constants.size(), other),
          std::vector(graph.layers.size(), lpq::LayerFormats{.weight = weight, .encoded = other, .output = other})};
}

}  // namespace

WidthCosts width_costs(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                       const std::function<double(const LayerResult&)>& measure) {
  WidthCosts costs;
  costs.layers.resize(graph.layers.size());
  RunOptions options;
  options.values = false;
  const ImageInputs inputs{1, [&](std::size_t) {
                             const auto words = static_cast<std::size_t>(graph.in_h) *
                                                static_cast<std::size_t>(graph.in_w) *
                                                static_cast<std::size_t>(graph.in_c);
                             return lpq::WordMap{graph.in_h, graph.in_w, graph.in_c, std::vector<formats::Word>(words)};
                           }};
  bool first = true;
  for (const int bits : {8, 4, 2}) {
    if (!config.takes(bits)) continue;
    const lpq::QuantizedModel model = lpq::quantize(graph, some_formats(graph, config.numbers(), bits));
    const RunResult result = run_images(config, graph, model, inputs, options, 1);
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
      const double spent = measure(result.layers[i]);
      if (graph.layers[i].kind == workloads::LayerKind::conv) {
        costs.layers[i][bits] = spent;
      } else if (first) {
        costs.others += spent;
      }
    }
    first = false;
  }
  return costs;
}

}  // namespace lpa::driver
