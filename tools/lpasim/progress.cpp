#include "tools/lpasim/progress.h"

#include <cstdio>
#include <unistd.h>

#include <fmt/format.h>

namespace lpa::cli {
namespace {

constexpr std::chrono::milliseconds refresh_interval{100};
constexpr const char* wipe_line = "\r\033[K";

}  // namespace

Progress::Progress() : enabled_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) fmt::print(stderr, "{}", wipe_line);
}

void Progress::show(const std::string& text) {
  if (!enabled_) return;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (shown_ && now - last_ < refresh_interval) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "{}{}", wipe_line, text);
  static_cast<void>(std::fflush(stderr));
}

}  // namespace lpa::cli
