// What a network costs on the simulated machine by the widths of its weights.
#pragma once

#include <functional>
#include <vector>

#include "hw_model/driver/simulation.h"
#include "hw_model/machine_config.h"
#include "quant/lpq/search.h"
#include "workloads/layers.h"

namespace lpa::driver {

/// Of one image.
struct WidthCosts {
  lpq::WidthCosts
      layers;         ///< By layer of the graph, in the widths that the PEs take; empty for layers without weights.
  double others = 0;  ///< Of all layers without weights together.
};

/// Runs the network once for each width that the machine's PEs take, with 8-bit activations and without values, and
/// measures its layers: what is measured must not depend on words, as cycles do not. Layers run one after the other, so
/// that costs add up. Like run_images() it runs in child processes. Throws MachineError, hw::ConfigError.
WidthCosts width_costs(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                       const std::function<double(const LayerResult&)>& measure);

}  // namespace lpa::driver
