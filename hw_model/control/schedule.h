// How a descriptor's layer is cut into tiles and in which order they are visited: pure arithmetic, shared by the blocks
// that fetch, load, issue and drain, so that they agree without talking to each other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
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

/// What the channel's sf_weight exceeds the layer's by, units of 2^-8: the encoder adds it to its scale.
inline std::int16_t read_channel_scale(const std::uint8_t* bytes) {
  return static_cast<std::int16_t>(bytes[6] | bytes[7] << 8);
}

/// Sizes of a layer's tiles on a machine. For a layer without array, n_tiles = k_tiles = 1.
struct Tiling {
  static constexpr std::int64_t bias_bytes = 8;  ///< int32 value, int16 exponent, int16 channel scale.

  Tiling(const Descriptor& descriptor, const MachineConfig& config);

  std::int64_t inputs;  ///< That a PE takes at a time.
  std::int64_t rows;    ///< Inputs of a full k-tile: those of all rows of the array.
  std::int64_t columns, pack;
  std::int64_t lanes;  ///< Outputs of a full n-tile: columns * pack; all channels for a layer without array.
  std::int64_t k;      ///< kernel_h * kernel_w * in_c
  std::int64_t n_tiles, k_tiles, k_blocks, bands, blocks;

  /// Output channels of an n-tile.
  std::int64_t tile_channels(std::int64_t n_tile) const { return std::min(lanes, d.out_c - n_tile * lanes); }
  /// Array columns (bytes per k) in use.
  std::int64_t tile_columns(std::int64_t n_tile) const {
    return n_tile + 1 < n_tiles ? columns : ceil_div(tile_channels(n_tile), pack);
  }
  std::int64_t tile_offset(std::int64_t n_tile) const;  ///< Byte offset of an n-tile's biases in packed weights.
  std::int64_t weight_bytes() const { return tile_offset(n_tiles); }
  std::int64_t weight_extent() const;  ///< Bytes from weight_address to behind the last one of a product's operand.
  /// Multiply-accumulates of one activation vector of a tile: those of its diagonal blocks.
  std::int64_t vector_macs(std::int64_t n_tile, std::int64_t k_tile) const;
  std::int64_t k_begin(std::int64_t k_tile) const { return k_tile * rows; }
  std::int64_t k_rows(std::int64_t k_tile) const { return std::min(rows, k - k_tile * rows); }
  /// Of those, the ones of a row of the array; 0 for a row without any.
  std::int64_t row_inputs(std::int64_t k_tile, std::int64_t array_row) const {
    return std::clamp<std::int64_t>(k_rows(k_tile) - array_row * inputs, 0, inputs);
  }

  std::int64_t band_first_row(std::int64_t band) const { return band * d.band_rows; }
  std::int64_t band_row_count(std::int64_t band) const { return std::min(d.band_rows, d.out_h - band * d.band_rows); }
  std::int64_t positions(std::int64_t band) const { return band_row_count(band) * d.out_w; }
  std::int64_t input_first_row(std::int64_t band) const;  ///< First input row a band reads.
  std::int64_t input_end_row(std::int64_t band) const;    ///< One past the last one.
  /// Bytes of a pixel that a layer reads, from the byte of its first word on: what is fetched and stands in the buffer.
  std::int64_t pixel_bytes() const { return packed_bytes(d.input_channel + d.in_c, d.input.bits) - first_pixel_byte(); }
  std::int64_t first_pixel_byte() const { return d.input_channel * d.input.bits / 8; }
  /// Bit of a channel within those bytes.
  std::int64_t channel_bit(std::int64_t channel) const {
    return (d.input_channel + channel) * d.input.bits - 8 * first_pixel_byte();
  }
  std::int64_t input_row_bytes() const { return d.in_w * pixel_bytes(); }  ///< In the buffer.
  /// Bytes of a band's fetch that hold its rows down to input row `row`; rows outside the map need none.
  std::int64_t input_bytes_to(std::int64_t band, std::int64_t row) const;

  /// (batch, band, block, k-block) quadruples.
  std::int64_t passes() const { return d.batch * bands * blocks * k_blocks; }
  std::int64_t largest_input_fetch() const;
  std::int64_t largest_weight_fetch() const;
  /// What a half of the output buffer holds: raw sums (if there are several k-tiles), encoded words, residual, results.
  std::int64_t output_half_bytes() const;

  Descriptor d;

 private:
  std::int64_t psum_bytes_;
};

/// Pieces of external memory that are brought into half of a buffer, one behind the other.
struct Fetch {
  std::int64_t address = 0;
  std::int64_t bytes = 0;  ///< Of all pieces.
  std::int64_t piece = 0;  ///< Of a piece.
  std::int64_t pitch = 0;  ///< From the begin of a piece to that of the next.

  /// Address of a byte, and how many follow it without a gap, itself included.
  std::int64_t address_of(std::int64_t offset) const { return address + offset / piece * pitch + offset % piece; }
  std::int64_t contiguous(std::int64_t offset) const {
    return piece == pitch ? bytes - offset : piece - offset % piece;
  }
};

/// One (batch, band, block) triple of the loop nest.
struct Pass {
  std::int64_t batch = 0;
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
  std::int64_t visits() const { return visits_; }    ///< (batch, band, n-tile): uses of an output buffer half.
  std::int64_t vectors() const { return vectors_; }  ///< Activation vectors to issue; 0 for a layer without array.
  /// The post-processing unit's parameters, which the controller has fetched.
  const std::vector<std::uint8_t>& parameters() const { return parameters_; }
  void set_parameters(std::vector<std::uint8_t> bytes) { parameters_ = std::move(bytes); }

 private:
  void add_weight_fetches(const Pass& pass);

  Tiling tiling_;
  std::vector<Pass> passes_;
  std::vector<Fetch> input_fetches_, weight_fetches_;
  std::vector<std::uint8_t> parameters_;
  std::int64_t visits_ = 0;
  std::int64_t vectors_ = 0;
};

/// Walks the (batch, band, n-tile) visits of a schedule in order.
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
  void skip(std::int64_t visits) {
    for (; visits > 0; --visits) next();
  }

 private:
  const Schedule* schedule_;
  std::size_t pass_ = 0;
  std::int64_t n_tile_;
  std::int64_t index_ = 0;
};

/// Walks the weight tiles: for every visit its k-tiles.
class TileCursor {
 public:
  explicit TileCursor(const Schedule& schedule) : TileCursor(schedule, VisitCursor(schedule)) {}
  /// From the first tile of a visit on.
  TileCursor(const Schedule& schedule, const VisitCursor& visit)
      : visit_(visit), schedule_(&schedule), index_(visit.index() * schedule.tiling().k_tiles) {}

  bool done() const { return visit_.done(); }
  std::int64_t index() const { return index_; }
  const VisitCursor& visit() const { return visit_; }
  std::int64_t k_tile() const { return k_tile_; }
  bool first_k() const { return k_tile_ == 0; }
  bool last_k() const { return k_tile_ + 1 == schedule_->tiling().k_tiles; }
  /// The weight fetch that holds the tile, where in it the word of a k and of the tile's first column stands, and how
  /// far it is from a column, and from a k of the tile, to the next.
  std::int64_t weight_fetch() const;
  std::int64_t weight_offset(std::int64_t k) const;
  std::int64_t column_stride() const;
  std::int64_t k_stride() const;
  /// Bytes of the fetch down to the last one of the tile.
  std::int64_t weights_end() const;
  /// Where in the fetch the biases of the tile's channels stand; they have Tiling::bias_bytes each.
  std::int64_t bias_offset() const;
  bool has_biases() const { return schedule_->descriptor().layout() == WeightLayout::packed; }
  void next();
  /// To the same k-tile of a later visit.
  void skip_visits(std::int64_t visits) {
    visit_.skip(visits);
    index_ += visits * schedule_->tiling().k_tiles;
  }

 private:
  VisitCursor visit_;
  const Schedule* schedule_;
  std::int64_t k_tile_ = 0;
  std::int64_t index_ = 0;
};

}  // namespace lpa::hw
