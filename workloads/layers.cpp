#include "workloads/layers.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "workloads/lowering/lowering.h"

namespace lpa::workloads {

double Activation::operator()(double x) const {
  switch (kind) {
    case Kind::relu:
      return std::max(x, 0.0);
    case Kind::clip:
      return std::clamp(x, low, high);
    case Kind::gelu:
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    case Kind::none:
      break;
  }
  return x;
}

std::int64_t Layer::m() const {
  return kind == LayerKind::matmul ? products.m : std::int64_t{geometry.out_h} * geometry.out_w;
}

std::int64_t Layer::n() const {
  if (kind == LayerKind::matmul) return products.n;
  return kind == LayerKind::conv ? geometry.out_c / geometry.groups : 0;
}

std::int64_t Layer::k() const {
  if (kind == LayerKind::matmul) return products.k;
  if (kind != LayerKind::conv) return 0;
  return std::int64_t{geometry.kernel_h} * geometry.kernel_w * (geometry.in_c / geometry.groups);
}

std::int64_t Layer::product_count() const {
  return kind == LayerKind::matmul ? std::int64_t{products.outer} * products.inner : geometry.groups;
}

bool LayerGraph::needs_bytes(int operand) const {
  return std::ranges::any_of(layers, [operand](const Layer& layer) {
    if (layer.kind == LayerKind::matmul)
      return layer.input == operand || layer.stationary == operand || layer.addend == operand;
    return layer.kind == LayerKind::copy && (layer.input == operand || layer.addend == operand);
  });
}

LayerGraph lower(Network network) {
  return lowering::Lowering(std::move(network)).run();
}

}  // namespace lpa::workloads
