// A random case as the sequence of the choices that made it, so that it can be written down, repeated and shrunk.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace lpa::test {

/// Hands out numbers: those given, and when they are used up random ones (or zeros). Small numbers mean simple things,
/// so a sequence is made simpler by lowering its numbers.
class Choices {
 public:
  /// Every choice random.
  explicit Choices(std::uint64_t seed) : random_(seed), fresh_(true) {}
  /// These choices, then zeros.
  explicit Choices(std::vector<std::uint32_t> given) : given_(std::move(given)) {}

  /// low ... high, low being the simplest.
  int draw(int low, int high) { return low + static_cast<int>(take(static_cast<std::uint32_t>(high - low) + 1)); }
  bool chance(int numerator, int denominator) { return draw(0, denominator - 1) >= denominator - numerator; }
  /// One of these, the first being the simplest.
  template <typename T>
  T pick(std::initializer_list<T> options) {
    return *(options.begin() + draw(0, static_cast<int>(options.size()) - 1));
  }

  /// What has been handed out so far.
  const std::vector<std::uint32_t>& made() const { return made_; }

 private:
  std::uint32_t take(std::uint32_t count) {
    std::uint32_t value = 0;
    if (made_.size() < given_.size()) {
      value = given_[made_.size()] % count;
    } else if (fresh_) {
      value = static_cast<std::uint32_t>(random_() % count);
    }
    made_.push_back(value);
    return value;
  }

  std::vector<std::uint32_t> given_;
  std::mt19937_64 random_;
  bool fresh_ = false;
  std::vector<std::uint32_t> made_;
};

}  // namespace lpa::test
