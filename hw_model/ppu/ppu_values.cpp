#include "hw_model/ppu/ppu_values.h"

#include <algorithm>

namespace lpa::hw {
namespace {

/// Words of `bits` bits out of packed bytes, the first one at bit number `first`.
void unpack(const std::uint8_t* bytes, std::int64_t first, std::int64_t bits, std::span<std::uint8_t> words) {
  if (bits == 8) {
    std::copy_n(bytes + first / 8, words.size(), words.begin());
    return;
  }
  for (std::int64_t bit = first; std::uint8_t & word : words) {
    word = word_in_byte(bytes[bit / 8], bit, bits);
    bit += bits;
  }
}

void pack(std::span<const std::uint8_t> words, std::int64_t bits, std::span<std::uint8_t> bytes) {
  if (bits == 8) {
    std::ranges::copy(words, bytes.begin());
    return;
  }
  std::ranges::fill(bytes, std::uint8_t{0});
  for (std::int64_t bit = 0; const std::uint8_t word : words) {
    std::uint8_t& byte = bytes[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte | word << bit % 8);
    bit += bits;
  }
}

}  // namespace

PpuValues::PpuValues(const MachineConfig& config, const FillLogic& input_buffer, const OutputStore& store,
                     const OutputLogic& output)
    : arithmetic_(config.arithmetic),
      converters_(config.arithmetic),
      input_buffer_(input_buffer),
      store_(store),
      output_(output) {}

void PpuValues::start(const Schedule& schedule) {
  schedule_ = &schedule;
  const Descriptor& d = schedule.descriptor();
  datapath_.emplace(converters_, arithmetic_, d);
  row_datapath_.reset();
  if (d.works_on_rows()) row_datapath_.emplace(converters_, arithmetic_, d, schedule.parameters());
  events_before_ = events_;
}

void PpuValues::compute(const VisitCursor& visit, std::int64_t position, std::span<std::uint8_t> packed) {
  const Descriptor& d = schedule_->descriptor();
  words_.resize(static_cast<std::size_t>(visit.channels()));
  operate(visit, position);
  if (d.adds()) add_residuals(visit, position);
  if (d.has(flag_table)) {
    for (std::uint8_t& word : words_) word = schedule_->parameters()[word];
  }
  if (d.has(flag_relu)) {
    for (std::uint8_t& word : words_) word = datapath_->relu(word);
  }
  pack(words_, d.output.bits, packed);
  const formats::AccumulateEvents& events = row_datapath_ ? row_datapath_->events() : datapath_->events();
  events_.saturations = events_before_.saturations + events.saturations;
  events_.nar_products = events_before_.nar_products + events.nar_products;
}

void PpuValues::operate(const VisitCursor& visit, std::int64_t position) {
  const Descriptor& d = schedule_->descriptor();
  switch (d.operation()) {
    case LayerOp::conv:
      std::copy_n(store_.words(visit.index(), position), words_.size(), words_.begin());
      return;
    case LayerOp::max_pool:
    case LayerOp::average_pool:
      pool(visit, position);
      return;
    case LayerOp::softmax:
    case LayerOp::layer_norm:
    case LayerOp::add:
    case LayerOp::copy:
      break;
  }
  const std::int64_t y = schedule_->tiling().band_first_row(visit.pass().band) + position / d.out_w;
  if (!row_datapath_) {
    read_input(visit.pass(), y, position % d.out_w, words_);
    return;
  }
  operands_.resize(words_.size());
  read_input(visit.pass(), y, position % d.out_w, operands_);
  (*row_datapath_)(operands_, words_);
}

void PpuValues::pool(const VisitCursor& visit, std::int64_t position) {
  const Descriptor& d = schedule_->descriptor();
  const bool average = d.operation() == LayerOp::average_pool;
  const std::int64_t out_y = schedule_->tiling().band_first_row(visit.pass().band) + position / d.out_w;
  const std::int64_t out_x = position % d.out_w;
  sums_.assign(average ? words_.size() : 0, {});
  std::ranges::fill(words_, std::uint8_t{0});
  operands_.resize(words_.size());
  int count = 0;
  for (std::int64_t ky = 0; ky < d.kernel_h; ++ky) {
    for (std::int64_t kx = 0; kx < d.kernel_w; ++kx) {
      const std::int64_t y = out_y * d.stride_h - d.pad_top + ky * d.dilation_h;
      const std::int64_t x = out_x * d.stride_w - d.pad_left + kx * d.dilation_w;
      if (y < 0 || y >= d.in_h || x < 0 || x >= d.in_w) continue;
      read_input(visit.pass(), y, x, operands_);
      for (std::size_t c = 0; c < words_.size(); ++c) {
        if (average) {
          sums_[c] = datapath_->accumulate(sums_[c], operands_[c]);
        } else {
          words_[c] = count == 0 ? operands_[c] : datapath_->max(words_[c], operands_[c]);
        }
      }
      ++count;
    }
  }
  if (!average) return;
  if (d.has(flag_count_include_pad)) count = static_cast<int>(d.kernel_h * d.kernel_w);
  for (std::size_t c = 0; c < words_.size(); ++c) words_[c] = datapath_->average(sums_[c], std::max(count, 1));
}

/// The words of a pixel of the input.
void PpuValues::read_input(const Pass& pass, std::int64_t y, std::int64_t x, std::span<std::uint8_t> words) const {
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t pixel =
      (y - tiling.input_first_row(pass.band)) * tiling.input_row_bytes() + x * tiling.pixel_bytes();
  unpack(input_buffer_.data(pass.input_fetch) + pixel, tiling.channel_bit(0), tiling.d.input.bits, words);
}

void PpuValues::add_residuals(const VisitCursor& visit, std::int64_t position) {
  const Descriptor& d = schedule_->descriptor();
  operands_.resize(words_.size());
  const std::int64_t bytes = packed_bytes(visit.channels(), d.addend.bits);
  unpack(output_.residuals(visit.index()) + position * bytes, 0, d.addend.bits, operands_);
  for (std::size_t c = 0; c < words_.size(); ++c) words_[c] = datapath_->add(words_[c], operands_[c]);
}

}  // namespace lpa::hw
