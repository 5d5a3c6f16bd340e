#include "tools/lpasim/shipped_traces.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include <fmt/format.h>

#include "tools/lpasim/error.h"
#include "tools/lpasim/shipped_folder.h"
#include "workloads/nearest.h"

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;

/// Every folder of traces has them; they may be missing.
std::vector<fs::path> traces_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

}  // namespace

fs::path trace_folder() {
  if (const char* folder = std::getenv("LPASIM_TRACES"); folder != nullptr && *folder != '\0') return folder;
  return shipped_folder("traces", LPA_TRACE_FOLDER);
}

std::vector<fs::path> shipped_traces() {
  std::vector<fs::path> files = traces_in(trace_folder());
  if (files.empty()) {
    throw Error(ExitCode::input, fmt::format("{}: no traces there; LPASIM_TRACES may name the folder that has them",
                                             trace_folder().string()));
  }
  return files;
}

fs::path find_trace(const std::string& argument) {
  const fs::path path = argument;
  std::error_code error;
  if (path.has_parent_path() || path.has_extension() || fs::exists(path, error)) return path;
  std::vector<std::string> names;
  for (const fs::path& file : traces_in(trace_folder())) {
    if (file.stem() == argument) return file;
    names.push_back(file.stem().string());
  }
  const std::string meant = workloads::nearest(argument, names);
  throw Error(ExitCode::usage,
              fmt::format("'{}' is neither a file nor a shipped trace{}", argument,
                          meant.empty() ? "; lpasim traces lists them" : fmt::format("; did you mean '{}'?", meant)));
}

}  // namespace lpa::cli
