#include "tests/workloads/naive_layers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace lpa::workloads::testing {
namespace {

struct Map {
  int h = 0, w = 0, c = 0;
  std::vector<float> data;  ///< (y, x, c)
  float& at(int y, int x, int channel) { return data.at(static_cast<std::size_t>((y * w + x) * c + channel)); }
  float at(int y, int x, int channel) const { return data.at(static_cast<std::size_t>((y * w + x) * c + channel)); }
};

Map from_tensor(const Tensor& t, int h, int w, int c) {
  Map map{h, w, c, std::vector<float>(t.data.size())};
  if (t.data.size() != static_cast<std::size_t>(h) * static_cast<std::size_t>(w) * static_cast<std::size_t>(c))
    throw std::logic_error("size of the input");
  std::size_t next = 0;
  if (t.shape.size() == 4) {
    for (int channel = 0; channel < c; ++channel)
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) map.at(y, x, channel) = t.data[next++];
  } else {
    map.data = t.data;
  }
  return map;
}

Tensor to_tensor(const Map& map) {
  Tensor t{{1, map.c, map.h, map.w}, {}};
  for (int channel = 0; channel < map.c; ++channel)
    for (int y = 0; y < map.h; ++y)
      for (int x = 0; x < map.w; ++x) t.data.push_back(map.at(y, x, channel));
  return t;
}

/// Calls visit(kernel y, kernel x, input y, input x) for the taps inside the map; the number of taps inside the padded
/// map.
template <class Visit>
int taps(const LayerGeometry& g, int y, int x, Visit visit) {
  int count = 0;
  for (int ky = 0; ky < g.kernel_h; ++ky)
    for (int kx = 0; kx < g.kernel_w; ++kx) {
      const int sy = y * g.stride_h + ky * g.dilation_h - g.pad_top,
                sx = x * g.stride_w + kx * g.dilation_w - g.pad_left;
      if (sy >= g.in_h + g.pad_bottom || sx >= g.in_w + g.pad_right)
        throw std::logic_error("window beyond the padding");
      ++count;
      if (sy >= 0 && sx >= 0 && sy < g.in_h && sx < g.in_w) visit(ky, kx, sy, sx);
    }
  return count;
}

float convolve(const Layer& layer, const Map& in, int y, int x, int o) {
  const LayerGeometry& g = layer.geometry;
  const int in_c = g.in_c / g.groups, first = o / (g.out_c / g.groups) * in_c;
  double sum = layer.bias.at(static_cast<std::size_t>(o));
  taps(g, y, x, [&](int ky, int kx, int sy, int sx) {
    const float* const weights =
        &layer.weights.at(static_cast<std::size_t>(((o * g.kernel_h + ky) * g.kernel_w + kx) * in_c));
    const float* const values = &in.data.at(static_cast<std::size_t>((sy * in.w + sx) * in.c + first));
    for (int i = 0; i < in_c; ++i) sum += double{values[i]} * weights[i];
  });
  return static_cast<float>(sum);
}

float pool(const Layer& layer, const Map& in, int y, int x, int c) {
  double sum = 0, largest = -std::numeric_limits<double>::infinity();
  int inside = 0;
  const int all = taps(layer.geometry, y, x, [&](int, int, int sy, int sx) {
    sum += in.at(sy, sx, c);
    largest = std::max<double>(largest, in.at(sy, sx, c));
    ++inside;
  });
  if (layer.kind == LayerKind::max_pool) return static_cast<float>(largest);
  return static_cast<float>(sum / (layer.count_include_pad ? all : inside));
}

/// Each element of the result must be written once.
void multiply(const MatrixProducts& p, const Map& in, const Map& stationary, Map& out) {
  std::vector<bool> written(out.data.size(), false);
  const auto at = [](std::int64_t place) { return static_cast<std::size_t>(place); };
  for (int i = 0; i < p.outer; ++i)
    for (int j = 0; j < p.inner; ++j)
      for (int row = 0; row < p.m; ++row)
        for (int column = 0; column < p.n; ++column) {
          double sum = 0;
          for (int k = 0; k < p.k; ++k)
            sum += double{in.data.at(at(p.input.at(i, j, row, k)))} *
                   stationary.data.at(at(p.stationary.at(i, j, k, column)));
          const std::size_t place = at(p.output.at(i, j, row, column));
          if (written.at(place)) throw std::logic_error("products write to one place");
          written[place] = true;
          out.data.at(place) = static_cast<float>(sum * p.scale);
        }
  if (std::ranges::find(written, false) != written.end()) throw std::logic_error("products leave a gap");
}

/// No two boxes may write to one place.
void copy(const Layer& layer, const Map& in, const Map* second, Map& out) {
  std::vector<bool> written(out.data.size(), false);
  for (const CopyBox& box : layer.boxes) {
    const Map& source = box.source == 0 ? in : *second;
    for (std::int64_t i = 0; i < box.count[0]; ++i)
      for (std::int64_t j = 0; j < box.count[1]; ++j)
        for (std::int64_t c = 0; c < box.count[2]; ++c) {
          const auto to = static_cast<std::size_t>(box.to + i * box.to_stride[0] + j * box.to_stride[1] + c);
          if (written.at(to)) throw std::logic_error("boxes write to one place");
          written[to] = true;
          out.data[to] =
              source.data.at(static_cast<std::size_t>(box.from + i * box.from_stride[0] + j * box.from_stride[1] + c));
        }
  }
}

void normalise(const Layer& layer, const float* row, float* result) {
  const auto count = static_cast<std::size_t>(layer.geometry.out_c);
  double mean = 0, variance = 0;
  for (std::size_t i = 0; i < count; ++i) mean += row[i] / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) variance += (row[i] - mean) * (row[i] - mean) / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i)
    result[i] = static_cast<float>((row[i] - mean) / std::sqrt(variance + layer.epsilon) * layer.weights.at(i) +
                                   layer.bias.at(i));
}

void softmax(const Layer& layer, const float* row, float* result) {
  const auto count = static_cast<std::size_t>(layer.geometry.out_c);
  const double largest = *std::max_element(row, row + count);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += std::exp(row[i] - largest);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<float>(std::exp(row[i] - largest) / sum);
}

/// The layer's result before a product's addition and before the activation.
Map compute(const Layer& layer, const Map& in, const Map* addend, const Map* stationary) {
  const LayerGeometry& g = layer.geometry;
  Map out{g.out_h, g.out_w, g.out_c, std::vector<float>(static_cast<std::size_t>(g.out_h * g.out_w * g.out_c))};
  if (layer.kind == LayerKind::matmul) {
    multiply(layer.products, in, *stationary, out);
  } else if (layer.kind == LayerKind::copy) {
    copy(layer, in, addend, out);
  } else if (layer.kind == LayerKind::add) {
    if (in.data.size() != out.data.size() || addend->data.size() != out.data.size())
      throw std::logic_error("operands of " + layer.name);
    std::ranges::transform(in.data, addend->data, out.data.begin(), std::plus<>());
  } else if (layer.kind == LayerKind::softmax || layer.kind == LayerKind::layer_norm) {
    if (in.data.size() != out.data.size() || in.c != out.c) throw std::logic_error("rows of " + layer.name);
    for (std::size_t row = 0; row < in.data.size(); row += static_cast<std::size_t>(g.out_c))
      (layer.kind == LayerKind::softmax ? softmax : normalise)(layer, &in.data[row], &out.data[row]);
  } else {
    for (int y = 0; y < g.out_h; ++y)
      for (int x = 0; x < g.out_w; ++x)
        for (int c = 0; c < g.out_c; ++c)
          out.at(y, x, c) = layer.kind == LayerKind::conv ? convolve(layer, in, y, x, c) : pool(layer, in, y, x, c);
  }
  return out;
}

}  // namespace

std::vector<Tensor> naive_layers(const LayerGraph& graph, const Tensor& input, std::vector<Tensor>* encoded) {
  const Map start = from_tensor(input, graph.in_h, graph.in_w, graph.in_c);
  std::vector<Map> maps, constants;
  for (const ConstantMap& map : graph.constants) constants.push_back({map.h, map.w, map.c, map.data});
  std::vector<Tensor> results;
  const auto operand = [&](int index) -> const Map* {
    if (index == network_input) return &start;
    if (index == no_operand) return nullptr;
    if (is_constant(index)) return &constants.at(constant_index(index));
    return &maps.at(static_cast<std::size_t>(index));  // Throws unless computed before.
  };
  for (const Layer& layer : graph.layers) {
    const LayerGeometry& g = layer.geometry;
    Map in = *operand(layer.input);
    if (in.data.size() != static_cast<std::size_t>(g.in_h * g.in_w * g.in_c))
      throw std::logic_error("input of " + layer.name);
    in.h = g.in_h, in.w = g.in_w, in.c = g.in_c;
    const Map* const addend = operand(layer.addend);
    Map out = compute(layer, in, addend, operand(layer.stationary));
    if (encoded) encoded->push_back(to_tensor(out));
    if (layer.uses_array() && addend) {
      if (addend->data.size() != out.data.size()) throw std::logic_error("addend of " + layer.name);
      std::ranges::transform(out.data, addend->data, out.data.begin(), std::plus<>());
    }
    for (float& x : out.data) x = static_cast<float>(layer.activation(double{x}));
    results.push_back(to_tensor(out));
    maps.push_back(std::move(out));
  }
  return results;
}

}  // namespace lpa::workloads::testing
