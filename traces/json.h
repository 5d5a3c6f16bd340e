// JSON whose values know their line, so that messages can name it. Private to this room.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lpa::traces {

struct Json {
  enum class Kind { null, boolean, number, text, array, object };

  Kind kind = Kind::null;
  std::size_t line = 1;           ///< Where the value begins, from 1.
  bool truth = false;             ///< boolean
  std::string text;               ///< text: its content, UTF-8; number: as it stands in the file.
  std::vector<std::string> keys;  ///< object: the names of `items`.
  std::vector<Json> items;        ///< array, object

  /// The field of an object; null if there is none.
  const Json* find(std::string_view key) const;
  /// The line of the value at a path such as "layers[7].geometry.kernel", or of the innermost value on the way to it
  /// that is there.
  std::size_t line_at(std::string_view path) const;
};

/// Parses a text as RFC 8259 has it. `file` is what messages name. Throws workloads::InputError "<file>:<line>: ..."
/// for anything else, and for a field that stands twice in an object, more than 32 levels or 64 fields of an object.
Json parse_json(const std::filesystem::path& file, std::string_view text);

}  // namespace lpa::traces
