// The products of a network's layers in fp32 by oneDNN, as a measure of this processor.
#pragma once

#include "workloads/layers.h"

namespace lpa::test {

/// Seconds that all of them take on one thread, operands in plain row-major order.
double reference_gemms_seconds(const workloads::LayerGraph& graph);

}  // namespace lpa::test
