#include "traces/json_fields.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "quant/formats/format_error.h"
#include "traces/csv.h"
#include "traces/layer_table.h"
#include "workloads/input_error.h"
#include "workloads/nearest.h"

namespace lpa::traces {
namespace {

std::int64_t whole_of(const Json& json, const Place& place) {
  std::int64_t value = 0;
  if (json.kind != Json::Kind::number) place.fail("must be a whole number");
  const char* const last = json.text.data() + json.text.size();
  const auto [end, error] = std::from_chars(json.text.data(), last, value);
  if (error == std::errc::result_out_of_range) place.fail(fmt::format("{} is beyond 64 bits", in_quotes(json.text)));
  if (error != std::errc{} || end != last) place.fail(fmt::format("{} is not a whole number", in_quotes(json.text)));
  return value;
}

int extent_of(const Json& json, const Place& place) {
  const std::int64_t value = whole_of(json, place);
  if (value < -largest_extent || value > largest_extent)
    place.fail(fmt::format("is {} but must be within -{}..{}", value, largest_extent, largest_extent));
  return static_cast<int>(value);
}

}  // namespace

void Place::fail(std::string_view what) const {
  throw workloads::InputError(path.empty() ? fmt::format("{}:{}: {}", file.string(), line, what)
                                           : fmt::format("{}:{}: {}: {}", file.string(), line, path, what));
}

Fields::Fields(const Json& object, Place place, const std::vector<std::string>& known)
    : object_(object), place_(std::move(place)) {
  if (object.kind != Json::Kind::object) place_.fail("must be an object");
  for (std::size_t i = 0; i < object.keys.size(); ++i) {
    if (std::ranges::find(known, object.keys[i]) != known.end()) continue;
    const std::string meant = workloads::nearest(object.keys[i].substr(0, 100), known);
    Place{place_.file, object.items[i].line, place_.path}.fail(
        fmt::format("unknown field {}{}", in_quotes(object.keys[i]),
                    meant.empty() ? fmt::format("; the fields are {}", fmt::join(known, ", "))
                                  : fmt::format("; did you mean '{}'?", meant)));
  }
}

std::string Fields::path(std::string_view field) const {
  return place_.path.empty() ? std::string(field) : fmt::format("{}.{}", place_.path, field);
}

const Json& Fields::at(std::string_view field) const {
  const Json* value = object_.find(field);
  if (value == nullptr) Place{place_.file, object_.line, path(field)}.fail("is missing");
  return *value;
}

Place Fields::place(std::string_view field) const {
  return {place_.file, at(field).line, path(field)};
}

Place Fields::place(std::string_view field, std::size_t index) const {
  return {place_.file, at(field).items[index].line, fmt::format("{}[{}]", path(field), index)};
}

Fields Fields::object(std::string_view field, const std::vector<std::string>& known) const {
  return {at(field), place(field), known};
}

const std::vector<Json>& Fields::array(std::string_view field) const {
  if (at(field).kind != Json::Kind::array) place(field).fail("must be an array");
  return at(field).items;
}

std::string Fields::text(std::string_view field) const {
  if (at(field).kind != Json::Kind::text) place(field).fail("must be a string");
  return at(field).text;
}

bool Fields::truth(std::string_view field) const {
  if (at(field).kind != Json::Kind::boolean) place(field).fail("must be true or false");
  return at(field).truth;
}

double Fields::real(std::string_view field) const {
  const std::string& text = at(field).text;
  double value = 0;
  if (at(field).kind != Json::Kind::number) place(field).fail("must be a number");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) place(field).fail(fmt::format("{} is beyond a double's range", in_quotes(text)));
  return value;
}

std::int64_t Fields::whole(std::string_view field) const {
  return whole_of(at(field), place(field));
}

int Fields::extent(std::string_view field) const {
  return extent_of(at(field), place(field));
}

const std::vector<Json>& Fields::array_of(std::string_view field, std::size_t count) const {
  const std::vector<Json>& items = array(field);
  if (items.size() != count) place(field).fail(fmt::format("has {} elements but must have {}", items.size(), count));
  return items;
}

std::vector<std::int64_t> Fields::wholes(std::string_view field, std::size_t count) const {
  std::vector<std::int64_t> values;
  for (const Json& item : array_of(field, count)) values.push_back(whole_of(item, place(field, values.size())));
  return values;
}

std::vector<int> Fields::extents(std::string_view field, std::size_t count) const {
  std::vector<int> values;
  for (const Json& item : array_of(field, count)) values.push_back(extent_of(item, place(field, values.size())));
  return values;
}

formats::TensorFormat Fields::format(std::string_view field) const {
  try {
    return formats::parse_tensor_format(text(field));
  } catch (const formats::FormatError& error) {
    place(field).fail(error.what());
  }
}

void Fields::expect(std::string_view field, std::int64_t right) const {
  if (const std::int64_t given = whole(field); given != right)
    place(field).fail(fmt::format("is {} but must be {}, which follows from other fields", given, right));
}

}  // namespace lpa::traces
