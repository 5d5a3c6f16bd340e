// What the units of a machine did when: one slice per tile, transfer and stall. Both models report the same slices.
#pragma once

#include <cstdint>
#include <string_view>

#include "hw_model/counters.h"

namespace lpa::hw {

/// A unit of the machine; the slices of one track never overlap, but stalls may lie inside a tile.
enum class Track : std::uint8_t {
  layer,            ///< A descriptor: from its first fetch to its end. index: descriptor of the run.
  dma_weights,      ///< Requests of a fetch, first to last. index: fetch of the layer.
  dma_inputs,       ///< As dma_weights.
  dma_residuals,    ///< Requests of a visit's residual operand. index: visit.
  dma_outputs,      ///< Writes of a visit's results, first to last. index: visit.
  weight_buffer_0,  ///< A fetch in half 0 of the buffer: from its first request to its release. index: fetch.
  weight_buffer_1,
  input_buffer_0,
  input_buffer_1,
  output_buffer_0,  ///< A visit's results in half 0: from its first element in the PPU to its last acknowledged write.
  output_buffer_1,
  weight_loader,  ///< A tile's rows on their way into the shadow registers. index: tile of the layer.
  array,          ///< A tile's vectors, first to last. index: tile of the layer.
  stall,          ///< Consecutive cycles of one cause other than busy. index: 0.
  encoder,        ///< A visit's words, first to last. index: visit.
  ppu,            ///< A visit's elements, first to last. index: visit.
};
inline constexpr std::size_t track_count = 16;

/// `begin` and `end` are edges of the machine's clock, counted from 1: the unit worked at begin .. end - 1.
struct Slice {
  Track track = Track::layer;
  Cause cause = Cause::busy;  ///< Of a stall.
  std::uint64_t begin = 0, end = 0;
  std::int64_t index = 0;
  std::int64_t n_tile = 0, k_tile = 0;  ///< Of a tile (weight_loader, array); n_tile also of a visit.
  friend bool operator==(const Slice&, const Slice&) = default;
};

/// Receives slices as they end, not in order of their begin.
class Timeline {
 public:
  virtual ~Timeline() = default;
  virtual void add(const Slice& slice) = 0;
};

}  // namespace lpa::hw
