// The words of a trace that brings none.
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "quant/lpq/trace_model.h"

namespace lpa::lpq {
namespace {

using formats::TensorFormat;
using formats::Word;
using workloads::Layer;
using workloads::LayerKind;

constexpr std::size_t quantile_count = 65536;
constexpr double small_deviation = 0.1;

/// The normal distribution's quantiles of (i + 1/2) / 65536, ascending.
const std::vector<double>& normal_quantiles() {
  static const std::vector<double> quantiles = [] {
    std::vector<double> values(quantile_count);
    constexpr std::size_t half = quantile_count / 2;
    double x = 0;
    for (std::size_t i = 0; i < half; ++i) {
      const double tail = 0.5 - (static_cast<double>(i) + 0.5) / quantile_count;
      // Newton's method; it comes from below and stays there, since the distribution is concave here.
      for (double step = 1; step > 1e-12;) {
        const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
        step = (std::erfc(x / std::numbers::sqrt2) / 2 - tail) / density;
        x += step;
      }
      values[half + i] = x;
      values[half - 1 - i] = -x;
    }
    return values;
  }();
  return quantiles;
}

/// A sequence of random 16-bit numbers that a seed and a name determine (SplitMix64 by Steele, Lea and Flood).
class Stream {
 public:
  Stream(std::uint64_t seed, const std::string& name) : state_(seed) {
    for (const char c : name) state_ = mixed(state_ ^ static_cast<unsigned char>(c));
    state_ = mixed(state_);
  }

  std::size_t next() {
    if (left_ == 0) {
      state_ += 0x9e3779b97f4a7c15;
      bits_ = mixed(state_);
      left_ = 4;
    }
    --left_;
    const auto result = static_cast<std::size_t>(bits_ & 0xffff);
    bits_ >>= 16;
    return result;
  }

  double normal() { return normal_quantiles()[next()]; }

 private:
  static std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_, bits_ = 0;
  int left_ = 0;
};

void fill(std::vector<Word>& words, const TensorFormat& format, double deviation, bool magnitudes, Stream stream) {
  const formats::NumberEncoder encode(number_format(format));
  std::vector<Word> by_quantile;
  by_quantile.reserve(quantile_count);
  for (const double x : normal_quantiles()) by_quantile.push_back(encode(deviation * (magnitudes ? std::abs(x) : x)));
  for (Word& word : words) word = by_quantile[stream.next()];
}

}  // namespace

void draw_words(const traces::Trace& trace, std::uint64_t seed, QuantizedModel& model) {
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    const bool rectified = trace.constants[i].role == traces::ConstantRole::rectified_layer;
    fill(model.constants[i].words, model.constants[i].format, 1, rectified,
         Stream(seed, trace.graph.constants[i].name));
  }
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const Layer& layer = trace.graph.layers[i];
    QuantizedLayer& quantized = model.layers[i];
    Stream parameters(seed, layer.name + ".parameters");
    if (layer.kind == LayerKind::conv) {
      const double deviation = 1 / std::sqrt(static_cast<double>(layer.k()));
      fill(quantized.weights, quantized.weight, deviation, false, Stream(seed, layer.name));
      const int scale = quantized.weight.sf_q8 + model.operand_format(layer.input).sf_q8;
      for (formats::BiasTerm& bias : quantized.bias)
        bias = formats::to_bias_term(small_deviation * parameters.normal(), scale);
    }
    for (formats::NormTerm& term : quantized.norm) {
      term.gamma = formats::to_log_number(1 + small_deviation * parameters.normal());
      term.beta = formats::to_log_number(small_deviation * parameters.normal());
    }
  }
}

WordMap draw_input(const traces::Trace& trace, std::uint64_t seed) {
  const workloads::LayerGraph& graph = trace.graph;
  const auto size = [](int extent) { return static_cast<std::size_t>(extent); };
  WordMap map{graph.in_h, graph.in_w, graph.in_c, {}};
  map.words.resize(size(graph.in_h) * size(graph.in_w) * size(graph.in_c));
  fill(map.words, trace.input, 1, false, Stream(seed, "input"));
  return map;
}

}  // namespace lpa::lpq
