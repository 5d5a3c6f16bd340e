#include "hw_model/waveform.h"

#include <fstream>
#include <string>
#include <utility>

namespace lpa::hw {
namespace {

/// SystemC writes the values at the window's begin without their time, which viewers then take for 0, and a comment in
/// front of them. Puts the time in the comment's place.
void stamp_first_values(const std::filesystem::path& file, const sc_core::sc_time& time) {
  const std::string begin = "All initial values are dumped below";
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  std::streamoff comment = 0;
  std::streamoff at = 0;
  for (std::string line; std::getline(stream, line) && line != "$dumpvars";) {
    if (line == "$comment") comment = at;
    if (line.starts_with(begin)) {
      std::string end;
      std::getline(stream, end);
      if (!stream || end != "$end") return;
      const auto length = static_cast<std::size_t>(stream.tellg() - comment) - 1;
      std::string stamp = '#' + std::to_string(time.value());
      if (stamp.size() > length) return;
      stamp.resize(length, ' ');
      stream.seekp(comment);
      stream << stamp;
      return;
    }
    at = stream.tellg();
  }
}

}  // namespace

Waveform::Waveform(const sc_core::sc_module_name& name, const Machine& machine, WaveformWindow window)
    : sc_module(name), machine_(machine), window_(std::move(window)) {
  SC_HAS_PROCESS(Waveform);
  SC_THREAD(record);
}

Waveform::~Waveform() {
  close();
}

void Waveform::record() {
  const sc_core::sc_time period(static_cast<double>(machine_.config().period_ps()), sc_core::SC_PS);
  const auto cycles = [&](std::uint64_t count) { return period * static_cast<double>(count); };
  wait(cycles(window_.first_cycle));
  // SystemC appends ".vcd" itself. A file that is made during simulation begins here.
  trace_ = sc_core::sc_create_vcd_trace_file((window_.file.parent_path() / window_.file.stem()).c_str());
  trace_->set_time_unit(1, sc_core::SC_PS);
  machine_.trace_pins(trace_, "lpa");
  begin_ = sc_core::sc_time_stamp();
  wait(cycles(window_.cycles));
  close();
}

void Waveform::close() {
  if (trace_ == nullptr) return;
  sc_core::sc_close_vcd_trace_file(trace_);
  trace_ = nullptr;
  stamp_first_values(window_.file, begin_);
}

}  // namespace lpa::hw
