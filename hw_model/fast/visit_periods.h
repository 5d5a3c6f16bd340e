// Visits of a layer that go like earlier ones, so that they need not be run edge by edge.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "hw_model/control/schedule.h"
#include "hw_model/counters.h"
#include "hw_model/machine_config.h"
#include "hw_model/state_walk.h"

namespace lpa::hw {

/// Of the entries of a list that blocks walk through in order: the first and the last one that any of them is at.
struct ListWindow {
  std::int64_t first = 0, last = 0;
};

/// A machine between two visits of a layer.
struct VisitMoment {
  LayerPosition position;
  ListWindow visits, input_fetches, weight_fetches;
  bool weights_there = false;  ///< All of the fetch that the loader is at is in the buffer.
  Counters counters;
};

/// From one moment to a later one.
struct VisitWay {
  LayerPosition distance;
  Counters counters;
};

/// A machine that is in the state of an earlier moment, each number relative to the layer's position, does until the
/// next such moment what it did since the earlier one, provided that all entries of the schedule that it looks at
/// on the way are like those that it looked at then. So it does any number of these periods.
class VisitPeriods {
 public:
  explicit VisitPeriods(const MachineConfig& config) : burst_bytes_(config.dma.burst_bytes) {}

  /// A layer that uses the array.
  void start(const Schedule& schedule);
  /// From `now` over as many whole periods as are known to come; nullopt: not a single one. `state`: as the machine was
  /// read. The next call's moment must come after the way.
  std::optional<VisitWay> way(const std::vector<std::int64_t>& state, const VisitMoment& now);

 private:
  /// What blocks look at of a visit.
  struct Visit {
    std::int64_t input_fetch, weight_fetch;
    std::int64_t tile_in_pass, pass_tiles;  ///< Which decides where in the fetch weights stand.
    std::array<std::int64_t, 7> shape;
  };
  using FetchShape = std::array<std::int64_t, 4>;

  std::int64_t place(std::int64_t address, std::int64_t bytes, std::int64_t pitch) const;
  Visit look_at(const Schedule& schedule, const VisitCursor& visit) const;
  std::vector<FetchShape> look_at(const std::vector<Fetch>& fetches) const;
  std::int64_t periods(const VisitMoment& before, const VisitMoment& now) const;

  std::int64_t burst_bytes_;
  bool possible_ = false;
  std::vector<Visit> visits_;
  std::vector<FetchShape> input_fetches_, weight_fetches_;
  std::map<std::vector<std::int64_t>, VisitMoment> last_;  ///< Of each state.
};

}  // namespace lpa::hw
