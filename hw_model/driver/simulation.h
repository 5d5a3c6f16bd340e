// Runs a quantized network on the simulated machine: the one entry point that the command line needs.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "hw_model/counters.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/model_kind.h"
#include "hw_model/machine_config.h"
#include "hw_model/timeline.h"
#include "hw_model/waveform_window.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/software_machine.h"
#include "workloads/layers.h"

namespace lpa::driver {

struct LayerResult {
  std::string name, op;
  std::uint64_t m = 0, n = 0,
                k = 0;       ///< GEMM of all images: m = images * out_h * out_w; 0, 0, 0 for a layer without array.
  std::uint64_t groups = 1;  ///< MACs = m * n * k * groups.
  std::string weight_format, activation_format, output_format;  ///< Empty where the layer has none.
  int weight_bits = 0;
  hw::Counters counters;  ///< Summed over the images.
};

struct RunResult {
  std::vector<LayerResult> layers;
  hw::Counters total;
  std::vector<int> labels;                      ///< Per image: argmax of the network's output words.
  std::vector<lpq::WordMap> outputs;            ///< Per image: the network's output words.
  std::vector<std::vector<lpq::WordMap>> maps;  ///< Per image and layer, if RunOptions::keep_maps.
  bool cancelled = false;                       ///< The run was interrupted; labels holds the finished images.
};

struct RunOptions {
  bool keep_maps = false;                              ///< Read back every layer's output words.
  std::function<void(int image, int layer)> progress;  ///< Called before each layer; may be empty.
  const std::atomic<bool>* cancel = nullptr;           ///< Checked between layers.
  ModelKind model = ModelKind::fast;
  bool values = true;                ///< Off (fast only): cycles, traffic and counters; all words are zeros.
  hw::Timeline* timeline = nullptr;  ///< Receives what the machine does.
  hw::WaveformWindow waveform;       ///< Pin-level only: traced if it names a file.
};

/// Builds the machine and its host, runs all inputs through all layers and returns what the host learned
/// through TLM transactions. Once per process (SystemC elaborates once); call it from sc_main. Throws MachineError,
/// hw::ConfigError.
RunResult run_network(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options = {});

}  // namespace lpa::driver
