#include "hw_model/fast/visit_periods.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lpa::hw {
namespace {

/// The states of one layer that are kept: more than any layer that comes into step goes through before.
constexpr std::size_t most_states = 1024;

/// The distance of `periods` periods from `from` to `to`.
LayerPosition way_of(const LayerPosition& from, const LayerPosition& to, std::int64_t periods) {
  return {.edge = (to.edge - from.edge) * static_cast<std::uint64_t>(periods),
          .visit = (to.visit - from.visit) * periods,
          .tile = (to.tile - from.tile) * periods,
          .input_fetch = (to.input_fetch - from.input_fetch) * periods,
          .weight_fetch = (to.weight_fetch - from.weight_fetch) * periods,
          .vector = (to.vector - from.vector) * periods};
}

/// How often a window that moved on by `period` entries can do so again, where `alike(i)` says whether entry i + period
/// is like entry i. All entries from the first one of the window `before` on have been looked at up to now.
template <typename Alike>
std::int64_t repetitions(const ListWindow& before, const ListWindow& now, std::int64_t period, std::int64_t entries,
                         Alike alike) {
  if (period == 0) return std::numeric_limits<std::int64_t>::max();
  std::int64_t end = before.first;
  while (end + period < entries && alike(end)) ++end;
  return end > now.last ? (end - 1 - now.last) / period + 1 : 0;
}

}  // namespace

void VisitPeriods::start(const Schedule& schedule) {
  last_.clear();
  visits_.clear();
  // Where positions follow each other without a gap, their bursts depend on addresses, which no state tells.
  const Descriptor& d = schedule.descriptor();
  possible_ = packed_bytes(schedule.tiling().tile_channels(0), d.output.bits) < d.output_pitch;
  if (!possible_) return;
  for (VisitCursor visit(schedule); !visit.done(); visit.next()) visits_.push_back(look_at(schedule, visit));
  input_fetches_ = look_at(schedule.input_fetches());
  weight_fetches_ = look_at(schedule.weight_fetches());
}

/// What of an address decides how pieces of `bytes` bytes at distances of `pitch` are cut into bursts.
std::int64_t VisitPeriods::place(std::int64_t address, std::int64_t bytes, std::int64_t pitch) const {
  const std::int64_t in_burst = address % burst_bytes_;
  const bool never_cut = bytes < pitch && pitch % burst_bytes_ == 0 && in_burst + bytes <= burst_bytes_;
  return never_cut ? -1 : in_burst;
}

VisitPeriods::Visit VisitPeriods::look_at(const Schedule& schedule, const VisitCursor& visit) const {
  const Tiling& t = schedule.tiling();
  const Descriptor& d = t.d;
  const Pass& pass = visit.pass();
  const std::int64_t top = t.band_first_row(pass.band);
  const std::int64_t first_input_row = t.input_first_row(pass.band);
  const std::int64_t channel = d.output_channel + visit.n_tile() * t.lanes;
  const auto place_of = [&](std::int64_t address, std::int64_t stride, std::int64_t pitch, std::int64_t bits) {
    return place(address + pass.batch * stride + top * d.out_w * pitch + channel * bits / 8,
                 packed_bytes(visit.channels(), bits), pitch);
  };
  return {.input_fetch = pass.input_fetch,
          .weight_fetch = pass.weight_fetches.front(),
          .tile_in_pass = visit.n_tile() - pass.first_tile,
          .pass_tiles = pass.end_tile - pass.first_tile,
          .shape = {visit.positions(), visit.channels(), d.groups == 1 ? 0 : visit.n_tile(),
                    top * d.stride_h - d.pad_top - first_input_row, t.input_end_row(pass.band) - first_input_row,
                    place_of(d.output_address, d.output_stride, d.output_pitch, d.output.bits),
                    d.adds() ? place_of(d.addend_address, d.addend_stride, d.addend_pitch, d.addend.bits) : 0}};
}

std::vector<VisitPeriods::FetchShape> VisitPeriods::look_at(const std::vector<Fetch>& fetches) const {
  std::vector<FetchShape> shapes;
  for (const Fetch& fetch : fetches)
    shapes.push_back({fetch.bytes, fetch.piece, fetch.pitch, fetch.address % burst_bytes_});
  return shapes;
}

std::int64_t VisitPeriods::periods(const VisitMoment& before, const VisitMoment& now) const {
  const LayerPosition by = way_of(before.position, now.position, 1);
  // Where they all stay there, it does not matter which of them a visit needs.
  const bool any_weights = by.weight_fetch == 0 && before.weights_there;
  const auto visits_alike = [&](std::int64_t i) {
    const Visit& a = visits_[static_cast<std::size_t>(i)];
    const Visit& b = visits_[static_cast<std::size_t>(i + by.visit)];
    return a.shape == b.shape && b.input_fetch - a.input_fetch == by.input_fetch &&
           b.weight_fetch - a.weight_fetch == by.weight_fetch &&
           (any_weights || (a.tile_in_pass == b.tile_in_pass && a.pass_tiles == b.pass_tiles));
  };
  const auto fetches_alike = [](const std::vector<FetchShape>& fetches, std::int64_t period) {
    return [&fetches, period](std::int64_t i) {
      return fetches[static_cast<std::size_t>(i)] == fetches[static_cast<std::size_t>(i + period)];
    };
  };
  const auto count = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  return std::min({repetitions(before.visits, now.visits, by.visit, count(visits_), visits_alike),
                   repetitions(before.input_fetches, now.input_fetches, by.input_fetch, count(input_fetches_),
                               fetches_alike(input_fetches_, by.input_fetch)),
                   repetitions(before.weight_fetches, now.weight_fetches, by.weight_fetch, count(weight_fetches_),
                               fetches_alike(weight_fetches_, by.weight_fetch))});
}

std::optional<VisitWay> VisitPeriods::way(const std::vector<std::int64_t>& state, const VisitMoment& now) {
  if (!possible_ || last_.size() == most_states) return std::nullopt;
  const auto [found, is_new] = last_.try_emplace(state, now);
  if (is_new) return std::nullopt;
  const VisitMoment before = std::exchange(found->second, now);
  const std::int64_t n = periods(before, now);
  if (n == 0) return std::nullopt;
  last_.erase(found);
  return VisitWay{way_of(before.position, now.position, n),
                  (now.counters - before.counters) * static_cast<std::uint64_t>(n)};
}

}  // namespace lpa::hw
