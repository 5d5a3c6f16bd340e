#include "hw_model/fast/layer_words.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace lpa::hw {
namespace {

/// Addresses from `begin` to before `end`.
struct Range {
  std::int64_t begin = 0, end = 0;
  bool meets(const Range& other) const { return begin < other.end && other.begin < end; }
};

Range range_of(const std::vector<Fetch>& fetches) {
  Range range;
  for (const Fetch& fetch : fetches) {
    if (fetch.bytes == 0) continue;
    const std::int64_t end = fetch.address_of(fetch.bytes - 1) + 1;
    range = range.end == 0 ? Range{fetch.address, end}
                           : Range{std::min(range.begin, fetch.address), std::max(range.end, end)};
  }
  return range;
}

/// A map of the output's pixels: where its channels stand.
struct Pixels {
  std::int64_t address, pitch, stride, bits;

  std::int64_t at(const Descriptor& d, std::int64_t batch, std::int64_t pixel, std::int64_t channel) const {
    return address + batch * stride + pixel * pitch + (d.output_channel + channel) * bits / 8;
  }
};

Pixels results_of(const Descriptor& d) {
  return {d.output_address, d.output_pitch, d.output_stride, d.output.bits};
}

Pixels addends_of(const Descriptor& d) {
  return {d.addend_address, d.addend_pitch, d.addend_stride, d.addend.bits};
}

/// The first pixel of a visit.
std::int64_t first_pixel(const Tiling& tiling, const VisitCursor& visit) {
  return tiling.band_first_row(visit.pass().band) * tiling.d.out_w;
}

/// From a pixel's first byte to behind the last one of its last n-tile.
Range pixel_range(const Tiling& tiling, const Pixels& pixels, std::int64_t batch, std::int64_t pixel) {
  const std::int64_t last = tiling.n_tiles - 1;
  return {pixels.at(tiling.d, batch, pixel, 0), pixels.at(tiling.d, batch, pixel, last * tiling.lanes) +
                                                    packed_bytes(tiling.tile_channels(last), pixels.bits)};
}

Range range_of(const Tiling& tiling, const Pixels& pixels) {
  const Descriptor& d = tiling.d;
  return {pixel_range(tiling, pixels, 0, 0).begin, pixel_range(tiling, pixels, d.batch - 1, d.out_h * d.out_w - 1).end};
}

void copy_fetch(const Fetch& fetch, std::span<const std::uint8_t> memory, std::uint8_t* to) {
  for (std::int64_t offset = 0; offset < fetch.bytes;) {
    const std::int64_t run = fetch.contiguous(offset);
    std::copy_n(memory.data() + fetch.address_of(offset), run, to + offset);
    offset += run;
  }
}

}  // namespace

bool LayerWords::possible(const Schedule& schedule, std::size_t memory_bytes) {
  const Tiling& tiling = schedule.tiling();
  const Range inputs = range_of(schedule.input_fetches());
  const Range weights = range_of(schedule.weight_fetches());
  const Range results = range_of(tiling, results_of(tiling.d));
  const Range addends = tiling.d.adds() ? range_of(tiling, addends_of(tiling.d)) : Range{};
  const auto size = static_cast<std::int64_t>(memory_bytes);
  return !results.meets(inputs) && !results.meets(weights) && !results.meets(addends) &&
         std::max({inputs.end, weights.end, results.end, addends.end}) <= size;
}

void LayerWords::clear(const Schedule& schedule, std::span<std::uint8_t> memory) {
  const Tiling& tiling = schedule.tiling();
  for (std::int64_t batch = 0; batch < tiling.d.batch; ++batch) {
    for (std::int64_t pixel = 0; pixel < tiling.d.out_h * tiling.d.out_w; ++pixel) {
      const Range range = pixel_range(tiling, results_of(tiling.d), batch, pixel);
      std::fill(memory.begin() + range.begin, memory.begin() + range.end, std::uint8_t{0});
    }
  }
}

void LayerWords::compute(const Schedule& schedule, std::span<std::uint8_t> memory) {
  const bool uses_array = schedule.descriptor().uses_array();
  ppu_.start(schedule);
  if (uses_array) array_.start(schedule, true);
  loaded_batch_.assign(static_cast<std::size_t>(schedule.tiling().n_tiles), -1);
  weight_fetch_ = -1;
  std::vector<VisitCursor> visits;
  for (VisitCursor visit(schedule); !visit.done(); visit.next()) visits.push_back(visit);
  const auto band_of = [](const VisitCursor& visit) { return std::pair(visit.pass().batch, visit.pass().band); };
  std::ranges::stable_sort(visits, {}, [&](const VisitCursor& v) { return std::pair(band_of(v), v.n_tile()); });
  for (auto visit = visits.begin(); visit != visits.end(); ++visit) {
    if (visit == visits.begin() || band_of(*std::prev(visit)) != band_of(*visit)) {
      const std::int64_t fetch = visit->pass().input_fetch;
      copy_fetch(schedule.input_fetches()[static_cast<std::size_t>(fetch)], memory, inputs_.half(fetch));
    }
    if (uses_array) {
      if (visit->n_tile() % array_.group_tiles() == 0) {
        const auto end = std::ranges::next(visit, array_.group_tiles(), visits.end());
        for (auto v = visit; v != end && band_of(*v) == band_of(*visit); ++v) load_tiles(schedule, *v, memory);
      }
      array_.compute(*visit, 0, visit->positions());
    }
    if (schedule.descriptor().adds()) load_residuals(schedule, *visit, memory);
    store_results(schedule, *visit, memory);
  }
}

/// The weights of a visit, unless an earlier one had the same.
void LayerWords::load_tiles(const Schedule& schedule, const VisitCursor& visit, std::span<const std::uint8_t> memory) {
  std::int64_t& batch = loaded_batch_[static_cast<std::size_t>(visit.n_tile())];
  if (std::exchange(batch, visit.pass().batch) == visit.pass().batch) return;
  bool last = false;
  TileCursor tile(schedule, visit);
  do {
    if (tile.weight_fetch() != weight_fetch_) {
      weight_fetch_ = tile.weight_fetch();
      copy_fetch(schedule.weight_fetches()[static_cast<std::size_t>(weight_fetch_)], memory,
                 weights_.half(weight_fetch_));
    }
    if (tile.first_k()) array_.load_biases(tile);
    array_.load_tile(tile);
    last = tile.last_k();
    tile.next();
  } while (!last);
}

void LayerWords::load_residuals(const Schedule& schedule, const VisitCursor& visit,
                                std::span<const std::uint8_t> memory) {
  const Tiling& tiling = schedule.tiling();
  const Pixels pixels = addends_of(tiling.d);
  const std::int64_t bytes = packed_bytes(visit.channels(), pixels.bits);
  const std::int64_t first = first_pixel(tiling, visit);
  std::uint8_t* to = output_.residual_room(visit.index(), visit.positions() * bytes);
  for (std::int64_t pixel = first; pixel < first + visit.positions(); ++pixel) {
    const std::int64_t at = pixels.at(tiling.d, visit.pass().batch, pixel, visit.n_tile() * tiling.lanes);
    to = std::copy_n(memory.data() + at, bytes, to);
  }
}

void LayerWords::store_results(const Schedule& schedule, const VisitCursor& visit, std::span<std::uint8_t> memory) {
  const Tiling& tiling = schedule.tiling();
  const Pixels pixels = results_of(tiling.d);
  const auto bytes = static_cast<std::size_t>(packed_bytes(visit.channels(), pixels.bits));
  const std::int64_t first = first_pixel(tiling, visit);
  for (std::int64_t position = 0; position < visit.positions(); ++position) {
    const std::int64_t at = pixels.at(tiling.d, visit.pass().batch, first + position, visit.n_tile() * tiling.lanes);
    ppu_.compute(visit, position, memory.subspan(static_cast<std::size_t>(at), bytes));
  }
}

}  // namespace lpa::hw
