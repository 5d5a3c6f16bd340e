#include "quant/lpq/calibration.h"

#include <algorithm>
#include <cmath>

#include "quant/lpq/quantize.h"

namespace lpa::lpq {
namespace {

using workloads::Layer;
using workloads::Node;

constexpr std::size_t samples_per_tensor = 200000;

/// SplitMix64 (Steele, Lea, Flood 2014): a good hash of a counter, the same on every platform.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double largest_row(std::span<const float> data, std::size_t width) {
  double largest = 0;
  for (std::size_t first = 0; first < data.size(); first += width) {
    double sum = 0;
    for (const double x : data.subspan(first, width)) sum += x * x;
    largest = std::max(largest, sum);
  }
  return std::sqrt(largest);
}

double largest_column(std::span<const float> data, std::size_t height, std::size_t width) {
  double largest = 0;
  std::vector<double> sums(width);
  for (std::size_t first = 0; first < data.size(); first += height * width) {
    std::ranges::fill(sums, 0.0);
    for (std::size_t i = 0; i < height * width; ++i) {
      const double x = data[first + i];
      sums[i % width] += x * x;
    }
    largest = std::max(largest, *std::ranges::max_element(sums));
  }
  return std::sqrt(largest);
}

}  // namespace

Calibration::Calibration(const workloads::Network& network, const workloads::LayerGraph& graph, std::size_t images,
                         std::uint64_t seed)
    : network_(network),
      images_(images),
      seed_(seed),
      samples_(network.values.size()),
      norms_(network.values.size()),
      products_(graph.layers.size()) {
  want_samples(network.input);
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const Layer& layer = graph.layers[i];
    if (!keeps_format(layer)) want_samples(layer.value);
    if (layer.reencodes()) want_samples(layer.encoded_value);
    if (layer.kind != workloads::LayerKind::matmul) continue;
    products_[i] = find_product(layer);
    if (products_[i].left < 0) continue;
    want_norms(products_[i].left, true);
    want_norms(products_[i].right, false);
  }
}

void Calibration::want_samples(int value) {
  Samples& samples = samples_[static_cast<std::size_t>(value)];
  samples.size =
      static_cast<std::size_t>(workloads::element_count(network_.values[static_cast<std::size_t>(value)].shape));
  samples.per_image = std::min(samples.size, (samples_per_tensor + images_ - 1) / images_);
  samples.drawn.resize(samples.per_image * images_);
}

void Calibration::want_norms(int value, bool rows) {
  const workloads::Shape& shape = network_.values[static_cast<std::size_t>(value)].shape;
  Norms norms;
  norms.rows = rows;
  norms.height = shape.size() < 2 ? 1 : static_cast<std::size_t>(shape[shape.size() - 2]);
  norms.width = static_cast<std::size_t>(shape.back());
  norms.largest.resize(images_);
  norms_[static_cast<std::size_t>(value)].push_back(std::move(norms));
}

/// The node is found from what the encoder emits, past whatever only scales or moves the product.
Calibration::Product Calibration::find_product(const Layer& layer) const {
  double factor = 1;
  int value = layer.encoded_value;
  while (true) {
    const auto node = std::ranges::find(network_.nodes, value, &Node::output);
    if (node == network_.nodes.end()) return {};
    if (std::holds_alternative<workloads::MatMul>(node->attributes)) {
      return {node->inputs[0], node->inputs[1], factor / layer.products.scale};
    }
    if (const auto* scale = std::get_if<workloads::Scale>(&node->attributes)) {
      factor *= std::abs(scale->factor);
    } else if (!std::holds_alternative<workloads::Reshape>(node->attributes) &&
               !(std::holds_alternative<workloads::Move>(node->attributes) && node->inputs.size() == 1)) {
      return {};
    }
    value = node->inputs[0];
  }
}

void Calibration::see(std::size_t image, int value, std::span<const float> data) {
  for (Norms& norms : norms_[static_cast<std::size_t>(value)]) {
    norms.largest[image] =
        norms.rows ? largest_row(data, norms.width) : largest_column(data, norms.height, norms.width);
  }
  Samples& samples = samples_[static_cast<std::size_t>(value)];
  if (samples.per_image == 0) return;
  float* sample = samples.drawn.data() + image * samples.per_image;
  if (samples.per_image == samples.size) {
    std::ranges::copy(data, sample);
    return;
  }
  std::uint64_t state = mix(seed_ ^ mix(static_cast<std::uint64_t>(value)) ^ mix(image));
  for (std::size_t i = 0; i < samples.per_image; ++i) {
    // One from each of per_image equal parts.
    const std::size_t begin = i * samples.size / samples.per_image, end = (i + 1) * samples.size / samples.per_image;
    state = mix(state);
    sample[i] = data[begin + state % (end - begin)];
  }
}

double Calibration::largest_norm(int value, bool rows) const {
  for (const Norms& norms : norms_[static_cast<std::size_t>(value)]) {
    if (norms.rows == rows) return *std::ranges::max_element(norms.largest);
  }
  return 0;
}

double Calibration::largest_sum(std::size_t layer) const {
  const Product& product = products_[layer];
  if (product.left < 0) return 0;
  return largest_norm(product.left, true) * largest_norm(product.right, false) * product.factor;
}

}  // namespace lpa::lpq
