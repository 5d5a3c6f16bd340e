// Which instruction sets Highway may choose from.
#pragma once

#include <cstdint>

#include <hwy/targets.h>

namespace lpa::formats {

/// Leaves Highway these targets only, for as long as this lives.
class ChosenTargets {
 public:
  explicit ChosenTargets(std::int64_t targets) { choose(targets); }
  ~ChosenTargets() { choose(0); }
  ChosenTargets(const ChosenTargets&) = delete;
  ChosenTargets& operator=(const ChosenTargets&) = delete;

  /// Nothing better than `target`.
  static std::int64_t up_to(std::int64_t target) { return hwy::SupportedTargets() & ~(target - 1); }

 private:
  static void choose(std::int64_t targets) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().DeInit();
  }
};

}  // namespace lpa::formats
