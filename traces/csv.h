// Rows of comma-separated text whose errors name the file, the line and the column. Private to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lpa::traces {

/// Text without the spaces and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// A part of the file in quotes for a message, cut if it is long.
std::string in_quotes(std::string_view text);

struct CsvRow {
  std::filesystem::path path;
  std::size_t line = 0;  ///< From 1.
  std::vector<std::string_view> fields;
  std::span<const std::string_view> columns;  ///< Names of the fields; of a header none.

  /// The field of that column. The row must have one for every column.
  std::string_view text(std::string_view column) const;
  /// The field as an integer: digits, for a negative number after '-'. Throws InputError if it is not one.
  std::int64_t integer(std::string_view column) const;

  /// Throws InputError "<file>:<line>: <what>".
  [[noreturn]] void fail(std::string_view what) const;
  /// Throws InputError "<file>:<line>: column '<column>': <what>".
  [[noreturn]] void fail(std::string_view column, std::string_view what) const;
};

/// The text's lines, which end with a line feed or carriage return and line feed, split at every comma. An empty line
/// is a row of one empty field. The rows refer to `text`.
std::vector<CsvRow> split_csv(const std::filesystem::path& path, std::string_view text);

}  // namespace lpa::traces
