#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "quant/lpq/prepared_layer.h"

namespace lpa::lpq {
namespace {

using formats::AccumulateEvents;
using formats::GemmPanel;
using formats::GemmWeights;
using formats::Psum;
using formats::TensorFormat;
using formats::Word;
using workloads::MatrixProducts;

/// Rows computed at a time: few enough that their operands stay in the cache.
constexpr int panel_rows = 128;

std::size_t to_index(std::int64_t element) {
  return static_cast<std::size_t>(element);
}

}  // namespace

int KernelCache::lsb(const QuantizedLayer& quantized) const {
  return arithmetic_.psum == formats::PsumKind::fixed ? quantized.psum_lsb + (32 - arithmetic_.fixed_bits) : 0;
}

formats::GemmKernel KernelCache::kernel(const QuantizedLayer& quantized, const TensorFormat& input) {
  TensorFormat weight = quantized.weight, activation = input;
  weight.sf_q8 = activation.sf_q8 = 0;  // sf enters no product
  const std::string key = fmt::format("{} {} {}", to_string(weight), to_string(activation), lsb(quantized));
  auto found = kernels_.find(key);
  if (found == kernels_.end()) {
    found = kernels_.emplace(key, formats::GemmKernel(arithmetic_, weight, activation, lsb(quantized))).first;
  }
  return found->second;
}

formats::PsumEncoder KernelCache::encoder(const QuantizedLayer& quantized, const TensorFormat& input) const {
  const int scale = quantized.weight.sf_q8 + input.sf_q8 - quantized.encoded.sf_q8 - quantized.product_scale_q8;
  return {arithmetic_, quantized.encoded, quantized.weight.n, lsb(quantized), scale};
}

MatmulEngine::MatmulEngine(const workloads::Layer& layer, const QuantizedLayer& quantized, const TensorFormat& input,
                           KernelCache& kernels)
    : layer_(layer), kernel_(kernels.kernel(quantized, input)), encoder_(kernels.encoder(quantized, input)) {}

GemmWeights MatmulEngine::load(const WordMap& stationary, int outer, int inner) const {
  const MatrixProducts& p = layer_.products;
  GemmWeights weights(kernel_, to_index(p.k), to_index(p.n));
  std::vector<Word> row(to_index(p.n));
  for (int k = 0; k < p.k; ++k) {
    const Word* from = stationary.words.data() + p.stationary.at(outer, inner, k, 0);
    for (std::size_t n = 0; n < row.size(); ++n, from += p.stationary.column_stride) row[n] = *from;
    weights.set_row(to_index(k), row);
  }
  return weights;
}

std::vector<Word> MatmulEngine::run(const WordMap& input, const WordMap& stationary, AccumulateEvents& events) const {
  const MatrixProducts& p = layer_.products;
  const workloads::LayerGeometry& g = layer_.geometry;
  std::vector<Word> output(to_index(std::int64_t{g.out_h} * g.out_w * g.out_c));
  const std::vector<Psum> start(to_index(p.n), kernel_.scalar().start({}));
  const auto rows = std::min(panel_rows, p.m);
  GemmPanel panel(kernel_, to_index(p.k), to_index(rows));
  std::vector<Word> column(to_index(rows));
  std::vector<Psum> psums(to_index(rows) * start.size());
  for (int product = 0; product < p.outer * p.inner; ++product) {
    const int outer = product / p.inner, inner = product % p.inner;
    const GemmWeights weights = load(stationary, outer, inner);
    for (int first = 0; first < p.m; first += rows) {
      const auto count = to_index(std::min(rows, p.m - first));
      for (int k = 0; k < p.k; ++k) {
        const Word* from = input.words.data() + p.input.at(outer, inner, first, k);
        for (std::size_t m = 0; m < count; ++m, from += p.input.row_stride) column[m] = *from;
        panel.set(to_index(k), 0, std::span(column).first(count));
      }
      kernel_.run(panel, 0, count, weights, start, std::span(psums).first(count * start.size()), events);
      const Psum* psum = psums.data();
      for (std::size_t m = 0; m < count; ++m) {
        Word* to = output.data() + p.output.at(outer, inner, first + static_cast<int>(m), 0);
        for (std::size_t n = 0; n < start.size(); ++n) *to++ = encoder_(*psum++);
      }
    }
  }
  return output;
}

}  // namespace lpa::lpq
