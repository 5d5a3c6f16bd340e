#include "tests/workloads/naive_layers.h"

#include <algorithm>
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
    for (int i = 0; i < in_c; ++i)
      sum += double{in.at(sy, sx, first + i)} *
             layer.weights.at(static_cast<std::size_t>(((o * g.kernel_h + ky) * g.kernel_w + kx) * in_c + i));
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

}  // namespace

std::vector<Tensor> naive_layers(const LayerGraph& graph, const Tensor& input, std::vector<Tensor>* encoded) {
  const Map start = from_tensor(input, graph.in_h, graph.in_w, graph.in_c);
  std::vector<Map> maps;
  std::vector<Tensor> results;
  const auto operand = [&](int index) -> const Map& {
    return index == network_input ? start : maps.at(static_cast<std::size_t>(index));  // Throws unless computed before.
  };
  for (const Layer& layer : graph.layers) {
    const LayerGeometry& g = layer.geometry;
    const Map& in = operand(layer.input);
    if (in.h != g.in_h || in.w != g.in_w || in.c != g.in_c) throw std::logic_error("input of " + layer.name);
    Map out{g.out_h, g.out_w, g.out_c, std::vector<float>(static_cast<std::size_t>(g.out_h * g.out_w * g.out_c))};
    for (int y = 0; y < g.out_h; ++y)
      for (int x = 0; x < g.out_w; ++x)
        for (int c = 0; c < g.out_c; ++c) {
          float& result = out.at(y, x, c);
          if (layer.kind == LayerKind::conv)
            result = convolve(layer, in, y, x, c);
          else if (layer.kind == LayerKind::add)
            result = in.at(y, x, c) + operand(layer.addend).at(y, x, c);
          else
            result = pool(layer, in, y, x, c);
        }
    if (encoded) encoded->push_back(to_tensor(out));
    for (int y = 0; y < g.out_h; ++y)
      for (int x = 0; x < g.out_w; ++x)
        for (int c = 0; c < g.out_c; ++c) {
          float& result = out.at(y, x, c);
          if (layer.kind == LayerKind::conv && layer.addend != no_operand) result += operand(layer.addend).at(y, x, c);
          if (layer.activation.kind == Activation::Kind::relu) result = std::max(result, 0.0f);
        }
    results.push_back(to_tensor(out));
    maps.push_back(std::move(out));
  }
  return results;
}

}  // namespace lpa::workloads::testing
