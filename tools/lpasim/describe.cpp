// lpasim describe: a machine's parameters and what follows from them.
#include <fmt/format.h>

#include "hw_model/machine_config.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/table.h"

namespace lpa::cli {
namespace {

constexpr int weight_widths[] = {8, 4, 2};

std::string parameter_table(const hw::MachineConfig& machine) {
  Table table({"parameter", "value", "unit", "description"});
  for (const auto& parameter : hw::machine_parameters()) {
    table.add({parameter.name, parameter.get(machine), parameter.unit, parameter.description});
  }
  return table.text();
}

std::string throughput_table(const hw::MachineConfig& machine) {
  Table table({"weights", "activations", "lanes a PE", "tile (inputs x outputs)", "MACs/cycle", "peak GOPS"});
  for (const int activation_bits : weight_widths) {
    if (activation_bits < 8 && !machine.array.pack_inputs) break;
    if (!machine.takes_activations(activation_bits)) continue;
    for (const int bits : weight_widths) {
      if (!machine.takes(bits)) continue;
      const int inputs = machine.array.inputs(activation_bits), pack = hw::MachineConfig::pack(bits);
      const int macs = machine.peak_macs(bits, activation_bits);
      constexpr double operations_per_mac = 2;
      table.add({fmt::format("{} bit", bits),
                 machine.array.pack_inputs ? fmt::format("{} bit", activation_bits) : std::string("any"),
                 std::to_string(inputs * pack),
                 fmt::format("{} x {}", machine.array.rows * inputs, machine.array.columns * pack),
                 std::to_string(macs), fmt::format("{:.1f}", operations_per_mac * macs * machine.clock_mhz / 1000.0)});
    }
  }
  return table.text();
}

std::string accumulator_table(const hw::MachineConfig& machine) {
  const formats::Arithmetic& arithmetic = machine.arithmetic;
  Table table({"weights", "accumulator", "bits", "bytes in the output buffer"});
  for (const int bits : weight_widths) {
    const auto& widths = arithmetic.widths(bits);
    const bool fixed = arithmetic.psum == formats::PsumKind::fixed;
    table.add({fmt::format("{} bit", bits),
               fixed ? "fixed" : fmt::format("aligned, {} + {}", widths.integer_bits, widths.fraction_bits),
               std::to_string(fixed ? arithmetic.fixed_bits : widths.integer_bits + widths.fraction_bits),
               std::to_string(machine.psum_bytes(bits))});
  }
  return table.text();
}

std::string buffer_table(const hw::MachineConfig& machine) {
  Table table({"buffer", "KiB", "KiB a half", "bytes/cycle", "GB/s"});
  const auto add = [&](const std::string& name, const hw::BufferConfig& buffer) {
    table.add({name, std::to_string(buffer.kib), fmt::format("{:g}", buffer.kib / 2.0),
               std::to_string(buffer.port_bytes),
               fmt::format("{:.1f}", buffer.port_bytes * machine.clock_mhz / 1000.0)});
  };
  add("weights", machine.weight_buffer);
  add("inputs", machine.input_buffer);
  add("outputs", machine.output_buffer);
  table.add({"external memory", std::to_string(machine.memory.mib * 1024), "",
             fmt::format("{:.4g}", machine.peak_memory_bytes()),
             fmt::format("{:.1f}", machine.peak_memory_bytes() * machine.clock_mhz / 1000.0)});
  return table.text();
}

}  // namespace

ExitCode describe(const Words& arguments) {
  const Command command{.name = "describe",
                        .summary = "Prints the machine's parameters, peak throughput, buffers and accumulators.",
                        .options = {},
                        .machine = true};
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const hw::MachineConfig machine = options.machine();
  fmt::print("{}\nPeak throughput ({} MHz, an operation is a multiplication or an addition)\n{}\n",
             parameter_table(machine), machine.clock_mhz, throughput_table(machine));
  fmt::print("Buffers and memory\n{}\nPartial sums\n{}", buffer_table(machine), accumulator_table(machine));
  return ExitCode::success;
}

}  // namespace lpa::cli
