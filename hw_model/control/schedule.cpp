#include "hw_model/control/schedule.h"

#include <algorithm>

namespace lpa::hw {
Tiling::Tiling(const Descriptor& descriptor, const MachineConfig& config)
    : inputs(config.array.inputs(static_cast<int>(descriptor.input.bits))),
      rows(config.array.rows * inputs),
      columns(config.array.columns),
      pack(8 / descriptor.weight.bits),
      d(descriptor) {
  k = d.kernel_h * d.kernel_w * d.in_c;
  bands = ceil_div(d.out_h, d.band_rows);
  if (d.uses_array()) {
    lanes = columns * pack;
    n_tiles = ceil_div(d.out_c, lanes);
    k_tiles = ceil_div(k, rows);
    psum_bytes_ = k_tiles > 1 ? config.psum_bytes(static_cast<int>(d.weight.bits)) : 0;
  } else {
    lanes = d.out_c;
    n_tiles = 1;
    k_tiles = 1;
    psum_bytes_ = 0;
  }
  blocks = ceil_div(n_tiles, d.block_tiles);
  k_blocks = ceil_div(k, d.k_block);
}

std::int64_t Tiling::tile_offset(std::int64_t n_tile) const {
  if (!d.uses_array()) return 0;
  const std::int64_t full = n_tile * (bias_bytes * lanes + k * columns);
  if (n_tile < n_tiles) return full;
  return (n_tiles - 1) * (bias_bytes * lanes + k * columns) + bias_bytes * tile_channels(n_tiles - 1) +
         k * tile_columns(n_tiles - 1);
}

std::int64_t Tiling::weight_extent() const {
  switch (d.layout()) {
    case WeightLayout::rows:
      return (k - 1) * d.weight_pitch + d.out_c;
    case WeightLayout::columns:
      return (d.out_c - 1) * d.weight_pitch + k;
    case WeightLayout::packed:
      break;
  }
  return weight_bytes();
}

std::int64_t Tiling::vector_macs(std::int64_t n_tile, std::int64_t k_tile) const {
  if (d.groups == 1) return k_rows(k_tile) * tile_channels(n_tile);
  const std::int64_t group_inputs = d.in_c / d.groups, outputs = d.out_c / d.groups;
  const std::int64_t first = n_tile * lanes, end = first + tile_channels(n_tile);
  std::int64_t macs = 0;
  for (std::int64_t row = k_begin(k_tile); row < k_begin(k_tile) + k_rows(k_tile); ++row) {
    const std::int64_t group = row % d.in_c / group_inputs;
    macs += std::max<std::int64_t>(std::min(end, (group + 1) * outputs) - std::max(first, group * outputs), 0);
  }
  return macs;
}

std::int64_t Tiling::input_first_row(std::int64_t band) const {
  return std::clamp<std::int64_t>(band_first_row(band) * d.stride_h - d.pad_top, 0, d.in_h);
}

std::int64_t Tiling::input_end_row(std::int64_t band) const {
  const std::int64_t last = band_first_row(band) + band_row_count(band) - 1;
  return std::clamp(last * d.stride_h - d.pad_top + (d.kernel_h - 1) * d.dilation_h + 1, input_first_row(band), d.in_h);
}

std::int64_t Tiling::input_bytes_to(std::int64_t band, std::int64_t row) const {
  const std::int64_t end = std::min(row, d.in_h - 1) + 1;
  return std::max<std::int64_t>(end - input_first_row(band), 0) * input_row_bytes();
}

std::int64_t Tiling::largest_input_fetch() const {
  std::int64_t largest = 0;
  for (std::int64_t band = 0; band < bands; ++band) {
    largest = std::max(largest, input_end_row(band) - input_first_row(band));
  }
  return largest * input_row_bytes();
}

std::int64_t Tiling::largest_weight_fetch() const {
  if (!d.uses_array()) return 0;
  if (d.layout() != WeightLayout::packed) return d.k_block * std::min(d.block_tiles * lanes, d.out_c);
  if (k_blocks > 1) return bias_bytes * lanes + d.k_block * columns;
  return tile_offset(std::min(d.block_tiles, n_tiles));
}

std::int64_t Tiling::output_half_bytes() const {
  const std::int64_t channels = std::min(lanes, d.out_c);
  const std::int64_t per_position = (d.uses_array() ? lanes * (psum_bytes_ + 1) : 0) +
                                    (d.adds() ? packed_bytes(channels, d.addend.bits) : 0) +
                                    packed_bytes(channels, d.output.bits);
  return std::min(d.band_rows, d.out_h) * d.out_w * per_position;
}

Schedule::Schedule(const Descriptor& descriptor, const MachineConfig& config) : tiling_(descriptor, config) {
  const Tiling& t = tiling_;
  const Descriptor& d = t.d;
  const bool inputs_outer = static_cast<LoopOrder>(d.loop_order) == LoopOrder::inputs_outer;
  const std::int64_t pairs = t.bands * t.blocks;
  std::int64_t fetched_band = -1;
  std::int64_t fetched_block = -1;
  for (std::int64_t i = 0; i < d.batch * pairs; ++i) {
    const std::int64_t pair = i % pairs;
    if (pair == 0) fetched_band = fetched_block = -1;
    const std::int64_t block = inputs_outer ? pair % t.blocks : pair / t.bands;
    Pass pass;
    pass.batch = i / pairs;
    pass.band = inputs_outer ? pair / t.blocks : pair % t.bands;
    pass.first_tile = block * d.block_tiles;
    pass.end_tile = std::min(pass.first_tile + d.block_tiles, t.n_tiles);
    if (pass.band != fetched_band) {
      const std::int64_t first = t.input_first_row(pass.band);
      input_fetches_.push_back(
          {d.input_address + pass.batch * d.input_stride + first * d.in_w * d.input_pitch + t.first_pixel_byte(),
           (t.input_end_row(pass.band) - first) * t.input_row_bytes(), t.pixel_bytes(), d.input_pitch});
      fetched_band = pass.band;
    }
    pass.input_fetch = static_cast<std::int64_t>(input_fetches_.size()) - 1;
    if (d.uses_array()) {
      if (block != fetched_block || t.k_blocks > 1) add_weight_fetches(pass);
      fetched_block = block;
      for (std::int64_t kb = 0; kb < t.k_blocks; ++kb) {
        pass.weight_fetches.push_back(static_cast<std::int64_t>(weight_fetches_.size()) - t.k_blocks + kb);
      }
      vectors_ += (pass.end_tile - pass.first_tile) * t.k_tiles * t.positions(pass.band);
    }
    visits_ += pass.end_tile - pass.first_tile;
    passes_.push_back(std::move(pass));
  }
}

void Schedule::add_weight_fetches(const Pass& pass) {
  const Tiling& t = tiling_;
  const Descriptor& d = t.d;
  const std::int64_t address = d.weight_address + pass.batch * d.weight_stride;
  const std::int64_t first_channel = pass.first_tile * t.lanes;
  const std::int64_t channels = std::min(pass.end_tile * t.lanes, d.out_c) - first_channel;
  for (std::int64_t kb = 0; kb < t.k_blocks; ++kb) {
    const std::int64_t first_k = kb * d.k_block;
    const std::int64_t depth = std::min(d.k_block, t.k - first_k);
    if (d.layout() == WeightLayout::rows) {
      weight_fetches_.push_back(
          {address + first_k * d.weight_pitch + first_channel, depth * channels, channels, d.weight_pitch});
    } else if (d.layout() == WeightLayout::columns) {
      weight_fetches_.push_back(
          {address + first_channel * d.weight_pitch + first_k, channels * depth, depth, d.weight_pitch});
    } else {
      const std::int64_t first = t.tile_offset(pass.first_tile);
      const std::int64_t first_row = first + Tiling::bias_bytes * t.tile_channels(pass.first_tile);
      const std::int64_t columns = t.tile_columns(pass.first_tile);
      const std::int64_t begin = kb == 0 ? first : first_row + first_k * columns;
      const std::int64_t end =
          kb + 1 == t.k_blocks ? t.tile_offset(pass.end_tile) : first_row + (first_k + depth) * columns;
      weight_fetches_.push_back({address + begin, end - begin, end - begin, end - begin});
    }
  }
}

void VisitCursor::next() {
  ++index_;
  if (++n_tile_ < pass().end_tile) return;
  if (++pass_ < schedule_->passes().size()) n_tile_ = pass().first_tile;
}

std::int64_t TileCursor::weight_fetch() const {
  const Tiling& t = schedule_->tiling();
  const std::int64_t k_block = t.k_blocks == 1 ? 0 : t.k_begin(k_tile_) / t.d.k_block;
  return visit_.pass().weight_fetches[static_cast<std::size_t>(k_block)];
}

std::int64_t TileCursor::weight_offset(std::int64_t k) const {
  const Tiling& t = schedule_->tiling();
  const Pass& pass = visit_.pass();
  const std::int64_t n_tile = visit_.n_tile();
  const std::int64_t in_block = t.k_blocks == 1 ? k : k % t.d.k_block;
  const std::int64_t channel = (n_tile - pass.first_tile) * t.lanes;
  switch (t.d.layout()) {
    case WeightLayout::rows:
      return in_block * k_stride() + channel;
    case WeightLayout::columns:
      return channel * column_stride() + in_block;
    case WeightLayout::packed:
      break;
  }
  if (t.k_blocks > 1 && k >= t.d.k_block) return in_block * t.tile_columns(n_tile);
  return bias_offset() + Tiling::bias_bytes * t.tile_channels(n_tile) + k * t.tile_columns(n_tile);
}

std::int64_t TileCursor::column_stride() const {
  const Tiling& t = schedule_->tiling();
  if (t.d.layout() != WeightLayout::columns) return 1;
  return std::min(t.d.k_block, t.k - t.k_begin(k_tile_) / t.d.k_block * t.d.k_block);
}

std::int64_t TileCursor::k_stride() const {
  const Tiling& t = schedule_->tiling();
  const Pass& pass = visit_.pass();
  switch (t.d.layout()) {
    case WeightLayout::rows:
      return std::min(pass.end_tile * t.lanes, t.d.out_c) - pass.first_tile * t.lanes;
    case WeightLayout::columns:
      return 1;
    case WeightLayout::packed:
      break;
  }
  return t.tile_columns(visit_.n_tile());
}

std::int64_t TileCursor::weights_end() const {
  const Tiling& t = schedule_->tiling();
  const std::int64_t last_k = t.k_begin(k_tile_) + t.k_rows(k_tile_) - 1;
  return weight_offset(last_k) + (t.tile_columns(visit_.n_tile()) - 1) * column_stride() + 1;
}

std::int64_t TileCursor::bias_offset() const {
  const Tiling& t = schedule_->tiling();
  return t.tile_offset(visit_.n_tile()) - t.tile_offset(visit_.pass().first_tile);
}

void TileCursor::next() {
  ++index_;
  if (++k_tile_ < schedule_->tiling().k_tiles) return;
  k_tile_ = 0;
  visit_.next();
}

}  // namespace lpa::hw
