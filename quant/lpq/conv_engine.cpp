#include <algorithm>
#include <span>

#include "quant/lpq/prepared_layer.h"

namespace lpa::lpq {
namespace {

using formats::AccumulateEvents;
using formats::OperandPanel;
using formats::PackedOperand;
using formats::Psum;
using formats::Word;
using workloads::LayerGeometry;

/// Positions computed at a time: a vector row of the panel.
constexpr int panel_positions = static_cast<int>(OperandPanel::row_multiple);

int fixed_lsb(const QuantizedLayer& quantized, const formats::Arithmetic& arithmetic) {
  return arithmetic.psum == formats::PsumKind::fixed ? quantized.psum_lsb + (32 - arithmetic.fixed_bits) : 0;
}

int encoder_scale(const QuantizedLayer& quantized, const formats::LpFormat& input) {
  return quantized.weight.sf_q8 + input.sf_q8 - quantized.encoded.sf_q8;
}

}  // namespace

/// The input's operands, channel by channel, with the padding around them as zeros.
struct ConvEngine::Planes {
  int height = 0, width = 0;
  std::vector<PackedOperand> operands;
};

ConvEngine::ConvEngine(const workloads::Layer& layer, const QuantizedLayer& quantized, const formats::LpFormat& input,
                       const formats::Arithmetic& arithmetic)
    : layer_(layer),
      accumulator_(arithmetic, quantized.weight.n, fixed_lsb(quantized, arithmetic)),
      encoder_(arithmetic, quantized.encoded, quantized.weight.n, fixed_lsb(quantized, arithmetic),
               encoder_scale(quantized, input)),
      input_operands_(formats::pack_words(input)) {
  for (const formats::BiasTerm& bias : quantized.bias) start_.push_back(accumulator_.scalar().start(bias));
  const auto operands = formats::pack_words(quantized.weight);
  for (const Word word : quantized.weights) weights_.push_back(operands[word]);
}

ConvEngine::Planes ConvEngine::make_planes(const WordMap& input) const {
  const LayerGeometry& g = layer_.geometry;
  Planes planes;
  planes.height = g.in_h + g.pad_top + g.pad_bottom;
  planes.width = g.in_w + g.pad_left + g.pad_right;
  const std::size_t plane = static_cast<std::size_t>(planes.height) * static_cast<std::size_t>(planes.width);
  planes.operands.assign(plane * static_cast<std::size_t>(g.in_c), formats::packed_zero);
  const Word* word = input.words.data();
  for (int y = 0; y < g.in_h; ++y) {
    for (int x = 0; x < g.in_w; ++x) {
      auto at = static_cast<std::size_t>((y + g.pad_top) * planes.width + x + g.pad_left);
      for (int c = 0; c < g.in_c; ++c, at += plane) planes.operands[at] = input_operands_[*word++];
    }
  }
  return planes;
}

void ConvEngine::fill_panel(const Planes& planes, int group, int first_position, OperandPanel& panel) const {
  const LayerGeometry& g = layer_.geometry;
  std::vector<std::size_t> corners;  // of the positions' windows
  for (std::size_t i = 0; i < panel.positions(); ++i) {
    const int m = first_position + static_cast<int>(i);
    corners.push_back(static_cast<std::size_t>((m / g.out_w) * g.stride_h * planes.width + (m % g.out_w) * g.stride_w));
  }
  const int channels = g.in_c / g.groups;
  std::size_t k = 0;
  for (int kh = 0; kh < g.kernel_h; ++kh) {
    for (int kw = 0; kw < g.kernel_w; ++kw) {
      for (int c = 0; c < channels; ++c) {
        const int offset =
            ((group * channels + c) * planes.height + kh * g.dilation_h) * planes.width + kw * g.dilation_w;
        const PackedOperand* from = planes.operands.data() + offset;
        const std::span<PackedOperand> row = panel.row(k++);
        for (std::size_t i = 0; i < row.size(); ++i) row[i] = from[corners[i]];
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
  std::vector<Psum> psums;
  for (int first = 0; first < positions; first += panel_positions) {
    const auto count = static_cast<std::size_t>(std::min(panel_positions, positions - first));
    OperandPanel panel(depth, count);
    for (int group = 0; group < layer_.geometry.groups; ++group) {
      fill_panel(planes, group, first, panel);
      for (std::size_t n = static_cast<std::size_t>(group) * channels;
           n < static_cast<std::size_t>(group + 1) * channels; ++n) {
        psums.assign(count, start_[n]);
        accumulator_.mac_row(psums, std::span(weights_).subspan(n * depth, depth), panel, &events);
        for (std::size_t i = 0; i < count; ++i) {
          output[(static_cast<std::size_t>(first) + i) * all_channels + n] = encoder_(psums[i]);
        }
      }
    }
  }
  return output;
}

}  // namespace lpa::lpq
