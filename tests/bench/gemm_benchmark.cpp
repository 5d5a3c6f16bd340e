// GemmKernel on one core, on each instruction set, against OpenBLAS's sgemm with one thread, measured just before each
// line: "GMACs" and "of_sgemm". OpenBLAS chooses its kernel by CPU model and may not know a new one: the environment
// variable OPENBLAS_CORETYPE (SkylakeX for AVX-512) sets it.
#include <algorithm>
#include <cblas.h>
#include <cmath>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <hwy/targets.h>

#include "quant/formats/gemm.h"

namespace {

using namespace lpa::formats;

struct Shape {
  const char* name;
  std::size_t positions, channels, depth;
};

struct Case {
  const char* name;
  const char* preset;
  LpFormat weight, activation;
  int lsb = 0;
};

constexpr Shape layer{"784x512x1152", 784, 512, 1152};

/// Of this process: what Google Benchmark's rates are made of, too.
double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// MACs per second: the best of a few calls.
double sgemm_rate() {
  const auto m = static_cast<int>(layer.positions), n = static_cast<int>(layer.channels);
  const auto k = static_cast<int>(layer.depth);
  static const std::vector<float> a(layer.positions * layer.depth, 1.0F), b(layer.depth * layer.channels, 0.5F);
  static std::vector<float> c(layer.positions * layer.channels);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double start = cpu_seconds();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1, a.data(), k, b.data(), n, 0, c.data(), n);
    best = std::min(best, cpu_seconds() - start);
  }
  return static_cast<double>(layer.positions * layer.channels * layer.depth) / best;
}

/// Lets Highway choose none better than this; 0: as it likes.
void choose(std::int64_t best) {
  hwy::SetSupportedTargetsForTest(0);
  const std::int64_t targets = best == 0 ? 0 : hwy::SupportedTargets() & ~(best - 1);
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().DeInit();
}

struct Operands {
  Operands(const GemmKernel& kernel, const Case& c, const Shape& shape)
      : weights(kernel, shape.depth, shape.channels), panel(kernel, shape.depth, shape.positions) {
    std::mt19937 random(1);
    const LpEncoder encode_weight(c.weight, Rounding::nearest_linear), encode(c.activation, Rounding::nearest_linear);
    std::normal_distribution<> values(0, 1);
    std::vector<Word> row(shape.channels);
    activations.resize(shape.depth, std::vector<std::uint8_t>(shape.positions));
    for (std::size_t k = 0; k < shape.depth; ++k) {
      // Weights as large as the network's: activations keep their size from layer to layer.
      const double sigma = c.weight.n == 8 ? 1 / std::sqrt(static_cast<double>(shape.depth)) : 1;
      for (Word& word : row) word = encode_weight(sigma * values(random));
      weights.set_row(k, row);
      for (std::uint8_t& word : activations[k]) word = static_cast<std::uint8_t>(encode(values(random)));
      panel.set(k, 0, activations[k]);
    }
    start.assign(shape.channels, kernel.scalar().start({}));
    sums.resize(shape.channels * shape.positions);
  }

  GemmWeights weights;
  GemmPanel panel;
  std::vector<std::vector<std::uint8_t>> activations;
  std::vector<Psum> start, sums;
};

void report(benchmark::State& state, double work, double sgemm, const std::string& label) {
  state.counters["GMACs"] = benchmark::Counter(work / 1e9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_sgemm"] = benchmark::Counter(work / sgemm, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["sgemm"] = sgemm / 1e9;
  state.SetLabel(label);
}

void run(benchmark::State& state, const Case& c, const Shape& shape, std::int64_t target) {
  const double sgemm = sgemm_rate();
  choose(target);
  const GemmKernel kernel(arithmetic_preset(c.preset), c.weight, c.activation, c.lsb);
  Operands operands(kernel, c, shape);
  AccumulateEvents events;
  for ([[maybe_unused]] auto _ : state) {
    kernel.run(operands.panel, 0, shape.positions, operands.weights, operands.start, operands.sums, events);
  }
  choose(0);
  const auto macs = static_cast<double>(shape.positions * shape.channels * shape.depth);
  report(state, macs, sgemm, std::string(kernel.name()) + (events.saturations == 0 ? "" : ", saturating"));
}

void fill(benchmark::State& state, const Case& c) {
  const GemmKernel kernel(arithmetic_preset(c.preset), c.weight, c.activation, c.lsb);
  Operands operands(kernel, c, layer);
  for ([[maybe_unused]] auto _ : state) {
    for (std::size_t k = 0; k < layer.depth; ++k) operands.panel.set(k, 0, operands.activations[k]);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(layer.depth * layer.positions));
  state.SetLabel(std::string(kernel.name()) + "; items are words");
}

void construct(benchmark::State& state, const Case& c) {
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(GemmKernel(arithmetic_preset(c.preset), c.weight, c.activation, c.lsb));
  }
}

const LpFormat lp8{.n = 8, .es = 1, .rs = 7};
const LpFormat lp8_integer{.n = 8, .es = 0, .rs = 7};
const LpFormat lp4{.n = 4, .es = 0, .rs = 3};
const LpFormat lp2{.n = 2, .es = 0, .rs = 1};

const std::vector<Case> all_cases = {{"fixed/8", "fixed", lp8, lp8, -16},
                                     {"fixed/4", "fixed", lp4, lp8, -16},
                                     {"fixed/2", "fixed", lp2, lp8, -16},
                                     {"fixed_es0/8", "fixed", lp8_integer, lp8_integer, -16},
                                     {"fixed_es0/4", "fixed", lp4, lp8_integer, -16},
                                     {"fixed_es0/2", "fixed", lp2, lp8_integer, -16},
                                     {"fixed_guarded/8", "fixed", lp8, lp8, -27},
                                     {"fixed_guarded/4", "fixed", lp4, lp8, -21},
                                     {"fixed_guarded/2", "fixed", lp2, lp8, -21},
                                     {"aligned/8", "wide", lp8, lp8},
                                     {"aligned/4", "wide", lp4, lp8},
                                     {"aligned_poster/8", "poster", lp8, lp8}};

void add(const Case& c, const Shape& shape, std::int64_t target) {
  const std::string name = std::string(c.name) + "/" + shape.name + "/" + hwy::TargetName(target);
  benchmark::RegisterBenchmark(name.c_str(), [&c, shape, target](benchmark::State& state) {
    run(state, c, shape, target);
  })->Unit(benchmark::kMillisecond);
}

}  // namespace

int main(int argc, char** argv) {
  openblas_set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("OpenBLAS core", openblas_get_corename());

  std::vector<std::int64_t> targets;
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) targets.push_back(left & -left);
  targets.erase(std::remove_if(targets.begin(), targets.end(), [](auto target) { return target > HWY_SSE4; }),
                targets.end());  // Nothing is made for them.
  for (const Case& c : all_cases) {
    for (const std::int64_t target : targets) add(c, layer, target);
  }
  for (const Case& c : all_cases) {
    const std::size_t array_channels = 64 / static_cast<std::size_t>(c.weight.n);
    add(c, {"array_256", 256, array_channels, 1152}, targets.front());
    add(c, {"array_49", 49, array_channels, 4608}, targets.front());
    add(c, {"classifier", 1, 1000, 2048}, targets.front());
  }
  for (const Case& c : all_cases) {
    benchmark::RegisterBenchmark((std::string("fill/") + c.name).c_str(), [&c](benchmark::State& state) {
      fill(state, c);
    })->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark((std::string("construct/") + c.name).c_str(), [&c](benchmark::State& state) {
      construct(state, c);
    })->Unit(benchmark::kMicrosecond);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
