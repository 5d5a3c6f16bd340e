#include "tools/lpasim/cost_report.h"

#include <fmt/format.h>

#include "tools/lpasim/table.h"
#include "workloads/input_file.h"

namespace lpa::cli {

using nlohmann::ordered_json;

Option costs_option() {
  return {.name = "costs",
          .placeholder = "FILE",
          .description = "constants of energy and area that replace the program's; lpasim costs lists them"};
}

cost::Constants read_costs(const Arguments& options) {
  const std::string file = options.text("costs");
  if (file.empty()) return cost::Constants::shipped();
  return cost::Constants::shipped().with(cost::Constants::parse(workloads::read_whole_file(file), file), file);
}

ordered_json replaced_constants(const cost::Constants& constants) {
  ordered_json json = ordered_json::object();
  for (const auto& [name, constant] : constants.all()) {
    if (constant.value != cost::Constants::shipped()[name]) json[name] = constant.value;
  }
  return json;
}

ordered_json energy_report(const cost::Energy& energy) {
  return {{"dram", energy.dram},       {"buffers", energy.buffers}, {"decoders", energy.decoders},
          {"pe", energy.pe},           {"encoder", energy.encoder}, {"ppu", energy.ppu},
          {"leakage", energy.leakage}, {"total", energy.total()}};
}

ordered_json area_report(const cost::Area& area) {
  return {{"pe", area.pe},
          {"decoders", area.decoders},
          {"skew", area.skew},
          {"encoder", area.encoder},
          {"ppu", area.ppu},
          {"weight_buffer", area.weight_buffer},
          {"input_buffer", area.input_buffer},
          {"output_buffer", area.output_buffer},
          {"compute", area.compute()},
          {"total", area.total()}};
}

ordered_json efficiency_report(const cost::Efficiency& efficiency) {
  return {{"gops", efficiency.gops}, {"tops_per_w", efficiency.tops_per_w}, {"tops_per_mm2", efficiency.tops_per_mm2}};
}

std::string energy_table(const ordered_json& report) {
  std::vector<std::string> header{"energy, uJ"};
  for (const auto& [part, energy] : report["totals"]["energy_pj"].items()) header.push_back(part);
  header.insert(header.end(), {"GOPS", "TOPS/W"});
  Table table(header);
  const auto add = [&](const std::string& name, const ordered_json& layer) {
    std::vector<std::string> cells{name};
    for (const ordered_json& energy : layer["energy_pj"]) {
      cells.push_back(fmt::format("{:.3f}", energy.get<double>() * 1e-6));
    }
    for (const char* key : {"gops", "tops_per_w"}) {
      cells.push_back(fmt::format("{:.2f}", layer["efficiency"][key].get<double>()));
    }
    table.add(std::move(cells));
  };
  for (const ordered_json& layer : report["layers"]) add(layer["name"].get<std::string>(), layer);
  add("total", report["totals"]);
  return table.text();
}

std::string area_text(const ordered_json& area) {
  const auto mm2 = [&](const char* part) { return area[part].get<double>(); };
  return fmt::format(
      "area: {:.5f} mm2 of PEs and decoders, {:.5f} of skew registers, encoder and PPU, {:.3f} of buffers",
      mm2("compute"), mm2("skew") + mm2("encoder") + mm2("ppu"),
      mm2("weight_buffer") + mm2("input_buffer") + mm2("output_buffer"));
}

}  // namespace lpa::cli
