#include "tools/lpasim/output_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <system_error>

#include <fmt/format.h>

#include "tools/lpasim/error.h"

namespace lpa::cli {
namespace {

namespace fs = std::filesystem;

void check_replaceable(const fs::path& target, bool force, const std::vector<std::string>& contents) {
  if (!fs::is_directory(target)) {
    throw Error(ExitCode::usage, fmt::format("--out {}: exists and is not a folder", target.string()));
  }
  if (!force) {
    throw Error(ExitCode::usage, fmt::format("--out {}: exists already; --force replaces it", target.string()));
  }
  for (const auto& entry : fs::directory_iterator(target)) {
    const std::string name = entry.path().filename().string();
    if (std::find(contents.begin(), contents.end(), name) == contents.end()) {
      throw Error(ExitCode::usage, fmt::format("--out {}: holds '{}', which is no result of this command; not replaced",
                                               target.string(), name));
    }
  }
}

/// mkdtemp makes folders private to the user; results have the usual permissions.
void use_default_permissions(const fs::path& folder) {
  const mode_t mask = umask(0);
  umask(mask);
  fs::permissions(folder, static_cast<fs::perms>(0777U & ~mask));
}

}  // namespace

OutputFolder::OutputFolder(const fs::path& target, bool force, const std::vector<std::string>& contents) {
  std::error_code error;
  target_ = fs::weakly_canonical(fs::absolute(target), error);
  if (error) throw Error(ExitCode::usage, fmt::format("--out {}: {}", target.string(), error.message()));
  if (!target_.has_filename()) target_ = target_.parent_path();
  try {
    if (fs::exists(target_)) check_replaceable(target_, force, contents);
    create_parents(target_.parent_path());
    std::string pattern = (target_.parent_path() / fmt::format(".{}.XXXXXX", target_.filename().string())).string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category());
    staging_ = pattern;
    use_default_permissions(staging_);
  } catch (const std::system_error& failure) {
    remove_parents();
    throw Error(ExitCode::usage,
                fmt::format("--out {}: cannot be written: {}", target.string(), failure.code().message()));
  }
}

OutputFolder::~OutputFolder() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (!committed_) remove_parents();
}

void OutputFolder::create_parents(const fs::path& parent) {
  if (parent.empty() || fs::exists(parent)) return;
  create_parents(parent.parent_path());
  fs::create_directory(parent);
  created_parents_.push_back(parent);
}

void OutputFolder::remove_parents() {
  std::error_code ignored;
  for (auto parent = created_parents_.rbegin(); parent != created_parents_.rend(); ++parent) {
    fs::remove(*parent, ignored);
  }
}

void OutputFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream stream(staging_ / name, std::ios::binary);
  stream << content << std::flush;
  if (!stream) {
    throw Error(ExitCode::failure, fmt::format("{}: cannot be written: {}", (target_ / name).string(),
                                               std::generic_category().message(errno)));
  }
}

void OutputFolder::commit() {
  const auto fail = [&](const std::string& reason) {
    throw Error(ExitCode::failure, fmt::format("--out {}: cannot be put in place: {}", target_.string(), reason));
  };
  // An exchange leaves the old results in staging_, which the destructor removes.
  unsigned flags = fs::exists(target_) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (renameat2(AT_FDCWD, staging_.c_str(), AT_FDCWD, target_.c_str(), flags) != 0) {
    if (errno != EINVAL && errno != ENOSYS) fail(std::generic_category().message(errno));
    // A file system without these flags: move the old folder aside first.
    std::error_code error;
    const fs::path aside = staging_.string() + ".old";
    if (flags == RENAME_EXCHANGE) fs::rename(target_, aside, error);
    if (error) fail(error.message());
    fs::rename(staging_, target_, error);
    if (error) {
      const std::string reason = error.message();
      if (flags == RENAME_EXCHANGE) fs::rename(aside, target_, error);
      fail(reason);
    }
    fs::remove_all(aside, error);
  }
  committed_ = true;
}

}  // namespace lpa::cli
