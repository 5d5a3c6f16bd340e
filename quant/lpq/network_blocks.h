// The blocks of a network: stretches of it that only one value leads into. Internal to the search.
#pragma once

#include <cstddef>
#include <vector>

#include "quant/lpq/fake_quantization.h"
#include "workloads/network.h"

namespace lpa::lpq {

struct NetworkBlock {
  int first_node = 0, end_node = 0;  ///< Network::nodes
  int value = -1;                    ///< The one computed value that these nodes need of those before.
  std::vector<std::size_t> layers;   ///< Indices into the weighted layers; at least one.
};

/// Cuts the network wherever a single computed value goes from the nodes before to the nodes behind, and joins pieces
/// to residual blocks, transformer blocks (attention and what follows it) and, where nothing branches, groups of up to
/// three weighted layers. `layers` are in the order of their nodes.
std::vector<NetworkBlock> find_blocks(const workloads::Network& network, const std::vector<WeightedLayer>& layers);

}  // namespace lpa::lpq
