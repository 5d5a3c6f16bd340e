// Stalls on a timeline: consecutive edges of one cause.
#pragma once

#include <cstdint>

#include "hw_model/timeline.h"

namespace lpa::hw {

/// Is told the sequencer's cause of every edge at which it changes, and reports what was neither busy nor idle.
class CauseTrack {
 public:
  void set_timeline(Timeline* timeline) { timeline_ = timeline; }
  bool on() const { return timeline_ != nullptr; }

  void set(Cause cause, std::uint64_t cycle) {
    if (timeline_ == nullptr || cause == cause_) return;
    if (cause_ != Cause::busy && cause_ != Cause::idle) {
      timeline_->add({.track = Track::stall, .cause = cause_, .begin = begin_, .end = cycle});
    }
    cause_ = cause;
    begin_ = cycle;
  }

 private:
  Timeline* timeline_ = nullptr;
  Cause cause_ = Cause::idle;
  std::uint64_t begin_ = 0;  ///< Edge since which cause_ holds.
};

}  // namespace lpa::hw
