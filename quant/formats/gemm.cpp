#include "quant/formats/gemm.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "quant/formats/aligned_gemm.h"
#include "quant/formats/format_error.h"

namespace lpa::formats {

struct GemmPlan {
  BatchAccumulator batch;
  LpFormat weight_format, activation_format;
  std::array<PackedOperand, 256> weight_operands, activation_operands;
};

GemmKernel::GemmKernel(const Arithmetic& arithmetic, const LpFormat& weight, const LpFormat& activation, int lsb)
    : plan_(std::make_shared<const GemmPlan>(
          GemmPlan{{arithmetic, weight.n, lsb}, weight, activation, pack_words(weight), pack_words(activation)})) {}

std::string_view GemmKernel::name() const {
  return "ordered";
}

const Accumulator& GemmKernel::scalar() const {
  return plan_->batch.scalar();
}

void GemmKernel::run(const GemmPanel& panel, std::size_t first, std::size_t count, const GemmWeights& weights,
                     std::span<const Psum> start, std::span<Psum> sums, AccumulateEvents& events) const {
  const std::size_t depth = panel.depth();
  const std::size_t channels = weights.channels();
  if (panel.plan_ != plan_ || weights.plan_ != plan_) {
    throw FormatError("GemmKernel: the panel or the weights were made for another kernel");
  }
  if (weights.depth() != depth || first > panel.positions() || count > panel.positions() - first) {
    throw FormatError(
        fmt::format("GemmKernel: weights of depth {} and positions {} to {} do not fit a panel of {} "
                    "positions and depth {}",
                    weights.depth(), first, first + count, panel.positions(), depth));
  }
  if (start.size() != channels || sums.size() != count * channels) {
    throw FormatError(fmt::format("GemmKernel: {} start values and {} sums given for {} channels and {} positions",
                                  start.size(), sums.size(), channels, count));
  }
  std::vector<PackedOperand> row(depth);
  std::vector<Psum> block;
  for (std::size_t from = 0; from < count; from += OperandPanel::row_multiple) {
    const std::size_t size = std::min(OperandPanel::row_multiple, count - from);
    OperandPanel operands(depth, size);
    for (std::size_t k = 0; k < depth; ++k) {
      const std::uint8_t* const words = panel.words_.data() + k * panel.positions() + first + from;
      for (std::size_t i = 0; i < size; ++i) operands.row(k)[i] = plan_->activation_operands[words[i]];
    }
    for (std::size_t n = 0; n < channels; ++n) {
      for (std::size_t k = 0; k < depth; ++k) row[k] = plan_->weight_operands[weights.words_[k * channels + n]];
      block.assign(size, start[n]);
      plan_->batch.mac_row(block, row, operands, &events);
      for (std::size_t i = 0; i < size; ++i) sums[(from + i) * channels + n] = block[i];
    }
  }
}

GemmOperands::GemmOperands(std::shared_ptr<const GemmPlan> plan, bool weights, std::size_t depth, std::size_t lanes)
    : plan_(std::move(plan)), weights_(weights), depth_(depth), lanes_(lanes), words_(depth * lanes) {}

void GemmOperands::set_words(std::size_t k, std::size_t first, std::span<const Word> words) {
  std::vector<std::uint8_t> bytes(words.begin(), words.end());
  set_words(k, first, bytes);
}

void GemmOperands::set_words(std::size_t k, std::size_t first, std::span<const std::uint8_t> words) {
  if (k >= depth_ || first > lanes_ || words.size() > lanes_ - first) {
    throw FormatError(fmt::format("{}: {} words from {} on in step {} do not fit depth {} and {} of them",
                                  weights_ ? "GemmWeights" : "GemmPanel", words.size(), first, k, depth_, lanes_));
  }
  const LpFormat& format = weights_ ? plan_->weight_format : plan_->activation_format;
  const auto mask = static_cast<std::uint8_t>(format.word_count() - 1);
  std::uint8_t* const to = words_.data() + k * lanes_ + first;
  for (std::size_t i = 0; i < words.size(); ++i) to[i] = words[i] & mask;
}

GemmWeights::GemmWeights(const GemmKernel& kernel, std::size_t depth, std::size_t channels)
    : GemmOperands(kernel.plan_, true, depth, channels) {}

GemmPanel::GemmPanel(const GemmKernel& kernel, std::size_t depth, std::size_t positions)
    : GemmOperands(kernel.plan_, false, depth, positions) {}

}  // namespace lpa::formats
