#include "quant/formats/number_system.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

std::vector<TensorFormat> lp_formats(int bits) {
  const std::vector<LpFormat> formats = all_lp_formats(bits);
  return {formats.begin(), formats.end()};
}

}  // namespace

const std::vector<std::string>& number_system_names() {
  static const std::vector<std::string> names{"lp", "int", "ant", "adaptivfloat", "posit"};
  return names;
}

const std::string& to_string(NumberSystem system) {
  return number_system_names().at(static_cast<std::size_t>(system));
}

NumberSystem parse_number_system(std::string_view name) {
  const auto& names = number_system_names();
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) throw FormatError(fmt::format("\"{}\" must be one of {}", name, fmt::join(names, ", ")));
  return static_cast<NumberSystem>(found - names.begin());
}

std::vector<TensorFormat> formats_of(NumberSystem system, int bits) {
  if (bits != 8 && bits != 4 && bits != 2) return {};
  const TensorFormat integer(Family::integer, bits, 0, 0);
  switch (system) {
    case NumberSystem::lp:
      break;
    case NumberSystem::integer:
      return {integer};
    case NumberSystem::ant:
      if (bits == 8) return {integer};
      if (bits == 4) return {integer, {Family::pot, 4, 0, 0}, {Family::flint, 4, 0, 0}};
      return {};
    case NumberSystem::adaptivfloat:
      if (bits == 8) return {{Family::adaptivfloat, 8, 4, 0}};
      return {};
    case NumberSystem::posit:
      return {{Family::posit, bits, 1, 0}};
  }
  return lp_formats(bits);
}

std::string widths_of(NumberSystem system) {
  std::string text;
  for (const int bits : {2, 4, 8}) {
    if (formats_of(system, bits).empty()) continue;
    const char* separator = text.empty() ? "" : text.find(' ') == std::string::npos && text.size() == 1 ? " or " : ", ";
    text = std::to_string(bits) + separator + text;
  }
  return text;
}

bool contains(NumberSystem system, const TensorFormat& format) {
  if (system == NumberSystem::lp) return !format.linear();
  TensorFormat unscaled = format;
  unscaled.sf_q8 = 0;
  const std::vector<TensorFormat> formats = formats_of(system, format.n);
  return std::ranges::find(formats, unscaled) != formats.end();
}

std::string CommonSystems::add(const TensorFormat& format) {
  std::vector<NumberSystem> with;
  for (const NumberSystem system : left_) {
    if (contains(system, format)) with.push_back(system);
  }
  if (with.empty()) {
    std::vector<std::string> names;
    for (const NumberSystem system : left_) names.push_back(to_string(system));
    return fmt::format("is {} but must be one of {}, as the formats before it are", to_string(format),
                       fmt::join(names, ", "));
  }
  left_ = std::move(with);
  return {};
}

}  // namespace lpa::formats
