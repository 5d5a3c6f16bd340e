// The machine's rules once more, as plainly as they can be written: the oracle of the software machine's tests.
#pragma once

#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::lpq::testing {

/// All layers' output words, in the graph's order.
std::vector<WordMap> run_naively(const workloads::LayerGraph& graph, const QuantizedModel& model,
                                 const formats::Arithmetic& arithmetic, const WordMap& input,
                                 formats::AccumulateEvents& events);

}  // namespace lpa::lpq::testing
