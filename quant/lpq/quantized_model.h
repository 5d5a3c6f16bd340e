// A quantized network: the format of every tensor, the packed weight words and the biases.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/row_functions.h"
#include "quant/formats/tensor_format.h"
#include "quant/lpq/search_record.h"
#include "workloads/layers.h"

namespace lpa::lpq {

struct QuantizedLayer {
  std::string name;               ///< Of the layer (workloads::Layer::name).
  formats::TensorFormat weight;   ///< conv; of a matmul the format of its stationary operand.
  formats::TensorFormat encoded;  ///< What the encoder behind the array emits; for a layer without array = output.
  formats::TensorFormat
      output;  ///< What the post-processing unit stores. Equal to `encoded` unless the layer reencodes().
  std::vector<formats::Word> weights;   ///< Unpacked words, in the order of workloads::Layer::weights.
  std::vector<formats::BiasTerm> bias;  ///< [out_c], scaled by sf of weight (the channel's) and input activation.
  /// conv: [out_c], what each channel's sf exceeds that of `weight` by, units of 2^-8. Empty: nothing.
  std::vector<std::int16_t> channel_sf_q8;
  int psum_lsb = 0;          ///< Exponent of the least bit of a 32-bit `fixed` partial sum; see choose_psum_lsb().
  int product_scale_q8 = 0;  ///< matmul: log2 of the factor of its products, units of 2^-8: the encoder adds it.
  /// Output word by word: of a layer with a curve by its `encoded` word, of a copy by the word of source 0 and 1.
  /// Empty: words stay as they are.
  std::array<std::vector<formats::Word>, 2> tables;
  std::vector<formats::NormTerm> norm;       ///< layer_norm: [out_c]
  int epsilon_log_q8 = formats::no_epsilon;  ///< layer_norm: log2(epsilon), units of 2^-8.

  // What the layer is, for the files only.
  std::string op;  ///< workloads::Layer::op
  workloads::LayerKind kind = workloads::LayerKind::conv;
  std::vector<int> weight_shape;  ///< conv: [out_c, kernel_h, kernel_w, in_c / groups]

  friend bool operator==(const QuantizedLayer&, const QuantizedLayer&) = default;
};

/// One of the graph's constants as words, HWC.
struct QuantizedConstant {
  formats::TensorFormat format;
  std::vector<formats::Word> words;
  std::string name;  ///< Of the constant (workloads::ConstantMap::name).

  friend bool operator==(const QuantizedConstant&, const QuantizedConstant&) = default;
};

struct QuantizedModel {
  std::string network;  ///< File name of the network.
  std::string method;   ///< "fit", ...
  std::uint64_t seed = 0;
  int calibration_images = 0;
  std::optional<SearchRecord> search;        ///< Of a method that searches.
  formats::TensorFormat input;               ///< Of the network's input.
  std::vector<QuantizedConstant> constants;  ///< One per constant of the graph.
  std::vector<QuantizedLayer> layers;        ///< One per layer of the graph, in its order.

  /// Format of the operand `index` of a layer: a layer's output, the network's input or a constant.
  const formats::TensorFormat& operand_format(int index) const {
    if (workloads::is_constant(index)) return constants[workloads::constant_index(index)].format;
    return index == workloads::network_input ? input : layers[static_cast<std::size_t>(index)].output;
  }

  friend bool operator==(const QuantizedModel&, const QuantizedModel&) = default;
};

/// Writes quant.json and weights.safetensors into `folder`, which must exist: each complete or not at all, and
/// quant.json last. Throws workloads::OutputError.
void write(const QuantizedModel& model, const std::filesystem::path& folder);

/// Reads them back and checks them against the graph: every layer present under its name, shapes and sizes equal,
/// formats legal, of a width that machines have and of one number system, no NaR among the weights, and the weights
/// those that quant.json was written with. Throws workloads::InputError naming the file and the field.
QuantizedModel read_quantized_model(const std::filesystem::path& folder, const workloads::LayerGraph& graph);

/// Words of 2, 4 or 8 bits packed into bytes, the first word in the lowest bits; the last byte is padded with zeros.
std::vector<std::uint8_t> pack_words(const std::vector<formats::Word>& words, int bits);
std::vector<formats::Word> unpack_words(const std::vector<std::uint8_t>& bytes, int bits, std::size_t count);

/// What is wrong with words of weights or constants, or empty: none may be 10..0, which is NaR or made by no encoder.
std::string check_words(const std::vector<formats::Word>& words, const formats::TensorFormat& format);

}  // namespace lpa::lpq
