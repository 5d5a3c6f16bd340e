#include "quant/formats/number_system.h"

#include <algorithm>

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

bool contains(NumberSystem system, const TensorFormat& format) {
  if (system == NumberSystem::lp) return !format.linear();
  TensorFormat unscaled = format;
  unscaled.sf_q8 = 0;
  const std::vector<TensorFormat> formats = formats_of(system, format.n);
  return std::ranges::find(formats, unscaled) != formats.end();
}

}  // namespace lpa::formats
