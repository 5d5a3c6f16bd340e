#include "hw_model/cost/constants.h"

#include <array>
#include <cmath>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "hw_model/cost/shipped_constants.h"
#include "workloads/input_error.h"
#include "workloads/nearest.h"

namespace lpa::cost {
namespace {

using nlohmann::json;
using workloads::InputError;

constexpr std::array text_fields{std::pair{"unit", &Constant::unit}, std::pair{"node", &Constant::node},
                                 std::pair{"source", &Constant::source}, std::pair{"scaling", &Constant::scaling}};
constexpr std::array number_fields{std::pair{"value", &Constant::value}, std::pair{"low", &Constant::low},
                                   std::pair{"high", &Constant::high}};

const json& field(const json& entry, const char* name, const std::string& place) {
  const auto found = entry.find(name);
  if (found == entry.end()) throw InputError(fmt::format("{}: '{}' is missing", place, name));
  return *found;
}

std::string text_of(const json& entry, const char* name, const std::string& place) {
  const json& text = field(entry, name, place);
  if (!text.is_string() || text.get<std::string>().empty()) {
    throw InputError(fmt::format("{}: '{}' is {}, expected a text", place, name, text.dump()));
  }
  return text.get<std::string>();
}

Constant constant_of(const json& entry, const std::string& place) {
  Constant constant;
  for (const auto& [name, member] : number_fields) {
    const json& number = field(entry, name, place);
    const double value = number.is_number() ? number.get<double>() : 0;
    if (!(value > 0) || !std::isfinite(value)) {
      throw InputError(fmt::format("{}: '{}' is {}, expected a number above 0", place, name, number.dump()));
    }
    constant.*member = value;
  }
  if (constant.value < constant.low || constant.value > constant.high) {
    throw InputError(fmt::format("{}: 'value' is {}, expected one from 'low' to 'high', {} to {}", place,
                                 constant.value, constant.low, constant.high));
  }
  for (const auto& [name, member] : text_fields) constant.*member = text_of(entry, name, place);
  return constant;
}

}  // namespace

const Constants& Constants::shipped() {
  static const Constants constants = [] {
    Constants all;
    for (const auto& [file, text] : shipped_constants) {
      const Constants part = parse(text, std::string(file));
      all.all_.insert(part.all_.begin(), part.all_.end());
    }
    return all;
  }();
  return constants;
}

Constants Constants::parse(std::string_view text, const std::string& file) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::exception& error) {
    throw InputError(fmt::format("{}: not JSON: {}", file, error.what()));
  }
  const auto list = document.is_object() ? document.find("constants") : document.end();
  if (list == document.end() || !list->is_array()) {
    throw InputError(fmt::format("{}: expected an object with an array 'constants'", file));
  }
  Constants constants;
  for (const json& entry : *list) {
    const std::string number = fmt::format("{}: constants[{}]", file, &entry - &list->front());
    if (!entry.is_object()) throw InputError(fmt::format("{}: expected an object", number));
    const std::string name = text_of(entry, "name", number);
    if (!constants.all_.emplace(name, constant_of(entry, fmt::format("{}: '{}'", file, name))).second) {
      throw InputError(fmt::format("{}: '{}' is there twice", file, name));
    }
  }
  return constants;
}

Constants Constants::with(const Constants& replacements, const std::string& file) const {
  Constants result = *this;
  for (const auto& [name, constant] : replacements.all_) {
    const auto found = result.all_.find(name);
    if (found == result.all_.end()) {
      std::vector<std::string> names;
      for (const auto& [known, value] : all_) names.push_back(known);
      const std::string candidate = workloads::nearest(name, names);
      throw InputError(fmt::format(
          "{}: unknown constant '{}'{}", file, name,
          candidate.empty() ? "; lpasim costs lists them" : fmt::format("; did you mean '{}'?", candidate)));
    }
    if (constant.unit != found->second.unit) {
      throw InputError(
          fmt::format("{}: '{}': 'unit' is '{}', expected '{}'", file, name, constant.unit, found->second.unit));
    }
    found->second = constant;
  }
  return result;
}

Constants Constants::drawn(std::uint64_t seed) const {
  std::mt19937_64 random(seed);
  // The standard's distributions differ between libraries.
  const auto fraction = [&random] { return static_cast<double>(random() >> 11) * 0x1p-53; };
  Constants result = *this;
  for (auto& [name, constant] : result.all_) {
    const double end = fraction() < 0.5 ? constant.low : constant.high;
    constant.value *= std::pow(end / constant.value, fraction());
  }
  return result;
}

}  // namespace lpa::cost
