// What a run can record besides its report: a waveform and a timeline.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hw_model/driver/simulation.h"
#include "hw_model/driver/timeline_file.h"
#include "tools/lpasim/options.h"
#include "tools/lpasim/range.h"
#include "tools/lpasim/result_file.h"

namespace lpa::cli {

/// --vcd, --vcd-window, --timeline and --timeline-layers.
class Recordings {
 public:
  static std::vector<Option> options();

  /// Throws Error for options that are wrong.
  explicit Recordings(const Arguments& options);

  bool any() const { return vcd_ != nullptr || timeline_ != nullptr; }
  /// Names in the result folder, so that it makes room for them.
  std::vector<std::string> names_in_folder() const;

  /// Opens the files and has a run with these options fill them; call it when nothing else can be wrong with the
  /// options. Both must outlive the run. Throws Error.
  void attach(driver::RunOptions& run, const OutputFolder& folder, bool force, const hw::MachineConfig& machine,
              const workloads::LayerGraph& graph);
  /// After the run, before the folder's commit: puts complete files in place. Throws Error, workloads::OutputError.
  void commit();
  /// Why a file that was asked for is not there; empty if all are.
  const std::string& missing() const { return missing_; }

 private:
  std::unique_ptr<ResultFile> vcd_, timeline_;
  Range window_, layers_;
  std::unique_ptr<driver::TimelineFile> writer_;
  std::string missing_;
};

}  // namespace lpa::cli
