#pragma once

#include <stdexcept>

namespace lpa::formats {

/// A number format that cannot be: the message names the field, what it is and what would be right.
class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lpa::formats
