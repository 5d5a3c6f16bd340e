#include "workloads/atomic_file.h"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <fmt/format.h>

namespace lpa::workloads {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int error) {
  throw OutputError(fmt::format("{}: cannot {}: {}", path.string(), action, std::generic_category().message(error)));
}

/// Closes and removes the temporary file unless it was renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) {
    static std::atomic<unsigned> counter{0};
    do {
      name_ = fmt::format("{}.{}.{}.tmp", target.string(), ::getpid(), counter++);
      descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) fail(target, "create a file in its folder", errno);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  void write(const std::filesystem::path& target, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(target, "write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    // Some file systems cannot flush and say so; that is no reason to lose the result.
    if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP) fail(target, "flush", errno);
    const int closed = ::close(descriptor_);
    descriptor_ = -1;
    if (closed != 0) fail(target, "close", errno);
  }

  void rename_to(const std::filesystem::path& target) {
    if (::rename(name_.c_str(), target.c_str()) != 0) fail(target, "replace the file", errno);
    name_.clear();
  }

 private:
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace

void write_file_atomically(const std::filesystem::path& path, std::string_view bytes) {
  TemporaryFile file(path);
  file.write(path, bytes);
  file.rename_to(path);
}

}  // namespace lpa::workloads
