// The traces that come with the program.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace lpa::cli {

/// Where they are: the folder that the environment names in LPASIM_TRACES, beside an installed program, or in the
/// source tree.
std::filesystem::path trace_folder();

/// Their files, by name. Throws Error if there is no such folder.
std::vector<std::filesystem::path> shipped_traces();

/// The file that an argument means: a path, or the name of a shipped trace. Throws Error, suggesting a name, if there
/// is none.
std::filesystem::path find_trace(const std::string& argument);

}  // namespace lpa::cli
