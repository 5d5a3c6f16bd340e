// One line of progress on a terminal.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

namespace lpa::cli {

/// Writes to stderr, and only if that is a terminal. Its line is wiped at the end. Safe to call from several threads.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const std::string& text);

 private:
  bool enabled_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_{};
  bool shown_ = false;
};

}  // namespace lpa::cli
