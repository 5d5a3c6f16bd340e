// Number formats for a network of which only the shapes are known, by rules instead of calibration.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/number_system.h"
#include "traces/trace.h"

namespace lpa::traces {

/// w8, w4, w2: weights of 8, 4 or 2 bits in every layer. mixed: the first and the last layer with weights have 8 bits.
/// Of the others, ordered by their number of weights, the larger half have 4 bits and the rest 8; of the larger half
/// every third in the order of execution has 2.
enum class Recipe { w8, w4, w2, mixed };
const std::vector<std::string>& recipe_names();
/// Throws std::invalid_argument if there is no such recipe.
Recipe recipe_of(std::string_view name);

/// Sets every format of a trace, and the position of its `fixed` partial sums. README.md beside this file has the
/// formats.
void apply_recipe(Trace& trace, Recipe recipe);

/// Gives every layer's weights that many bits: 8, 4 or 2, as the recipes do.
void set_weight_bits(Trace& trace, int bits);

/// Gives layers the widths of a quantization method of which only the shares of MACs are known: `shares` of 8, 4 and 2
/// bits, of all MACs on the array; they sum to 1. Products of two maps have 8 bits. Wider weights go to the layers next
/// to the network's ends, as methods have it, layer by layer until a width's share is met. With `narrow_activations`
/// what an array reads is as wide as the weights, where the machine can have that: as the widest of its readers asks
/// for; else it has 8 bits.
void set_weight_shares(Trace& trace, const std::map<int, double>& shares, bool narrow_activations);

/// Gives tensors of words that a machine does not compute with, because they are none of `numbers`, a format of the
/// same width that it has: of 4-bit words of ant flint, of lp the recipes' formats. The largest word of weights is
/// about four of the standard deviations 1 / sqrt(K), that of all else about 8; a posit has no scale. Formats that are
/// numbers of the machine stay as they are, and so do all where it has no words of their width.
void use_numbers(Trace& trace, formats::NumberSystem numbers);

/// The position for which sums of k products cannot saturate whatever the words are, unless that leaves the least
/// word of `encoded` unresolved. `scale_q8` is product_scale_q8() of a matmul.
int psum_lsb_for(std::int64_t k, const formats::TensorFormat& weight, const formats::TensorFormat& input,
                 const formats::TensorFormat& encoded, int scale_q8);

}  // namespace lpa::traces
