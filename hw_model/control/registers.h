// The register map of the machine's control socket. All registers are 32 bits wide and are accessed as aligned 4-byte
// words; 64-bit counters take two registers, the low half first. This is the one definition for hardware and driver.
#pragma once

#include <cstdint>

#include "hw_model/counters.h"

namespace lpa::hw::reg {

inline constexpr std::uint32_t id = 0x00;                ///< RO: id_value.
inline constexpr std::uint32_t version = 0x04;           ///< RO: version_value.
inline constexpr std::uint32_t array_shape = 0x08;       ///< RO: rows in bits 15:0, columns in bits 31:16.
inline constexpr std::uint32_t clock_mhz = 0x0c;         ///< RO.
inline constexpr std::uint32_t control = 0x10;           ///< WO: control_* bits; reads 0.
inline constexpr std::uint32_t status = 0x14;            ///< RO: a Status.
inline constexpr std::uint32_t descriptor_base = 0x18;   ///< RW: address of the first descriptor, a multiple of 64.
inline constexpr std::uint32_t descriptor_count = 0x1c;  ///< RW: number of descriptors, at least 1.
inline constexpr std::uint32_t irq_enable = 0x20;        ///< RW: bit 0 lets the interrupt line rise.
inline constexpr std::uint32_t irq_status = 0x24;        ///< Bit 0: done or error; write 1 to clear.
inline constexpr std::uint32_t error_code = 0x28;        ///< RO: an Error.
inline constexpr std::uint32_t error_descriptor = 0x2c;  ///< RO: index of the refused descriptor.
inline constexpr std::uint32_t error_field = 0x30;       ///< RO: index of its field in descriptor_fields().
inline constexpr std::uint32_t counters = 0x100;  ///< RO: counter_count 64-bit counters, in counter_names' order.
inline constexpr std::uint32_t end = counters + 8 * static_cast<std::uint32_t>(counter_count);

inline constexpr std::uint32_t id_value = 0x3141504c;  // "LPA1"
inline constexpr std::uint32_t version_value = 1;

inline constexpr std::uint32_t control_start = 1u << 0;           ///< The doorbell; refused while running.
inline constexpr std::uint32_t control_reset = 1u << 1;           ///< Drops everything in flight; counters stay.
inline constexpr std::uint32_t control_clear_counters = 1u << 2;  ///< Refused while running.

enum class Status : std::uint32_t { idle = 0, running = 1, done = 2, error = 3 };

enum class Error : std::uint32_t {
  none = 0,
  descriptor = 1,  ///< error_descriptor and error_field say which field has an illegal value.
  capacity = 2,    ///< A tile of the descriptor does not fit a buffer; error_field is the tile size's field.
  memory = 3,      ///< External memory answered a transaction with an error.
};

}  // namespace lpa::hw::reg
