// Chooses every tensor's format by least squared error: the quantizer's default method.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "quant/formats/number_system.h"
#include "quant/lpq/channel_scales.h"
#include "quant/lpq/parallel.h"
#include "quant/lpq/quantize.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/layers.h"
#include "workloads/network.h"
#include "workloads/tensor.h"

namespace lpa::lpq {

/// Instead of a width of activations: what a layer with weights puts out has twice the width of its weights, at most 8
/// bits; everything else has 8 bits.
inline constexpr int follow_weights = 0;

struct FitOptions {
  int weight_bits = 8;                             ///< 8, 4 or 2.
  std::map<std::string, int> layer_weight_bits{};  ///< By layer name, instead of weight_bits.
  int activation_bits = 8;                         ///< 8, 4 or 2, or follow_weights; of the input, constants and
                                                   ///< layers' outputs that need not be bytes (must_have_bytes()).
  formats::NumberSystem numbers = formats::NumberSystem::lp;  ///< What words are; it must have the widths.
  ScaleMode scales = ScaleMode::per_tensor;                   ///< Of weights.
  int threads = 1;                                            ///< The result does not depend on it.
  std::uint64_t seed = 1;                                     ///< Of the sampling of activations.
};

/// The formats of every tensor. Weights: least squared error of the words nearest_linear. Activations: least squared
/// error of the words that the encoder would make of the fp32 network's values on the calibration images (1 x C x H x W
/// each), of which at most about 200,000 per tensor are drawn; the network's input and constants are rounded
/// nearest_linear. Words of other systems than lp are rounded by their own rule everywhere. Sums of products of
/// computed values may be four times as large as the calibration images prove. Throws workloads::InputError for an
/// option that is not legal, an unknown layer name or a value that is not finite; Cancelled if `cancel` is set.
NetworkFormats fit_formats(const workloads::Network& network, const workloads::LayerGraph& graph,
                           const std::vector<workloads::Tensor>& calibration_images, const FitOptions& options,
                           const Progress& progress = {}, const CancelFlag* cancel = nullptr);

/// quantize() with fit_formats(); method "fit".
QuantizedModel fit(const workloads::Network& network, const workloads::LayerGraph& graph,
                   const std::vector<workloads::Tensor>& calibration_images, const FitOptions& options,
                   const Progress& progress = {}, const CancelFlag* cancel = nullptr);

}  // namespace lpa::lpq
