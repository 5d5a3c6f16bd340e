#include "hw_model/driver/simulation.h"

#include <memory>

#include <fmt/format.h>

#include "hw_model/driver/host.h"
#include "hw_model/driver/system.h"
#include "hw_model/waveform.h"

namespace lpa::driver {
namespace {

using lpq::QuantizedLayer;
using workloads::Layer;

LayerResult describe(const Layer& layer, const QuantizedLayer& quantized, const formats::TensorFormat& input) {
  LayerResult result;
  result.name = layer.name;
  result.op = layer.op;
  result.groups = static_cast<std::uint64_t>(layer.product_count());
  result.activation_format = formats::to_string(input);
  result.output_format = formats::to_string(quantized.output);
  if (!layer.uses_array()) return result;
  result.n = static_cast<std::uint64_t>(layer.n());
  result.k = static_cast<std::uint64_t>(layer.k());
  result.weight_format = formats::to_string(quantized.weight);
  result.weight_bits = quantized.weight.n;
  result.activation_bits = input.n;
  return result;
}

/// The software of the host: one image after the other, layer by layer.
class Session {
 public:
  Session(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model, const Program& program,
          const std::vector<lpq::WordMap>& inputs, const RunOptions& options)
      : graph_(graph),
        model_(model),
        program_(program),
        inputs_(inputs),
        options_(options),
        result_(graph, model, inputs.size()) {}

  void operator()(Host& host) {
    for (const MemoryBlock& block : program_.weights) host.write_memory(block.address, block.bytes);
    for (std::size_t image = 0; image < inputs_.size() && !result_.cancelled; ++image) run_image(host, image);
  }

  RunResult take_result() { return std::move(result_); }

 private:
  void run_image(Host& host, std::size_t image) {
    host.write_memory(program_.input.address, pack_map(inputs_[image], program_.input));
    ImageResult result;
    for (std::size_t i = 0; i < graph_.layers.size(); ++i) {
      if (options_.cancel != nullptr && options_.cancel->load()) {
        result_.cancelled = true;
        return;
      }
      if (options_.progress) options_.progress(static_cast<int>(image), static_cast<int>(i));
      result.layers.push_back(run_layer(host, i));
      if (options_.keep_maps) result.maps.push_back(read_map(host, program_.outputs[i]));
    }
    result.output = read_map(host, program_.outputs.back());
    result.label = lpq::argmax(result.output, model_.layers.back().output);
    if (options_.finished) {
      options_.finished(image, result);
      result.maps.clear();
    }
    result_.add(graph_, image, std::move(result));
  }

  hw::Counters run_layer(Host& host, std::size_t i) {
    try {
      return host.run(program_.descriptor_address, program_.descriptors[i]);
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

RunResult::RunResult(const workloads::LayerGraph& graph, const lpq::QuantizedModel& model, std::size_t count)
    : labels(count, -1), outputs(count) {
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    layers.push_back(describe(layer, model.layers[i], model.operand_format(layer.input)));
  }
}

void RunResult::add(const workloads::LayerGraph& graph, std::size_t image, ImageResult result) {
  ++images;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (graph.layers[i].uses_array()) layers[i].m += static_cast<std::uint64_t>(graph.layers[i].m());
    layers[i].counters += result.layers[i];
    total += result.layers[i];
  }
  labels[image] = result.label;
  outputs[image] = std::move(result.output);
  if (result.maps.empty()) return;
  maps.resize(labels.size());
  maps[image] = std::move(result.maps);
}

RunResult run_network(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options) {
  config.validate();
  return run_program(config, graph, model, compile(config, graph, model, options.program_data()), inputs, options);
}

RunResult run_program(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                      const lpq::QuantizedModel& model, const Program& program, const std::vector<lpq::WordMap>& inputs,
                      const RunOptions& options) {
  config.validate();
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
