// Values on the signals between the controller, the buffers, the sequencer and the post-processing unit.
#pragma once

#include <array>
#include <cstdint>
#include <ostream>
#include <string>

#include <systemc>

#include "hw_model/control/schedule.h"
#include "hw_model/counters.h"

namespace lpa::hw {

/// The layer that is running. Blocks start when `number` changes; `schedule` outlives the layer.
struct Job {
  const Schedule* schedule = nullptr;
  std::uint32_t number = 0;

  friend bool operator==(const Job&, const Job&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Job& job) { return out << "job " << job.number; }
};

inline void sc_trace(sc_core::sc_trace_file* file, const Job& job, const std::string& name) {
  sc_core::sc_trace(file, job.number, name + ".number");
}

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
  friend bool operator==(const FillLevel&, const FillLevel&) = default;
  friend std::ostream& operator<<(std::ostream& out, const FillLevel& level) {
    return out << level.fetch[0] << ':' << level.bytes[0] << ' ' << level.fetch[1] << ':' << level.bytes[1];
  }
};

inline void sc_trace(sc_core::sc_trace_file* file, const FillLevel& level, const std::string& name) {
  sc_core::sc_trace(file, level.bytes[0], name + ".bytes0");
  sc_core::sc_trace(file, level.bytes[1], name + ".bytes1");
}

/// What the post-processing unit did in a cycle.
enum class PpuState : int { idle, working, waits_for_input, waits_for_residual };

inline std::ostream& operator<<(std::ostream& out, PpuState state) {
  return out << static_cast<int>(state);
}
inline void sc_trace(sc_core::sc_trace_file* file, const PpuState& state, const std::string& name) {
  sc_core::sc_trace(file, static_cast<int>(state), name);
}

inline std::ostream& operator<<(std::ostream& out, Cause cause) {
  return out << cause_names[static_cast<std::size_t>(cause)];
}
inline void sc_trace(sc_core::sc_trace_file* file, const Cause& cause, const std::string& name) {
  sc_core::sc_trace(file, static_cast<int>(cause), name);
}

}  // namespace lpa::hw
