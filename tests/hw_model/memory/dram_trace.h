// What a DRAM did, and a judge of it that knows the standards' rules as distances between two commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw_model/memory/dram_timing.h"

namespace lpa::test {

using Kind = hw::DramCommand::Kind;

struct TracedCommand : hw::DramCommand {
  std::int64_t arrival;  ///< Of the transaction it was given for, in clocks.
};

/// Commands in the order in which they were decided.
using DramTrace = std::vector<TracedCommand>;

/// A DRAM, its trace, and time in clocks instead of ps.
class DramBench {
 public:
  explicit DramBench(const hw::DramConfig& config);
  /// Returns the clock in which the response begins: the first that is not before its time.
  std::int64_t serve(std::uint64_t address, std::uint64_t bytes, bool write, std::int64_t arrival);
  const DramTrace& trace() const { return trace_; }
  hw::DramTiming& timing() { return timing_; }

 private:
  std::uint64_t mhz_;
  hw::DramTiming timing_;
  DramTrace trace_;
  std::int64_t arrival_ = 0;
};

/// Rules that the trace breaks, one line each: at most ten.
std::vector<std::string> violations(const DramTrace& trace, const hw::DramConfig& config);

/// Commands that could have been given a clock earlier: neither a rule nor their arrival holds them back.
std::vector<std::string> late_commands(const DramTrace& trace, const hw::DramConfig& config);

}  // namespace lpa::test
