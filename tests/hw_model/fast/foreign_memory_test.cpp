// Pin-level model against fast model where lpasim_differential does not look: memories of any manners, requests that
// they refuse, and a host that looks, clears, resets, masks its interrupt and starts again, at the very time of an edge
// or between two. Usage: foreign_memory_test [seed [count]]
#include "tests/hw_model/fast/foreign_memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "hw_model/control/registers.h"
#include "hw_model/driver/host.h"
#include "hw_model/driver/model_kind.h"
#include "hw_model/fast/fast_machine.h"
#include "hw_model/machine.h"
#include "tests/hw_model/differential/random_case.h"

namespace {

using lpa::driver::Host;
using lpa::driver::ModelKind;
using lpa::test::Case;
using lpa::test::Manner;
using lpa::test::Manners;
namespace hw = lpa::hw;
namespace reg = lpa::hw::reg;

using Log = std::vector<std::string>;

/// What is the same in both models at all times; `all`: what is when a layer is over, and none was given up.
std::string describe(const hw::Counters& counters, bool all) {
  const auto values = hw::to_registers(counters);
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string_view name = hw::counter_names[i];
    const bool ahead = std::ranges::count(hw::word_counters, name) > 0 || name.find("buffer") != name.npos;
    if (all || !ahead) text += fmt::format(" {} {}", name, values[i]);
  }
  return text;
}

/// The host's software: up to three runs of the case's layers.
class Software {
 public:
  Software(const Case& test, std::uint64_t seed, bool on_edges, Log& log)
      : test_(test), random_(seed), on_edges_(on_edges), log_(log) {}

  void operator()(Host& host) {
    std::vector<std::uint8_t> list;
    for (const hw::Descriptor& layer : test_.layers) {
      const hw::DescriptorImage image = hw::to_image(layer);
      list.insert(list.end(), image.begin(), image.end());
    }
    host.write_memory(0, list);
    for (const auto& block : test_.memory) host.write_memory(block.address, block.bytes);
    for (std::uint64_t runs = 1 + random_() % 3; runs > 0; --runs) run(host);
  }

 private:
  void run(Host& host) {
    pause(random_() % 50);
    const bool masked = random_() % 3 == 0;
    host.write_register(reg::irq_status, 1);
    host.write_register(reg::irq_enable, masked ? 0 : 1);
    pause(3);
    host.write_register(reg::descriptor_base, 0);
    host.write_register(reg::descriptor_count, static_cast<std::uint32_t>(test_.layers.size()));
    if (gave_up_ || random_() % 2 == 0) {
      host.write_register(reg::control, reg::control_clear_counters);
      gave_up_ = false;
    }
    host.write_register(reg::control, reg::control_start);
    for (std::uint64_t looks = random_() % 6; looks > 0; --looks) {
      pause(1 + random_() % 800);
      look(host, "look", false);
      if (random_() % 10 == 0) return reset(host);
    }
    if (masked) {
      const std::uint64_t cycles = 1 + random_() % 400;
      while (host.read_register(reg::status) == static_cast<std::uint32_t>(reg::Status::running)) pause(cycles);
    } else {
      while (!host.irq.read()) sc_core::wait(host.irq.posedge_event());
    }
    gave_up_ = gave_up_ || host.read_register(reg::status) == static_cast<std::uint32_t>(reg::Status::error);
    look(host, "end", !gave_up_);
    if (gave_up_) {
      pause(60);
      look(host, "after the failure", false);
    } else {
      const auto words = host.read_memory(test_.output_address, test_.end_address - test_.output_address);
      std::string text = "words";
      for (const std::uint8_t word : words) text += fmt::format(" {:02x}", word);
      log_.push_back(std::move(text));
    }
  }

  void reset(Host& host) {
    host.write_register(reg::control, reg::control_reset);
    gave_up_ = true;
    for (int i = 0; i < 3; ++i) {
      pause(random_() % 3);
      look(host, "reset", false);
    }
    pause(40);
  }

  void look(Host& host, std::string_view what, bool all) {
    log_.push_back(fmt::format("{} ps: {}: status {} error {} {} {},{}", sc_core::sc_time_stamp().value(), what,
                               host.read_register(reg::status), host.read_register(reg::error_code),
                               host.read_register(reg::error_descriptor), host.read_register(reg::error_field),
                               describe(host.read_counters(), all)));
  }

  void pause(std::uint64_t cycles) {
    const auto period = static_cast<std::uint64_t>(test_.config.period_ps());
    const std::uint64_t now = sc_core::sc_time_stamp().value();
    std::uint64_t end = now + cycles * period;
    if (on_edges_) {
      end = std::max(now, end / period * period);
    } else if (end % period == 0) {
      end += period / 2;
    }
    if (end > now) sc_core::wait(sc_core::sc_time::from_value(end - now));
  }

  const Case& test_;
  std::mt19937_64 random_;
  bool on_edges_;
  Log& log_;
  bool gave_up_ = false;  ///< A layer was; some counters differ until they are cleared.
};

class SliceList : public hw::Timeline {
 public:
  void add(const hw::Slice& slice) override { slices_.push_back(slice); }
  void write(Log& log) {
    std::ranges::sort(slices_, {}, [](const hw::Slice& s) { return std::tuple(s.track, s.begin, s.end, s.index); });
    for (const hw::Slice& s : slices_) {
      log.push_back(fmt::format("track {} {} edges {} to {} index {} n {} k {}", static_cast<int>(s.track),
                                hw::cause_names[static_cast<std::size_t>(s.cause)], s.begin, s.end, s.index, s.n_tile,
                                s.k_tile));
    }
  }

 private:
  std::vector<hw::Slice> slices_;
};

struct Trial {
  Case test;
  std::uint64_t seed = 0;
  Manners manners;
  bool host_on_edges = false;
  bool memory_wakes_host = false;  ///< Some responses make somebody read the counters.
};

Trial make_trial(std::uint64_t seed) {
  lpa::test::Choices choices(seed);
  std::mt19937_64 random(seed);
  Trial trial;
  trial.test = lpa::test::make_case(choices);
  trial.seed = trial.manners.seed = seed;
  trial.manners.manner = static_cast<Manner>(random() % lpa::test::manner_count);
  trial.manners.period = static_cast<std::uint64_t>(trial.test.config.period_ps());
  trial.manners.on_edges = random() % 2 == 0;
  trial.manners.cycles = std::vector{40, 3, 300}[random() % 3];
  trial.manners.errors_permille = random() % 3 == 0 ? 2 : 0;
  trial.host_on_edges = random() % 2 == 0;
  trial.memory_wakes_host = random() % 3 == 0;
  return trial;
}

Log simulate(const Trial& trial, ModelKind model) {
  Log log;
  SliceList timeline;
  sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);  // "Simulation stopped by user"
  try {
    const sc_core::sc_time period = sc_core::sc_time::from_value(trial.manners.period);
    Host host("host", Software(trial.test, trial.seed, trial.host_on_edges, log));
    Manners manners = trial.manners;
    if (trial.memory_wakes_host) manners.on_event = [&] { log.push_back(describe(host.read_counters(), false)); };
    lpa::test::ForeignMemory memory("memory", manners);
    sc_core::sc_signal<bool> irq{"irq"};
    std::optional<sc_core::sc_clock> clock;
    std::optional<hw::Machine> pin;
    std::optional<hw::FastMachine> fast;
    const auto connect = [&](auto& machine) {
      machine.irq(irq);
      machine.memory_socket().bind(memory.machine);
      machine.set_timeline(&timeline);
      host.registers.bind(machine.control_socket());
    };
    host.irq(irq);
    host.memory.bind(memory.host);
    if (model == ModelKind::fast) {
      connect(fast.emplace("machine", trial.test.config));
    } else {
      clock.emplace("clock", period, 0.5, period);
      connect(pin.emplace("machine", trial.test.config));
      pin->clk(*clock);
    }
    sc_core::sc_start();
    host.rethrow();
  } catch (const std::exception& error) {
    log.push_back(error.what());
  }
  timeline.write(log);
  return log;
}

/// simulate() in a process of its own.
Log simulate_apart(const Trial& trial, ModelKind model) {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr) throw std::runtime_error("no temporary file");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    ::alarm(120);  // A model that never comes to an end.
    for (const std::string& line : simulate(trial, model)) fmt::print(file, "{}\n", line);
    std::fflush(file);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  std::rewind(file);
  Log log;
  std::string line;
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    if (c == '\n') {
      log.push_back(std::exchange(line, {}));
    } else {
      line += static_cast<char>(c);
    }
  }
  std::fclose(file);
  if (status != 0) log.push_back(fmt::format("the process left with wait status {}", status));
  return log;
}

bool models_agree(const Trial& trial) {
  const Log pin = simulate_apart(trial, ModelKind::pin);
  const Log fast = simulate_apart(trial, ModelKind::fast);
  if (pin == fast) return true;
  const auto [p, f] = std::ranges::mismatch(pin, fast);
  fmt::print("seed {}: memory of manner {}{}, {} cycles, {} errors of 1000, host {}{}\n{}  pin:  {}\n  fast: {}\n",
             trial.seed, static_cast<int>(trial.manners.manner), trial.manners.on_edges ? " on edges" : "",
             trial.manners.cycles, trial.manners.errors_permille, trial.host_on_edges ? "on edges" : "between edges",
             trial.memory_wakes_host ? ", woken by memory" : "", to_string(trial.test), p == pin.end() ? "nothing" : *p,
             f == fast.end() ? "nothing" : *f);
  fmt::print("  repeat: foreign_memory_test {} 1\n", trial.seed);
  return false;
}

}  // namespace

// libsystemc brings a main() of its own; each case is simulated in a process of its own.
int main(int argc, char** argv) {
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200;
  std::uint64_t ran = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const Trial trial = make_trial(seed);
    if (trial.test.layers.empty()) continue;
    if (!models_agree(trial)) return 1;
    ++ran;
  }
  fmt::print("seeds {} to {}: {} cases, no difference\n", first, first + count - 1, ran);
  return ran > 0 ? 0 : 1;
}

int sc_main(int, char**) {
  return 0;
}
