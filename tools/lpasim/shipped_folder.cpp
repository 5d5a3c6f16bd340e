#include "tools/lpasim/shipped_folder.h"

#include <system_error>

namespace lpa::cli {

std::filesystem::path shipped_folder(const char* name, const char* in_source) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = program.parent_path().parent_path() / "share/lpasim" / name;
  return !error && fs::is_directory(installed, error) ? installed : fs::path(in_source);
}

}  // namespace lpa::cli
