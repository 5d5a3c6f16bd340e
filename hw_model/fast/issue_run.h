// Stretches of vectors that follow each other at equal distances.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "hw_model/control/job.h"

namespace lpa::hw {

/// Vector j takes the edges start + j * period to start + (j + 1) * period - 1 and is presented at the last of them.
struct IssueRun {
  std::uint64_t start = 0;
  std::int64_t count = 0;
  std::uint64_t period = 1;
  std::uint64_t stalled = 0;  ///< Edges of each vector that a random stall took.

  std::uint64_t edge(std::int64_t j) const { return start + (static_cast<std::uint64_t>(j) + 1) * period - 1; }
  std::uint64_t last() const { return edge(count - 1); }
  void walk(StateWalk& walk) {
    walk.edge(start);
    walk.plain(count);
    walk.plain(period);
    walk.plain(stalled);
  }
};

/// Tells when the encoded words of issued vectors are in the output buffer.
class WordClock {
 public:
  /// A new layer. `latency`: edges from a vector's presentation to the edge that sees its words.
  void start(std::uint64_t latency) {
    latency_ = latency;
    runs_.clear();
    issued_ = 0;
  }
  void add(const IssueRun& run) {
    runs_.push_back({issued_, run});
    issued_ += run.count;
  }
  /// Forgets words before `index`, which nobody will ask for.
  void drop_before(std::int64_t index) {
    while (!runs_.empty() && runs_.front().first + runs_.front().run.count <= index) runs_.pop_front();
  }
  /// The first edge that sees word `index`; never, if its vector has not been issued.
  std::uint64_t seen_at(std::int64_t index) const {
    const auto found = std::ranges::find_if(runs_, [&](const Entry& e) { return index < e.first + e.run.count; });
    return found == runs_.end() ? never : found->run.edge(index - found->first) + latency_;
  }
  /// Words that edge `cycle` sees.
  std::int64_t seen(std::uint64_t cycle) const {
    for (const Entry& e : runs_) {
      if (e.run.edge(0) + latency_ > cycle) return e.first;
      if (e.run.last() + latency_ > cycle) {
        return e.first + static_cast<std::int64_t>((cycle - latency_ + 1 - e.run.start) / e.run.period);
      }
    }
    return issued_;
  }
  void walk(StateWalk& walk) {
    walk.plain(runs_.size());
    for (Entry& entry : runs_) {
      walk.vector(entry.first);
      entry.run.walk(walk);
    }
    walk.vector(issued_);
  }

 private:
  struct Entry {
    std::int64_t first;
    IssueRun run;
  };
  std::uint64_t latency_ = 0;
  std::deque<Entry> runs_;
  std::int64_t issued_ = 0;
};

}  // namespace lpa::hw
