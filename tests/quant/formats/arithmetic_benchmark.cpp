// What the software evaluation of a network pays per product, per output and per quantized value; one core.
#include <random>
#include <vector>

#include <benchmark/benchmark.h>

#include "quant/formats/aligned_gemm.h"
#include "quant/formats/arithmetic.h"

namespace lpa::formats {
namespace {

constexpr const char* presets[] = {"wide", "poster", "fixed"};

struct Problem {
  Problem(std::size_t depth, std::size_t positions) : panel(depth, positions), row(depth), psums(positions) {
    std::mt19937 random(1);
    const LpFormat format{.n = 8, .es = 1, .rs = 5};
    const auto packed = pack_words(format);
    const LpEncoder encode_word(format, Rounding::nearest_linear);
    std::normal_distribution<double> normal;
    for (std::size_t k = 0; k < depth; ++k) {
      row[k] = packed[encode_word(normal(random))];
      // Half the activations behind a ReLU are zero.
      for (PackedOperand& operand : panel.row(k)) operand = packed[encode_word(std::max(0.0, normal(random)))];
    }
  }
  OperandPanel panel;
  std::vector<PackedOperand> row;
  std::vector<Psum> psums;
};

void mac_row(benchmark::State& state) {
  Problem problem(static_cast<std::size_t>(state.range(1)), static_cast<std::size_t>(state.range(2)));
  const BatchAccumulator accumulator(arithmetic_preset(presets[state.range(0)]), 8, -16);
  const Psum start = accumulator.scalar().start({});
  for (auto _ : state) {
    std::fill(problem.psums.begin(), problem.psums.end(), start);
    accumulator.mac_row(problem.psums, problem.row, problem.panel);
    benchmark::DoNotOptimize(problem.psums.data());
    benchmark::ClobberMemory();
  }
  state.counters["MAC"] = benchmark::Counter(static_cast<double>(state.range(1) * state.range(2)),
                                             benchmark::Counter::kIsIterationInvariantRate);
  state.SetLabel(presets[state.range(0)]);
}
BENCHMARK(mac_row)->ArgNames({"preset", "depth", "positions"})->ArgsProduct({{0, 1, 2}, {27, 64, 576}, {49, 64, 196}});

void scalar_mac(benchmark::State& state) {
  Problem problem(64, 64);
  const Accumulator accumulator(arithmetic_preset(presets[state.range(0)]), 8, -16);
  for (auto _ : state) {
    Psum psum = accumulator.start({});
    for (std::size_t k = 0; k < 64; ++k)
      psum = accumulator.mac(psum, unpack(problem.row[k]), unpack(problem.panel.row(k)[0]));
    benchmark::DoNotOptimize(psum);
  }
  state.counters["MAC"] = benchmark::Counter(64, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(scalar_mac)->DenseRange(0, 2);

void encode_psum(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<Psum> psums(4096);
  std::normal_distribution<double> normal(0, 1e6);
  for (Psum& psum : psums) psum = {static_cast<std::int32_t>(normal(random)), 0, false};
  const PsumEncoder encoder({}, LpFormat{.n = static_cast<int>(state.range(0)), .es = 0, .rs = 1}, 8, 0, 0);
  for (auto _ : state) {
    for (const Psum& psum : psums) benchmark::DoNotOptimize(encoder(psum));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(psums.size()) * state.iterations());
}
BENCHMARK(encode_psum)->Arg(2)->Arg(4)->Arg(8);

void encode_real(benchmark::State& state) {
  std::mt19937 random(1);
  std::vector<double> values(4096);
  std::normal_distribution<double> normal;
  for (double& value : values) value = normal(random);
  const LpEncoder encoder({.n = static_cast<int>(state.range(0)), .es = 0, .rs = 1}, Rounding::nearest_linear);
  for (auto _ : state) {
    for (const double value : values) benchmark::DoNotOptimize(encoder(value));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(values.size()) * state.iterations());
}
BENCHMARK(encode_real)->Arg(2)->Arg(4)->Arg(8);

void make_encoder(benchmark::State& state) {
  LpFormat format{.n = static_cast<int>(state.range(0)), .es = 0, .rs = 1};
  for (auto _ : state) {
    format.sf_q8 = (format.sf_q8 + 1) & 1023;
    benchmark::DoNotOptimize(LpEncoder(format, Rounding::nearest_linear));
  }
}
BENCHMARK(make_encoder)->Arg(2)->Arg(4)->Arg(8);

}  // namespace
}  // namespace lpa::formats
