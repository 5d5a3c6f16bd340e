#include <cstdio>

#include <systemc>

#include "hw_model/driver/simulation.h"

// One 1x1 convolution of one pixel: 1.0 * 1.0 = 1.0.
int sc_main(int, char**) {
  namespace workloads = lpa::workloads;
  namespace lpq = lpa::lpq;
  workloads::Layer layer;
  layer.name = "one";
  layer.op = "Conv";
  layer.weights = {1.0F};
  layer.bias = {0.0F};
  const workloads::LayerGraph graph{.network = "one.onnx", .layers = {layer}};

  lpq::QuantizedModel model;
  const auto one = lpa::formats::encode(model.input.lp(), 1.0, lpa::formats::Rounding::nearest_linear);
  lpq::QuantizedLayer quantized;
  quantized.name = layer.name;
  quantized.weights = {one};
  quantized.bias = {{}};
  model.layers = {quantized};

  const lpq::WordMap input{.height = 1, .width = 1, .channels = 1, .words = {one}};
  const auto result = lpa::driver::run_network({}, graph, model, {input});
  std::printf("%llu cycles\n", static_cast<unsigned long long>(result.total.cycles));
  return result.outputs.at(0).words.at(0) == one && result.total.macs == 1 ? 0 : 1;
}

int main(int argc, char** argv) {
  return sc_core::sc_elab_and_sim(argc, argv);
}
