// Errors that end a command, and the exit codes of lpasim.
#pragma once

#include <stdexcept>
#include <string>

namespace lpa::cli {

/// Exit codes of lpasim.
enum class ExitCode : int {
  success = 0,
  failure = 1,        ///< Anything else: the disk is full, memory ran out, ...
  usage = 2,          ///< The command line is wrong.
  input = 3,          ///< An input file cannot be read or is not valid.
  machine = 4,        ///< The simulated machine reported an error, or its words differ (run --check).
  interrupted = 130,  ///< SIGINT.
  terminated = 143,   ///< SIGTERM.
};

/// An error whose message is the one line that the user sees.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace lpa::cli
