// A loop over independent items on several threads, with progress and cancellation.
#pragma once

#include <atomic>
#include <functional>
#include <stdexcept>

namespace lpa::lpq {

/// Called with the number of items done and of all items, from one thread at a time, with ascending numbers.
using Progress = std::function<void(int done, int total)>;

/// Set from anywhere (another thread, a signal handler) to end a long computation early.
using CancelFlag = std::atomic<bool>;

/// Thrown by a computation whose cancel flag was set.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

/// Calls body(item, worker) for every item in 0..count-1, on at most `threads` workers numbered from 0 (at least one;
/// no more than items). After an exception no further item is begun; it is rethrown when all workers are done. `cancel`
/// (may be null) is looked at before every item; throws Cancelled. No thread is left behind.
void parallel_for(int count, int threads, const std::function<void(int item, int worker)>& body,
                  const Progress& progress = {}, const CancelFlag* cancel = nullptr);

}  // namespace lpa::lpq
