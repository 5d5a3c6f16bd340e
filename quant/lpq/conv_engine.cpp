#include <algorithm>
#include <span>

#include "quant/lpq/prepared_layer.h"

namespace lpa::lpq {
namespace {

using formats::AccumulateEvents;
using formats::GemmPanel;
using formats::GemmWeights;
using formats::Psum;
using formats::Word;
using workloads::LayerGeometry;

/// Positions computed at a time: few enough that their operands stay in the cache.
constexpr int panel_positions = 128;

}  // namespace

/// The input's words, channel by channel, with the padding around them as zeros.
struct ConvEngine::Planes {
  int height = 0, width = 0;
  std::vector<std::uint8_t> words;
};

ConvEngine::ConvEngine(const workloads::Layer& layer, const QuantizedLayer& quantized,
                       const formats::TensorFormat& input, KernelCache& kernels)
    : layer_(layer),
      kernel_(kernels.kernel(quantized, input)),
      encoder_(kernels.encoder(quantized, input)),
      scale_(quantized.channel_sf_q8) {
  scale_.resize(quantized.bias.size());
  for (const formats::BiasTerm& bias : quantized.bias) start_.push_back(kernel_.scalar().start(bias));
  const auto depth = static_cast<std::size_t>(layer_.k());
  const auto channels = static_cast<std::size_t>(layer_.n());
  std::vector<Word> row(channels);
  const Word* of_group = quantized.weights.data();
  for (int group = 0; group < layer_.geometry.groups; ++group, of_group += channels * depth) {
    GemmWeights weights(kernel_, depth, channels);
    for (std::size_t k = 0; k < depth; ++k) {
      for (std::size_t n = 0; n < channels; ++n) row[n] = of_group[n * depth + k];
      weights.set_row(k, row);
    }
    weights_.push_back(std::move(weights));
  }
}

ConvEngine::Planes ConvEngine::make_planes(const WordMap& input) const {
  const LayerGeometry& g = layer_.geometry;
  Planes planes;
  planes.height = g.in_h + g.pad_top + g.pad_bottom;
  planes.width = g.in_w + g.pad_left + g.pad_right;
  const std::size_t plane = static_cast<std::size_t>(planes.height) * static_cast<std::size_t>(planes.width);
  planes.words.assign(plane * static_cast<std::size_t>(g.in_c), 0);  // The word of zero.
  const Word* word = input.words.data();
  for (int y = 0; y < g.in_h; ++y) {
    for (int x = 0; x < g.in_w; ++x) {
      auto at = static_cast<std::size_t>((y + g.pad_top) * planes.width + x + g.pad_left);
      for (int c = 0; c < g.in_c; ++c, at += plane) planes.words[at] = static_cast<std::uint8_t>(*word++);
    }
  }
  return planes;
}

void ConvEngine::fill_panel(const Planes& planes, int group, int first_position, int count, GemmPanel& panel) const {
  const LayerGeometry& g = layer_.geometry;
  std::vector<std::size_t> corners;  // of the positions' windows
  for (int m = first_position; m < first_position + count; ++m) {
    corners.push_back(static_cast<std::size_t>((m / g.out_w) * g.stride_h * planes.width + (m % g.out_w) * g.stride_w));
  }
  std::vector<std::uint8_t> row(corners.size());
  const int channels = g.in_c / g.groups;
  std::size_t k = 0;
  for (int kh = 0; kh < g.kernel_h; ++kh) {
    for (int kw = 0; kw < g.kernel_w; ++kw) {
      for (int c = 0; c < channels; ++c) {
        const int offset =
            ((group * channels + c) * planes.height + kh * g.dilation_h) * planes.width + kw * g.dilation_w;
        const std::uint8_t* from = planes.words.data() + offset;
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = from[corners[i]];
        panel.set(k++, 0, row);
      }
    }
  }
}

std::vector<Word> ConvEngine::run(const WordMap& input, AccumulateEvents& events) const {
  const auto depth = static_cast<std::size_t>(layer_.k());
  const auto all_channels = static_cast<std::size_t>(layer_.geometry.out_c);
  const auto channels = static_cast<std::size_t>(layer_.n());
  const int positions = static_cast<int>(layer_.m());
  std::vector<Word> output(static_cast<std::size_t>(positions) * all_channels);
  const Planes planes = make_planes(input);
  GemmPanel panel(kernel_, depth, static_cast<std::size_t>(std::min(panel_positions, positions)));
  std::vector<Psum> psums;
  for (int first = 0; first < positions; first += panel_positions) {
    const int count = std::min(panel_positions, positions - first);
    psums.resize(static_cast<std::size_t>(count) * channels);
    for (std::size_t group = 0; group < weights_.size(); ++group) {
      fill_panel(planes, static_cast<int>(group), first, count, panel);
      const auto start = std::span(start_).subspan(group * channels, channels);
      kernel_.run(panel, 0, static_cast<std::size_t>(count), weights_[group], start, psums, events);
      const Psum* psum = psums.data();
      for (int m = first; m < first + count; ++m) {
        Word* const to = output.data() + static_cast<std::size_t>(m) * all_channels + group * channels;
        for (std::size_t n = 0; n < channels; ++n) to[n] = encoder_(*psum++, scale_[group * channels + n]);
      }
    }
  }
  return output;
}

}  // namespace lpa::lpq
