#include "quant/formats/format_text.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "quant/formats/format_error.h"

namespace lpa::formats {
namespace {

/// True if the whole of `text` is a number.
template <class Number>
bool read(const std::string& text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  return result.ec == std::errc{} && result.ptr == end;
}

}  // namespace

std::string range_error(std::string_view name, int value, int low, int high) {
  if (value >= low && value <= high) return {};
  return fmt::format("{} is {} but must be {}..{}", name, value, low, high);
}

FormatText::FormatText(std::string_view text) : text_(text) {
  std::string dense;
  std::copy_if(text.begin(), text.end(), std::back_inserter(dense), [](char c) { return c != ' '; });
  const std::size_t open = dense.find('<');
  if (open == std::string::npos || open == 0 || !dense.ends_with('>')) {
    require("it must look like name<field,...>, for example LP<8,1,3,-0.25>");
  }
  name_ = dense.substr(0, open);
  fields_.emplace_back();
  for (const char c : std::string_view(dense).substr(open + 1, dense.size() - open - 2)) {
    if (c == ',') {
      fields_.emplace_back();
    } else {
      fields_.back() += c;
    }
  }
}

void FormatText::require_shape(std::string_view name, std::size_t fewest, std::size_t most, std::string_view shape,
                               std::string_view example) const {
  if (name_ == name && fields_.size() >= fewest && fields_.size() <= most) return;
  require(fmt::format("it must look like {}, for example {}", shape, example));
}

int FormatText::integer(std::size_t index, std::string_view field_name) const {
  int number = 0;
  if (!read(field(index), number)) {
    require(fmt::format("{} is \"{}\" but must be an integer", field_name, field(index)));
  }
  return number;
}

double FormatText::real(std::size_t index, std::string_view field_name) const {
  double number = 0;
  if (!read(field(index), number)) {
    require(fmt::format("{} is \"{}\" but must be a number", field_name, field(index)));
  }
  return number;
}

void FormatText::require(const std::string& wrong) const {
  if (!wrong.empty()) throw FormatError(fmt::format("format \"{}\": {}", text_, wrong));
}

}  // namespace lpa::formats
