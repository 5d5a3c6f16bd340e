#include "quant/lpq/parallel.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace lpa::lpq {

void parallel_for(int count, int threads, const std::function<void(int, int)>& body, const Progress& progress,
                  const CancelFlag* cancel) {
  std::atomic<int> next{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;  // guards `done`, `error` and the call of `progress`
  int done = 0;
  std::exception_ptr error;

  const auto work = [&](int worker) {
    while (!stop) {
      const int item = next++;
      if (item >= count) return;
      try {
        if (cancel != nullptr && *cancel) throw Cancelled();
        body(item, worker);
        const std::lock_guard lock(mutex);
        ++done;
        if (progress) progress(done, count);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        stop = true;
      }
    }
  };

  std::vector<std::thread> workers;
  for (int worker = 1; worker < std::min(threads, count); ++worker) workers.emplace_back(work, worker);
  work(0);
  for (std::thread& worker : workers) worker.join();
  if (error) std::rethrow_exception(error);
}

}  // namespace lpa::lpq
