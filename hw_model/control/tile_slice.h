#pragma once

#include "hw_model/control/schedule.h"
#include "hw_model/timeline.h"

namespace lpa::hw {

/// What a unit did for a visit, and for a tile, from edge `begin` to before edge `end`.
inline Slice visit_slice(Track track, const VisitCursor& visit, std::uint64_t begin, std::uint64_t end) {
  return {.track = track, .begin = begin, .end = end, .index = visit.index(), .n_tile = visit.n_tile()};
}

inline Slice tile_slice(Track track, const TileCursor& tile, std::uint64_t begin, std::uint64_t end) {
  Slice slice = visit_slice(track, tile.visit(), begin, end);
  slice.index = tile.index();
  slice.k_tile = tile.k_tile();
  return slice;
}

}  // namespace lpa::hw
