#include "quant/formats/gemm_run.h"

#include <algorithm>
#include <array>
#include <limits>

namespace lpa::formats {
namespace {

/// Positions whose operands are used for all channels before the next ones: they stay in the second-level cache.
constexpr std::size_t positions_at_a_time = 128;
constexpr std::size_t vector_lanes = 16;

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// The first lane behind the block of a lane.
std::size_t next_block(std::size_t lane) {
  return (lane / gemm_widest + 1) * gemm_widest;
}

}  // namespace

GemmRun::GemmRun(const GemmPlan& plan, const GemmPanel& panel, const GemmWeights& weights, std::size_t first,
                 std::span<const Psum> start, std::span<Psum> sums, AccumulateEvents& events)
    : plan_(plan),
      panel_(panel),
      weights_(weights),
      first_(first),
      depth_(panel.depth()),
      channels_(weights.channels()),
      start_(start),
      sums_(sums),
      events_(events),
      panel_layout_(plan.panel_form, depth_, panel.positions()),
      weight_layout_(plan.weight_form, depth_, channels_) {
  if (!plan.fast()) return;
  start_values_.resize(round_up(channels_, gemm_widest));
  for (std::size_t n = 0; n < channels_; ++n) start_values_[n] = start[n].nar ? 0 : start[n].value;
  for (const std::uint8_t code : panel.largest_code_) {
    largest_activation_.push_back(plan.activation_magnitudes.up_to_code[code] * plan.product_scale);
  }
  bounds_.resize(largest_activation_.size());
}

void GemmRun::run(std::size_t first, std::size_t end) {
  for (std::size_t from = first; from < end;) {
    if (has_nar(panel_, from)) {
      for (std::size_t n = 0; n < channels_; ++n) run_scalar(from, n);
      ++from;
      continue;
    }
    std::size_t to = from + 1;
    while (to < end && !has_nar(panel_, to)) ++to;
    if (plan_.fast()) {
      run_fast({from, to});
    } else {
      run_ordered({from, to}, {0, channels_});
    }
    for (std::size_t n = 0; n < channels_; ++n) {
      for (std::size_t p = from; scalar_channel(n) && p < to; ++p) run_scalar(p, n);
    }
    from = to;
  }
}

std::size_t GemmRun::cost(const GemmTileShape& shape, Range positions) const {
  if (shape.positions > panel_layout_.width || shape.channels > weight_layout_.width) {
    return std::numeric_limits<std::size_t>::max();
  }
  const std::size_t tiles = (positions.end - 1) / shape.positions - positions.first / shape.positions + 1;
  return tiles * round_up(channels_, shape.channels) / shape.channels * shape.cost;
}

const GemmTileShape* GemmRun::cheapest(std::span<const GemmTileShape> shapes, Range positions) const {
  return &*std::min_element(shapes.begin(), shapes.end(), [&](const GemmTileShape& a, const GemmTileShape& b) {
    return cost(a, positions) < cost(b, positions);
  });
}

void GemmRun::run_fast(Range positions) {
  if (channels_ == 0) return;
  std::uint8_t largest = 0;
  for (const std::uint8_t code : panel_.largest_code_) largest = std::max(largest, code);
  const std::span<const GemmTileShape> shapes = plan_.shapes(largest);

  // The best shape for all, or the best for whole tiles and another one for the rest.
  const GemmTileShape* main = cheapest(shapes, positions);
  const GemmTileShape* other = main;
  std::size_t split = positions.end;
  std::size_t least = cost(*main, positions);
  for (const GemmTileShape& shape : shapes) {
    const std::size_t at = positions.end / shape.positions * shape.positions;
    if (at <= positions.first || at == positions.end) continue;
    const GemmTileShape* const rest = cheapest(shapes, {at, positions.end});
    const std::size_t whole_tiles = cost(shape, {positions.first, at});
    if (whole_tiles == std::numeric_limits<std::size_t>::max()) continue;
    const std::size_t both = whole_tiles + cost(*rest, {at, positions.end});
    if (both < least) {
      least = both;
      main = &shape;
      other = rest;
      split = at;
    }
  }
  run_shape(*main, {positions.first, split});
  if (split < positions.end) run_shape(*other, {split, positions.end});
}

void GemmRun::run_shape(const GemmTileShape& shape, Range positions) {
  for (std::size_t first = positions.first; first < positions.end;) {
    const std::size_t end =
        std::min(positions.end, first / positions_at_a_time * positions_at_a_time + positions_at_a_time);
    for (std::size_t n = 0; n < channels_; n += shape.channels) {
      run_tiles(shape, {first, end}, {n, std::min(channels_, n + shape.channels)});
    }
    first = end;
  }
}

void GemmRun::find_bounds(Range channels) {
  constexpr std::size_t group = 8;
  for (std::size_t chunk = 0; chunk < bounds_.size(); ++chunk) {
    const double* const sums = weights_.magnitude_sums_.data() + chunk * start_values_.size() + channels.first;
    std::array<double, group> largest{};
    std::size_t n = 0;
    for (; n + group <= channels.size(); n += group) {
      for (std::size_t i = 0; i < group; ++i) largest[i] = largest[i] < sums[n + i] ? sums[n + i] : largest[i];
    }
    for (; n < channels.size(); ++n) largest[0] = std::max(largest[0], sums[n]);
    const double bound = *std::max_element(largest.begin(), largest.end()) * largest_activation_[chunk];
    constexpr double most = std::numeric_limits<std::uint32_t>::max();
    bounds_[chunk] =
        bound < most - 1 ? static_cast<std::uint32_t>(bound) + 1 : std::numeric_limits<std::uint32_t>::max();
  }
}

void GemmRun::run_tiles(const GemmTileShape& shape, Range positions, Range channels) {
  alignas(64) std::array<std::int32_t, gemm_widest * gemm_widest> results;
  find_bounds(channels);
  GemmTile tile;
  plan_.prepare(tile);
  tile.panel_row = panel_layout_.row_bytes;
  tile.panel_plane = panel_layout_.plane_bytes;
  tile.weights = reinterpret_cast<const std::uint8_t*>(weights_.form_.data()) + weight_layout_.offset(channels.first);
  tile.weights_row = weight_layout_.row_bytes;
  tile.rows = panel_layout_.rows;
  tile.bounds = bounds_;
  tile.start = start_values_.data() + channels.first;
  if (plan_.ternary) tile.weight_sums = weights_.weight_sums_.data() + channels.first;
  tile.weight_sums_row = start_values_.size();
  tile.sums = results.data();

  Range failed;
  for (std::size_t at = positions.first / shape.positions * shape.positions; at < positions.end;
       at += shape.positions) {
    const Range range{std::max(at, positions.first), std::min(at + shape.positions, positions.end)};
    tile.panel = reinterpret_cast<const std::uint8_t*>(panel_.form_.data()) + panel_layout_.offset(at);
    if (!shape.run(tile)) {
      if (failed.end != range.first) {
        if (failed.size() != 0) run_ordered(failed, channels);
        failed.first = range.first;
      }
      failed.end = range.end;
      continue;
    }
    const std::size_t per_position = shape.channels_first ? 1 : shape.channels;
    const std::size_t per_channel = shape.channels_first ? shape.positions : 1;
    for (std::size_t p = range.first; p < range.end; ++p) {
      const std::int32_t* const from = results.data() + (p - at) * per_position;
      Psum* const to = &sum(p, channels.first);
      for (std::size_t n = 0; n < channels.size(); ++n) to[n] = {from[n * per_channel], 0, false};
    }
  }
  if (failed.size() != 0) run_ordered(failed, channels);
}

GemmRun::Operands GemmRun::lanes(const GemmOperands& operands, Range range) const {
  const bool weights = operands.side_ == GemmOperands::Side::weights;
  const GemmLayout& layout = weights ? weight_layout_ : panel_layout_;
  const bool whole = range.first % vector_lanes == 0 && (range.end % vector_lanes == 0 || range.end == operands.lanes_);
  if (!plan_.fast() && whole) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(operands.form_.data()) + layout.offset(range.first);
    return {range, reinterpret_cast<const PackedOperand*>(bytes), layout.width, {}};
  }
  Operands result;
  result.lanes = range;
  result.stride = round_up(range.size(), vector_lanes);
  result.copy.resize(depth_ * result.stride, packed_zero);
  const auto& table = weights ? plan_.weight_operands : plan_.activation_operands;
  for (std::size_t k = 0; k < depth_; ++k) {
    const std::uint8_t* const words = operands.words_.data() + k * operands.lanes_ + range.first;
    PackedOperand* const to = result.copy.data() + k * result.stride;
    for (std::size_t i = 0; i < range.size(); ++i)
      to[i] = table[words[i]] == packed_nar ? packed_zero : table[words[i]];
  }
  result.data = result.copy.data();
  return result;
}

void GemmRun::run_ordered(Range positions, Range channels) {
  for (std::size_t first = channels.first; first < channels.end;) {
    std::size_t end = first;
    while (end < channels.end && !scalar_channel(end)) ++end;
    if (end > first) run_ordered_clean(positions, {first, end});
    first = end + 1;
  }
}

void GemmRun::run_ordered_clean(Range positions, Range channels) {
  // Whichever way round needs fewer vectors.
  const std::size_t by_positions = round_up(positions.size(), vector_lanes) * channels.size();
  const std::size_t by_channels = round_up(channels.size(), vector_lanes) * positions.size();
  const bool vector_of_positions = by_positions <= by_channels;
  const GemmOperands& vector_side = vector_of_positions ? static_cast<const GemmOperands&>(panel_) : weights_;
  const GemmOperands& row_side = vector_of_positions ? static_cast<const GemmOperands&>(weights_) : panel_;
  const Range vectors = vector_of_positions ? positions : channels;
  const Range rows = vector_of_positions ? channels : positions;

  std::vector<Operands> blocks;
  for (std::size_t first = vectors.first; first < vectors.end; first = next_block(first)) {
    blocks.push_back(lanes(vector_side, {first, std::min(vectors.end, next_block(first))}));
  }
  std::array<Psum, gemm_widest> psums;
  std::vector<PackedOperand> row_copies(vector_lanes * depth_);
  for (std::size_t r = rows.first; r < rows.end; ++r) {
    const std::size_t of_copies = (r - rows.first) % vector_lanes;
    if (of_copies == 0) copy_rows(row_side, {r, std::min(rows.end, r + vector_lanes)}, row_copies);
    for (const Operands& block : blocks) {
      const std::size_t first = block.lanes.first;
      const std::span<Psum> sums(psums.data(), block.lanes.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = start_[vector_of_positions ? r : first + i];
      const PackedOperand* const row = row_copies.data() + of_copies * depth_;
      plan_.batch.mac_lanes(sums, depth_, row, block.data, block.stride, &events_);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        (vector_of_positions ? sum(first + i, r) : sum(r, first + i)) = sums[i];
      }
    }
  }
}

void GemmRun::copy_rows(const GemmOperands& operands, Range range, std::span<PackedOperand> rows) const {
  const bool weights = operands.side_ == GemmOperands::Side::weights;
  const auto& table = weights ? plan_.weight_operands : plan_.activation_operands;
  for (std::size_t k = 0; k < depth_; ++k) {
    const std::uint8_t* const words = operands.words_.data() + k * operands.lanes_ + range.first;
    for (std::size_t i = 0; i < range.size(); ++i) rows[i * depth_ + k] = table[words[i]];
  }
}

void GemmRun::run_scalar(std::size_t position, std::size_t channel) {
  Psum psum = start_[channel];
  for (std::size_t k = 0; k < depth_; ++k) {
    const PackedOperand weight = plan_.weight_operands[weights_.words_[k * channels_ + channel]];
    const PackedOperand activation = plan_.activation_operands[panel_.words_[k * panel_.positions() + position]];
    psum = plan_.batch.scalar().mac(psum, unpack(weight), unpack(activation), &events_);
  }
  sum(position, channel) = psum;
}

}  // namespace lpa::formats
