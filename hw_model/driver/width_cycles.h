// What a network costs on the simulated machine by the widths of its weights.
#pragma once

#include <vector>

#include "hw_model/machine_config.h"
#include "quant/lpq/search.h"
#include "workloads/layers.h"

namespace lpa::driver {

/// Cycles of one image, from the doorbell to the interrupt.
struct WidthCycles {
  lpq::WidthCosts layers;  ///< By layer of the graph; empty for layers without weights.
  double others = 0;       ///< Of all layers without weights together.
};

/// Runs the network once for each width, with 8-bit activations and without values: no cycle depends on a word, and
/// layers run one after the other. Like run_images() it runs in child processes. Throws MachineError, hw::ConfigError.
WidthCycles width_cycles(const hw::MachineConfig& config, const workloads::LayerGraph& graph);

}  // namespace lpa::driver
