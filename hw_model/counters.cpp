#include "hw_model/counters.h"

namespace lpa::hw {
namespace {

/// The counters that follow the causes in the register file, in order.
constexpr std::array scalar_members{
    &Counters::macs,
    &Counters::vectors,
    &Counters::tiles,
    &Counters::saturations,
    &Counters::nar_products,
    &Counters::active_products,
    &Counters::dram_read_bytes,
    &Counters::dram_write_bytes,
    &Counters::dram_bursts,
    &Counters::weight_buffer_reads,
    &Counters::weight_buffer_writes,
    &Counters::input_buffer_reads,
    &Counters::input_buffer_writes,
    &Counters::output_buffer_reads,
    &Counters::output_buffer_writes,
    &Counters::ppu_elements,
    &Counters::array_span,
};
static_assert(1 + cause_count + scalar_members.size() == counter_count);

}  // namespace

const std::array<std::string_view, counter_count> counter_names{"cycles",
                                                                "busy",
                                                                "fill_drain",
                                                                "weight_wait",
                                                                "input_wait",
                                                                "psum_wait",
                                                                "output_wait",
                                                                "ppu",
                                                                "idle",
                                                                "macs",
                                                                "vectors",
                                                                "tiles",
                                                                "saturations",
                                                                "nar_products",
                                                                "active_products",
                                                                "dram_read_bytes",
                                                                "dram_write_bytes",
                                                                "dram_bursts",
                                                                "weight_buffer_reads",
                                                                "weight_buffer_writes",
                                                                "input_buffer_reads",
                                                                "input_buffer_writes",
                                                                "output_buffer_reads",
                                                                "output_buffer_writes",
                                                                "ppu_elements",
                                                                "array_span"};

Counters& Counters::operator+=(const Counters& other) {
  auto sum = to_registers(*this);
  const auto addend = to_registers(other);
  for (std::size_t i = 0; i < counter_count; ++i) sum[i] += addend[i];
  return *this = from_registers(sum);
}

Counters operator-(const Counters& later, const Counters& earlier) {
  auto difference = to_registers(later);
  const auto before = to_registers(earlier);
  for (std::size_t i = 0; i < counter_count; ++i) difference[i] -= before[i];
  return from_registers(difference);
}

Counters operator*(const Counters& counters, std::uint64_t times) {
  auto product = to_registers(counters);
  for (std::uint64_t& value : product) value *= times;
  return from_registers(product);
}

std::array<std::uint64_t, counter_count> to_registers(const Counters& counters) {
  std::array<std::uint64_t, counter_count> registers{};
  registers[0] = counters.cycles;
  for (std::size_t i = 0; i < cause_count; ++i) registers[1 + i] = counters.by_cause[i];
  for (std::size_t i = 0; i < scalar_members.size(); ++i) registers[1 + cause_count + i] = counters.*scalar_members[i];
  return registers;
}

Counters from_registers(const std::array<std::uint64_t, counter_count>& registers) {
  Counters counters;
  counters.cycles = registers[0];
  for (std::size_t i = 0; i < cause_count; ++i) counters.by_cause[i] = registers[1 + i];
  for (std::size_t i = 0; i < scalar_members.size(); ++i) counters.*scalar_members[i] = registers[1 + cause_count + i];
  return counters;
}

}  // namespace lpa::hw
