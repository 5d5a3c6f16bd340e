#include "tools/lpasim/result_file.h"

#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;

fs::path resolved(const fs::path& path, std::error_code& error) {
  fs::path result = fs::weakly_canonical(fs::absolute(path), error);
  if (!result.has_filename()) result = result.parent_path();
  return result;
}

/// Whether `path` lies in `folder` or in one of its folders.
bool is_below(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != ".." && *relative.begin() != ".";
}

}  // namespace

ResultFile::ResultFile(std::string option, const fs::path& target, const fs::path& folder)
    : option_(std::move(option)), given_(target) {
  std::error_code error;
  const fs::path out = resolved(folder, error);
  if (!error) target_ = resolved(target, error);
  if (error) fail(ExitCode::usage, error.message());
  if (!target.has_filename() || fs::is_directory(target_, error) || target_ == out) {
    fail(ExitCode::usage, "is a folder, expected a file");
  }
  in_folder_ = is_below(target_, out);
  if (in_folder_ && target_.parent_path() != out) {
    fail(ExitCode::usage, "the result folder has no folders of its own");
  }
}

ResultFile::~ResultFile() {
  std::error_code ignored;
  if (!staging_.empty()) fs::remove(staging_, ignored);
}

void ResultFile::open(const OutputFolder& folder, bool force, const std::string& extension) {
  std::error_code ignored;
  if (in_folder_) {
    target_ = folder.staging() / target_.filename();
  } else if (!force && fs::exists(target_, ignored)) {
    fail(ExitCode::usage, "exists already; --force replaces it");
  } else if (fs::exists(target_, ignored) && !fs::is_regular_file(target_, ignored)) {
    fail(ExitCode::usage, "is not a regular file");
  }
  std::string pattern = (target_.parent_path() / fmt::format(".{}.XXXXXX{}", name(), extension)).string();
  const int descriptor = mkstemps(pattern.data(), static_cast<int>(extension.size()));
  if (descriptor < 0) {
    fail(ExitCode::usage, "cannot be written: " + std::generic_category().message(errno));
  }
  staging_ = pattern;
  // mkstemps makes files private to the user; results have the usual permissions.
  const mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666U & ~mask);
  close(descriptor);
}

bool ResultFile::empty() const {
  std::error_code ignored;
  return fs::file_size(staging_, ignored) == 0;
}

void ResultFile::commit() {
  std::error_code error;
  fs::rename(staging_, target_, error);
  if (error) fail(ExitCode::failure, "cannot be put in place: " + error.message());
  staging_.clear();
}

void ResultFile::fail(ExitCode code, const std::string& reason) const {
  throw Error(code, fmt::format("{} {}: {}", option_, given_.string(), reason));
}

void check_output_file(const std::string& option, const std::filesystem::path& file, bool force) {
  if (file.empty()) return;
  std::error_code ignored;
  const auto fail = [&](const std::string& reason) {
    throw Error(ExitCode::usage, fmt::format("{} {}: {}", option, file.string(), reason));
  };
  if (std::filesystem::is_directory(file, ignored)) fail("is a folder, expected a file");
  if (std::filesystem::exists(file, ignored) && !std::filesystem::is_regular_file(file, ignored)) {
    fail("is no regular file, which alone can be replaced");
  }
  if (!force && std::filesystem::exists(file, ignored)) fail("exists already; --force replaces it");
  const auto folder = std::filesystem::absolute(file).parent_path();
  if (access(folder.c_str(), W_OK) != 0) fail("cannot be written: " + std::generic_category().message(errno));
}

}  // namespace lpa::cli
