#include "quant/lpq/search_checkpoint.h"

#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "quant/formats/format_error.h"
#include "quant/lpq/search_json.h"
#include "workloads/atomic_file.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::lpq {
namespace {

using nlohmann::json;
using workloads::InputError;

nlohmann::ordered_json to_json(const Candidate& candidate) {
  nlohmann::ordered_json formats = nlohmann::ordered_json::array();
  for (const formats::LpFormat& format : candidate.formats) formats.push_back(to_string(format));
  return {{"loss", candidate.loss},
          {"cost", candidate.cost},
          {"fitness", candidate.fitness},
          {"formats", std::move(formats)}};
}

Candidate candidate_from(const json& entry) {
  Candidate candidate;
  candidate.loss = entry.at("loss").get<double>();
  candidate.cost = entry.at("cost").get<double>();
  candidate.fitness = entry.at("fitness").get<double>();
  for (const json& format : entry.at("formats")) {
    candidate.formats.push_back(formats::parse_lp_format(format.get<std::string>()));
  }
  return candidate;
}

}  // namespace

std::optional<SearchState> SearchCheckpoint::read() const {
  std::error_code ignored;
  if (!std::filesystem::exists(file_, ignored)) return std::nullopt;
  const std::string name = file_.string();
  SearchState state;
  try {
    const json document = json::parse(workloads::read_whole_file(file_));
    if (document.at("search").get<std::string>() != key_) {
      throw InputError(fmt::format(
          "{}: is the checkpoint of a search with other options, network or images: expected one of this search, or no "
          "file",
          name));
    }
    state.steps = whole_number(document.at("steps"));
    state.initial_fitness = document.at("initial_fitness").get<double>();
    state.evaluations = whole_number(document.at("evaluations"));
    for (const json& entry : document.at("population")) state.population.push_back(candidate_from(entry));
    for (const json& entry : document.at("history")) state.history.push_back(step_from(entry));
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: not a search's checkpoint: {}", name, error.what()));
  } catch (const std::domain_error& error) {
    throw InputError(fmt::format("{}: not a search's checkpoint: {}", name, error.what()));
  } catch (const formats::FormatError& error) {
    throw InputError(fmt::format("{}: not a search's checkpoint: {}", name, error.what()));
  }
  return state;
}

void SearchCheckpoint::write(const SearchState& state) const {
  nlohmann::ordered_json population = nlohmann::ordered_json::array(), history = nlohmann::ordered_json::array();
  for (const Candidate& candidate : state.population) population.push_back(to_json(candidate));
  for (const SearchStep& step : state.history) history.push_back(lpq::to_json(step));
  const nlohmann::ordered_json document = {{"search", key_},
                                           {"steps", state.steps},
                                           {"initial_fitness", state.initial_fitness},
                                           {"evaluations", state.evaluations},
                                           {"population", std::move(population)},
                                           {"history", std::move(history)}};
  workloads::write_file_atomically(file_, document.dump(1) + "\n");
}

}  // namespace lpa::lpq
