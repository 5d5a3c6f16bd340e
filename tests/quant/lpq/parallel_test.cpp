#include "quant/lpq/parallel.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace lpa::lpq {
namespace {

TEST(ParallelFor, VisitsEveryItemOnceOnAWorkerInRange) {
  for (const int threads : {0, 1, 3, 9}) {
    std::array<std::atomic<int>, 50> visits{};
    parallel_for(50, threads, [&](int item, int worker) {
      ++visits.at(static_cast<std::size_t>(item));
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, std::max(1, threads));
    });
    for (const auto& count : visits) EXPECT_EQ(count, 1) << threads << " threads";
  }
}

TEST(ParallelFor, DoesNothingForNoItems) {
  parallel_for(0, 4, [](int, int) { FAIL(); });
}

TEST(ParallelFor, ReportsProgressInOrder) {
  std::vector<int> steps;
  parallel_for(
      20, 4, [](int, int) {},
      [&steps](int done, int total) {
        EXPECT_EQ(total, 20);
        steps.push_back(done);
      });
  ASSERT_EQ(steps.size(), 20U);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(steps[static_cast<std::size_t>(i)], i + 1);
}

/// lpasim forks processes between loops.
TEST(ParallelFor, LeavesNoThreadBehind) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  std::atomic<int> workers{0};
  parallel_for(100, 4, [&](int, int worker) { workers = std::max(workers.load(), worker); });
  EXPECT_EQ(threads(), before);
  EXPECT_THROW(parallel_for(100, 4,
                            [](int item, int) {
                              if (item > 50) throw std::runtime_error("no");
                            }),
               std::runtime_error);
  EXPECT_EQ(threads(), before);
  CancelFlag cancel{false};
  EXPECT_THROW(parallel_for(
                   100, 4, [&](int item, int) { cancel = item > 20; }, {}, &cancel),
               Cancelled);
  EXPECT_EQ(threads(), before);
}

TEST(ParallelFor, StopsAndRethrowsAfterAnException) {
  for (const int threads : {1, 3}) {
    std::atomic<int> visited{0};
    EXPECT_THROW(parallel_for(100000, threads,
                              [&visited](int item, int) {
                                ++visited;
                                if (item == 5) throw std::runtime_error("five");
                              }),
                 std::runtime_error);
    EXPECT_GE(visited, 6);
    EXPECT_LT(visited, threads == 1 ? 7 : 100000);
  }
}

TEST(ParallelFor, RethrowsWhatProgressThrows) {
  EXPECT_THROW(parallel_for(
                   10, 2, [](int, int) {}, [](int, int) { throw std::logic_error("no"); }),
               std::logic_error);
}

TEST(ParallelFor, BeginsNothingOnceItIsCancelled) {
  CancelFlag cancel{false};
  int visited = 0;
  EXPECT_THROW(parallel_for(
                   100, 1,
                   [&](int item, int) {
                     ++visited;
                     cancel = item == 3;
                   },
                   {}, &cancel),
               Cancelled);
  EXPECT_EQ(visited, 4);
}

}  // namespace
}  // namespace lpa::lpq
