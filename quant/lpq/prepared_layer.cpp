#include "quant/lpq/prepared_layer.h"

#include <algorithm>
#include <span>

namespace lpa::lpq {
namespace {

using formats::AccumulateEvents;
using formats::Accumulator;
using formats::Operand;
using formats::Psum;
using formats::PsumEncoder;
using formats::TensorFormat;
using formats::Word;
using workloads::LayerGeometry;
using workloads::LayerKind;

/// The post-processing unit's addition: zeros are skipped, NaR stays.
Psum ppu_add(const Accumulator& adder, const Psum& psum, const TensorFormat& format, const Operand& operand,
             AccumulateEvents& events) {
  if (operand.nar || psum.nar) return {0, Psum::no_exponent, true};
  if (operand.zero) return psum;
  return adder.add(psum, formats::scaled_log_q8(format, operand), operand.negative, &events);
}

Word rectified(Word word, const TensorFormat& format) {
  return word >= format.nar_word() && !format.is_nar(word) ? format.zero_word() : word;
}

std::size_t output_size(const LayerGeometry& g) {
  return static_cast<std::size_t>(g.out_h) * static_cast<std::size_t>(g.out_w) * static_cast<std::size_t>(g.out_c);
}

/// Calls `visit` with the index of the first channel of every position of the window that is not padding, in (kh, kw)
/// order.
template <typename Visit>
void for_window(const LayerGeometry& g, int oy, int ox, Visit visit) {
  for (int kh = 0; kh < g.kernel_h; ++kh) {
    const int y = oy * g.stride_h - g.pad_top + kh * g.dilation_h;
    if (y < 0 || y >= g.in_h) continue;
    for (int kw = 0; kw < g.kernel_w; ++kw) {
      const int x = ox * g.stride_w - g.pad_left + kw * g.dilation_w;
      if (x < 0 || x >= g.in_w) continue;
      visit((static_cast<std::size_t>(y) * static_cast<std::size_t>(g.in_w) + static_cast<std::size_t>(x)) *
            static_cast<std::size_t>(g.in_c));
    }
  }
}

}  // namespace

std::vector<Operand> operand_table(const TensorFormat& format) {
  std::vector<Operand> operands;
  operands.reserve(static_cast<std::size_t>(format.word_count()));
  for (int word = 0; word < format.word_count(); ++word) {
    operands.push_back(formats::to_operand(format, static_cast<Word>(word)));
  }
  return operands;
}

ResidualTable::ResidualTable(const formats::Arithmetic& arithmetic, const TensorFormat& first,
                             const TensorFormat& second, const TensorFormat& output)
    : second_bits_(second.n) {
  const Accumulator adder = Accumulator::for_ppu(arithmetic);
  const PsumEncoder encoder = PsumEncoder::for_ppu(arithmetic, output, -output.sf_q8);
  const std::vector<Operand> first_operands = operand_table(first), second_operands = operand_table(second);
  entries_.reserve(first_operands.size() * second_operands.size());
  for (const Operand& a : first_operands) {
    for (const Operand& b : second_operands) {
      AccumulateEvents events;
      const Psum sum = ppu_add(adder, ppu_add(adder, {}, first, a, events), second, b, events);
      entries_.push_back({encoder(sum), static_cast<std::uint16_t>(events.saturations)});
    }
  }
}

PreparedLayer::PreparedLayer(const workloads::LayerGraph& graph, const QuantizedModel& model, std::size_t index,
                             KernelCache& kernels)
    : layer_(graph.layers[index]),
      quantized_(model.layers[index]),
      input_format_(model.operand_format(layer_.input)),
      output_format_(quantized_.output) {
  const formats::Arithmetic& arithmetic = kernels.arithmetic();
  if (layer_.kind == LayerKind::conv) conv_.emplace(layer_, quantized_, input_format_, kernels);
  if (layer_.kind == LayerKind::matmul) matmul_.emplace(layer_, quantized_, input_format_, kernels);
  if (layer_.kind == LayerKind::softmax) softmax_.emplace(arithmetic, input_format_, output_format_);
  if (layer_.kind == LayerKind::layer_norm) {
    layer_norm_.emplace(arithmetic, input_format_, output_format_, quantized_.norm, quantized_.epsilon_log_q8);
  }
  if (layer_.addend != workloads::no_operand && layer_.kind != LayerKind::copy) {
    const TensorFormat& first = layer_.uses_array() ? quantized_.encoded : input_format_;
    residual_.emplace(arithmetic, first, model.operand_format(layer_.addend), output_format_);
  }
  if (layer_.kind == LayerKind::average_pool) prepare_pool(arithmetic);
}

void PreparedLayer::prepare_pool(const formats::Arithmetic& arithmetic) {
  adder_ = Accumulator::for_ppu(arithmetic);
  input_operands_ = operand_table(input_format_);
  for (int oy = 0; oy < layer_.geometry.out_h; ++oy) {
    for (int ox = 0; ox < layer_.geometry.out_w; ++ox) {
      const int count = divisor(oy, ox);
      if (count == 0 || pool_encoders_.contains(count)) continue;
      const int scale = formats::log2_q8(count) - output_format_.sf_q8;
      pool_encoders_.emplace(count, PsumEncoder::for_ppu(arithmetic, output_format_, scale));
    }
  }
}

Word PreparedLayer::max_pool(const WordMap& input, int oy, int ox, int channel) const {
  Word best = 0;
  bool any = false, nar = false;
  for_window(layer_.geometry, oy, ox, [&](std::size_t position) {
    const Word word = input.words[position + static_cast<std::size_t>(channel)];
    nar = nar || input_format_.is_nar(word);
    if (!any || input_format_.order(word) > input_format_.order(best)) best = word;
    any = true;
  });
  return nar ? input_format_.nar_word() : best;
}

int PreparedLayer::divisor(int oy, int ox) const {
  if (layer_.count_include_pad) return layer_.geometry.kernel_h * layer_.geometry.kernel_w;
  int count = 0;
  for_window(layer_.geometry, oy, ox, [&count](std::size_t) { ++count; });
  return count;
}

Word PreparedLayer::average_pool(const WordMap& input, int oy, int ox, int channel, AccumulateEvents& events) const {
  Psum psum;
  for_window(layer_.geometry, oy, ox, [&](std::size_t position) {
    const Word word = input.words[position + static_cast<std::size_t>(channel)];
    psum = ppu_add(*adder_, psum, input_format_, input_operands_[word], events);
  });
  const auto encoder = pool_encoders_.find(divisor(oy, ox));
  return encoder == pool_encoders_.end() ? output_format_.zero_word() : encoder->second(psum);
}

std::vector<Word> PreparedLayer::pool(const WordMap& input, AccumulateEvents& events) const {
  const LayerGeometry& g = layer_.geometry;
  std::vector<Word> words;
  words.reserve(output_size(g));
  for (int oy = 0; oy < g.out_h; ++oy) {
    for (int ox = 0; ox < g.out_w; ++ox) {
      for (int channel = 0; channel < g.out_c; ++channel) {
        words.push_back(layer_.kind == LayerKind::max_pool ? max_pool(input, oy, ox, channel)
                                                           : average_pool(input, oy, ox, channel, events));
      }
    }
  }
  return words;
}

std::vector<Word> PreparedLayer::copy(const LayerInputs& inputs) const {
  std::vector<Word> words(output_size(layer_.geometry));
  for (const workloads::CopyBox& box : layer_.boxes) {
    const WordMap& source = box.source == 0 ? *inputs.input : *inputs.addend;
    const std::vector<Word>& table = quantized_.tables[static_cast<std::size_t>(box.source)];
    for (std::int64_t i = 0; i < box.count[0]; ++i) {
      for (std::int64_t j = 0; j < box.count[1]; ++j) {
        const Word* from = source.words.data() + box.from + i * box.from_stride[0] + j * box.from_stride[1];
        Word* to = words.data() + box.to + i * box.to_stride[0] + j * box.to_stride[1];
        if (table.empty()) {
          std::copy_n(from, box.count[2], to);
        } else {
          std::transform(from, from + box.count[2], to, [&table](Word word) { return table[word]; });
        }
      }
    }
  }
  return words;
}

template <class Row>
std::vector<Word> PreparedLayer::map_rows(const Row& function, const WordMap& input, AccumulateEvents& events) const {
  std::vector<Word> words(input.words.size());
  const auto channels = static_cast<std::size_t>(input.channels);
  for (std::size_t first = 0; first < words.size(); first += channels) {
    function(std::span(input.words).subspan(first, channels), std::span(words).subspan(first, channels), events);
  }
  return words;
}

std::vector<Word> PreparedLayer::compute(const LayerInputs& inputs, AccumulateEvents& events) const {
  switch (layer_.kind) {
    case LayerKind::conv:
      return conv_->run(*inputs.input, events);
    case LayerKind::matmul:
      return matmul_->run(*inputs.input, *inputs.stationary, events);
    case LayerKind::max_pool:
    case LayerKind::average_pool:
      return pool(*inputs.input, events);
    case LayerKind::softmax:
      return map_rows(*softmax_, *inputs.input, events);
    case LayerKind::layer_norm:
      return map_rows(*layer_norm_, *inputs.input, events);
    case LayerKind::copy:
      return copy(inputs);
    case LayerKind::add:
      break;
  }
  return inputs.input->words;
}

WordMap PreparedLayer::run(const LayerInputs& inputs, AccumulateEvents& events) const {
  const LayerGeometry& g = layer_.geometry;
  WordMap output{.height = g.out_h, .width = g.out_w, .channels = g.out_c, .words = compute(inputs, events)};
  if (layer_.uses_array() && !quantized_.tables[0].empty()) {
    for (Word& word : output.words) word = quantized_.tables[0][word];
  }
  if (residual_) {
    for (std::size_t i = 0; i < output.words.size(); ++i) {
      output.words[i] = (*residual_)(output.words[i], inputs.addend->words[i], events);
    }
  }
  if (layer_.activation.kind == workloads::Activation::Kind::relu) {
    for (Word& word : output.words) word = rectified(word, output_format_);
  }
  return output;
}

}  // namespace lpa::lpq
