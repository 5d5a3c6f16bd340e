// A layer with everything worked out that does not depend on the image: decoded weights, tables, start values. Internal
// to the software machine.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/formats/gemm.h"
#include "quant/formats/row_functions.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::lpq {

/// The sum of two words as the post-processing unit's adder and encoder form it. The operation has two small operands
/// and is done once per element, so the whole table is made at the start.
class ResidualTable {
 public:
  ResidualTable(const formats::Arithmetic& arithmetic, const formats::TensorFormat& first,
                const formats::TensorFormat& second, const formats::TensorFormat& output);

  formats::Word operator()(formats::Word first, formats::Word second, formats::AccumulateEvents& events) const {
    const Entry& entry = entries_[(std::size_t{first} << second_bits_) | second];
    events.saturations += entry.saturations;
    return entry.word;
  }

 private:
  struct Entry {
    formats::Word word = 0;
    std::uint16_t saturations = 0;
  };
  int second_bits_;
  std::vector<Entry> entries_;
};

/// All words of a format as operands, indexed by the word.
std::vector<formats::Operand> operand_table(const formats::TensorFormat& format);

/// The kernels of a network: making one takes a while, and many layers can use the same.
class KernelCache {
 public:
  explicit KernelCache(const formats::Arithmetic& arithmetic) : arithmetic_(arithmetic) {}

  const formats::Arithmetic& arithmetic() const { return arithmetic_; }
  /// A kernel for the products of a layer, and the encoder behind it.
  formats::GemmKernel kernel(const QuantizedLayer& quantized, const formats::TensorFormat& input);
  formats::PsumEncoder encoder(const QuantizedLayer& quantized, const formats::TensorFormat& input) const;

 private:
  int lsb(const QuantizedLayer& quantized) const;

  const formats::Arithmetic& arithmetic_;
  std::map<std::string, formats::GemmKernel> kernels_;
};

/// A convolution as the array computes it: partial sums from the bias on, then the encoder.
class ConvEngine {
 public:
  ConvEngine(const workloads::Layer& layer, const QuantizedLayer& quantized, const formats::TensorFormat& input,
             KernelCache& kernels);

  /// Words in the layer's `encoded` format, [m][out_c].
  std::vector<formats::Word> run(const WordMap& input, formats::AccumulateEvents& events) const;

 private:
  struct Planes;
  Planes make_planes(const WordMap& input) const;
  void fill_panel(const Planes& planes, int group, int first_position, int count, formats::GemmPanel& panel) const;

  const workloads::Layer& layer_;
  formats::GemmKernel kernel_;
  formats::PsumEncoder encoder_;
  std::vector<formats::Psum> start_;           ///< [out_c]
  std::vector<std::int16_t> scale_;            ///< [out_c]: the channels' own parts of the encoder's.
  std::vector<formats::GemmWeights> weights_;  ///< By group.
};

/// Products of two maps as the array computes them: the stationary operand stands where weights do.
class MatmulEngine {
 public:
  MatmulEngine(const workloads::Layer& layer, const QuantizedLayer& quantized, const formats::TensorFormat& input,
               KernelCache& kernels);

  /// Words in the layer's `encoded` format, in the order of its map.
  std::vector<formats::Word> run(const WordMap& input, const WordMap& stationary,
                                 formats::AccumulateEvents& events) const;

 private:
  formats::GemmWeights load(const WordMap& stationary, int outer, int inner) const;

  const workloads::Layer& layer_;
  formats::GemmKernel kernel_;
  formats::PsumEncoder encoder_;
};

/// A layer's operands; null where it has none.
struct LayerInputs {
  const WordMap* input = nullptr;
  const WordMap* addend = nullptr;
  const WordMap* stationary = nullptr;
};

/// One layer of any kind.
class PreparedLayer {
 public:
  PreparedLayer(const workloads::LayerGraph& graph, const QuantizedModel& model, std::size_t index,
                KernelCache& kernels);

  WordMap run(const LayerInputs& inputs, formats::AccumulateEvents& events) const;

 private:
  void prepare_pool(const formats::Arithmetic& arithmetic);
  std::vector<formats::Word> compute(const LayerInputs& inputs, formats::AccumulateEvents& events) const;
  std::vector<formats::Word> pool(const WordMap& input, formats::AccumulateEvents& events) const;
  std::vector<formats::Word> copy(const LayerInputs& inputs) const;
  /// `function` of the words of every position.
  template <class Row>
  std::vector<formats::Word> map_rows(const Row& function, const WordMap& input,
                                      formats::AccumulateEvents& events) const;
  formats::Word max_pool(const WordMap& input, int oy, int ox, int channel) const;
  int divisor(int oy, int ox) const;
  formats::Word average_pool(const WordMap& input, int oy, int ox, int channel,
                             formats::AccumulateEvents& events) const;

  const workloads::Layer& layer_;
  const QuantizedLayer& quantized_;
  formats::TensorFormat input_format_, output_format_;
  std::optional<ConvEngine> conv_;
  std::optional<MatmulEngine> matmul_;
  std::optional<formats::SoftmaxRow> softmax_;
  std::optional<formats::LayerNormRow> layer_norm_;
  std::optional<ResidualTable> residual_;
  std::optional<formats::Accumulator> adder_;          ///< average_pool
  std::map<int, formats::PsumEncoder> pool_encoders_;  ///< average_pool: by number of positions averaged.
  std::vector<formats::Operand> input_operands_;       ///< average_pool
};

}  // namespace lpa::lpq
