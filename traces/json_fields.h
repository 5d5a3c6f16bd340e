// Reading JSON objects of known fields, with errors that name file, line and field. Private to this room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "quant/formats/tensor_format.h"
#include "traces/json.h"

namespace lpa::traces {

/// A part of a file, for messages.
struct Place {
  const std::filesystem::path& file;
  std::size_t line;
  std::string path;  ///< "layers[7].geometry"; empty for the document.

  /// Throws InputError "<file>:<line>: <path>: <what>".
  [[noreturn]] void fail(std::string_view what) const;
};

/// A JSON object of known fields. Every function but has() throws InputError for a field that is missing or of another
/// kind.
class Fields {
 public:
  /// Throws InputError for a field that is not among `known`. The object must outlive this.
  Fields(const Json& object, Place place, const std::vector<std::string>& known);

  bool has(std::string_view field) const { return object_.find(field) != nullptr; }
  const Json& at(std::string_view field) const;
  Place place(std::string_view field) const;
  Place place(std::string_view field, std::size_t index) const;

  Fields object(std::string_view field, const std::vector<std::string>& known) const;
  const std::vector<Json>& array(std::string_view field) const;
  std::string text(std::string_view field) const;
  bool truth(std::string_view field) const;
  double real(std::string_view field) const;
  std::int64_t whole(std::string_view field) const;
  /// Within +-(2^31 - 1).
  int extent(std::string_view field) const;
  /// An array of `count` whole numbers, or of extents.
  std::vector<std::int64_t> wholes(std::string_view field, std::size_t count) const;
  std::vector<int> extents(std::string_view field, std::size_t count) const;
  formats::TensorFormat format(std::string_view field) const;
  /// A number that follows from other fields must be `right`.
  void expect(std::string_view field, std::int64_t right) const;

 private:
  std::string path(std::string_view field) const;
  const std::vector<Json>& array_of(std::string_view field, std::size_t count) const;

  const Json& object_;
  Place place_;
};

}  // namespace lpa::traces
