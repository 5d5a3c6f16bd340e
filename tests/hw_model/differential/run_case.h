// Runs a case on a model in a process of its own and brings back everything that can be seen of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hw_model/counters.h"
#include "hw_model/driver/model_kind.h"
#include "hw_model/timeline.h"
#include "tests/hw_model/differential/random_case.h"

namespace lpa::test {

struct Record {
  std::string error;                 ///< What went wrong, if anything.
  std::string refusal;               ///< What the machine said of Case::refused.
  std::vector<std::uint8_t> words;   ///< Memory from output_address to end_address.
  std::optional<hw::Counters> look;  ///< What the host saw while the machine ran.
  hw::Counters counters;             ///< At the end.
  std::uint64_t end_ps = 0;          ///< Simulated time at the interrupt.
  bool traced = true;                ///< Whether the machine was asked for slices.
  std::vector<hw::Slice> slices;     ///< In order of track and begin.
  std::uint64_t skipped = 0;         ///< Edges that the fast model did not run because visits were like earlier ones.
};

/// A run that has been started; see take().
class RunningCase {
 public:
  /// `traced`: with a timeline. Without one the fast model need not run layers and visits that it knows.
  RunningCase(const Case& test, driver::ModelKind model, bool traced = true);
  Record take();

 private:
  int pid_ = 0;
  int pipe_ = -1;
};

/// The first difference between two records as one line; empty if there is none.
std::string difference(const Record& pin, const Record& fast);

}  // namespace lpa::test
