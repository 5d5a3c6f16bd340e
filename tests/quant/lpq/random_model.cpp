#include "tests/quant/lpq/random_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "quant/lpq/quantize.h"

namespace lpa::lpq::testing {
namespace {

using formats::LpFormat;
using formats::TensorFormat;
using workloads::Layer;
using workloads::LayerGeometry;
using workloads::LayerKind;
using Kind = workloads::Activation::Kind;

class Builder {
 public:
  Builder(std::uint64_t seed, formats::NumberSystem numbers) : random_(seed), numbers_(numbers) {
    result_.graph.network = "random.onnx";
    result_.graph.in_h = between(5, 11);
    result_.graph.in_w = between(5, 11);
    result_.graph.in_c = 2 * between(1, 3);
  }

  RandomModel build(bool nar_input) {
    const int layers = between(5, 8);
    for (int i = 0; i < layers; ++i) add_layer();
    choose_formats();
    result_.model = quantize(result_.graph, formats_);
    auto& words = result_.input.words;
    result_.input.height = result_.graph.in_h;
    result_.input.width = result_.graph.in_w;
    result_.input.channels = result_.graph.in_c;
    const TensorFormat& format = formats_.input;
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

  std::vector<Layer>& layers() { return result_.graph.layers; }

  /// A layer that follows the last one.
  Layer next(LayerKind kind, const char* op) {
    Layer layer;
    layer.name = "layer" + std::to_string(layers().size());
    layer.op = op;
    layer.kind = kind;
    layer.input = static_cast<int>(layers().size()) - 1;
    LayerGeometry& g = layer.geometry;
    if (layer.input == workloads::network_input) {
      g.in_h = result_.graph.in_h, g.in_w = result_.graph.in_w, g.in_c = result_.graph.in_c;
    } else {
      const LayerGeometry& from = layers().back().geometry;
      g.in_h = from.out_h, g.in_w = from.out_w, g.in_c = from.out_c;
    }
    g.out_h = g.in_h, g.out_w = g.in_w, g.out_c = g.in_c;
    return layer;
  }

  void add(const Layer& layer) {
    layers().push_back(layer);
    formats_.layers.push_back({.weight = weight_format_, .encoded = {}, .output = {}});
    if (layer.kind != LayerKind::conv || chance()) return;
    for (int i = 0; i < layer.geometry.out_c; ++i) {
      formats_.layers.back().channel_sf_q8.push_back(static_cast<std::int16_t>(between(-400, 400)));
    }
  }

  /// The operand of a new constant.
  int constant(int h, int w, int c) {
    auto& constants = result_.graph.constants;
    workloads::ConstantMap map{
        .name = "constant" + std::to_string(constants.size()), .h = h, .w = w, .c = c, .data = {}};
    std::normal_distribution<double> normal;
    for (int i = 0; i < h * w * c; ++i) map.data.push_back(static_cast<float>(normal(random_)));
    constants.push_back(std::move(map));
    return workloads::constant_operand(static_cast<int>(constants.size()) - 1);
  }

  workloads::Activation random_curve() {
    if (chance()) return {.kind = Kind::gelu};
    return {.kind = Kind::clip, .low = chance() ? 0.0 : -1.0, .high = 1.5};
  }

  /// Formats that the machine takes, once it is known who uses which words.
  void choose_formats() {
    const auto choose = [this](int operand, double sf) {
      TensorFormat format = random_format(random_, sf, numbers_);
      while (format.n != 8 && must_have_bytes(result_.graph, operand)) format = random_format(random_, sf, numbers_);
      return format;
    };
    formats_.input = choose(workloads::network_input, 0);
    for (std::size_t i = 0; i < result_.graph.constants.size(); ++i) {
      formats_.constants.push_back(choose(workloads::constant_operand(static_cast<int>(i)), 0));
    }
    for (std::size_t i = 0; i < layers().size(); ++i) {
      LayerFormats& of_layer = formats_.layers[i];
      of_layer.encoded = random_format(random_, -1, numbers_);
      of_layer.output = choose(static_cast<int>(i), layers()[i].kind == LayerKind::softmax ? 2 : -1);
      of_layer.sum_bound = chance() ? 0 : std::exp2(between(-2, 8));
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

  void add_layer() {
    switch (between(0, 11)) {
      case 0:
        return add_pool(next(LayerKind::max_pool, "MaxPool"));
      case 1:
        return add_pool(next(LayerKind::average_pool, "AveragePool"));
      case 2:
        return add_addition();
      case 3:
        return add_residual();
      case 4:
      case 5:
        return add_rows();
      case 6:
        return add_copy();
      case 7:
        return add_concatenation();
      case 8:
        return add_attention();
      default:
        return add_conv();
    }
  }

  void add_pool(Layer layer) {
    LayerGeometry& g = layer.geometry;
    choose_window(g);
    if (layer.kind == LayerKind::average_pool) {
      layer.count_include_pad = chance();
      if (chance()) layer.activation.kind = Kind::relu;
    }
    add(layer);
  }

  void add_addition() {
    Layer layer = next(LayerKind::add, "Add");
    const LayerGeometry& g = layer.geometry;
    layer.addend = chance() ? layer.input : constant(g.out_h, g.out_w, g.out_c);
    if (chance()) layer.activation.kind = Kind::relu;
    add(layer);
  }

  void add_residual() {
    Layer layer = next(LayerKind::conv, "Conv");
    LayerGeometry& g = layer.geometry;
    layer.addend = between(0, 3) > 0 ? layer.input : constant(g.out_h, g.out_w, g.out_c);
    if (chance()) layer.activation.kind = Kind::relu;
    g.kernel_h = g.kernel_w = 3;
    g.pad_top = g.pad_left = g.pad_bottom = g.pad_right = 1;
    make_weights(layer);
    add(layer);
  }

  void add_conv() {
    Layer layer = next(LayerKind::conv, "Conv");
    LayerGeometry& g = layer.geometry;
    g.groups = g.in_c % 2 == 0 && chance() ? (chance() ? 2 : g.in_c) : 1;
    g.out_c = g.groups * between(1, g.groups > 2 ? 2 : 4);
    choose_window(g);
    if (chance()) layer.activation.kind = Kind::relu;
    if (between(0, 2) == 0) layer.activation = random_curve();
    make_weights(layer);
    add(layer);
  }

  void add_rows() {
    const bool softmax = chance();
    Layer layer = softmax ? next(LayerKind::softmax, "Softmax") : next(LayerKind::layer_norm, "LayerNormalization");
    if (between(0, 3) == 0) layer.activation.kind = Kind::relu;
    std::normal_distribution<float> normal;
    for (int i = 0; !softmax && i < layer.geometry.out_c; ++i) {
      layer.weights.push_back(between(0, 5) == 0 ? 0.0F : normal(random_));
      layer.bias.push_back(between(0, 5) == 0 ? 0.0F : normal(random_));
    }
    if (!softmax && chance()) layer.epsilon = chance() ? 1e-5 : 0.5;
    add(layer);
  }

  /// Rows of a map as they lie in memory.
  static workloads::CopyBox box(int source, std::array<std::int64_t, 3> count, std::int64_t from,
                                std::array<std::int64_t, 2> from_stride, std::int64_t to,
                                std::array<std::int64_t, 2> to_stride) {
    return {source, count, from, to, from_stride, to_stride};
  }

  void add_copy() {
    Layer layer = next(LayerKind::copy, "Transpose");
    LayerGeometry& g = layer.geometry;
    const std::int64_t h = g.in_h, w = g.in_w, c = g.in_c;
    switch (between(0, 4)) {
      case 0: {  // columns in a circle
        const int shift = between(0, g.in_w - 1);
        layer.boxes.push_back(box(0, {h, 1, (w - shift) * c}, shift * c, {w * c, 0}, 0, {w * c, 0}));
        if (shift > 0) layer.boxes.push_back(box(0, {h, 1, shift * c}, 0, {w * c, 0}, (w - shift) * c, {w * c, 0}));
        break;
      }
      case 1:  // rows become columns
        g.out_h = g.in_w, g.out_w = g.in_h;
        layer.boxes.push_back(box(0, {w, h, c}, 0, {c, w * c}, 0, {h * c, c}));
        break;
      case 2:  // a frame of zeros
        g.out_h += between(0, 2), g.out_w += between(1, 2);
        layer.boxes.push_back(box(0, {h, w, c}, 0, {w * c, c}, std::int64_t{g.out_w - g.in_w} * c, {g.out_w * c, c}));
        break;
      case 3: {  // some of the channels
        g.out_c = between(1, g.in_c);
        const int first = between(0, g.in_c - g.out_c);
        layer.boxes.push_back(box(0, {h, w, g.out_c}, first, {w * c, c}, 0, {w * g.out_c, g.out_c}));
        break;
      }
      default: {  // squares of pixels become channels
        if (g.in_h < 2 || g.in_w < 2 || g.in_c > 6) return add_conv();
        g.out_h /= 2, g.out_w /= 2, g.out_c *= 4;
        for (int i = 0; i < 4; ++i) {
          layer.boxes.push_back(box(0, {g.out_h, g.out_w, c}, ((i / 2) * w + i % 2) * c, {2 * w * c, 2 * c}, i * c,
                                    {g.out_w * 4 * c, 4 * c}));
        }
        break;
      }
    }
    if (between(0, 2) == 0) layer.activation = chance() ? random_curve() : workloads::Activation{.kind = Kind::relu};
    add(layer);
  }

  void add_concatenation() {
    Layer layer = next(LayerKind::copy, "Concat");
    LayerGeometry& g = layer.geometry;
    const std::int64_t h = g.in_h, w = g.in_w, c = g.in_c;
    if (chance()) {  // a position in front of all others
      layer.addend = constant(1, 1, g.in_c);
      g.out_h = 1, g.out_w = g.in_h * g.in_w + 1;
      layer.boxes.push_back(box(1, {1, 1, c}, 0, {}, 0, {}));
      layer.boxes.push_back(box(0, {1, 1, h * w * c}, 0, {}, c, {}));
    } else {  // channels behind the others
      layer.addend = chance() ? layer.input : constant(g.in_h, g.in_w, g.in_c);
      g.out_c = 2 * g.in_c;
      layer.boxes.push_back(box(0, {h, w, c}, 0, {w * c, c}, 0, {2 * w * c, 2 * c}));
      layer.boxes.push_back(box(1, {h, w, c}, 0, {w * c, c}, c, {2 * w * c, 2 * c}));
    }
    if (between(0, 3) == 0) layer.activation = random_curve();
    add(layer);
  }

  /// Attention of all positions to all, or of the positions of a row to each other.
  void add_attention() {
    const int depth = between(1, 4), heads = between(1, 2);
    Layer mixed = next(LayerKind::conv, "Conv");
    const int before = mixed.input, channels = mixed.geometry.in_c;
    mixed.geometry.out_c = 3 * heads * depth;
    make_weights(mixed);
    add(mixed);
    const int qkv = static_cast<int>(layers().size()) - 1;
    const int h = mixed.geometry.out_h, w = mixed.geometry.out_w;
    const bool by_row = h * w > 30 || chance();
    const int outer = by_row ? h : 1, tokens = by_row ? w : h * w;
    const int row = 3 * heads * depth, result_row = heads * depth;
    const std::int64_t square = std::int64_t{tokens} * tokens;

    Layer scores = next(LayerKind::matmul, "MatMul");
    scores.stationary = qkv;
    scores.geometry.out_h = outer, scores.geometry.out_w = heads * tokens, scores.geometry.out_c = tokens;
    scores.products = {.outer = outer,
                       .inner = heads,
                       .m = tokens,
                       .n = tokens,
                       .k = depth,
                       .input = {0, std::int64_t{tokens} * row, depth, row, 1},
                       .stationary = {result_row, std::int64_t{tokens} * row, depth, 1, row},
                       .output = {0, heads * square, square, tokens, 1},
                       .scale = chance() ? 1 : std::exp2(between(-200, 100) / 100.0)};
    if (between(0, 2) == 0) scores.addend = constant(outer, heads * tokens, tokens);
    if (between(0, 3) == 0) scores.activation.kind = Kind::relu;
    if (scores.addend == workloads::no_operand && between(0, 3) == 0) scores.activation = random_curve();
    add(scores);
    add(next(LayerKind::softmax, "Softmax"));

    Layer context = next(LayerKind::matmul, "MatMul");
    context.stationary = qkv;
    context.geometry.out_h = h, context.geometry.out_w = w, context.geometry.out_c = result_row;
    context.products = {.outer = outer,
                        .inner = heads,
                        .m = tokens,
                        .n = depth,
                        .k = tokens,
                        .input = {0, heads * square, square, tokens, 1},
                        .stationary = {2 * result_row, std::int64_t{tokens} * row, depth, row, 1},
                        .output = {0, std::int64_t{tokens} * result_row, depth, result_row, 1}};
    if (channels == result_row) context.addend = before;
    add(context);
  }

  void make_weights(Layer& layer) {
    weight_format_ = random_format(random_, 1, numbers_);
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
  formats::NumberSystem numbers_;
  TensorFormat weight_format_;
};

}  // namespace

LpFormat random_format(std::mt19937_64& random, double sf) {
  const int n = 2 << std::uniform_int_distribution<int>(0, 2)(random);
  const auto all = formats::all_lp_formats(n);
  LpFormat format = all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random)];
  format.sf_q8 = static_cast<int>(sf * 256) + std::uniform_int_distribution<int>(-256, 256)(random);
  return format;
}

TensorFormat random_format(std::mt19937_64& random, double sf, formats::NumberSystem numbers) {
  if (numbers == formats::NumberSystem::lp) return random_format(random, sf);
  std::vector<TensorFormat> all;
  while (all.empty()) all = formats_of(numbers, 2 << std::uniform_int_distribution<int>(0, 2)(random));
  TensorFormat format = all[std::uniform_int_distribution<std::size_t>(0, all.size() - 1)(random)];
  const int shift_q8 = std::uniform_int_distribution<int>(-256, 256)(random);
  if (format.family == formats::Family::posit) return format;
  format.sf_q8 = static_cast<int>(256 * (std::log2(largest_magnitude(format) / 4) + sf)) + shift_q8;
  if (format.family == formats::Family::adaptivfloat) format.sf_q8 = format.sf_q8 / 256 * 256;
  return format;
}

RandomModel make_random_model(std::uint64_t seed, bool nar_input, formats::NumberSystem numbers) {
  return Builder(seed, numbers).build(nar_input);
}

}  // namespace lpa::lpq::testing
