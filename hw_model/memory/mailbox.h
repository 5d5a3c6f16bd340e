#pragma once

#include <cstdint>
#include <deque>
#include <ranges>
#include <utility>

namespace lpa::hw {

/// A synchronous queue between two clocked blocks: what is pushed in a cycle can be taken from the next cycle on, and
/// what is taken in a cycle makes room from the next cycle on, whichever of the two processes the kernel runs first.
template <typename T>
class Mailbox {
 public:
  void push(std::uint64_t cycle, T item) { items_.emplace_back(cycle, std::move(item)); }
  bool empty() const { return items_.empty(); }
  bool ready(std::uint64_t cycle) const { return !items_.empty() && items_.front().first < cycle; }
  /// First cycle in which the front item can be taken; there must be one.
  std::uint64_t ready_at() const { return items_.front().first + 1; }
  T& front() { return items_.front().second; }
  T take(std::uint64_t cycle) {
    taken_ = cycle == taken_in_ ? taken_ + 1 : 1;
    taken_in_ = cycle;
    T item = std::move(items_.front().second);
    items_.pop_front();
    return item;
  }
  /// Items as the pushing side sees them: those taken in this very cycle still count.
  std::size_t size(std::uint64_t cycle) const { return items_.size() + (cycle == taken_in_ ? taken_ : 0); }
  void clear() {
    items_.clear();
    taken_ = 0;
  }
  /// Between two edges: the items, all of which can be taken from the next edge on.
  auto items() { return items_ | std::views::values; }

 private:
  std::deque<std::pair<std::uint64_t, T>> items_;
  std::uint64_t taken_in_ = 0;  ///< The cycle of the last take, and how many there were in it.
  std::size_t taken_ = 0;
};

}  // namespace lpa::hw
