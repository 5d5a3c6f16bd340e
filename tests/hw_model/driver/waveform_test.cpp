#include "hw_model/waveform.h"

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/hw_model/layer_builder.h"
#include "tests/hw_model/machine_bench.h"

namespace lpa::hw {
namespace {

/// A value change dump, read as the standard (IEEE 1364) describes it.
struct Vcd {
  std::map<std::string, std::string> ids;                                ///< By full name, "SystemC.lpa.clk".
  std::map<std::string, std::map<std::uint64_t, std::uint64_t>> values;  ///< By id: value from a time on.
  std::vector<std::uint64_t> times;
  std::set<std::string> faults;

  explicit Vcd(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::vector<std::string> scopes;
    std::set<std::string> known;
    std::map<std::string, std::size_t> widths;
    bool defined = false;
    for (std::string word; in >> word;) {
      if (word == "$scope") {
        std::string kind, name, end;
        in >> kind >> name >> end;
        scopes.push_back(name);
      } else if (word == "$upscope") {
        scopes.pop_back();
        in >> word;
      } else if (word == "$var") {
        std::string kind, id, name;
        std::size_t width = 0;
        in >> kind >> width >> id >> name;
        while (in >> word && word != "$end") {
        }
        std::string full;
        for (const auto& scope : scopes) full += scope + '.';
        if (!ids.emplace(full + name, id).second) faults.insert("two signals " + full + name);
        widths[id] = width;
      } else if (word == "$enddefinitions") {
        if (!scopes.empty()) faults.insert("a scope is open");
        defined = true;
        in >> word;
      } else if (word == "$dumpvars" || word == "$end") {
      } else if (word[0] == '$') {
        while (in >> word && word != "$end") {
        }
      } else if (word[0] == '#') {
        const std::uint64_t time = std::stoull(word.substr(1));
        if (!times.empty() && time <= times.back()) faults.insert("time runs backwards at " + word);
        times.push_back(time);
      } else {
        std::string id;
        std::string bits = word.substr(0, 1);
        if (word[0] == 'b') {
          bits = word.substr(1);
          in >> id;
        } else {
          id = word.substr(1);
        }
        if (!defined || times.empty()) faults.insert("a value without time");
        if (!widths.contains(id)) faults.insert("unknown signal " + id);
        if (bits.size() > widths[id] || bits.find_first_not_of("01") != std::string::npos) {
          faults.insert("'" + bits + "' for " + id);
          continue;
        }
        if (!times.empty()) values[id][times.back()] = std::stoull(bits, nullptr, 2);
      }
    }
  }

  /// The value that stands at `time`.
  std::uint64_t at(const std::string& name, std::uint64_t time) const {
    const auto& changes = values.at(ids.at("SystemC.lpa." + name));
    return std::prev(changes.upper_bound(time))->second;
  }
};

constexpr std::uint64_t period = 2000;  ///< In picoseconds.

/// Runs a GEMM of 40 x 16 x 32 on the default machine.
hw::Counters run_traced(const WaveformWindow& window) {
  const MachineConfig config;
  hw::Counters counters;
  test::MachineBench bench(config);
  const Waveform waveform("waveform", bench.machine, window);
  bench.run([&](driver::Host& host) {
    const Descriptor d = test::gemm(config, 40, 16, 32);
    host.write_memory(test::weights_at, test::unit_weights(d, config));
    counters = host.run(test::descriptor_at, {d});
  });
  return counters;
}

std::filesystem::path file_of(const std::string& name) {
  return std::filesystem::path(::testing::TempDir()) / (name + ".vcd");
}

TEST(Waveform, HoldsTheWindowAndNothingElse) {
  const auto file = file_of("waveform_window");
  run_traced({file, 100, 50});
  const Vcd vcd(file);
  EXPECT_EQ(vcd.faults, std::set<std::string>{});
  EXPECT_EQ(vcd.times.front(), 100 * period) << "the first values stand at the window's first edge";
  EXPECT_EQ(vcd.times.back(), 150 * period) << "the file's end is marked";
  for (const auto& [id, changes] : vcd.values) {
    EXPECT_LE(changes.rbegin()->first, 149 * period + period / 2) << "the last falling edge";
  }
  const auto& clock = vcd.values.at(vcd.ids.at("SystemC.lpa.clk"));
  EXPECT_EQ(clock.size(), 2u * 50);
  EXPECT_EQ(vcd.at("clk", 100 * period), 1u);
  std::filesystem::remove(file);
}

TEST(Waveform, GroupsSignalsByRowAndColumn) {
  const auto file = file_of("waveform_scopes");
  run_traced({file, 0, 2});
  const Vcd vcd(file);
  for (const std::string name :
       {"irq", "control.cause", "control.ppu_state", "weight_buffer.bytes0", "array.tag_in.valid",
        "array.row_7.activation_in", "array.row_7.decoder.valid", "array.row_7.pe_6.active_weight.lane3.r",
        "array.row_0.pe_0.psum_out.lane0.value", "array.row_0.pe_7.product.lane0.u", "array.column_7.weight_in",
        "array.column_7.decoder.lane3.r", "array.column_0.psum_in.lane0.value", "array.column_0.encoder.word.lane0"}) {
    EXPECT_TRUE(vcd.ids.contains("SystemC.lpa." + name)) << name;
  }
  std::size_t elements = 0;
  for (const auto& [name, id] : vcd.ids) elements += name.ends_with(".product_valid") ? 1U : 0U;
  EXPECT_EQ(elements, 64u);
  std::filesystem::remove(file);
}

// Enumerations have no type that SystemC knows; their traces once showed memory that no longer belonged to them.
TEST(Waveform, CausesAreThoseThatTheMachineCounts) {
  const auto file = file_of("waveform_causes");
  const hw::Counters counters = run_traced({file, 0, 5000});
  const Vcd vcd(file);
  EXPECT_EQ(vcd.faults, std::set<std::string>{});
  std::array<std::uint64_t, cause_count> cycles{};
  for (std::uint64_t cycle = 0; cycle * period <= vcd.times.back(); ++cycle) {
    ++cycles.at(vcd.at("control.cause", cycle * period));
  }
  EXPECT_GT(counters.cause(Cause::busy), 0u);
  for (const Cause cause : {Cause::busy, Cause::fill_drain, Cause::weight_wait, Cause::input_wait, Cause::psum_wait,
                            Cause::output_wait, Cause::ppu}) {
    EXPECT_EQ(cycles[static_cast<std::size_t>(cause)], counters.cause(cause))
        << cause_names[static_cast<std::size_t>(cause)];
  }
  bool worked = false;
  for (const auto& [time, state] : vcd.values.at(vcd.ids.at("SystemC.lpa.control.ppu_state"))) {
    EXPECT_LE(state, 3u);
    worked |= state == static_cast<std::uint64_t>(PpuState::working);
  }
  EXPECT_TRUE(worked);
  std::filesystem::remove(file);
}

TEST(Waveform, IsNoFileIfTheRunEndsBefore) {
  const auto file = file_of("waveform_none");
  std::filesystem::remove(file);
  run_traced({file, 1'000'000, 50});
  EXPECT_FALSE(std::filesystem::exists(file));
}

}  // namespace
}  // namespace lpa::hw
