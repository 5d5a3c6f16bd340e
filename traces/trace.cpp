#include "traces/trace.h"

#include <array>
#include <cmath>

namespace lpa::traces {
namespace {

using workloads::Layer;
using workloads::LayerKind;

std::int64_t ppu_work(const Layer& layer) {
  constexpr int passes = 3;  // Of softmax and layer normalisation.
  const workloads::LayerGeometry& g = layer.geometry;
  const std::int64_t elements = std::int64_t{g.out_h} * g.out_w * g.out_c;
  switch (layer.kind) {
    case LayerKind::max_pool:
    case LayerKind::average_pool:
      return elements * g.kernel_h * g.kernel_w;
    case LayerKind::softmax:
    case LayerKind::layer_norm:
      return elements * passes;
    default:
      return elements;
  }
}

}  // namespace

const formats::TensorFormat& Trace::operand_format(int operand) const {
  if (workloads::is_constant(operand)) return constants[workloads::constant_index(operand)].format;
  return operand == workloads::network_input ? input : layers[static_cast<std::size_t>(operand)].output;
}

std::string Trace::operand_name(int operand) const {
  if (operand == workloads::network_input) return "input";
  if (workloads::is_constant(operand)) return graph.constants[workloads::constant_index(operand)].name;
  return graph.layers[static_cast<std::size_t>(operand)].name;
}

const char* kind_name(LayerKind kind) {
  static constexpr std::array names{"conv",   "add",     "max_pool",   "average_pool",
                                    "matmul", "softmax", "layer_norm", "copy"};
  return names.at(static_cast<std::size_t>(kind));
}

const char* activation_name(workloads::Activation::Kind kind) {
  static constexpr std::array names{"none", "relu", "clip", "gelu"};
  return names.at(static_cast<std::size_t>(kind));
}

const char* role_name(ConstantRole role) {
  static constexpr std::array names{"own", "layer", "rectified_layer"};
  return names.at(static_cast<std::size_t>(role));
}

int product_scale_q8(const workloads::MatrixProducts& products) {
  return static_cast<int>(std::lround(std::log2(products.scale) * 256));
}

LayerWork work_of(const Layer& layer) {
  LayerWork work;
  work.ppu = ppu_work(layer);
  if (!layer.uses_array()) return work;
  work.count = layer.product_count();
  work.m = layer.m();
  work.n = layer.n();
  work.k = layer.k();
  work.macs = layer.macs();
  if (layer.kind == LayerKind::conv) work.weights = work.count * work.n * work.k;
  return work;
}

LayerWork total_work(const Trace& trace) {
  LayerWork total;
  for (const Layer& layer : trace.graph.layers) {
    const LayerWork work = work_of(layer);
    total.macs += work.macs;
    total.weights += work.weights;
    total.ppu += work.ppu;
  }
  return total;
}

}  // namespace lpa::traces
