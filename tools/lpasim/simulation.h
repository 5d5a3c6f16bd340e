// What the sub-commands share that run the simulated machine: run and replay.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hw_model/driver/image_stream.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/recordings.h"
#include "tools/lpasim/report.h"

namespace lpa::cli {

/// What the machine runs; everything must outlive the run.
struct Workload {
  const workloads::LayerGraph& graph;
  const lpq::QuantizedModel& model;
  driver::ImageInputs inputs;
};

/// From the options of a command to its result folder.
class Simulation {
 public:
  /// --out, --model, --values, --check, --force and those of Recordings.
  static std::vector<Option> options();

  /// Throws Error for options that are wrong, the machine's included. `command` is the sub-command's name.
  Simulation(std::string command, const Arguments& options);

  const hw::MachineConfig& machine() const { return record_.machine; }
  bool values() const { return run_.values; }
  /// What the report says beside the run's results.
  RunRecord& record() { return record_; }

  /// Runs the images, writes the report and prints it. `complete` may add to the record of what has run before that.
  /// Throws Error, driver::MachineError.
  void run(const Workload& work, int threads, const std::function<void(RunRecord&)>& complete = {});

 private:
  driver::RunResult simulate(const Workload& work, int threads);

  std::string command_;
  const Arguments& options_;
  driver::RunOptions run_;
  bool check_;
  RunRecord record_;
  Recordings recordings_;
};

}  // namespace lpa::cli
