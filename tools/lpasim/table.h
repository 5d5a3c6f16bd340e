// Plain text tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lpa::cli {

/// Rows of cells, printed in columns as wide as their widest cell. Columns whose cells (but the header) are all numbers
/// are aligned right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  /// A row shorter than the header is filled up with empty cells.
  void add(std::vector<std::string> row);
  /// Lines that end in '\n', without trailing blanks.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// "12,345,678"
std::string grouped(std::uint64_t number);

/// "12.3 %"; 100 for a fraction of 1.
std::string percent(double fraction);

}  // namespace lpa::cli
