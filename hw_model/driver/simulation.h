// Runs a quantized network on the simulated machine: the one entry point that the command line needs.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "hw_model/cost/cost_model.h"
#include "hw_model/counters.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/model_kind.h"
#include "hw_model/driver/program.h"
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
  std::uint64_t groups = 1;  ///< Groups of a convolution, products of a matmul: MACs = m * n * k * groups.
  std::string weight_format, activation_format, output_format;  ///< Empty where the layer has none.
  int weight_bits = 0, activation_bits = 0;                     ///< 0 where the layer does not use the array.
  hw::Counters counters;                                        ///< Summed over the images.

  /// What the layer made the machine do. `values`: its words were computed.
  cost::Activity activity(bool values) const {
    return {counters, weight_bits, activation_bits, m * n * groups, !values};
  }
};

/// What one image gave.
struct ImageResult {
  int label = -1;                    ///< Argmax of the network's output words.
  lpq::WordMap output;               ///< The network's output words.
  std::vector<lpq::WordMap> maps;    ///< Per layer, if RunOptions::keep_maps.
  std::vector<hw::Counters> layers;  ///< Per layer.
};

/// Sums are over the finished images.
struct RunResult {
  std::vector<LayerResult> layers;
  hw::Counters total;
  std::size_t images = 0;                       ///< Finished.
  std::vector<int> labels;                      ///< Per image: see ImageResult; -1 if it was not finished.
  std::vector<lpq::WordMap> outputs;            ///< Per image; empty if it was not finished.
  std::vector<std::vector<lpq::WordMap>> maps;  ///< Per image and layer, if RunOptions::keep_maps.
  bool cancelled = false;                       ///< The run was interrupted.

  RunResult() = default;
  /// Of a network's layers and `count` images, none of them finished.
  RunResult(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model, std::size_t count);
  /// Image `image` of that network is finished.
  void add(const workloads::LayerGraph& graph, std::size_t image, ImageResult result);
};

struct RunOptions {
  bool keep_maps = false;                              ///< Read back every layer's output words.
  std::function<void(int image, int layer)> progress;  ///< Called before each layer; may be empty.
  /// Called when an image is finished, before the next one begins; may be empty. Only it gets the maps then: the run's
  /// result keeps none.
  std::function<void(std::size_t image, const ImageResult& result)> finished;
  const std::atomic<bool>* cancel = nullptr;  ///< Checked between layers.
  ModelKind model = ModelKind::fast;
  bool values = true;                ///< Off (fast only): cycles, traffic and counters; all words are zeros.
  hw::Timeline* timeline = nullptr;  ///< Receives what the machine does.
  hw::WaveformWindow waveform;       ///< Pin-level only: traced if it names a file.

  /// What a program needs for such a run.
  ProgramData program_data() const {
    return values || model == ModelKind::pin ? ProgramData::packed : ProgramData::left_out;
  }
};

/// Builds the machine and its host, runs all inputs through all layers and returns what the host learned
/// through TLM transactions. Once per process (SystemC elaborates once); call it from sc_main. Throws MachineError,
/// hw::ConfigError.
RunResult run_network(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options = {});

/// The same with the program that compile() made of the network for this machine.
RunResult run_program(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const Program& program, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options = {});

}  // namespace lpa::driver
