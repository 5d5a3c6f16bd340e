#include "traces/csv.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "workloads/input_error.h"

namespace lpa::traces {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t longest = 40;
  return text.size() <= longest ? fmt::format("'{}'", text) : fmt::format("'{}...'", text.substr(0, longest));
}

std::string_view CsvRow::text(std::string_view column) const {
  return fields.at(static_cast<std::size_t>(std::ranges::find(columns, column) - columns.begin()));
}

std::int64_t CsvRow::integer(std::string_view column) const {
  const std::string_view digits = text(column);
  if (digits.empty()) fail(column, "empty; a whole number expected");
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size())
    fail(column, fmt::format("{} is not a whole number", in_quotes(digits)));
  if (error != std::errc{}) fail(column, fmt::format("{} is beyond 64 bits", in_quotes(digits)));
  return value;
}

void CsvRow::fail(std::string_view what) const {
  throw workloads::InputError(fmt::format("{}:{}: {}", path.string(), line, what));
}

void CsvRow::fail(std::string_view column, std::string_view what) const {
  fail(fmt::format("column '{}': {}", column, what));
}

std::vector<CsvRow> split_csv(const std::filesystem::path& path, std::string_view text) {
  std::vector<CsvRow> rows;
  while (!text.empty()) {
    const auto feed = text.find('\n');
    std::string_view line = text.substr(0, feed);
    text.remove_prefix(feed == std::string_view::npos ? text.size() : feed + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    CsvRow row{.path = path, .line = rows.size() + 1, .fields = {}, .columns = {}};
    for (auto comma = line.find(','); comma != std::string_view::npos; comma = line.find(',')) {
      row.fields.push_back(line.substr(0, comma));
      line.remove_prefix(comma + 1);
    }
    row.fields.push_back(line);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace lpa::traces
