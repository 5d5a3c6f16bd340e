// Traces of layers that do not belong to a whole network.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "traces/layer_table.h"
#include "traces/trace.h"

namespace lpa::traces {

/// Layers first to end - 1 of a trace. What they take from outside becomes constants, without words. 0 <= first < end
/// <= number of layers.
Trace excerpt(const Trace& trace, std::size_t first, std::size_t end);

/// Layers that do not depend on one another, each with a constant as its input; without formats. `network` is their
/// trace's. Throws workloads::InputError naming it and the layer if one is a matmul or beyond what a trace can hold.
Trace independent_layers(const std::string& network, const std::vector<LayerShape>& shapes);

}  // namespace lpa::traces
