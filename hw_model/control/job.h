// What the controller, the buffers, the sequencer and the post-processing unit tell each other: plain values, no
// SystemC.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>

#include "hw_model/control/schedule.h"
#include "hw_model/counters.h"
#include "hw_model/state_walk.h"

namespace lpa::hw {

/// The layer that is running. Blocks start when `number` changes; `schedule` outlives the layer.
struct Job {
  const Schedule* schedule = nullptr;
  std::uint32_t number = 0;

  friend bool operator==(const Job&, const Job&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Job& job) { return out << "job " << job.number; }
};

/// How far the halves of a buffer are filled. Half h holds fetch number `fetch[h]`, its first `bytes[h]` bytes so far.
struct FillLevel {
  std::array<std::int64_t, 2> fetch{-1, -1};
  std::array<std::int64_t, 2> bytes{0, 0};
  std::int64_t complete = 0;  ///< Fetches that are complete.

  /// Whether the first `bytes_needed` bytes of a fetch are there.
  bool has(std::int64_t number, std::int64_t bytes_needed) const {
    const auto half = static_cast<std::size_t>(number % 2);
    return fetch[half] == number && bytes[half] >= bytes_needed;
  }
  /// `index`: what of the walk's position the fetches count. A half that holds none, and no complete one, stay so.
  void walk(StateWalk& walk, void (StateWalk::*index)(std::int64_t&)) {
    for (std::int64_t& number : fetch) {
      walk.plain(number < 0);
      if (number >= 0) (walk.*index)(number);
    }
    for (const std::int64_t count : bytes) walk.plain(count);
    walk.plain(complete == 0);
    if (complete > 0) (walk.*index)(complete);
  }
  friend bool operator==(const FillLevel&, const FillLevel&) = default;
  friend std::ostream& operator<<(std::ostream& out, const FillLevel& level) {
    return out << level.fetch[0] << ':' << level.bytes[0] << ' ' << level.fetch[1] << ':' << level.bytes[1];
  }
};

/// What the post-processing unit did in a cycle.
enum class PpuState : std::uint8_t { idle, working, waits_for_input, waits_for_residual };

inline std::ostream& operator<<(std::ostream& out, PpuState state) {
  return out << static_cast<int>(state);
}

inline std::ostream& operator<<(std::ostream& out, Cause cause) {
  return out << cause_names[static_cast<std::size_t>(cause)];
}

/// When a block next has something to do, of its own accord: nothing to do until somebody else acts.
inline constexpr std::uint64_t never = UINT64_MAX;

}  // namespace lpa::hw
