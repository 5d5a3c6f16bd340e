// lpasim costs: a machine's area, the energy of its actions, and the constants that they are worked out from.
#include <fmt/format.h>

#include "hw_model/cost/cost_model.h"
#include "tools/lpasim/commands.h"
#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/table.h"

namespace lpa::cli {
namespace {

constexpr int weight_widths[] = {8, 4, 2};

std::string share(double part, double whole) {
  return percent(part / whole);
}

std::string area_table(const cost::Area& area) {
  Table table({"component", "mm2", "share"});
  const nlohmann::ordered_json components = area_report(area);
  for (const auto& [component, mm2] : components.items()) {
    table.add({component, fmt::format("{:.6f}", mm2.get<double>()), share(mm2.get<double>(), area.total())});
  }
  return table.text();
}

std::string pe_table(const cost::CostModel& model) {
  Table table({"part of a PE", "NAND2 equivalents", "um2", "share"});
  const cost::PeCircuit& pe = model.circuits().pe;
  const auto add = [&](const std::string& name, cost::Gates gates) {
    table.add({name, fmt::format("{:.0f}", gates), fmt::format("{:.2f}", gates * model.gate_area_um2()),
               share(gates, pe.total())});
  };
  for (const cost::Part& part : pe.parts) add(part.name, part.gates);
  add("total", pe.total());
  return table.text();
}

std::string action_table(const hw::MachineConfig& machine, const cost::CostModel& model) {
  Table table({"action", "8-bit weights", "4-bit weights", "2-bit weights"});
  const cost::ActionEnergies& a = model.actions();
  const auto add_each = [&](const std::string& name, const auto& energy) {
    std::vector<std::string> cells{name};
    for (const int bits : weight_widths) {
      cells.push_back(machine.takes(bits) ? fmt::format("{:.4f}", energy(bits)) : "-");
    }
    table.add(std::move(cells));
  };
  const auto add = [&](const std::string& name, double energy) { add_each(name, [energy](int) { return energy; }); };
  add("decode a row's activations, 8 bits", a.activation_decode[8]);
  add("decode a packed weight", a.weight_decode);
  add("skew a vector's activations, 8 bits", a.vector_skew[8]);
  add("skew a row of weights", a.weight_skew);
  add_each("skew a vector's sums", [&](int bits) { return a.sum_skew[bits]; });
  add("take activations of 8 bits into a PE", a.pe_activation[8]);
  add_each("take a packed weight into a register of a PE", [&](int bits) { return a.pe_weight[bits]; });
  for (const int activation : weight_widths) {
    if (activation < 8 && (!machine.array.pack_inputs || !machine.takes_activations(activation))) break;
    add_each(fmt::format("multiply by an activation of {} bits and add, neither zero", activation),
             [&](int bits) { return a.pe_product(bits, activation); });
  }
  add_each("hand a partial sum on", [&](int bits) { return a.pe_sum[bits]; });
  add_each("encode a sum", [&](int bits) { return a.encode[bits]; });
  add("post-process an element", a.ppu_element);
  const auto add_buffer = [&](const std::string& name, const cost::SramCost& buffer) {
    add("read the " + name, buffer.read_pj);
    add("write the " + name, buffer.write_pj);
  };
  add_buffer("weight buffer", a.weight_buffer);
  add_buffer("input buffer", a.input_buffer);
  add_buffer("output buffer", a.output_buffer);
  add("read a bit of external memory", a.dram_read_bit);
  add("write a bit of external memory", a.dram_write_bit);
  return table.text();
}

std::string constant_table(const cost::Constants& constants) {
  Table table({"constant", "value", "low", "high", "unit", "node", "source; scaling"});
  for (const auto& [name, constant] : constants.all()) {
    table.add({name, fmt::format("{:.6g}", constant.value), fmt::format("{:.6g}", constant.low),
               fmt::format("{:.6g}", constant.high), constant.unit, constant.node,
               constant.source + "; scaling: " + constant.scaling});
  }
  return table.text();
}

}  // namespace

ExitCode costs(const Words& arguments) {
  const Command command{
      .name = "costs",
      .summary =
          "Prints the machine's area part by part, the energy of its actions, and the constants that both are\n"
          "worked out from, with their ranges and sources.",
      .options = {costs_option()},
      .machine = true};
  const Arguments options = parse_arguments(command, arguments);
  if (options.help()) {
    fmt::print("{}", help_text(command));
    return ExitCode::success;
  }
  const cost::Constants constants = read_costs(options);
  const hw::MachineConfig machine = options.machine();
  const cost::CostModel model(machine, constants);
  fmt::print("Area\n{}\n{}\nEnergy of an action, pJ\n{}\n", area_table(model.area()), pe_table(model),
             action_table(machine, model));
  fmt::print("A NAND2 equivalent: {:.4f} um2, {:.3f} fJ when it takes part in an operation\n", model.gate_area_um2(),
             model.gate_energy_pj() * 1000);
  fmt::print("Leakage of the chip: {:.1f} mW; background of external memory: {:.1f} mW\n\nConstants\n{}",
             model.leakage_mw(), model.background_mw(), constant_table(constants));
  return ExitCode::success;
}

}  // namespace lpa::cli
