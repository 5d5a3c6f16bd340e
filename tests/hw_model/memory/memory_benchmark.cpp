// The host's time per 64-byte transaction of each memory timing: `stream` runs through memory, `mixed` alternates
// between three streams, one of which writes, `random` jumps.
#include <cstdint>
#include <string>

#include <benchmark/benchmark.h>

#include "hw_model/memory/memory_timing.h"

namespace {

using lpa::hw::MachineConfig;

enum class Pattern { stream, mixed, random };

void serve(benchmark::State& state, const MachineConfig& config, Pattern pattern) {
  const auto timing = lpa::hw::make_memory_timing(config);
  std::uint64_t arrival = 0, i = 0, random = 1;
  for (auto _ : state) {
    std::uint64_t address = 64 * i % (1 << 28);
    if (pattern == Pattern::mixed) address = 64 * (i / 3) % (1 << 26) + (i % 3 << 26);
    if (pattern == Pattern::random) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      address = random >> 36 & ~63u;
    }
    const bool write = pattern == Pattern::mixed && i % 3 == 2;
    benchmark::DoNotOptimize(timing->serve(address, 64, write, arrival));
    arrival += 8000;  // 8 GB/s
    ++i;
  }
  state.SetItemsProcessed(state.iterations());
}

void add(const std::string& name, const MachineConfig& config) {
  const std::pair<const char*, Pattern> patterns[] = {
      {"stream", Pattern::stream}, {"mixed", Pattern::mixed}, {"random", Pattern::random}};
  for (const auto& [pattern_name, pattern] : patterns) {
    benchmark::RegisterBenchmark((name + "/" + pattern_name).c_str(), serve, config, pattern);
  }
}

}  // namespace

int main(int argc, char** argv) {
  MachineConfig config;
  add("ideal", config);
  config.memory.type = lpa::hw::MemoryType::dram;
  for (const auto& preset : lpa::hw::dram_presets()) {
    config.dram.set_preset(preset.name);
    add(preset.name, config);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
