// A quantized network evaluated in plain software with the machine's arithmetic: the words the hardware must produce.
#pragma once

#include <memory>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/layers.h"
#include "workloads/tensor.h"

namespace lpa::lpq {

/// A feature map of words, HWC.
struct WordMap {
  int height = 0, width = 0, channels = 0;
  std::vector<formats::Word> words;
  friend bool operator==(const WordMap&, const WordMap&) = default;
};

/// The network's input (1 x C x H x W) as words of `format`, rounded nearest_linear (of other words
/// than LP by their own rule).
WordMap quantize_input(const workloads::Tensor& image, const formats::TensorFormat& format);

/// A map's values as fp32, 1 x C x H x W.
workloads::Tensor dequantize(const WordMap& map, const formats::TensorFormat& format);

/// Index of the largest value of the output words, the first one of equals: the class label. NaR is below every real.
int argmax(const WordMap& logits, const formats::TensorFormat& format);

class PreparedLayer;

/// Evaluates layers exactly as the hardware does; see hw_model/README.md for the rules. Events are those of the PEs'
/// accumulators and of the post-processing unit's adder together. Thread-compatible: concurrent calls of run() on one
/// object are safe.
class SoftwareMachine {
 public:
  /// Keeps references to `graph` and `model`, which must fit together as read_quantized_model() or quantize() leave
  /// them. Throws formats::FormatError on bad arithmetic or formats.
  SoftwareMachine(const workloads::LayerGraph& graph, const QuantizedModel& model,
                  const formats::Arithmetic& arithmetic);
  ~SoftwareMachine();

  /// The output words of every layer, in the graph's order. `input` must have the network input's shape.
  std::vector<WordMap> run(const WordMap& input, formats::AccumulateEvents* events = nullptr) const;

  /// The last layer's output only; intermediate maps are freed when no longer needed.
  WordMap run_to_end(const WordMap& input, formats::AccumulateEvents* events = nullptr) const;

 private:
  /// `maps` holds the results of the layers before this one.
  WordMap run_layer(std::size_t index, const WordMap& input, const std::vector<WordMap>& maps,
                    formats::AccumulateEvents* events) const;

  const workloads::LayerGraph& graph_;
  std::vector<WordMap> constants_;
  std::vector<std::unique_ptr<const PreparedLayer>> prepared_;
};

}  // namespace lpa::lpq
