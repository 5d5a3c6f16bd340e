#pragma once

#include <stdexcept>

namespace lpa::workloads {

/// An input file that cannot be read or is not valid. The message is one line: the file, the place in it, what is
/// wrong and what would be right. Command-line tools exit with 3 on it.
class InputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lpa::workloads
