#include "tests/quant/lpq/random_model.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "quant/lpq/quantize.h"

namespace lpa::lpq::testing {
namespace {

using formats::LpFormat;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;

class Builder {
 public:
  explicit Builder(std::uint64_t seed) : random_(seed) {
    result_.graph.network = "random.onnx";
    result_.graph.in_h = between(5, 11);
    result_.graph.in_w = between(5, 11);
    result_.graph.in_c = 2 * between(1, 3);
    formats_.input = random_format(random_, 0);
  }

  RandomModel build(bool nar_input) {
    const int layers = between(5, 8);
    for (int i = 0; i < layers; ++i) add_layer(i);
    result_.model = quantize(result_.graph, formats_);
    auto& words = result_.input.words;
    result_.input.height = result_.graph.in_h;
    result_.input.width = result_.graph.in_w;
    result_.input.channels = result_.graph.in_c;
    const LpFormat& format = formats_.input;
    const int count = result_.graph.in_h * result_.graph.in_w * result_.graph.in_c;
    for (int i = 0; i < count; ++i) {
      const auto word = static_cast<formats::Word>(between(0, format.word_count() - 1));
      words.push_back(word == format.nar_word() ? format.zero_word() : word);
    }
    if (nar_input) words[static_cast<std::size_t>(between(0, count - 1))] = format.nar_word();
    return std::move(result_);
  }

 private:
  int between(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance() { return between(0, 1) == 1; }

  void set_input(Layer& layer) {
    layer.input = static_cast<int>(result_.graph.layers.size()) - 1;
    LayerGeometry& g = layer.geometry;
    if (layer.input == workloads::network_input) {
      g.in_h = result_.graph.in_h, g.in_w = result_.graph.in_w, g.in_c = result_.graph.in_c;
    } else {
      const LayerGeometry& from = result_.graph.layers.back().geometry;
      g.in_h = from.out_h, g.in_w = from.out_w, g.in_c = from.out_c;
    }
  }

  static int output_size(int in, int pads, int kernel, int stride, int dilation) {
    return (in + pads - (dilation * (kernel - 1) + 1)) / stride + 1;
  }

  /// A window that fits; every output position sees at least one input.
  void choose_window(LayerGeometry& g) {
    do {
      g.kernel_h = between(1, 3), g.kernel_w = between(1, 3);
      g.dilation_h = between(1, 2), g.dilation_w = between(1, 2);
      g.stride_h = between(1, 2), g.stride_w = between(1, 2);
      g.pad_top = between(0, g.kernel_h - 1), g.pad_bottom = between(0, g.kernel_h - 1);
      g.pad_left = between(0, g.kernel_w - 1), g.pad_right = between(0, g.kernel_w - 1);
      g.out_h = output_size(g.in_h, g.pad_top + g.pad_bottom, g.kernel_h, g.stride_h, g.dilation_h);
      g.out_w = output_size(g.in_w, g.pad_left + g.pad_right, g.kernel_w, g.stride_w, g.dilation_w);
    } while (g.in_h + g.pad_top + g.pad_bottom <= g.dilation_h * (g.kernel_h - 1) ||
             g.in_w + g.pad_left + g.pad_right <= g.dilation_w * (g.kernel_w - 1) || g.out_h < 1 || g.out_w < 1 ||
             (g.dilation_h * (g.kernel_h - 1) >= g.in_h) || (g.dilation_w * (g.kernel_w - 1) >= g.in_w));
  }

  void same_size(LayerGeometry& g) {
    g.kernel_h = g.kernel_w = 3;
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = 1;
    g.out_h = g.in_h, g.out_w = g.in_w, g.out_c = g.in_c;
  }

  void add_layer(int index) {
    Layer layer;
    layer.name = "layer" + std::to_string(index);
    set_input(layer);
    LayerGeometry& g = layer.geometry;
    if (chance()) layer.activation.kind = workloads::Activation::Kind::relu;
    switch (between(0, 5)) {
      case 0:
        layer.kind = LayerKind::max_pool;
        layer.op = "MaxPool";
        layer.activation = {};
        choose_window(g);
        g.out_c = g.in_c;
        break;
      case 1:
        layer.kind = LayerKind::average_pool;
        layer.op = "AveragePool";
        layer.count_include_pad = chance();
        choose_window(g);
        g.out_c = g.in_c;
        break;
      case 2:
        layer.kind = LayerKind::add;
        layer.op = "Add";
        layer.addend = layer.input;
        g.out_h = g.in_h, g.out_w = g.in_w, g.out_c = g.in_c;
        break;
      case 3:
        layer.addend = layer.input;
        same_size(g);
        make_conv(layer);
        break;
      default:
        g.groups = g.in_c % 2 == 0 && chance() ? (chance() ? 2 : g.in_c) : 1;
        g.out_c = g.groups * between(1, g.groups > 2 ? 2 : 4);
        choose_window(g);
        make_conv(layer);
        break;
    }
    result_.graph.layers.push_back(layer);
    formats_.layers.push_back(
        {.weight = weight_format_, .encoded = random_format(random_, -1), .output = random_format(random_, -1)});
  }

  void make_conv(Layer& layer) {
    layer.kind = LayerKind::conv;
    layer.op = "Conv";
    weight_format_ = random_format(random_, 1);
    std::normal_distribution<double> normal(0, std::exp2(-weight_format_.sf()));
    const auto count = layer.geometry.out_c * layer.k();
    for (std::int64_t i = 0; i < count; ++i) layer.weights.push_back(static_cast<float>(normal(random_)));
    for (int i = 0; i < layer.geometry.out_c; ++i) {
      layer.bias.push_back(between(0, 4) == 0 ? 0.0F : static_cast<float>(normal(random_)));
    }
  }

  std::mt19937_64 random_;
  RandomModel result_;
  NetworkFormats formats_;
  LpFormat weight_format_;
};

}  // namespace

LpFormat random_format(std::mt19937_64& random, double sf) {
  const int n = 2 << std::uniform_int_distribution<int>(0, 2)(random);
  const auto all = formats::all_lp_formats(n);
  LpFormat format = all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random)];
  format.sf_q8 = static_cast<int>(sf * 256) + std::uniform_int_distribution<int>(-256, 256)(random);
  return format;
}

RandomModel make_random_model(std::uint64_t seed, bool nar_input) {
  return Builder(seed).build(nar_input);
}

}  // namespace lpa::lpq::testing
