#pragma once

#include <stdexcept>

namespace lpa::driver {

/// An error of the simulated machine or of its programming: a layer that does not fit, a descriptor or register access
/// that the machine refused. The message is one line.
class MachineError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace lpa::driver
