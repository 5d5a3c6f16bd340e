#include "tools/lpasim/recordings.h"

#include <utility>

#include <fmt/format.h>

#include "tools/lpasim/error.h"

namespace lpa::cli {
namespace {

constexpr std::uint64_t max_waveform_cycles = 1'000'000;  ///< Some gigabytes.
constexpr Range default_window{0, 1000};

/// Throws Error if `name` is given without the option that it belongs to.
void check_companion(const Arguments& options, const std::string& name, const std::string& owner) {
  if (options.text(owner).empty() && !options.text(name).empty()) {
    throw Error(ExitCode::usage, fmt::format("option '--{}': needs --{} FILE", name, owner));
  }
}

std::unique_ptr<ResultFile> result_file(const Arguments& options, const std::string& name) {
  if (options.text(name).empty()) return nullptr;
  auto file = std::make_unique<ResultFile>("--" + name, options.path(name), options.path("out"));
  if (file->in_folder() && (file->name() == "report.json" || file->name() == "layers.csv")) {
    throw Error(ExitCode::usage, fmt::format("option '--{}': '{}' is a result of another kind", name, file->name()));
  }
  return file;
}

}  // namespace

std::vector<Option> Recordings::options() {
  return {{.name = "vcd",
           .placeholder = "FILE",
           .description = "trace the machine's and every PE's pins: a waveform, for --model pin\n"
                          "(view it: gtkwave FILE tools/gtkwave/lpa_8x8.gtkw)"},
          {.name = "vcd-window",
           .placeholder = "A:B",
           .description = "cycles A <= c < B since the start of the simulation (default: 0:1000)"},
          {.name = "timeline",
           .placeholder = "FILE",
           .description = "record tiles, transfers and stalls as trace events (view it: https://ui.perfetto.dev,\n"
                          "chrome://tracing)"},
          {.name = "timeline-layers",
           .placeholder = "A:B",
           .description = "record only layers A <= l < B, counted from 0 (default: all)"}};
}

Recordings::Recordings(const Arguments& options)
    : vcd_(result_file(options, "vcd")), timeline_(result_file(options, "timeline")) {
  check_companion(options, "vcd-window", "vcd");
  check_companion(options, "timeline-layers", "timeline");
  if (vcd_ && options.text("model") != "pin") throw Error(ExitCode::usage, "option '--vcd': needs --model pin");
  if (vcd_ && timeline_ && vcd_->same_file(*timeline_)) {
    throw Error(ExitCode::usage, "options '--vcd' and '--timeline' name the same file");
  }
  window_ = options.text("vcd-window").empty() ? default_window : range(options, "vcd-window", max_waveform_cycles);
  layers_ =
      options.text("timeline-layers").empty() ? Range{0, UINT64_MAX} : range(options, "timeline-layers", UINT64_MAX);
}

std::vector<std::string> Recordings::names_in_folder() const {
  std::vector<std::string> names;
  for (const auto* file : {&vcd_, &timeline_}) {
    if (*file && (*file)->in_folder()) names.push_back((*file)->name());
  }
  return names;
}

void Recordings::attach(driver::RunOptions& run, const OutputFolder& folder, bool force,
                        const hw::MachineConfig& machine, const workloads::LayerGraph& graph) {
  if (timeline_ && layers_.first >= graph.layers.size()) {
    throw Error(ExitCode::usage, fmt::format("option '--timeline-layers': the network has layers 0 to {} only",
                                             graph.layers.size() - 1));
  }
  if (vcd_) {
    vcd_->open(folder, force, ".vcd");
    run.waveform = {.file = vcd_->staging(), .first_cycle = window_.first, .cycles = window_.end - window_.first};
  }
  if (timeline_) {
    timeline_->open(folder, force, ".json");
    writer_ = std::make_unique<driver::TimelineFile>(timeline_->staging(), machine,
                                                     driver::TimelineLayers{layers_.first, layers_.end});
    run.timeline = writer_.get();
    run.progress = [&graph, writer = writer_.get(), next = std::move(run.progress)](int image, int layer) {
      const auto index = static_cast<std::size_t>(layer);
      writer->begin_layer(index, graph.layers[index].name, image);
      if (next) next(image, layer);
    };
  }
}

void Recordings::commit() {
  if (writer_) {
    writer_->finish();
    timeline_->commit();
  }
  if (!vcd_) return;
  if (vcd_->empty()) {
    missing_ = fmt::format("option '--vcd-window': the run ended before cycle {}; no waveform", window_.first);
  } else {
    vcd_->commit();
  }
}

}  // namespace lpa::cli
