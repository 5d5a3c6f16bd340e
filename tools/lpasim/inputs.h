// The inputs that sub-commands share: network, data set, quantized network.
#pragma once

#include "quant/lpq/quantized_model.h"
#include "tools/lpasim/options.h"
#include "workloads/dataset.h"
#include "workloads/layers.h"
#include "workloads/network.h"

namespace lpa::cli {

/// --network, --dataset and --images of several sub-commands.
Option network_option();
Option dataset_option();
Option quantized_option();
Option threads_option();

struct Inputs {
  workloads::Network network;
  workloads::LayerGraph graph;
  workloads::Dataset dataset;  ///< As many images as asked for, of the network's input shape.
};

/// Reads --network and --dataset. `images` = 0 takes all. Throws workloads::InputError.
Inputs read_inputs(const Arguments& options, int images);

/// Reads --quantized. Throws workloads::InputError.
lpq::QuantizedModel read_quantized(const Arguments& options, const workloads::LayerGraph& graph);

/// --threads, or as many as the computer has.
int thread_count(const Arguments& options);

/// Thrown where work ended early because of a signal: one line and the signal's exit code.
[[noreturn]] void fail_interrupted();

}  // namespace lpa::cli
