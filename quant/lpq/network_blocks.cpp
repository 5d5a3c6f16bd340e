#include "quant/lpq/network_blocks.h"

#include <algorithm>
#include <variant>

namespace lpa::lpq {
namespace {

using workloads::Network;
using workloads::Node;

constexpr std::size_t chain_layers = 3;

bool is_constant(const Node& node) {
  return std::holds_alternative<workloads::Constant>(node.attributes);
}

/// A piece between two cuts.
struct Piece {
  NetworkBlock block;
  bool branches = false;  ///< A value in it is used more than once: a residual or several heads.
  bool attends = false;   ///< It multiplies two computed values.
};

/// By node boundary i (before node i): the values that lead over it.
std::vector<std::vector<int>> values_across(const Network& network) {
  const int count = static_cast<int>(network.nodes.size());
  std::vector<int> made(network.values.size(), -1), last_use(network.values.size(), -1);
  for (int i = 0; i < count; ++i) {
    const Node& node = network.nodes[static_cast<std::size_t>(i)];
    made[static_cast<std::size_t>(node.output)] = is_constant(node) ? count : i;
    for (const int input : node.inputs) last_use[static_cast<std::size_t>(input)] = i;
  }
  last_use[static_cast<std::size_t>(network.output)] = count;
  std::vector<std::vector<int>> across(static_cast<std::size_t>(count));
  for (int value = 0; value < static_cast<int>(network.values.size()); ++value) {
    const int first = value == network.input ? 0 : made[static_cast<std::size_t>(value)] + 1;
    for (int i = first; i <= std::min(last_use[static_cast<std::size_t>(value)], count - 1); ++i) {
      across[static_cast<std::size_t>(i)].push_back(value);
    }
  }
  return across;
}

std::vector<Piece> cut(const Network& network, const std::vector<WeightedLayer>& layers) {
  const std::vector<std::vector<int>> across = values_across(network);
  std::vector<Piece> pieces(1);
  pieces.front().block.value = network.input;
  int cut = -1;  // The last one since the last layer.
  std::size_t layer = 0;
  const int count = static_cast<int>(network.nodes.size());
  for (int i = 0; i < count && layer < layers.size(); ++i) {
    if (across[static_cast<std::size_t>(i)].size() == 1) cut = i;
    if (layers[layer].node != i) continue;
    if (cut >= 0 && !pieces.back().block.layers.empty()) {
      pieces.back().block.end_node = cut;
      pieces.emplace_back();
      pieces.back().block.first_node = cut;
      pieces.back().block.value = across[static_cast<std::size_t>(cut)].front();
    }
    pieces.back().block.layers.push_back(layer++);
    cut = -1;
  }
  pieces.back().block.end_node = count;
  for (Piece& piece : pieces) {
    for (int i = piece.block.first_node; i < piece.block.end_node; ++i) {
      piece.branches = piece.branches || across[static_cast<std::size_t>(i)].size() > 1;
      const Node& node = network.nodes[static_cast<std::size_t>(i)];
      piece.attends = piece.attends || std::holds_alternative<workloads::MatMul>(node.attributes);
    }
  }
  return pieces;
}

void join(NetworkBlock& block, const NetworkBlock& next) {
  block.end_node = next.end_node;
  block.layers.insert(block.layers.end(), next.layers.begin(), next.layers.end());
}

}  // namespace

std::vector<NetworkBlock> find_blocks(const Network& network, const std::vector<WeightedLayer>& layers) {
  std::vector<NetworkBlock> blocks;
  Piece last;
  for (const Piece& piece : cut(network, layers)) {
    const bool transformer = last.attends && !piece.attends && piece.branches;
    const bool chain = !last.branches && !piece.branches && !blocks.empty() &&
                       blocks.back().layers.size() + piece.block.layers.size() <= chain_layers;
    if (transformer || chain) {
      join(blocks.back(), piece.block);
    } else {
      blocks.push_back(piece.block);
    }
    last = piece;
    if (transformer) last.attends = false;
  }
  return blocks;
}

}  // namespace lpa::lpq
