#include "tools/lpasim/table.h"

#include <algorithm>

#include <fmt/format.h>

namespace lpa::cli {
namespace {

bool is_numeric(const std::string& cell) {
  return cell.find_first_not_of("0123456789.,+-eE% ") == std::string::npos;
}

}  // namespace

void Table::add(std::vector<std::string> row) {
  row.resize(rows_.front().size());
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  const std::size_t columns = rows_.front().size();
  std::vector<std::size_t> width(columns, 0);
  std::vector<bool> right(columns, rows_.size() > 1);
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < columns; ++column) {
      width[column] = std::max(width[column], row[column].size());
      if (&row != &rows_.front() && !is_numeric(row[column])) right[column] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t column = 0; column < columns; ++column) {
      if (column > 0) line += "  ";
      line += right[column] ? fmt::format("{:>{}}", row[column], width[column])
                            : fmt::format("{:<{}}", row[column], width[column]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t position = digits.size(); position > 3;) {
    position -= 3;
    digits.insert(position, 1, ',');
  }
  return digits;
}

std::string percent(double fraction) {
  return fmt::format("{:.1f} %", 100.0 * fraction);
}

}  // namespace lpa::cli
