// The inner loops behind GemmKernel: tiles of `fixed` sums whose order does not matter. Not for other users.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace lpa::formats {

/// Steps between two looks at the sums: what one chunk can add at most is known beforehand.
inline constexpr std::size_t gemm_chunk = 32;
/// No tile has more positions or channels.
inline constexpr std::size_t gemm_widest = 64;

/// One tile of a GEMM. Rows are groups of steps (1, 2 or 4, as the kernel's forms say), `panel` and `weights` point at
/// the tile's first position and channel in row 0. Depths are whole rows.
struct GemmTile {
  const std::uint8_t* panel = nullptr;
  std::size_t panel_row = 0;    ///< Bytes from row to row.
  std::size_t panel_plane = 0;  ///< Bytes from digit to digit within a row.
  const std::uint8_t* weights = nullptr;
  std::size_t weights_row = 0;
  std::size_t rows = 0;
  std::span<const std::uint32_t> bounds;      ///< Per chunk: no sum's products add up to more, in magnitude.
  std::uint32_t limit = 0;                    ///< The largest sum.
  const std::int32_t* start = nullptr;        ///< [channels of the tile]
  const std::int32_t* weight_sums = nullptr;  ///< Ternary: sums of the tile's weights, per chunk and channel.
  std::size_t weight_sums_row = 0;
  const void* table = nullptr;   ///< Table tiles: the products.
  std::uint32_t rounding = 0;    ///< Float tiles: half a unit of the converter's last fraction bit...
  std::uint32_t mask = 0;        ///< ... and what keeps the bits up to it.
  std::int32_t* sums = nullptr;  ///< Result: [positions][channels] of the tile, or [channels][positions].
};

/// A way to compute a tile. Returns false, with `sums` undefined, if a sum came so near the limit that saturation could
/// not be excluded.
struct GemmTileShape {
  std::size_t positions = 0;
  std::size_t channels = 0;
  bool channels_first = false;  ///< Sums are [channels][positions].
  unsigned cost = 0;            ///< Of a step, relative to the other shapes of the kernel.
  bool (*run)(const GemmTile&) = nullptr;
};

/// What one instruction set offers; empty where it has nothing.
struct GemmTileSet {
  /// Operands are floats, products rounded to the converter's fraction bits and truncated to integers.
  std::span<const GemmTileShape> floats;
  /// Products are looked up in a row per activation; 16 words per row, or 8 magnitudes.
  std::span<const GemmTileShape> tables;
  std::size_t table_entries = 0;
  /// Weights -1, 0 and 1, activations' products in 1 to 4 balanced digits of 8 bits, each with 128 added.
  std::array<std::span<const GemmTileShape>, 4> ternary;
  /// With more digits than these, tables are faster.
  std::size_t fast_digits = 0;
};

/// Of the best instruction set that Highway supports at the time of the call.
const GemmTileSet& gemm_tile_set();

}  // namespace lpa::formats
