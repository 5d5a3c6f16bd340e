#pragma once

#include <cstdint>
#include <deque>
#include <utility>

namespace lpa::hw {

/// A synchronous queue between two clocked blocks: what is pushed in a cycle can be taken from the next cycle on,
/// whichever of the two processes the kernel runs first.
template <typename T>
class Mailbox {
 public:
  void push(std::uint64_t cycle, T item) { items_.emplace_back(cycle, std::move(item)); }
  bool ready(std::uint64_t cycle) const { return !items_.empty() && items_.front().first < cycle; }
  T& front() { return items_.front().second; }
  T take() {
    T item = std::move(items_.front().second);
    items_.pop_front();
    return item;
  }
  std::size_t size() const { return items_.size(); }
  void clear() { items_.clear(); }

 private:
  std::deque<std::pair<std::uint64_t, T>> items_;
};

}  // namespace lpa::hw
