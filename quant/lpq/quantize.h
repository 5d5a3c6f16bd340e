// From chosen formats to a quantized network: words of the weights, biases, position of fixed partial sums. Whoever
// chooses the formats (the least-squares fit, a search) ends here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/tensor_format.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/layers.h"

namespace lpa::lpq {

struct LayerFormats {
  formats::TensorFormat weight{};   ///< conv only; ignored for other layers.
  formats::TensorFormat encoded{};  ///< Ignored where the layer does not reencode: then it is `output`.
  formats::TensorFormat output{};   ///< Ignored where the layer keeps_format().
  double sum_bound = 0;  ///< matmul: no partial sum is expected to exceed it, in value and before the products are
                         ///< scaled; 0 if nothing is known.
  /// conv: [out_c], what each channel's sf exceeds that of `weight` by, units of 2^-8. Empty: nothing.
  std::vector<std::int16_t> channel_sf_q8{};
};

struct NetworkFormats {
  formats::TensorFormat input;
  std::vector<formats::TensorFormat> constants;  ///< One per constant of the graph.
  std::vector<LayerFormats> layers;              ///< One per layer of the graph, in its order.
};

/// The words of values rounded nearest_linear, of other words than LP by their own rule. [channel][...] where there are
/// `channel_sf_q8`, the values of a channel being scaled by it first; an empty one scales nothing.
std::vector<formats::Word> encode_channels(const formats::TensorFormat& format,
                                           std::span<const std::int16_t> channel_sf_q8, std::span<const float> values);

/// What is wrong with a format in a machine, as one line; empty if nothing is: the format must be legal and 2, 4 or 8
/// bits wide.
std::string check_machine_format(const formats::TensorFormat& format);

/// Whether the layer's output has the format of its input because it has the same words.
bool keeps_format(const workloads::Layer& layer);

/// Whether the words of an operand must be 8 bits wide: LayerGraph::needs_bytes(), also of what layers that keep the
/// format make of them.
bool must_have_bytes(const workloads::LayerGraph& graph, int operand);

/// check_machine_format() for the format of an operand of the graph.
std::string check_operand_format(const workloads::LayerGraph& graph, int operand, const formats::TensorFormat& format);

/// Rounds weights and constants (nearest_linear), scales the biases, derives the rest. `method`, `seed` and
/// `calibration_images` are left empty. Throws workloads::InputError naming the layer if a number is not finite or a
/// format is not the machine's.
QuantizedModel quantize(const workloads::LayerGraph& graph, const NetworkFormats& formats);

/// Fills in what follows from the layer and the formats of its operands and its own: a matmul's `weight` and product
/// scale, tables, the parameters of a layer normalisation. Throws workloads::InputError naming the layer.
void derive(const workloads::Layer& layer, const QuantizedModel& model, QuantizedLayer& quantized);

/// The exponent of a 32-bit `fixed` partial sum's least bit for a conv or matmul layer.
///
/// For one output channel let B = |bias| + sum over its weights of |weight * largest activation word| (the log-linear
/// converter included), in the psum's terms, i.e. with both sf left out. No partial sum can exceed B whatever the
/// activations, so the lsb is the least one for which the largest B of all channels fits in 31 bits: no saturation can
/// happen. Of a matmul, B is `sum_bound` or, where that is 0, K times the product of the largest words.
/// The lsb gives way only where that would leave the smallest word of `encoded` unresolved (activation formats of
/// extreme range): then it is half of that word, or coarser as needed for `encoded`'s largest word to fit, and the
/// accumulator may saturate, which is counted. Of linear formats it is not below the least bit of a product: integers
/// are added as integers. A machine with accumulators of B bits uses the result + 32 - B.
int choose_psum_lsb(const workloads::Layer& layer, const QuantizedLayer& quantized, const formats::TensorFormat& input,
                    double sum_bound = 0);

}  // namespace lpa::lpq
