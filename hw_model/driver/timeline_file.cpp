#include "hw_model/driver/timeline_file.h"

#include <cerrno>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

#include "workloads/atomic_file.h"

namespace lpa::driver {
namespace {

using hw::Track;

constexpr std::size_t flush_bytes = std::size_t{1} << 20;
constexpr std::uint64_t ps_per_us = 1'000'000;

struct TrackLabel {
  Track track;
  std::string_view name;
};
/// From top to bottom.
constexpr std::array<TrackLabel, hw::track_count> labels{{
    {Track::layer, "layer"},
    {Track::dma_weights, "DMA weights"},
    {Track::weight_buffer_0, "weight buffer 0"},
    {Track::weight_buffer_1, "weight buffer 1"},
    {Track::weight_loader, "weight loader"},
    {Track::dma_inputs, "DMA inputs"},
    {Track::input_buffer_0, "input buffer 0"},
    {Track::input_buffer_1, "input buffer 1"},
    {Track::array, "array"},
    {Track::stall, "array stalls"},
    {Track::encoder, "encoder"},
    {Track::dma_residuals, "DMA residuals"},
    {Track::ppu, "PPU"},
    {Track::output_buffer_0, "output buffer 0"},
    {Track::output_buffer_1, "output buffer 1"},
    {Track::dma_outputs, "DMA outputs"},
}};

/// Threads are numbered from 1, from top to bottom.
constexpr std::array<int, hw::track_count> thread_numbers = [] {
  std::array<int, hw::track_count> numbers{};
  for (std::size_t i = 0; i < labels.size(); ++i)
    numbers[static_cast<std::size_t>(labels[i].track)] = static_cast<int>(i) + 1;
  return numbers;
}();
constexpr bool every_track_has_a_thread = [] {
  for (const int number : thread_numbers) {
    if (number == 0) return false;
  }
  return true;
}();
static_assert(every_track_has_a_thread);

/// Names that the format reserves for colours, by cause.
constexpr std::array<std::string_view, hw::cause_count> colours{
    "good", "grey", "thread_state_iowait", "rail_response", "yellow", "bad", "rail_animation", "white"};

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace

std::string_view track_name(Track track) {
  return labels[static_cast<std::size_t>(thread_numbers[static_cast<std::size_t>(track)]) - 1].name;
}

TimelineFile::TimelineFile(const std::filesystem::path& file, const hw::MachineConfig& config, TimelineLayers layers)
    : path_(file), file_(std::fopen(file.c_str(), "wb")), period_ps_(config.period_ps()), layers_(layers) {
  if (file_ == nullptr) {
    throw workloads::OutputError(
        fmt::format("{}: cannot be written: {}", file.string(), std::generic_category().message(errno)));
  }
  std::setvbuf(file_, nullptr, _IONBF, 0);  // text_ is the buffer.
  text_.reserve(flush_bytes + 4096);
  write_header(config);
}

TimelineFile::~TimelineFile() {
  if (file_ != nullptr) std::fclose(file_);
}

void TimelineFile::write_header(const hw::MachineConfig& config) {
  const auto out = std::back_inserter(text_);
  fmt::format_to(out,
                 "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"clock_mhz\":{},\"period_ps\":{}}},\"traceEvents\":[\n"
                 "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{{\"name\":\"LPA {}x{}\"}}}}",
                 config.clock_mhz, period_ps_, config.array.rows, config.array.columns);
  for (const auto& [track, name] : labels) {
    const int thread = thread_numbers[static_cast<std::size_t>(track)];
    fmt::format_to(out,
                   ",\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"args\":{{\"name\":\"{1}\"}}}}"
                   ",\n{{\"name\":\"thread_sort_index\",\"ph\":\"M\",\"pid\":1,\"tid\":{0},"
                   "\"args\":{{\"sort_index\":{0}}}}}",
                   thread, name);
  }
}

void TimelineFile::begin_layer(std::size_t layer, std::string_view name, int image) {
  layer_ = layer;
  layer_name_ = json_string(name);
  image_ = image;
  recording_ = layer >= layers_.first && layer < layers_.end;
}

void TimelineFile::add(const hw::Slice& slice) {
  if (!recording_ || error_ != 0) return;
  const auto out = std::back_inserter(text_);
  fmt::format_to(out, ",\n{{\"name\":");
  write_name(slice);
  fmt::format_to(out,
                 ",\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":", thread_numbers[static_cast<std::size_t>(slice.track)]);
  write_time(slice.begin);
  fmt::format_to(out, ",\"dur\":");
  write_time(slice.end - slice.begin);
  if (slice.track == Track::stall) {
    fmt::format_to(out, ",\"cname\":\"{}\"", colours[static_cast<std::size_t>(slice.cause)]);
  }
  fmt::format_to(out, ",\"args\":{{\"edge\":{},\"cycles\":{}", slice.begin, slice.end - slice.begin);
  if (slice.track == Track::layer) {
    fmt::format_to(out, ",\"image\":{},\"layer\":{},\"descriptor\":{}", image_, layer_, slice.index);
  }
  fmt::format_to(out, "}}}}");
  ++slices_;
  if (text_.size() >= flush_bytes) flush();
}

void TimelineFile::write_name(const hw::Slice& slice) {
  const auto out = std::back_inserter(text_);
  switch (slice.track) {
    case Track::layer:
      text_ += layer_name_;
      return;
    case Track::stall:
      fmt::format_to(out, "\"{}\"", hw::cause_names[static_cast<std::size_t>(slice.cause)]);
      return;
    case Track::weight_loader:
    case Track::array:
      fmt::format_to(out, "\"tile {} (n {}, k {})\"", slice.index, slice.n_tile, slice.k_tile);
      return;
    case Track::dma_weights:
    case Track::dma_inputs:
    case Track::weight_buffer_0:
    case Track::weight_buffer_1:
    case Track::input_buffer_0:
    case Track::input_buffer_1:
      fmt::format_to(out, "\"fetch {}\"", slice.index);
      return;
    case Track::dma_residuals:
    case Track::dma_outputs:
    case Track::output_buffer_0:
    case Track::output_buffer_1:
    case Track::encoder:
    case Track::ppu:
      fmt::format_to(out, "\"visit {}\"", slice.index);
      return;
  }
}

/// Microseconds as an exact decimal.
void TimelineFile::write_time(std::uint64_t cycles) {
  const auto out = std::back_inserter(text_);
  const std::uint64_t ps = cycles * period_ps_;
  std::uint64_t fraction = ps % ps_per_us;
  fmt::format_to(out, "{}", ps / ps_per_us);
  if (fraction == 0) return;
  int digits = 6;
  for (; fraction % 10 == 0; fraction /= 10) --digits;
  fmt::format_to(out, ".{:0{}}", fraction, digits);
}

void TimelineFile::flush() {
  if (error_ == 0 && std::fwrite(text_.data(), 1, text_.size(), file_) != text_.size()) error_ = errno;
  text_.clear();
}

void TimelineFile::finish() {
  text_ += "\n]}\n";
  flush();
  if (std::fclose(file_) != 0 && error_ == 0) error_ = errno;
  file_ = nullptr;
  if (error_ != 0) {
    throw workloads::OutputError(
        fmt::format("{}: cannot be written: {}", path_.string(), std::generic_category().message(error_)));
  }
}

}  // namespace lpa::driver
