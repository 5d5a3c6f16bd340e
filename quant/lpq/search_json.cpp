#include "quant/lpq/search_json.h"

#include <cstdint>
#include <limits>
#include <stdexcept>

namespace lpa::lpq {

int whole_number(const nlohmann::json& json) {
  constexpr int largest = std::numeric_limits<int>::max();
  const bool fits = json.is_number_unsigned() && json.get<std::uint64_t>() <= static_cast<std::uint64_t>(largest);
  if (!fits) throw std::domain_error("is " + json.dump() + " but must be a whole number");
  return json.get<int>();
}

nlohmann::ordered_json to_json(const SearchStep& step) {
  return {{"pass", step.pass},       {"block", step.block}, {"cycle", step.cycle},
          {"fitness", step.fitness}, {"loss", step.loss},   {"cost", step.cost}};
}

SearchStep step_from(const nlohmann::json& json) {
  return {.pass = whole_number(json.at("pass")),
          .block = whole_number(json.at("block")),
          .cycle = whole_number(json.at("cycle")),
          .fitness = json.at("fitness").get<double>(),
          .loss = json.at("loss").get<double>(),
          .cost = json.at("cost").get<double>()};
}

nlohmann::ordered_json to_json(const SearchRecord& record) {
  nlohmann::ordered_json history = nlohmann::ordered_json::array();
  for (const SearchStep& step : record.history) history.push_back(to_json(step));
  return {{"objective", record.objective},
          {"pooling", record.pooling},
          {"cost", record.cost},
          {"population", record.population},
          {"passes", record.passes},
          {"cycles", record.cycles},
          {"partners", record.partners},
          {"blocks", record.blocks},
          {"evaluations", record.evaluations},
          {"lambda", record.lambda},
          {"temperature", record.temperature},
          {"budget", record.budget},
          {"full_cost", record.full_cost},
          {"bits", record.bits},
          {"initial_fitness", record.initial_fitness},
          {"history", std::move(history)}};
}

SearchRecord record_from(const nlohmann::json& json) {
  SearchRecord record;
  json.at("objective").get_to(record.objective);
  json.at("pooling").get_to(record.pooling);
  json.at("cost").get_to(record.cost);
  record.population = whole_number(json.at("population"));
  record.passes = whole_number(json.at("passes"));
  record.cycles = whole_number(json.at("cycles"));
  record.partners = whole_number(json.at("partners"));
  record.blocks = whole_number(json.at("blocks"));
  record.evaluations = whole_number(json.at("evaluations"));
  json.at("lambda").get_to(record.lambda);
  json.at("temperature").get_to(record.temperature);
  json.at("budget").get_to(record.budget);
  json.at("full_cost").get_to(record.full_cost);
  for (const nlohmann::json& bits : json.at("bits")) record.bits.push_back(whole_number(bits));
  json.at("initial_fitness").get_to(record.initial_fitness);
  for (const nlohmann::json& step : json.at("history")) record.history.push_back(step_from(step));
  return record;
}

}  // namespace lpa::lpq
