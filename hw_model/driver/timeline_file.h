// A timeline as a file that Perfetto and chrome://tracing open.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include "hw_model/machine_config.h"
#include "hw_model/timeline.h"

namespace lpa::driver {

/// A track's name in the file.
std::string_view track_name(hw::Track track);

/// Layers first <= layer < end, of every image.
struct TimelineLayers {
  std::size_t first = 0, end = SIZE_MAX;
};

/// Writes slices as they come, in the trace event format's JSON object form: one process, the machine; one thread per
/// track, in the order of the data's way through the machine; every slice a complete event ("X") with its time and
/// duration in microseconds of simulated time, and its first edge and cycles in `args`. Edge e lies at e clock periods.
class TimelineFile final : public hw::Timeline {
 public:
  /// Records only `layers`. Throws workloads::OutputError if the file cannot be opened.
  TimelineFile(const std::filesystem::path& file, const hw::MachineConfig& config, TimelineLayers layers = {});
  ~TimelineFile() override;
  TimelineFile(const TimelineFile&) = delete;
  TimelineFile& operator=(const TimelineFile&) = delete;

  /// The slices that follow belong to this layer.
  void begin_layer(std::size_t layer, std::string_view name, int image);
  /// Never throws for a full disk: finish() tells.
  void add(const hw::Slice& slice) override;
  /// Completes the file. Throws workloads::OutputError if anything could not be written.
  void finish();

  std::uint64_t slices() const { return slices_; }

 private:
  void write_header(const hw::MachineConfig& config);
  void write_name(const hw::Slice& slice);
  void write_time(std::uint64_t cycles);
  void flush();

  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
  int error_ = 0;  ///< The system's number of the first failure.
  std::string text_;
  std::uint64_t period_ps_;
  TimelineLayers layers_;
  std::string layer_name_;  ///< As a JSON string, with quotes.
  std::size_t layer_ = 0;
  int image_ = 0;
  bool recording_ = true;
  std::uint64_t slices_ = 0;
};

}  // namespace lpa::driver
