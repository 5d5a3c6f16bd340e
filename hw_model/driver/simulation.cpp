#include "hw_model/driver/simulation.h"

#include <memory>

#include <fmt/format.h>

#include "hw_model/driver/host.h"
#include "hw_model/driver/program.h"
#include "hw_model/driver/system.h"
#include "hw_model/waveform.h"

namespace lpa::driver {
namespace {

using lpq::QuantizedLayer;
using workloads::Layer;
using workloads::LayerKind;

LayerResult describe(const Layer& layer, const QuantizedLayer& quantized, const formats::LpFormat& input,
                     std::size_t images) {
  LayerResult result;
  result.name = layer.name;
  result.op = layer.op;
  result.groups = static_cast<std::uint64_t>(layer.geometry.groups);
  result.activation_format = formats::to_string(input);
  result.output_format = formats::to_string(quantized.output);
  if (layer.kind != LayerKind::conv) return result;
  result.m = static_cast<std::uint64_t>(layer.m()) * images;
  result.n = static_cast<std::uint64_t>(layer.n());
  result.k = static_cast<std::uint64_t>(layer.k());
  result.weight_format = formats::to_string(quantized.weight);
  result.weight_bits = quantized.weight.n;
  return result;
}

/// The software of the host: one image after the other, layer by layer.
class Session {
 public:
  Session(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model, const Program& program,
          const std::vector<lpq::WordMap>& inputs, const RunOptions& options)
      : graph_(graph), model_(model), program_(program), inputs_(inputs), options_(options) {
    for (std::size_t i = 0; i < graph.layers.size(); ++i) {
      result_.layers.push_back(
          describe(graph.layers[i], model.layers[i], model.operand_format(graph.layers[i].input), inputs.size()));
    }
  }

  void operator()(Host& host) {
    for (const MemoryBlock& block : program_.weights) host.write_memory(block.address, block.bytes);
    for (std::size_t image = 0; image < inputs_.size() && !result_.cancelled; ++image) run_image(host, image);
  }

  RunResult take_result() {
    for (const LayerResult& layer : result_.layers) result_.total += layer.counters;
    return std::move(result_);
  }

 private:
  void run_image(Host& host, std::size_t image) {
    host.write_memory(program_.input.address, pack_map(inputs_[image], program_.input));
    std::vector<lpq::WordMap> maps;
    for (std::size_t i = 0; i < graph_.layers.size(); ++i) {
      if (options_.cancel != nullptr && options_.cancel->load()) {
        result_.cancelled = true;
        return;
      }
      if (options_.progress) options_.progress(static_cast<int>(image), static_cast<int>(i));
      run_layer(host, i);
      if (options_.keep_maps) maps.push_back(read_map(host, program_.outputs[i]));
    }
    lpq::WordMap output = read_map(host, program_.outputs.back());
    result_.labels.push_back(lpq::argmax(output, model_.layers.back().output));
    result_.outputs.push_back(std::move(output));
    if (options_.keep_maps) result_.maps.push_back(std::move(maps));
  }

  void run_layer(Host& host, std::size_t i) {
    try {
      result_.layers[i].counters += host.run(program_.descriptor_address, program_.descriptors[i]);
    } catch (const MachineError& error) {
      throw MachineError(fmt::format("layer '{}': {}", graph_.layers[i].name, error.what()));
    }
  }

  static lpq::WordMap read_map(Host& host, const MapPlace& place) {
    return unpack_map(host.read_memory(place.address, static_cast<std::size_t>(place.bytes())), place);
  }

  const workloads::LayerGraph& graph_;
  const lpq::QuantizedModel& model_;
  const Program& program_;
  const std::vector<lpq::WordMap>& inputs_;
  const RunOptions& options_;
  RunResult result_;
};

}  // namespace

RunResult run_network(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options) {
  config.validate();
  const Program program = compile(config, graph, model);
  Session session(graph, model, program, inputs, options);

  System system(config, options.model, [&session](Host& self) { session(self); });
  system.set_values(options.values);
  system.set_timeline(options.timeline);
  std::unique_ptr<hw::Waveform> waveform;
  if (!options.waveform.file.empty() && system.pin_level() != nullptr) {
    waveform = std::make_unique<hw::Waveform>("waveform", *system.pin_level(), options.waveform);
  }
  system.run();
  return session.take_result();
}

}  // namespace lpa::driver
