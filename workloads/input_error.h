#pragma once

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace lpa::workloads {

/// An input file that cannot be read or is not valid. The message is one line: the file, the place in it, what is
/// wrong and what would be right. Command-line tools exit with 3 on it.
class InputError : public std::runtime_error {
 public:
  /// Control characters, which names in a damaged file may hold, become '?'.
  explicit InputError(std::string message) : std::runtime_error(one_line(std::move(message))) {}

 private:
  static std::string one_line(std::string text) {
    const auto control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
    std::replace_if(text.begin(), text.end(), control, '?');
    return text;
  }
};

}  // namespace lpa::workloads
