// Reading and checking what the formats' texts have in common: "name<field,field,...>".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lpa::formats {

/// "<name> is <value> but must be <low>..<high>"; empty if it is.
std::string range_error(std::string_view name, int value, int low, int high);

/// A format's text, split into its name and its fields. Spaces are ignored. Every error is a FormatError that quotes
/// the whole text.
class FormatText {
 public:
  /// Throws FormatError if the text is not of the shape name<fields>.
  explicit FormatText(std::string_view text);

  const std::string& name() const { return name_; }
  std::size_t size() const { return fields_.size(); }
  const std::string& field(std::size_t index) const { return fields_.at(index); }

  /// Throws FormatError unless the name is `name` and the number of fields within the limits; the message shows how the
  /// format is written and an example.
  void require_shape(std::string_view name, std::size_t fewest, std::size_t most, std::string_view shape,
                     std::string_view example) const;
  int integer(std::size_t index, std::string_view field_name) const;
  double real(std::size_t index, std::string_view field_name) const;
  /// Throws FormatError with this message unless it is empty.
  void require(const std::string& wrong) const;

 private:
  std::string text_;
  std::string name_;
  std::vector<std::string> fields_;
};

}  // namespace lpa::formats
