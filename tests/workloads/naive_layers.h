#pragma once

#include "workloads/layers.h"

namespace lpa::workloads::testing {

/// Evaluates the layers one after the other, in feature maps of height x width x channels, as layers.h describes them.
/// Input and results are in the network's order: 1 x C x H x W. Returns the result of every layer; `encoded`, if given,
/// receives each layer's result before the fused addition and activation.
std::vector<Tensor> naive_layers(const LayerGraph& graph, const Tensor& input, std::vector<Tensor>* encoded = nullptr);

}  // namespace lpa::workloads::testing
