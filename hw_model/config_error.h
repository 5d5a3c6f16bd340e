#pragma once

#include <stdexcept>

namespace lpa::hw {

/// A machine that cannot be built: one line that names the parameter, its value and what would be right.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lpa::hw
