#pragma once

#include <cstdint>
#include <filesystem>

namespace lpa::hw {

/// A window of cycles since the start of the simulation, as a VCD file. A whole run would take kilobytes per cycle.
/// Cycle c begins with the edge at c clock periods.
struct WaveformWindow {
  std::filesystem::path file;  ///< Must end in ".vcd". Empty: no waveform.
  std::uint64_t first_cycle = 0;
  std::uint64_t cycles = 1000;
};

}  // namespace lpa::hw
