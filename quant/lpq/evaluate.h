// Top-1 accuracy of a quantized network, and of the fp32 network it comes from.
#pragma once

#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/lpq/parallel.h"
#include "quant/lpq/quantized_model.h"
#include "workloads/dataset.h"
#include "workloads/layers.h"
#include "workloads/network.h"

namespace lpa::lpq {

struct Evaluation {
  int images = 0;
  int hits = 0;                      ///< Images whose predicted label is the true one.
  std::vector<int> predicted;        ///< By image.
  formats::AccumulateEvents events;  ///< Of all images together; none for fp32.

  double top1() const { return images == 0 ? 0.0 : static_cast<double>(hits) / images; }
};

/// Evaluates the first `images` images of the data set in the machine's arithmetic. The result does not depend on
/// `threads`. Throws workloads::InputError if the data set has fewer images or of another shape, formats::FormatError
/// on bad arithmetic, Cancelled if `cancel` is set.
Evaluation evaluate(const workloads::LayerGraph& graph, const QuantizedModel& model,
                    const formats::Arithmetic& arithmetic, const workloads::Dataset& dataset, int images, int threads,
                    const Progress& progress = {}, const CancelFlag* cancel = nullptr);

/// The same for the network in fp32.
Evaluation evaluate_fp32(const workloads::Network& network, const workloads::Dataset& dataset, int images, int threads,
                         const Progress& progress = {}, const CancelFlag* cancel = nullptr);

}  // namespace lpa::lpq
