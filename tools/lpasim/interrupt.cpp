#include "tools/lpasim/interrupt.h"

#include <csignal>

namespace lpa::cli {
namespace {

// A signal handler can reach nothing but globals.
std::atomic<bool> flag{false};
std::atomic<int> signal_number{SIGINT};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void on_signal(int number) {
  signal_number = number;
  flag = true;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

const std::atomic<bool>& interrupted() {
  return flag;
}

ExitCode interrupt_code() {
  return signal_number == SIGTERM ? ExitCode::terminated : ExitCode::interrupted;
}

}  // namespace lpa::cli
