#include "quant/lpq/parallel.h"

#include <algorithm>
#include <mutex>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

namespace lpa::lpq {

void parallel_for(int count, int threads, const std::function<void(int, int)>& body, const Progress& progress,
                  const CancelFlag* cancel) {
  std::mutex mutex;  // guards `done` and the call of `progress`
  int done = 0;
  const auto work = [&](int item, int worker) {
    if (cancel != nullptr && *cancel) throw Cancelled();
    body(item, worker);
    const std::lock_guard lock(mutex);
    ++done;
    if (progress) progress(done, count);
  };
  const int workers = std::min({threads, count, tbb::info::default_concurrency()});
  if (workers < 2) {
    for (int item = 0; item < count; ++item) work(item, 0);
    return;
  }
  // Threads that outlive the loop would not survive a fork of the process: the pool ends with it.
  struct Pool {
    ~Pool() { tbb::finalize(handle, std::nothrow); }
    tbb::task_scheduler_handle handle{tbb::attach{}};
  } pool;
  tbb::task_arena arena(workers);
  arena.execute([&] {
    tbb::parallel_for(
        0, count, [&](int item) { work(item, tbb::this_task_arena::current_thread_index()); },
        tbb::simple_partitioner{});
  });
}

}  // namespace lpa::lpq
