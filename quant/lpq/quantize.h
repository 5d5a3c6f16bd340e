// From chosen formats to a quantized network: words of the weights, biases, position of fixed partial sums. Whoever
// chooses the formats (the least-squares fit, a search) ends here.
#pragma once

#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/lp_format.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/layers.h"

namespace lpa::lpq {

struct LayerFormats {
  formats::LpFormat weight;   ///< conv only; ignored for other layers.
  formats::LpFormat encoded;  ///< Ignored where the layer adds no residual: then it is `output`.
  formats::LpFormat output;   ///< Ignored for max_pool: its words are its input's.
};

struct NetworkFormats {
  formats::LpFormat input;
  std::vector<LayerFormats> layers;  ///< One per layer of the graph, in its order.
};

/// What is wrong with a format in a machine, as one line; empty if nothing is: the format must be legal and 2, 4 or 8
/// bits wide.
std::string check_machine_format(const formats::LpFormat& format);

/// Rounds the weights (nearest_linear) and scales the biases. `method`, `seed` and `calibration_images` are left empty.
/// Throws workloads::InputError naming the layer if a weight or bias is not finite or a format is not the machine's.
QuantizedModel quantize(const workloads::LayerGraph& graph, const NetworkFormats& formats);

/// The exponent of a 32-bit `fixed` partial sum's least bit for a conv layer.
///
/// For one output channel let B = |bias| + sum over its weights of |weight * largest activation word| (the log-linear
/// converter included), in the psum's terms, i.e. with both sf left out. No partial sum can exceed B whatever the
/// activations, so the lsb is the least one for which the largest B of all channels fits in 31 bits: no saturation can
/// happen. It gives way only where that would leave the smallest word of `encoded` unresolved (activation formats of
/// extreme range): then it is half of that word, or coarser as needed for `encoded`'s largest word to fit, and the
/// accumulator may saturate, which is counted. A machine with accumulators of B bits uses the result + 32 - B.
int choose_psum_lsb(const workloads::Layer& layer, const QuantizedLayer& quantized, const formats::LpFormat& input);

}  // namespace lpa::lpq
