#include "quant/lpq/search_json.h"

namespace lpa::lpq {

nlohmann::ordered_json to_json(const SearchStep& step) {
  return {{"pass", step.pass},       {"block", step.block}, {"cycle", step.cycle},
          {"fitness", step.fitness}, {"loss", step.loss},   {"cost", step.cost}};
}

SearchStep step_from(const nlohmann::json& json) {
  return {.pass = json.at("pass").get<int>(),
          .block = json.at("block").get<int>(),
          .cycle = json.at("cycle").get<int>(),
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
  json.at("population").get_to(record.population);
  json.at("passes").get_to(record.passes);
  json.at("cycles").get_to(record.cycles);
  json.at("partners").get_to(record.partners);
  json.at("blocks").get_to(record.blocks);
  json.at("evaluations").get_to(record.evaluations);
  json.at("lambda").get_to(record.lambda);
  json.at("temperature").get_to(record.temperature);
  json.at("budget").get_to(record.budget);
  json.at("full_cost").get_to(record.full_cost);
  json.at("bits").get_to(record.bits);
  json.at("initial_fitness").get_to(record.initial_fitness);
  for (const nlohmann::json& step : json.at("history")) record.history.push_back(step_from(step));
  return record;
}

}  // namespace lpa::lpq
