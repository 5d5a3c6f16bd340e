// How a descriptor's layer is cut into tiles and in which order they are visited: pure arithmetic, shared by the blocks
// that fetch, load, issue and drain, so that they agree without talking to each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "hw_model/control/descriptor.h"
#include "hw_model/machine_config.h"

namespace lpa::hw {

/// Bytes of `count` packed words.
constexpr std::int64_t packed_bytes(std::int64_t count, std::int64_t bits) {
  return (count * bits + 7) / 8;
}

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// The word of `bits` bits that begins at bit number `bit` of packed bytes, out of the byte it stands in.
constexpr std::uint8_t word_in_byte(std::uint8_t byte, std::int64_t bit, std::int64_t bits) {
  return static_cast<std::uint8_t>(byte >> (bit % 8) & ((1 << bits) - 1));
}

/// The sum that a channel starts from, as it stands in memory: Tiling::bias_bytes bytes.
inline formats::Psum read_bias(const std::uint8_t* bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | bytes[i];
  const std::uint32_t exponent = bytes[4] | std::uint32_t{bytes[5]} << 8;
  return {static_cast<std::int32_t>(value), static_cast<std::int16_t>(exponent), false};
}

/// Sizes of a layer's tiles on a machine. For a layer without array, n_tiles = k_tiles = 1.
struct Tiling {
  static constexpr std::int64_t bias_bytes = 8;  ///< int32 value, int16 exponent, uint16 flags.

  Tiling(const Descriptor& descriptor, const MachineConfig& config);

  std::int64_t rows, columns, pack;
  std::int64_t lanes;  ///< Outputs of a full n-tile: columns * pack; all channels for a layer without array.
  std::int64_t k;      ///< kernel_h * kernel_w * in_c
  std::int64_t n_tiles, k_tiles, k_blocks, bands, blocks;

  std::int64_t tile_channels(std::int64_t n_tile) const;  ///< Output channels of an n-tile.
  std::int64_t tile_columns(std::int64_t n_tile) const;   ///< Array columns (bytes per k) in use.
  std::int64_t tile_offset(std::int64_t n_tile) const;    ///< Byte offset of an n-tile's biases in the layer's weights.
  std::int64_t weight_bytes() const { return tile_offset(n_tiles); }
  std::int64_t k_begin(std::int64_t k_tile) const { return k_tile * rows; }
  std::int64_t k_rows(std::int64_t k_tile) const { return std::min(rows, k - k_tile * rows); }

  std::int64_t band_first_row(std::int64_t band) const { return band * d.band_rows; }
  std::int64_t band_row_count(std::int64_t band) const { return std::min(d.band_rows, d.out_h - band * d.band_rows); }
  std::int64_t positions(std::int64_t band) const { return band_row_count(band) * d.out_w; }
  std::int64_t input_first_row(std::int64_t band) const;  ///< First input row a band reads.
  std::int64_t input_end_row(std::int64_t band) const;    ///< One past the last one.
  std::int64_t input_row_bytes() const { return d.in_w * d.input_pitch; }
  /// Bytes of a band's fetch that hold its rows down to input row `row`; rows outside the map need none.
  std::int64_t input_bytes_to(std::int64_t band, std::int64_t row) const;

  /// (band, block, k-block) triples.
  std::int64_t passes() const { return bands * blocks * k_blocks; }
  std::int64_t largest_input_fetch() const;
  std::int64_t largest_weight_fetch() const;
  /// What a half of the output buffer holds: raw sums (if there are several k-tiles), encoded words, residual, results.
  std::int64_t output_half_bytes() const;

  Descriptor d;

 private:
  std::int64_t psum_bytes_;
};

/// A contiguous piece of external memory that is brought into half of a buffer.
struct Fetch {
  std::int64_t address = 0;
  std::int64_t bytes = 0;
};

/// One (band, block) pair of the loop nest.
struct Pass {
  std::int64_t band = 0;
  std::int64_t first_tile = 0, end_tile = 0;  ///< n-tiles
  std::int64_t input_fetch = 0;               ///< Index of the fetch that holds the band's input rows.
  std::vector<std::int64_t> weight_fetches;   ///< Index of the fetch per k-block.
};

/// The whole visit order of a layer.
class Schedule {
 public:
  Schedule(const Descriptor& descriptor, const MachineConfig& config);

  const Descriptor& descriptor() const { return tiling_.d; }
  const Tiling& tiling() const { return tiling_; }
  const std::vector<Pass>& passes() const { return passes_; }
  const std::vector<Fetch>& input_fetches() const { return input_fetches_; }
  const std::vector<Fetch>& weight_fetches() const { return weight_fetches_; }
  std::int64_t visits() const { return visits_; }    ///< (band, n-tile) pairs: uses of an output buffer half.
  std::int64_t vectors() const { return vectors_; }  ///< Activation vectors to issue; 0 for a layer without array.

 private:
  Tiling tiling_;
  std::vector<Pass> passes_;
  std::vector<Fetch> input_fetches_, weight_fetches_;
  std::int64_t visits_ = 0;
  std::int64_t vectors_ = 0;
};

/// Walks the (band, n-tile) visits of a schedule in order.
class VisitCursor {
 public:
  explicit VisitCursor(const Schedule& schedule)
      : schedule_(&schedule), n_tile_(schedule.passes().front().first_tile) {}

  bool done() const { return index_ == schedule_->visits(); }
  std::int64_t index() const { return index_; }  ///< 0, 1, ...; the output buffer's half is index % 2.
  const Pass& pass() const { return schedule_->passes()[pass_]; }
  std::int64_t n_tile() const { return n_tile_; }
  std::int64_t channels() const { return schedule_->tiling().tile_channels(n_tile_); }
  std::int64_t positions() const { return schedule_->tiling().positions(pass().band); }
  void next();

 private:
  const Schedule* schedule_;
  std::size_t pass_ = 0;
  std::int64_t n_tile_;
  std::int64_t index_ = 0;
};

/// Walks the weight tiles: for every visit its k-tiles.
class TileCursor {
 public:
  explicit TileCursor(const Schedule& schedule) : visit_(schedule), schedule_(&schedule) {}

  bool done() const { return visit_.done(); }
  std::int64_t index() const { return index_; }
  const VisitCursor& visit() const { return visit_; }
  std::int64_t k_tile() const { return k_tile_; }
  bool first_k() const { return k_tile_ == 0; }
  bool last_k() const { return k_tile_ + 1 == schedule_->tiling().k_tiles; }
  /// The weight fetch that holds the tile, and where in it the row of a k begins.
  std::int64_t weight_fetch() const;
  std::int64_t weight_offset(std::int64_t k) const;
  void next();

 private:
  VisitCursor visit_;
  const Schedule* schedule_;
  std::int64_t k_tile_ = 0;
  std::int64_t index_ = 0;
};

}  // namespace lpa::hw
