#include "tools/lpasim/report.h"

#include <functional>

#include <fmt/format.h>

#include "tools/lpasim/cost_report.h"
#include "tools/lpasim/table.h"
#include "tools/lpasim/version.h"

namespace lpa::cli {
namespace {

using nlohmann::ordered_json;

constexpr int schema_version = 2;

double ratio(double numerator, double denominator) {
  return denominator > 0 ? numerator / denominator : 0;
}

ordered_json utilization(double spatial, double temporal) {
  return {{"spatial", spatial}, {"temporal", temporal}, {"overall", spatial * temporal}};
}

/// Lane-cycles that the array offered while it was busy.
double busy_lanes(const hw::MachineConfig& machine, const driver::LayerResult& layer) {
  if (layer.weight_bits == 0) return 0;
  return static_cast<double>(layer.counters.cause(hw::Cause::busy)) *
         machine.peak_macs(layer.weight_bits, layer.activation_bits);
}

void add_counters(ordered_json& json, const hw::Counters& counters, const hw::MachineConfig& machine,
                  double busy_lane_cycles, std::uint64_t array_busy, bool values) {
  json["cycles"] = counters.cycles;
  json["time_ms"] = static_cast<double>(counters.cycles) / (machine.clock_mhz * 1000.0);
  json["macs"] = counters.macs;
  json["utilization"] = utilization(ratio(static_cast<double>(counters.macs), busy_lane_cycles),
                                    ratio(static_cast<double>(array_busy), static_cast<double>(counters.cycles)));
  ordered_json causes = ordered_json::object();
  for (std::size_t cause = 0; cause < hw::cause_count; ++cause) {
    causes[std::string(hw::cause_names[cause])] = counters.by_cause[cause];
  }
  json["cycles_by_cause"] = std::move(causes);
  json["array_span"] = counters.array_span;
  json["dram_bytes"] = {{"read", counters.dram_read_bytes}, {"write", counters.dram_write_bytes}};
  json["dram_bursts"] = counters.dram_bursts;
  const auto accesses = [](std::uint64_t reads, std::uint64_t writes) {
    return ordered_json{{"reads", reads}, {"writes", writes}};
  };
  json["buffer_accesses"] = {{"weight_buffer", accesses(counters.weight_buffer_reads, counters.weight_buffer_writes)},
                             {"input_buffer", accesses(counters.input_buffer_reads, counters.input_buffer_writes)},
                             {"output_buffer", accesses(counters.output_buffer_reads, counters.output_buffer_writes)}};
  json["tiles"] = counters.tiles;
  json["vectors"] = counters.vectors;
  json["ppu_elements"] = counters.ppu_elements;
  if (!values) return;
  json["saturations"] = counters.saturations;
  json["nar_products"] = counters.nar_products;
  json["active_products"] = counters.active_products;
}

void add_energy(ordered_json& json, const cost::Energy& energy, const cost::Area& area) {
  json["energy_pj"] = energy_report(energy);
  json["efficiency"] = efficiency_report(
      cost::efficiency(json["macs"].get<std::uint64_t>(), json["time_ms"].get<double>(), energy, area));
}

ordered_json layer_report(const driver::LayerResult& layer, const hw::MachineConfig& machine, bool values) {
  ordered_json json{{"name", layer.name},
                    {"op", layer.op},
                    {"m", layer.m},
                    {"n", layer.n},
                    {"k", layer.k},
                    {"groups", layer.groups},
                    {"weight_format", layer.weight_format},
                    {"activation_format", layer.activation_format},
                    {"output_format", layer.output_format}};
  const std::uint64_t busy = layer.weight_bits == 0 ? 0 : layer.counters.cause(hw::Cause::busy);
  add_counters(json, layer.counters, machine, busy_lanes(machine, layer), busy, values);
  return json;
}

/// A parameter's value as a number or truth value where it is one.
ordered_json parameter_value(const std::string& text) {
  if (text == "on" || text == "off") return text == "on";
  ordered_json number = ordered_json::parse(text, nullptr, false);
  return number.is_number() ? number : ordered_json(text);
}

void visit_leaves(const ordered_json& json, const std::string& prefix,
                  const std::function<void(const std::string&, const ordered_json&)>& visit) {
  for (const auto& [key, value] : json.items()) {
    const std::string name = prefix.empty() ? key : fmt::format("{}.{}", prefix, key);
    if (value.is_object()) {
      visit_leaves(value, name, visit);
    } else {
      visit(name, value);
    }
  }
}

std::string csv_cell(const ordered_json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  for (std::size_t quote = text.find('"'); quote != std::string::npos; quote = text.find('"', quote + 2)) {
    text.insert(quote, 1, '"');
  }
  return fmt::format("\"{}\"", text);
}

std::string number(const ordered_json& value) {
  return grouped(value.get<std::uint64_t>());
}

std::string shape_text(const ordered_json& layer) {
  if (layer["k"] == 0) return "-";
  const std::string groups = layer["groups"] == 1 ? "" : fmt::format(" x {} groups", layer["groups"].dump());
  return fmt::format("{}x{}x{}{}", layer["m"].dump(), layer["n"].dump(), layer["k"].dump(), groups);
}

std::string format_text(const ordered_json& format) {
  const auto text = format.get<std::string>();
  return text.empty() ? "-" : text;
}

std::vector<std::string> cause_cells(const ordered_json& part) {
  std::vector<std::string> cells{number(part["cycles"])};
  for (const auto& [cause, cycles] : part["cycles_by_cause"].items()) cells.push_back(number(cycles));
  return cells;
}

std::string layer_table(const ordered_json& report) {
  Table table({"layer", "op", "MxNxK", "weights", "activations", "outputs", "MACs", "spatial", "temporal", "overall",
               "read bytes", "written"});
  const auto add = [&](std::vector<std::string> cells, const ordered_json& part) {
    const ordered_json& use = part["utilization"];
    for (const char* key : {"spatial", "temporal", "overall"}) cells.push_back(percent(use[key].get<double>()));
    cells.insert(cells.end() - 3, number(part["macs"]));
    cells.push_back(number(part["dram_bytes"]["read"]));
    cells.push_back(number(part["dram_bytes"]["write"]));
    table.add(std::move(cells));
  };
  for (const ordered_json& layer : report["layers"]) {
    add({layer["name"].get<std::string>(), layer["op"].get<std::string>(), shape_text(layer),
         format_text(layer["weight_format"]), format_text(layer["activation_format"]),
         format_text(layer["output_format"])},
        layer);
  }
  add({"total", "", "", "", "", ""}, report["totals"]);
  return table.text();
}

std::string cause_table(const ordered_json& report) {
  std::vector<std::string> header{"layer", "cycles"};
  for (const auto name : hw::cause_names) header.emplace_back(name);
  Table table(header);
  const auto add = [&](const std::string& name, const ordered_json& part) {
    std::vector<std::string> cells = cause_cells(part);
    cells.insert(cells.begin(), name);
    table.add(std::move(cells));
  };
  for (const ordered_json& layer : report["layers"]) add(layer["name"].get<std::string>(), layer);
  add("total", report["totals"]);
  return table.text();
}

}  // namespace

ordered_json hardware_report(const hw::MachineConfig& machine) {
  ordered_json hardware = ordered_json::object();
  for (const auto& parameter : hw::machine_parameters()) {
    hardware[parameter.name] = parameter_value(parameter.get(machine));
  }
  return hardware;
}

ordered_json build_report(const RunRecord& record) {
  ordered_json report{{"schema_version", schema_version}, {"generator", {{"name", "lpasim"}, {"version", version()}}}};
  report["hardware"] = hardware_report(record.machine);
  report["network"] = record.network;
  report["quantized"] = record.quantized;
  report["dataset"] = record.dataset;
  if (record.replay) report["replay"] = {{"words", record.replay->words}, {"seed", record.replay->seed}};
  report["images"] = record.images;
  if (record.interrupted) report["interrupted"] = true;

  const cost::CostModel costs(record.machine, record.costs);
  report["area_mm2"] = area_report(costs.area());
  if (ordered_json replaced = replaced_constants(record.costs); !replaced.empty()) {
    report["replaced_constants"] = std::move(replaced);
  }
  cost::Energy total_energy;
  double lanes = 0;
  std::uint64_t busy = 0;
  ordered_json layers = ordered_json::array();
  for (const auto& layer : record.result.layers) {
    const cost::Energy energy = costs.energy(layer.activity(record.values));
    total_energy += energy;
    layers.push_back(layer_report(layer, record.machine, record.values));
    add_energy(layers.back(), energy, costs.area());
    lanes += busy_lanes(record.machine, layer);
    if (layer.weight_bits != 0) busy += layer.counters.cause(hw::Cause::busy);
  }
  const hw::Counters& total = record.result.total;
  ordered_json totals = ordered_json::object();
  add_counters(totals, total, record.machine, lanes, busy, record.values);
  add_energy(totals, total_energy, costs.area());
  totals["cycles_per_image"] = ratio(static_cast<double>(total.cycles), static_cast<double>(record.images));
  report["totals"] = std::move(totals);
  report["layers"] = std::move(layers);
  if (record.top1) report["accuracy"] = {{"images", record.images}, {"top1", *record.top1}};
  if (record.top1 && record.top1_fp32) report["accuracy"]["top1_fp32"] = *record.top1_fp32;
  report["simulator"] = {
      {"model", record.model},
      {"values", record.values},
      {"wall_seconds", record.wall_seconds},
      {"simulated_cycles_per_second", ratio(static_cast<double>(total.cycles), record.wall_seconds)}};
  return report;
}

std::string layers_csv(const ordered_json& report) {
  std::string text;
  for (const ordered_json& layer : report["layers"]) {
    std::vector<std::string> header;
    std::vector<std::string> line;
    visit_leaves(layer, "", [&](const std::string& name, const ordered_json& value) {
      header.push_back(name);
      line.push_back(csv_cell(value));
    });
    if (text.empty()) text = fmt::format("{}\r\n", fmt::join(header, ","));
    text += fmt::format("{}\r\n", fmt::join(line, ","));
  }
  return text;
}

std::string report_text(const ordered_json& report) {
  const ordered_json& totals = report["totals"];
  const ordered_json& simulator = report["simulator"];
  std::string text = layer_table(report) + '\n' + cause_table(report) + '\n' + energy_table(report) + '\n';
  text +=
      fmt::format("{} image{}, {} cycles ({:.0f} an image), {:.3f} ms at {} MHz\n", report["images"].dump(),
                  report["images"] == 1 ? "" : "s", number(totals["cycles"]), totals["cycles_per_image"].get<double>(),
                  totals["time_ms"].get<double>(), report["hardware"]["clock.mhz"].dump());
  text += fmt::format("{:.1f} uJ{}; {}\n", totals["energy_pj"]["total"].get<double>() * 1e-6,
                      totals.contains("active_products") ? "" : ", taking no operand for zero",
                      area_text(report["area_mm2"]));
  if (totals.contains("saturations")) {
    text += fmt::format("{} partial sums saturated, {} products with NaR\n", number(totals["saturations"]),
                        number(totals["nar_products"]));
  }
  if (report.contains("accuracy")) {
    const ordered_json& accuracy = report["accuracy"];
    text += fmt::format("top-1: {} on the simulated machine", percent(accuracy["top1"].get<double>()));
    if (accuracy.contains("top1_fp32"))
      text += fmt::format(", {} in fp32", percent(accuracy["top1_fp32"].get<double>()));
    text += '\n';
  }
  text += fmt::format("{} model{}: {:.1f} s, {:.0f} cycles/s\n", simulator["model"].get<std::string>(),
                      simulator["values"].get<bool>() ? "" : " without values", simulator["wall_seconds"].get<double>(),
                      simulator["simulated_cycles_per_second"].get<double>());
  return text;
}

}  // namespace lpa::cli
