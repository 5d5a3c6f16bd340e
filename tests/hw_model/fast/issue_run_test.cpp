#include "hw_model/fast/issue_run.h"

#include <gtest/gtest.h>

namespace lpa::hw {
namespace {

TEST(IssueRun, PresentsAVectorAtTheLastEdgeOfEachPeriod) {
  const IssueRun run{.start = 10, .count = 3, .period = 4};
  EXPECT_EQ(run.edge(0), 13u);
  EXPECT_EQ(run.edge(1), 17u);
  EXPECT_EQ(run.last(), 21u);
}

TEST(WordClock, SeesEveryWordAtItsEdgeAndNotBefore) {
  WordClock clock;
  clock.start(100);
  clock.add({.start = 10, .count = 3, .period = 4});  // Edges 13, 17, 21.
  clock.add({.start = 30, .count = 2, .period = 1});  // Edges 30, 31.
  const std::array<std::uint64_t, 5> edges{113, 117, 121, 130, 131};
  for (std::size_t i = 0; i < edges.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    EXPECT_EQ(clock.seen_at(index), edges[i]);
    EXPECT_EQ(clock.seen(edges[i] - 1), index);
    EXPECT_EQ(clock.seen(edges[i]), index + 1);
  }
  EXPECT_EQ(clock.seen_at(5), never);
  EXPECT_EQ(clock.seen(1000), 5);
}

TEST(WordClock, ForgetsWhatNobodyAsksForAnyMore) {
  WordClock clock;
  clock.start(1);
  clock.add({.start = 1, .count = 3, .period = 1});
  clock.add({.start = 10, .count = 3, .period = 1});
  clock.drop_before(3);
  EXPECT_EQ(clock.seen_at(3), 11u);
  EXPECT_EQ(clock.seen(10), 3);
  clock.drop_before(6);
  EXPECT_EQ(clock.seen(20), 6);
  clock.start(1);
  EXPECT_EQ(clock.seen(20), 0);
}

}  // namespace
}  // namespace lpa::hw
