#include "tests/hw_model/differential/run_case.h"

#include <algorithm>
#include <cstring>
#include <sys/types.h>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>

#include <fmt/format.h>

#include "hw_model/control/registers.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/system.h"

namespace lpa::test {
namespace {

using driver::Host;
namespace reg = hw::reg;

class SliceList : public hw::Timeline {
 public:
  void add(const hw::Slice& slice) override { slices.push_back(slice); }
  std::vector<hw::Slice> slices;
};

hw::Counters run_layers(Host& host, const Case& test, Record& record) {
  std::vector<std::uint8_t> list;
  for (const hw::Descriptor& layer : test.layers) {
    const hw::DescriptorImage image = hw::to_image(layer);
    list.insert(list.end(), image.begin(), image.end());
  }
  host.write_memory(0, list);
  for (const auto& block : test.memory) host.write_memory(block.address, block.bytes);
  if (!test.refused.empty()) {
    try {
      host.run(0, test.refused);
    } catch (const driver::MachineError& error) {
      record.refusal = error.what();
    }
    host.write_memory(0, list);
  }
  const Interference& interference = test.interference;
  const sc_core::sc_time period(static_cast<double>(test.config.period_ps()), sc_core::SC_PS);
  // Between two edges, so that the host is seen by the same edge whatever the model.
  const auto after = [&](int cycles) { return cycles * period; };
  const sc_core::sc_time half(static_cast<double>(test.config.period_ps() / 2), sc_core::SC_PS);
  if (interference.look_after == 0 && interference.reset_after == 0) return host.run(0, test.layers);

  host.write_register(reg::descriptor_base, 0);
  host.write_register(reg::descriptor_count, static_cast<std::uint32_t>(test.layers.size()));
  host.write_register(reg::control, reg::control_clear_counters);
  host.write_register(reg::control, reg::control_start);
  sc_core::wait(half);
  if (interference.look_after > 0) {
    sc_core::wait(after(interference.look_after));
    record.look = host.read_counters();
  }
  if (interference.reset_after > 0) {
    sc_core::wait(after(interference.reset_after));
    host.write_register(reg::control, reg::control_reset);
    sc_core::wait(after(10));
    return host.run(0, test.layers);
  }
  host.write_register(reg::irq_enable, 1);
  while (!host.irq.read()) sc_core::wait(host.irq.posedge_event());
  return host.read_counters();
}

Record run(const Case& test, driver::ModelKind model, bool traced) {
  Record record;
  record.traced = traced;
  SliceList timeline;
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);  // "Simulation stopped by user"
  try {
    driver::System system(
        test.config, model, test.four_phase ? hw::Protocol::four_phase : hw::Protocol::annotated, [&](Host& host) {
          record.counters = run_layers(host, test, record);
          record.end_ps = sc_core::sc_time_stamp().value();
          record.words = host.read_memory(test.output_address, test.end_address - test.output_address);
        });
    if (traced) system.set_timeline(&timeline);
    system.run();
    if (model == driver::ModelKind::fast) record.skipped = system.fast_machine()->edges_skipped();
  } catch (const std::exception& error) {
    record.error = error.what();
  }
  record.slices = std::move(timeline.slices);
  std::ranges::sort(record.slices, {}, [](const hw::Slice& s) { return std::tuple(s.track, s.begin, s.end, s.index); });
  return record;
}

/// Plain bytes through a pipe between two processes of the same program.
class Writer {
 public:
  explicit Writer(int file) : file_(file) {}
  void bytes(const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t done = ::write(file_, at, size);
      if (done <= 0) _exit(1);
      at += done;
      size -= static_cast<std::size_t>(done);
    }
  }
  template <typename T>
  void list(const T& items) {
    const std::size_t size = items.size();
    bytes(&size, sizeof size);
    bytes(items.data(), size * sizeof(typename T::value_type));
  }

 private:
  int file_;
};

class Reader {
 public:
  explicit Reader(int file) : file_(file) {}
  bool bytes(void* data, std::size_t size) {
    auto* at = static_cast<char*>(data);
    while (size > 0) {
      const ssize_t done = ::read(file_, at, size);
      if (done <= 0) return false;
      at += done;
      size -= static_cast<std::size_t>(done);
    }
    return true;
  }
  template <typename T>
  bool list(T& items) {
    std::size_t size = 0;
    if (!bytes(&size, sizeof size)) return false;
    items.resize(size);
    return bytes(items.data(), size * sizeof(typename T::value_type));
  }

 private:
  int file_;
};

using CounterArray = std::array<std::uint64_t, hw::counter_count>;

void send(const Record& record, int file) {
  Writer out(file);
  out.list(record.error);
  out.list(record.refusal);
  out.list(record.words);
  const bool looked = record.look.has_value();
  out.bytes(&looked, sizeof looked);
  for (const hw::Counters& counters : {record.look.value_or(hw::Counters{}), record.counters}) {
    const CounterArray values = hw::to_registers(counters);
    out.bytes(values.data(), sizeof values);
  }
  out.bytes(&record.end_ps, sizeof record.end_ps);
  out.bytes(&record.traced, sizeof record.traced);
  out.list(record.slices);
  out.bytes(&record.skipped, sizeof record.skipped);
}

bool receive(Record& record, int file) {
  Reader in(file);
  bool looked = false;
  CounterArray look{};
  CounterArray last{};
  const bool complete = in.list(record.error) && in.list(record.refusal) && in.list(record.words) &&
                        in.bytes(&looked, sizeof looked) && in.bytes(look.data(), sizeof look) &&
                        in.bytes(last.data(), sizeof last) && in.bytes(&record.end_ps, sizeof record.end_ps) &&
                        in.bytes(&record.traced, sizeof record.traced) && in.list(record.slices) &&
                        in.bytes(&record.skipped, sizeof record.skipped);
  if (looked) record.look = hw::from_registers(look);
  record.counters = hw::from_registers(last);
  return complete;
}

/// The first counter that differs. `running`: a layer is, so that some of the array's and the buffers' may be a tile
/// apart.
std::string counter_difference(const hw::Counters& a, const hw::Counters& b, bool running) {
  const CounterArray pin = hw::to_registers(a);
  const CounterArray fast = hw::to_registers(b);
  for (std::size_t i = 0; i < pin.size(); ++i) {
    const std::string_view name = hw::counter_names[i];
    const bool ahead = std::ranges::count(hw::word_counters, name) > 0 || name.find("buffer") != name.npos;
    if (running && ahead) continue;
    if (pin[i] != fast[i]) return fmt::format("{}: pin {}, fast {}", name, pin[i], fast[i]);
  }
  return {};
}

std::string describe(const hw::Slice& s) {
  return fmt::format("track {} {} edges {} to {} index {} n {} k {}", static_cast<int>(s.track),
                     hw::cause_names[static_cast<std::size_t>(s.cause)], s.begin, s.end, s.index, s.n_tile, s.k_tile);
}

std::string slice_difference(const std::vector<hw::Slice>& pin, const std::vector<hw::Slice>& fast) {
  for (std::size_t i = 0; i < std::min(pin.size(), fast.size()); ++i) {
    if (pin[i] == fast[i]) continue;
    return fmt::format("slice {}: pin {}; fast {}", i, describe(pin[i]), describe(fast[i]));
  }
  if (pin.size() != fast.size()) return fmt::format("pin has {} slices, fast {}", pin.size(), fast.size());
  return {};
}

}  // namespace

RunningCase::RunningCase(const Case& test, driver::ModelKind model, bool traced) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("no process");
  if (pid_ == 0) {
    ::close(ends[0]);
    ::alarm(120);  // A model that never comes to an end.
    send(run(test, model, traced), ends[1]);
    _exit(0);
  }
  ::close(ends[1]);
  pipe_ = ends[0];
}

Record RunningCase::take() {
  Record record;
  const bool complete = receive(record, pipe_);
  ::close(pipe_);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  if (!complete) {
    record = {};
    record.error = WIFSIGNALED(status) ? fmt::format("the process died of signal {}", WTERMSIG(status))
                                       : fmt::format("the process left with {}", WEXITSTATUS(status));
  }
  return record;
}

std::string difference(const Record& pin, const Record& fast) {
  if (!pin.error.empty() || !fast.error.empty()) {
    return fmt::format("errors: pin '{}', fast '{}'", pin.error, fast.error);
  }
  if (pin.refusal != fast.refusal) {
    return fmt::format("a descriptor: pin says '{}', fast '{}'", pin.refusal, fast.refusal);
  }
  if (pin.traced && fast.traced) {
    if (std::string text = slice_difference(pin.slices, fast.slices); !text.empty()) return text;
  }
  if (pin.look.has_value() && fast.look.has_value()) {
    const std::string text = counter_difference(*pin.look, *fast.look, true);
    if (!text.empty()) return "while it runs, " + text;
  }
  if (std::string text = counter_difference(pin.counters, fast.counters, false); !text.empty()) return text;
  if (pin.end_ps != fast.end_ps) return fmt::format("the interrupt: pin {} ps, fast {} ps", pin.end_ps, fast.end_ps);
  for (std::size_t i = 0; i < pin.words.size(); ++i) {
    if (pin.words[i] != fast.words[i]) {
      return fmt::format("byte {} of the outputs: pin {:#04x}, fast {:#04x}", i, pin.words[i], fast.words[i]);
    }
  }
  return {};
}

}  // namespace lpa::test
