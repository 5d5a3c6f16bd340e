// The network in fp32 with weights and activations rounded to number formats: a fast stand-in for the machine.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/encoder_rounding.h"
#include "quant/formats/lp_format.h"
#include "quant/lpq/channel_scales.h"
#include "quant/lpq/quantize.h"
#include "workloads/layers.h"
#include "workloads/network.h"
#include "workloads/tensor.h"

namespace lpa::lpq {

/// One format a weighted layer.
using WeightFormats = std::vector<formats::LpFormat>;

/// By layer of the graph; null without weights. Empty: weights have one scale a tensor.
using NetworkScales = std::vector<std::unique_ptr<const ChannelScales>>;
/// Of every layer with weights.
NetworkScales channel_scales(const workloads::LayerGraph& graph);

/// A layer of the graph that has weights, and where the network has them.
struct WeightedLayer {
  std::size_t layer = 0;  ///< LayerGraph::layers
  int node = 0;           ///< Network::nodes
  int value = 0;          ///< Network::values: the layer's results.
  double factor = 1;      ///< The layer's weights are the node's times this.
  std::size_t weights = 0;
};

/// What fp32 values become: those of the network's values that the machine stores are rounded as its encoder rounds
/// them, the network's input and constants as the front end does. Sums and functions stay those of fp32.
/// Concurrent calls are safe.
class FakeQuantization {
 public:
  /// `activations`: formats of input, constants and outputs, all of them LP. `narrow`: those of the outputs of layers
  /// with 2-bit weights, if they have others. Keeps references to network, graph and scales. Throws
  /// workloads::InputError naming a layer whose weights the network does not have under its name.
  FakeQuantization(const workloads::Network& network, const workloads::LayerGraph& graph,
                   const NetworkFormats& activations, const formats::Arithmetic& arithmetic,
                   const NetworkScales& scales, const NetworkFormats* narrow = nullptr);

  /// In the order of their nodes.
  const std::vector<WeightedLayer>& layers() const { return layers_; }
  workloads::Tensor round_input(const workloads::Tensor& image) const;
  /// Rounds a value of the network, if the machine stores it. `weights` decide only where there are narrow formats.
  void round(int value, std::span<float> data, const WeightFormats& weights = {}) const;
  /// The node's weights, rounded nearest_linear, of every channel with its own scale if there are some for the format.
  /// The last used ones are kept.
  std::shared_ptr<const std::vector<float>> weights(std::size_t weighted_layer, const formats::LpFormat& format) const;

 private:
  using Key = std::tuple<std::size_t, int, int, int, int, formats::Regime>;
  struct Entry {
    std::shared_ptr<const std::vector<float>> weights;
    std::uint64_t used = 0;
  };

  WeightedLayer find(std::size_t layer) const;

  const workloads::Network& network_;
  const workloads::LayerGraph& graph_;
  const NetworkScales& scales_;
  formats::LpFormat input_;
  std::vector<WeightedLayer> layers_;
  std::vector<std::shared_ptr<const formats::EncoderRounding>> roundings_;  ///< By value; null: none.
  struct Narrow {
    std::size_t weighted_layer = 0;
    std::shared_ptr<const formats::EncoderRounding> rounding;
  };
  std::vector<Narrow> narrow_;                               ///< The same with the layer's 2-bit weights.
  std::vector<std::optional<formats::LpFormat>> constants_;  ///< By value: rounded by the front end.
  mutable std::mutex mutex_;                                 ///< Guards what follows.
  mutable std::map<Key, Entry> cache_;
  mutable std::size_t cached_ = 0;  ///< Weights in it.
  mutable std::uint64_t uses_ = 0;
};

}  // namespace lpa::lpq
