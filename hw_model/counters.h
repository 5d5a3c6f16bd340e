// What a machine counts while it runs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lpa::hw {

/// Why the sequencer did or did not present a vector in a cycle; every cycle has exactly one cause.
enum class Cause : std::uint8_t { busy, fill_drain, weight_wait, input_wait, psum_wait, output_wait, ppu, idle };
inline constexpr std::size_t cause_count = 8;
inline constexpr std::array<std::string_view, cause_count> cause_names{
    "busy", "fill_drain", "weight_wait", "input_wait", "psum_wait", "output_wait", "ppu", "idle"};

/// One layer's counters, or the sum over layers. The machine's 64-bit counter registers hold these, in this order.
struct Counters {
  std::uint64_t cycles = 0;                           ///< From the doorbell to completion.
  std::array<std::uint64_t, cause_count> by_cause{};  ///< Sums to `cycles`.
  std::uint64_t macs = 0;                             ///< Multiplications of lanes and rows in use, padding included.
  std::uint64_t vectors = 0;                          ///< Activation vectors presented.
  std::uint64_t tiles = 0;                            ///< Weight tiles loaded into the array.
  std::uint64_t saturations = 0;                      ///< Partial sums that did not fit.
  std::uint64_t nar_products = 0;  ///< Products with a NaR operand, idle lanes included, and NaR operands of the PPU.
  /// Products of two operands that are not zero, in all lanes of all PEs: those that make the multiplier work.
  std::uint64_t active_products = 0;
  std::uint64_t dram_read_bytes = 0;
  std::uint64_t dram_write_bytes = 0;
  std::uint64_t dram_bursts = 0;                                    ///< Transactions to external memory.
  std::uint64_t weight_buffer_reads = 0, weight_buffer_writes = 0;  ///< Accesses of up to port_bytes.
  std::uint64_t input_buffer_reads = 0, input_buffer_writes = 0;
  std::uint64_t output_buffer_reads = 0, output_buffer_writes = 0;
  std::uint64_t ppu_elements = 0;  ///< Elements the PPU processed (window elements for pooling).
  /// Cycles from a layer's first row of weights on the array's pins to its last PE's last sum; counted with the layer's
  /// last vector.
  std::uint64_t array_span = 0;

  std::uint64_t cause(Cause c) const { return by_cause[static_cast<std::size_t>(c)]; }
  Counters& operator+=(const Counters& other);
  friend Counters operator-(const Counters& later, const Counters& earlier);
  friend Counters operator*(const Counters& counters, std::uint64_t times);
  friend bool operator==(const Counters&, const Counters&) = default;
};

/// Number of 64-bit counter registers, and the name of each ("cycles", "busy", ..., "array_span").
inline constexpr std::size_t counter_count = 26;
extern const std::array<std::string_view, counter_count> counter_names;

/// Names of those that depend on words; no cycle, and no other counter, does.
inline constexpr std::array<std::string_view, 3> word_counters{"saturations", "nar_products", "active_products"};

/// Counters as registers and back.
std::array<std::uint64_t, counter_count> to_registers(const Counters& counters);
Counters from_registers(const std::array<std::uint64_t, counter_count>& registers);

}  // namespace lpa::hw
