#include "hw_model/driver/scalesim_machine.h"

#include <fmt/format.h>

namespace lpa::driver {
namespace {

using traces::ScalesimConfig;

/// The number as a parameter of the machine.
int parameter(const ScalesimConfig& config, const ScalesimConfig::Number& number, int high) {
  if (number.value < 1 || number.value > high) {
    config.fail(number, fmt::format("{}; the machine can have 1 to {}", number.value, high));
  }
  return static_cast<int>(number.value);
}

}  // namespace

hw::MachineConfig scalesim_machine(int rows, int columns) {
  hw::MachineConfig machine;
  machine.array = {.rows = rows,
                   .columns = columns,
                   .double_buffer_weights = false,
                   .fold_overlap = false,
                   .stages = {.pe = 1, .edge = 0}};
  machine.weight_buffer = machine.input_buffer = machine.output_buffer = {.kib = 65536, .port_bytes = 1024};
  machine.dma = {.burst_bytes = 1024, .outstanding = 1024};
  machine.memory = {.latency = 0, .bytes_per_cycle = 4096, .mib = 4095};
  machine.ppu.lanes = 256;
  return machine;
}

hw::MachineConfig scalesim_machine(const ScalesimConfig& config) {
  constexpr int largest_array = 256;
  constexpr int largest_kib = 65536;
  constexpr int largest_bandwidth = 4096;
  hw::MachineConfig machine =
      scalesim_machine(parameter(config, config.rows, largest_array), parameter(config, config.columns, largest_array));
  if (!config.bandwidth) return machine;
  machine.input_buffer.kib = parameter(config, config.ifmap_kib, largest_kib);
  machine.weight_buffer.kib = parameter(config, config.filter_kib, largest_kib);
  machine.output_buffer.kib = parameter(config, config.ofmap_kib, largest_kib);
  machine.memory.bytes_per_cycle = parameter(config, *config.bandwidth, largest_bandwidth);
  return machine;
}

hw::MachineConfig read_scalesim_machine(const std::filesystem::path& path) {
  return scalesim_machine(traces::read_scalesim_config(path));
}

}  // namespace lpa::driver
