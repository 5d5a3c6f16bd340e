// SIGINT and SIGTERM as a flag that long work checks.
#pragma once

#include <atomic>

#include "tools/lpasim/error.h"

namespace lpa::cli {

/// From now on the first SIGINT or SIGTERM sets the flag; a second one ends the process as usual.
void catch_interrupts();

/// Set by a signal; stays set.
const std::atomic<bool>& interrupted();

/// The exit code of the signal that came.
ExitCode interrupt_code();

}  // namespace lpa::cli
