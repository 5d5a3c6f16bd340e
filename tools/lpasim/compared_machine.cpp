#include "tools/lpasim/compared_machine.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tools/lpasim/error.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/shipped_folder.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using workloads::InputError;

/// The machine of an INI file, as --hardware reads it.
hw::MachineConfig read_hardware(const fs::path& file) {
  const Command command{.name = "compare", .summary = "", .options = {}, .machine = true};
  return parse_arguments(command, {"--hardware", file.string()}).machine();
}

std::map<int, double> shares_from(const json& shares, const std::string& place) {
  std::map<int, double> result;
  double sum = 0;
  if (!shares.is_object()) throw InputError(place + ": expected an object such as {\"4\": 0.9, \"8\": 0.1}");
  for (const auto& [bits, share] : shares.items()) {
    const bool known = bits == "2" || bits == "4" || bits == "8";
    const double value = share.is_number() ? share.get<double>() : -1;
    if (!known || !(value >= 0 && value <= 1)) {
      throw InputError(
          fmt::format("{}: '{}' is {}, expected shares from 0 to 1 of 2, 4 and 8 bits", place, bits, share.dump()));
    }
    result[std::stoi(bits)] = value;
    sum += value;
  }
  if (std::abs(sum - 1) > 1e-6) throw InputError(fmt::format("{}: shares sum to {}, expected 1", place, sum));
  return result;
}

ComparedMachine machine_from(const json& entry, const fs::path& file) {
  ComparedMachine machine;
  machine.name = entry.at("name").get<std::string>();
  const std::string place = fmt::format("{}: '{}'", file.string(), machine.name);
  machine.hardware = read_hardware(file.parent_path() / entry.at("hardware").get<std::string>());
  machine.narrow_activations = entry.at("narrow_activations").get<bool>();
  machine.source = entry.at("source").get<std::string>();
  for (const auto& [network, shares] : entry.at("shares").items()) {
    machine.shares[network] = shares_from(shares, fmt::format("{}: shares of '{}'", place, network));
  }
  if (!machine.shares.contains("*")) throw InputError(place + ": shares of '*', any other network, are missing");
  return machine;
}

}  // namespace

const std::map<int, double>& ComparedMachine::shares_of(const std::string& network) const {
  const auto found = shares.find(network);
  return found == shares.end() ? shares.at("*") : found->second;
}

fs::path shipped_comparison() {
  return shipped_folder("configs", LPA_CONFIG_FOLDER) / "comparison.json";
}

std::vector<ComparedMachine> read_comparison(const fs::path& file, const std::vector<std::string>& names) {
  const std::string text = workloads::read_whole_file(file);
  try {
    const json document = json::parse(text);
    std::map<std::string, const json*> entries;
    std::vector<std::string> known;
    for (const json& entry : document.at("machines")) {
      known.push_back(entry.at("name").get<std::string>());
      entries[known.back()] = &entry;
    }
    std::vector<ComparedMachine> machines;
    for (const std::string& name : names) {
      if (!entries.contains(name)) {
        const std::string meant = nearest(name, known);
        throw Error(ExitCode::usage, fmt::format("option '--hardware': no machine '{}' in {}{}", name, file.string(),
                                                 meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant)));
      }
      machines.push_back(machine_from(*entries.at(name), file));
    }
    return machines;
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: not a comparison: {}", file.string(), error.what()));
  }
}

}  // namespace lpa::cli
