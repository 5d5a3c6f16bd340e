#include "quant/formats/gemm.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/formats/gemm_layout.h"
#include "quant/formats/gemm_plan.h"
#include "quant/formats/gemm_run.h"

namespace lpa::formats {
namespace {

/// Sums are kept per chunk, lanes padded so that a tile may read them to its width.
std::size_t padded(std::size_t lanes) {
  return (lanes + gemm_widest - 1) / gemm_widest * gemm_widest;
}

}  // namespace

GemmKernel::GemmKernel(const Arithmetic& arithmetic, const TensorFormat& weight, const TensorFormat& activation,
                       int lsb)
    : plan_(std::make_shared<const GemmPlan>(arithmetic, weight, activation, lsb)) {}

std::string_view GemmKernel::name() const {
  return plan_->name;
}

const Accumulator& GemmKernel::scalar() const {
  return plan_->batch.scalar();
}

void GemmKernel::run(const GemmPanel& panel, std::size_t first, std::size_t count, const GemmWeights& weights,
                     std::span<const Psum> start, std::span<Psum> sums, AccumulateEvents& events) const {
  if (panel.plan_ != plan_ || weights.plan_ != plan_) {
    throw FormatError("GemmKernel: the panel or the weights were made for another kernel");
  }
  if (weights.depth() != panel.depth() || first > panel.positions() || count > panel.positions() - first) {
    throw FormatError(
        fmt::format("GemmKernel: weights of depth {} and {} positions from {} on do not fit a panel of {} "
                    "positions and depth {}",
                    weights.depth(), count, first, panel.positions(), panel.depth()));
  }
  if (start.size() != weights.channels() || sums.size() != count * weights.channels()) {
    throw FormatError(fmt::format("GemmKernel: {} start values and {} sums do not fit {} channels and {} positions",
                                  start.size(), sums.size(), weights.channels(), count));
  }
  GemmRun(*plan_, panel, weights, first, start, sums, events).run(first, first + count);
}

GemmOperands::GemmOperands(const GemmKernel& kernel, Side side, std::size_t depth, std::size_t lanes)
    : lanes_(lanes), plan_(kernel.plan_), side_(side), depth_(depth), words_(depth * lanes) {
  const bool weights = side == Side::weights;
  const GemmForm& form = weights ? plan_->weight_form : plan_->panel_form;
  const GemmLayout layout(form, depth, lanes);
  form_.resize((layout.size + sizeof(Line) - 1) / sizeof(Line), Line{});
  auto* const bytes = reinterpret_cast<std::uint8_t*>(form_.data());
  for (std::size_t p = 0; p < form.planes; ++p) {
    const std::uint32_t zero = form.table[p][0];
    if (zero == 0) continue;
    for (std::size_t at = p * layout.plane_bytes; at < layout.size; at += layout.row_bytes) {
      if (form.element_bytes == 1) std::memset(bytes + at, static_cast<int>(zero), layout.plane_bytes);
      if (form.element_bytes == 4) {
        std::fill_n(reinterpret_cast<std::uint32_t*>(bytes + at), layout.plane_bytes / sizeof zero, zero);
      }
    }
  }
  if (!plan_->fast()) return;
  const std::size_t chunks = (depth + gemm_chunk - 1) / gemm_chunk;
  if (!weights) largest_code_.resize(chunks);
  if (weights) magnitude_sums_.resize(chunks * padded(lanes));
  if (weights && plan_->ternary) weight_sums_.resize(chunks * padded(lanes));
}

void GemmOperands::require_fit(std::size_t k, std::size_t first, std::size_t count) const {
  if (k < depth_ && first <= lanes_ && count <= lanes_ - first) return;
  throw FormatError(fmt::format("{}: {} words from {} on in step {} do not fit a depth of {} and {} words",
                                side_ == Side::weights ? "GemmWeights" : "GemmPanel", count, first, k, depth_, lanes_));
}

void GemmOperands::set_words(std::size_t k, std::size_t first, std::span<const Word> words) {
  require_fit(k, first, words.size());
  std::array<std::uint8_t, 256> bytes;
  for (std::size_t from = 0; from < words.size(); from += bytes.size()) {
    const std::size_t count = std::min(bytes.size(), words.size() - from);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(words[from + i]);
    set_words(k, first + from, std::span<const std::uint8_t>(bytes).first(count));
  }
}

void GemmOperands::set_words(std::size_t k, std::size_t first, std::span<const std::uint8_t> words) {
  require_fit(k, first, words.size());
  const bool weights = side_ == Side::weights;
  const TensorFormat& format = weights ? plan_->weight_format : plan_->activation_format;
  const auto mask = static_cast<std::uint8_t>(format.word_count() - 1);
  const GemmCode& code = weights ? plan_->weight_code : plan_->activation_code;
  const std::span<std::uint8_t> row(words_.data() + k * lanes_ + first, words.size());
  std::size_t chunk_lane = k / gemm_chunk * padded(lanes_) + first;
  if (!weight_sums_.empty()) {
    const auto& value = plan_->weight_form.table[0];
    for (std::size_t i = 0; i < words.size(); ++i) {
      weight_sums_[chunk_lane + i] +=
          static_cast<std::int8_t>(value[words[i] & mask]) - static_cast<std::int8_t>(value[row[i]]);
    }
  }
  std::uint8_t largest = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    row[i] = words[i] & mask;
    largest = std::max(largest, code(row[i]));
  }
  if (!magnitude_sums_.empty()) {
    for (const std::uint8_t word : row) magnitude_sums_[chunk_lane++] += plan_->weight_magnitudes.of_word[word];
  }
  if (!largest_code_.empty()) largest_code_[k / gemm_chunk] = std::max(largest_code_[k / gemm_chunk], largest);
  if (largest == format.nar_word()) {
    nar_lanes_.resize(lanes_);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i] == format.nar_word()) nar_lanes_[first + i] = 1;
    }
  }
  const std::size_t element_bytes = (weights ? plan_->weight_form : plan_->panel_form).element_bytes;
  if (element_bytes == 1) write_form<std::uint8_t>(k, first, row);
  if (element_bytes == 2) write_form<std::uint16_t>(k, first, row);
  if (element_bytes == 4) write_form<std::uint32_t>(k, first, row);
}

template <class Element>
void GemmOperands::write_form(std::size_t k, std::size_t first, std::span<const std::uint8_t> words) {
  const GemmForm& form = side_ == Side::weights ? plan_->weight_form : plan_->panel_form;
  const GemmLayout layout(form, depth_, lanes_);
  auto* const bytes = reinterpret_cast<std::uint8_t*>(form_.data()) + k / form.interleave * layout.row_bytes +
                      k % form.interleave * sizeof(Element);
  for (std::size_t from = 0; from < words.size();) {
    const std::size_t lane = first + from;
    const std::size_t count = std::min(words.size() - from, layout.width - lane % layout.width);
    auto* to = reinterpret_cast<Element*>(bytes + layout.offset(lane));
    const std::uint8_t* const word = words.data() + from;
    const auto write = [&](Element* into, const std::array<std::uint32_t, 256>& table, std::size_t interleave) {
      for (std::size_t i = 0; i < count; ++i) into[i * interleave] = static_cast<Element>(table[word[i]]);
    };
    for (std::size_t p = 0; p < form.planes; ++p, to += layout.plane_bytes / sizeof(Element)) {
      if (form.interleave == 1) write(to, form.table[p], 1);
      if (form.interleave == 2) write(to, form.table[p], 2);
      if (form.interleave == 4) write(to, form.table[p], 4);
    }
    from += count;
  }
}

GemmWeights::GemmWeights(const GemmKernel& kernel, std::size_t depth, std::size_t channels)
    : GemmOperands(kernel, Side::weights, depth, channels) {}

GemmPanel::GemmPanel(const GemmKernel& kernel, std::size_t depth, std::size_t positions)
    : GemmOperands(kernel, Side::activations, depth, positions) {}

}  // namespace lpa::formats
