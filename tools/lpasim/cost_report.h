// Energy, area and efficiency as reports have them, and the constants they are worked out from.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "hw_model/cost/cost_model.h"
#include "tools/lpasim/options.h"

namespace lpa::cli {

/// --costs FILE: constants that replace those that come with the program.
Option costs_option();
/// The constants with those of --costs. Throws workloads::InputError.
cost::Constants read_costs(const Arguments& options);

/// Those that differ from the program's, by name.
nlohmann::ordered_json replaced_constants(const cost::Constants& constants);

/// By part, and the total; pJ.
nlohmann::ordered_json energy_report(const cost::Energy& energy);
/// By component, PEs and decoders together (compute), and the total; mm2.
nlohmann::ordered_json area_report(const cost::Area& area);
nlohmann::ordered_json efficiency_report(const cost::Efficiency& efficiency);

/// The tables of energy, in uJ, of a report's layers.
std::string energy_table(const nlohmann::ordered_json& report);
/// One line on area.
std::string area_text(const nlohmann::ordered_json& area);

}  // namespace lpa::cli
