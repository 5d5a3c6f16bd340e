// The sub-commands. Each prints its result on stdout, returns the exit code and throws on error.
#pragma once

#include <string>
#include <vector>

#include "tools/lpasim/error.h"

namespace lpa::cli {

using Words = std::vector<std::string>;  ///< The arguments behind the sub-command's name.

ExitCode quantize(const Words& arguments);
ExitCode report_quant(const Words& arguments);
ExitCode compare_formats(const Words& arguments);
ExitCode evaluate(const Words& arguments);
ExitCode run(const Words& arguments);  ///< Builds a SystemC machine: call it from sc_main, once per process.
ExitCode import_trace(const Words& arguments);
ExitCode replay(const Words& arguments);  ///< As run().
ExitCode list_traces(const Words& arguments);
ExitCode format(const Words& arguments);
ExitCode compare(const Words& arguments);  ///< As run().
ExitCode describe(const Words& arguments);
ExitCode costs(const Words& arguments);

}  // namespace lpa::cli
