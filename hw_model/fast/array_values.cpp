#include "hw_model/fast/array_values.h"

#include <algorithm>
#include <span>

namespace lpa::hw {
namespace {

/// Channels whose sums are formed together: kernels are at their best.
constexpr std::int64_t group_channels = 64;

/// What of a format the array sees: the scale factor only moves the encoder's constant.
std::array<std::int64_t, 5> shape(const FormatFields& f) {
  return {f.bits, f.es, f.rs, f.regime, f.family};
}

formats::TensorFormat to_format(const FormatFields& f) {
  formats::TensorFormat format(f.kind(), static_cast<int>(f.bits), static_cast<int>(f.es), 0);
  format.rs = static_cast<int>(f.rs);
  format.regime = f.regime == 0 ? formats::Regime::bounded : formats::Regime::terminated;
  return format;
}

/// 10..0 of a format.
std::uint8_t top_word(const FormatFields& f) {
  return static_cast<std::uint8_t>(1u << (f.bits - 1));
}

std::uint32_t count_words(std::span<const std::uint8_t> words, std::uint8_t word) {
  return static_cast<std::uint32_t>(std::ranges::count(words, word));
}

/// Those that are zero: a negative zero is.
std::uint32_t count_zeros(std::span<const std::uint8_t> words, const FormatFields& f) {
  return count_words(words, 0) + (formats::is_sign_magnitude(f.kind()) ? count_words(words, top_word(f)) : 0);
}

}  // namespace

ArrayValues::ArrayValues(const MachineConfig& config, const FillLogic& weights, const FillLogic& inputs,
                         OutputStore& store)
    : arithmetic_(config.arithmetic), weight_buffer_(weights), input_buffer_(inputs), store_(store) {}

void ArrayValues::start(const Schedule& schedule, bool layer_wise) {
  schedule_ = &schedule;
  layer_wise_ = layer_wise;
  group_tiles_ = layer_wise ? ceil_div(group_channels, schedule.tiling().lanes) : 1;
  channels_.clear();
  channels_.resize(layer_wise ? static_cast<std::size_t>(ceil_div(schedule.tiling().n_tiles, group_tiles_)) : 2);
  values_ = next_values_;
  panel_.reset();
  panel_number_ = -1;
  const Tiling& tiling = schedule.tiling();
  const Descriptor& d = tiling.d;
  store_.start(tiling);
  if (!values_) return;
  const KernelKey key{shape(d.weight), shape(d.input), d.psum_lsb};
  const int lsb = static_cast<int>(d.psum_lsb);
  kernel_ = &kernels_.try_emplace(key, arithmetic_, to_format(d.weight), to_format(d.input), lsb).first->second;
  const EncoderKey encoder_key{shape(d.encoded), d.weight.bits, d.psum_lsb, d.scale};
  encoder_ = &encoders_
                  .try_emplace(encoder_key, arithmetic_, to_format(d.encoded), static_cast<int>(d.weight.bits), lsb,
                               static_cast<int>(d.scale))
                  .first->second;
}

void ArrayValues::load_biases(const TileCursor& tile) {
  if (!values_) return;
  const Tiling& tiling = schedule_->tiling();
  const VisitCursor& visit = tile.visit();
  Channels& loaded = channels(visit);
  if (first_channel(visit) == 0) {
    const std::int64_t first = visit.n_tile() * tiling.lanes;
    const std::int64_t count = std::min(group_tiles_ * tiling.lanes, tiling.d.out_c - first);
    loaded.weights.emplace(*kernel_, static_cast<std::size_t>(tiling.k), static_cast<std::size_t>(count));
    loaded.start.clear();
    loaded.scale.clear();
    loaded.nonzero.assign(static_cast<std::size_t>(tiling.k), 0);
  }
  const auto count = static_cast<std::size_t>(visit.channels());
  if (!tile.has_biases()) {
    loaded.start.resize(loaded.start.size() + count, kernel_->scalar().start({}));
    loaded.scale.resize(loaded.start.size());
    return;
  }
  const std::uint8_t* at = weight_buffer_.data(tile.weight_fetch()) + tile.bias_offset();
  for (std::size_t channel = 0; channel < count; ++channel, at += Tiling::bias_bytes) {
    loaded.start.push_back(read_bias(at));
    loaded.scale.push_back(read_channel_scale(at));
  }
}

void ArrayValues::load_tile(const TileCursor& tile) {
  if (!values_) return;
  const Tiling& tiling = schedule_->tiling();
  const std::int64_t bits = tiling.d.weight.bits;
  const std::int64_t first = tiling.k_begin(tile.k_tile());
  const std::uint8_t* bytes = weight_buffer_.data(tile.weight_fetch()) + tile.weight_offset(first);
  Channels& loaded = channels(tile.visit());
  const std::int64_t stride = tile.column_stride();
  const std::int64_t k_stride = tile.k_stride();
  row_.resize(static_cast<std::size_t>(tile.visit().channels()));
  for (std::int64_t k = first; k < first + tiling.k_rows(tile.k_tile()); ++k, bytes += k_stride) {
    std::span<const std::uint8_t> row(row_);
    if (bits == 8 && stride == 1) {
      row = {bytes, row_.size()};
    } else {
      for (std::size_t n = 0; n < row_.size(); ++n) {
        const auto bit = static_cast<std::int64_t>(n) * bits;
        row_[n] = word_in_byte(bytes[bit / 8 * stride], bit, bits);
      }
    }
    loaded.weights->set_row(static_cast<std::size_t>(k), first_channel(tile.visit()), row);
    loaded.nonzero[static_cast<std::size_t>(k)] +=
        static_cast<std::uint32_t>(row.size()) - count_zeros(row, tiling.d.weight);
  }
}

void ArrayValues::compute(const VisitCursor& visit, std::int64_t first, std::int64_t count) {
  if (!values_) return;
  extend_panel(visit, first + count);
  const Channels& loaded = channels(visit);
  const std::size_t pitch = loaded.weights->channels();
  const std::size_t offset = first_channel(visit);
  if (offset == 0) {
    sums_.resize(static_cast<std::size_t>(count) * pitch);
    kernel_->run(*panel_, static_cast<std::size_t>(first), static_cast<std::size_t>(count), *loaded.weights,
                 loaded.start, sums_, events_);
    active_products_ += count_active(first, count, loaded.nonzero);
  }
  const auto lanes = static_cast<std::size_t>(visit.channels());
  const auto idle_lanes = static_cast<std::uint64_t>(schedule_->tiling().lanes) - lanes;
  const formats::Psum* sums = sums_.data() + offset;
  const std::int16_t* scales = loaded.scale.data() + offset;
  for (std::int64_t position = first; position < first + count; ++position, sums += pitch) {
    std::uint8_t* words = store_.words(visit.index(), position);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      words[lane] = static_cast<std::uint8_t>((*encoder_)(sums[lane], scales[lane]));
    }
    // Lanes without a channel hold zeros as weights: only NaR makes a difference to them.
    events_.nar_products += static_cast<std::uint64_t>(nars_[static_cast<std::size_t>(position)]) * idle_lanes;
  }
}

std::uint64_t ArrayValues::count_active(std::int64_t first, std::int64_t count,
                                        const std::vector<std::uint32_t>& nonzero) const {
  const std::size_t pitch = nonzero.size();
  const std::uint32_t* before = nonzero_before_.data() + static_cast<std::size_t>(first) * pitch;
  const std::uint32_t* after = before + static_cast<std::size_t>(count) * pitch;
  std::uint64_t active = 0;
  for (std::size_t k = 0; k < pitch; ++k) active += std::uint64_t{after[k] - before[k]} * nonzero[k];
  return active;
}

/// The fetch that brings a band's activations; layer-wise it does not matter which.
std::int64_t ArrayValues::panel_of(const Pass& pass) const {
  return layer_wise_ ? pass.batch * schedule_->tiling().bands + pass.band : pass.input_fetch;
}

void ArrayValues::extend_panel(const VisitCursor& visit, std::int64_t end) {
  const Tiling& tiling = schedule_->tiling();
  const Pass& pass = visit.pass();
  if (panel_number_ != panel_of(pass)) {
    const std::int64_t positions = tiling.positions(pass.band);
    panel_.emplace(*kernel_, static_cast<std::size_t>(tiling.k), static_cast<std::size_t>(positions));
    nars_.assign(static_cast<std::size_t>(positions), 0);
    nonzero_before_.assign(static_cast<std::size_t>((positions + 1) * tiling.k), 0);
    panel_number_ = panel_of(pass);
    panel_filled_ = 0;
  }
  if (end <= panel_filled_) return;
  const FormatFields& format = tiling.d.input;
  const std::uint8_t top = top_word(format);
  const bool top_is_nar = formats::has_nar(format.kind());
  const std::uint8_t other_zero = formats::is_sign_magnitude(format.kind()) ? top : std::uint8_t{0};
  row_.resize(static_cast<std::size_t>(end - panel_filled_));
  for (std::int64_t k = 0; k < tiling.k; ++k) {
    read_row(pass, k, panel_filled_, end - panel_filled_);
    panel_->set(static_cast<std::size_t>(k), static_cast<std::size_t>(panel_filled_),
                std::span<const std::uint8_t>(row_));
    const auto filled = static_cast<std::size_t>(panel_filled_), pitch = static_cast<std::size_t>(tiling.k);
    std::uint32_t* nonzero = nonzero_before_.data() + filled * pitch + static_cast<std::size_t>(k);
    for (std::size_t i = 0; i < row_.size(); ++i, nonzero += pitch) {
      if (row_[i] == top && top_is_nar) ++nars_[filled + i];
      nonzero[pitch] = nonzero[0] + static_cast<std::uint32_t>(row_[i] != 0 && row_[i] != other_zero);
    }
  }
  panel_filled_ = end;
}

void ArrayValues::read_row(const Pass& pass, std::int64_t k, std::int64_t first, std::int64_t count) {
  const Tiling& tiling = schedule_->tiling();
  const Descriptor& d = tiling.d;
  const std::int64_t tap = k / d.in_c;
  const std::int64_t bit = tiling.channel_bit(k % d.in_c);
  const std::int64_t top = tiling.band_first_row(pass.band);
  const std::int64_t dx = tap % d.kernel_w * d.dilation_w - d.pad_left;
  const std::int64_t dy = tap / d.kernel_w * d.dilation_h - d.pad_top;
  const std::uint8_t* data = input_buffer_.data(pass.input_fetch) + bit / 8;
  const std::int64_t pixel = tiling.pixel_bytes();
  std::uint8_t* to = row_.data();
  for (std::int64_t position = first; position < first + count;) {
    const std::int64_t out_x = position % d.out_w;
    const std::int64_t run = std::min(d.out_w - out_x, first + count - position);
    const std::int64_t y = (top + position / d.out_w) * d.stride_h + dy;
    if (y < 0 || y >= d.in_h) {
      to = std::fill_n(to, run, std::uint8_t{0});
    } else {
      const std::uint8_t* line = data + (y - tiling.input_first_row(pass.band)) * tiling.input_row_bytes();
      std::int64_t x = out_x * d.stride_w + dx;
      for (std::int64_t i = 0; i < run; ++i, x += d.stride_w) {
        const bool inside = x >= 0 && x < d.in_w;
        *to++ = inside ? word_in_byte(line[x * pixel], bit, d.input.bits) : std::uint8_t{0};
      }
    }
    position += run;
  }
}

}  // namespace lpa::hw
