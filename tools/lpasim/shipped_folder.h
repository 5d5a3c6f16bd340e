#pragma once

#include <filesystem>

namespace lpa::cli {

/// A folder of files that come with the program: `name` in share/lpasim beside an installed program, else the one in
/// the source tree.
std::filesystem::path shipped_folder(const char* name, const char* in_source);

}  // namespace lpa::cli
