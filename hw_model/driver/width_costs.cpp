#include "hw_model/driver/width_costs.h"

#include "hw_model/driver/image_stream.h"
#include "quant/lpq/quantize.h"

namespace lpa::driver {
namespace {

/// Any formats of these widths.
lpq::NetworkFormats formats_of(const workloads::LayerGraph& graph, int weight_bits) {
  lpq::NetworkFormats formats;
  formats.constants.resize(graph.constants.size());
  formats.layers.resize(graph.layers.size());
  for (lpq::LayerFormats& layer : formats.layers) layer.weight = {.n = weight_bits, .es = 0, .rs = weight_bits - 1};
  return formats;
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
    const lpq::QuantizedModel model = lpq::quantize(graph, formats_of(graph, bits));
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
