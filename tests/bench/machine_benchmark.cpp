// Wall time of simulated networks, each in a process of its own: ResNet-20 on both models, the shipped traces of
// ResNet-50 and ViT-B/16 on the fast one, beside what oneDNN takes in fp32 for their products on one thread.
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>
#include <systemc>

#include "hw_model/driver/simulation.h"
#include "quant/lpq/fit.h"
#include "quant/lpq/trace_model.h"
#include "tests/bench/reference_gemms.h"
#include "traces/trace.h"
#include "workloads/dataset.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

namespace {

using namespace lpa;

struct Measured {
  double seconds = 0;
  double cycles = 0;
  double reference_seconds = 0;  ///< Of the same products in fp32; 0: not measured.
};

/// Runs `work` in a child: SystemC elaborates once per process.
Measured in_child(const std::function<Measured()>& work) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    sc_core::sc_report_handler::set_actions(sc_core::SC_INFO, sc_core::SC_DO_NOTHING);
    const Measured measured = work();
    _exit(write(ends[1], &measured, sizeof measured) == sizeof measured ? 0 : 1);
  }
  close(ends[1]);
  Measured measured;
  if (read(ends[0], &measured, sizeof measured) != sizeof measured) measured = {};
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return measured;
}

template <typename Work>
Measured timed(Work work) {
  const auto start = std::chrono::steady_clock::now();
  Measured measured;
  measured.cycles = work();
  measured.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return measured;
}

void report(benchmark::State& state, const std::function<Measured()>& work) {
  double cycles = 0;
  double seconds = 0;
  double reference_seconds = 0;
  for (auto iteration : state) {
    const Measured measured = in_child(work);
    if (measured.cycles == 0) state.SkipWithError("the simulation failed");
    state.SetIterationTime(measured.seconds);
    cycles += measured.cycles;
    seconds += measured.seconds;
    reference_seconds += measured.reference_seconds;
  }
  state.counters["simulated_cycles"] = cycles / static_cast<double>(state.iterations());
  state.counters["cycles_per_second"] = cycles / seconds;
  if (reference_seconds > 0) state.counters["times_onednn_fp32"] = seconds / reference_seconds;
}

void set(hw::MachineConfig& config, const std::string& name, const std::string& value) {
  for (const hw::Parameter& parameter : hw::machine_parameters()) {
    if (parameter.name == name) parameter.set(config, value);
  }
}

hw::MachineConfig machine(const std::string& memory) {
  hw::MachineConfig config;
  config.memory.mib = 1024;
  if (memory == "ideal") return config;
  set(config, "memory.type", "dram");
  set(config, "dram.preset", memory);
  return config;
}

enum class Values { off, fixed, aligned };

Measured run_trace(const std::string& network, const std::string& memory, Values values) {
  hw::MachineConfig config = machine(memory);
  if (values == Values::fixed) config.arithmetic = formats::arithmetic_preset("fixed");
  const traces::Trace trace = traces::read_trace(std::string(LPA_SOURCE_DIR) + "/traces/networks/" + network + ".json");
  lpq::QuantizedModel model = lpq::blank_model(trace, values != Values::off);
  if (values != Values::off) lpq::draw_words(trace, 1, model);
  const std::vector<lpq::WordMap> images{lpq::draw_input(trace, 1)};
  driver::RunOptions options;
  options.values = values != Values::off;
  Measured measured = timed([&] {
    return static_cast<double>(driver::run_network(config, trace.graph, model, images, options).total.cycles);
  });
  measured.reference_seconds = test::reference_gemms_seconds(trace.graph);
  return measured;
}

Measured run_resnet20(driver::ModelKind model, const std::string& memory, bool values) {
  const std::string data = std::string(LPA_SOURCE_DIR) + "/workloads/data";
  const workloads::Network network = workloads::import_onnx(data + "/resnet20/resnet20.onnx");
  const workloads::LayerGraph graph = workloads::lower(network);
  const workloads::Dataset dataset = workloads::read_dataset(data + "/cifar10/calibration", 16);
  std::vector<workloads::Tensor> calibration;
  for (int i = 0; i < dataset.count; ++i) calibration.push_back(dataset.image(i));
  const lpq::QuantizedModel quantized = lpq::fit(network, graph, calibration, {});
  const std::vector<lpq::WordMap> images{lpq::quantize_input(calibration[0], quantized.input)};
  driver::RunOptions options;
  options.model = model;
  options.values = values;
  return timed([&] {
    return static_cast<double>(driver::run_network(machine(memory), graph, quantized, images, options).total.cycles);
  });
}

}  // namespace

int main(int argc, char** argv) {
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  const auto add = [](const std::string& name, const std::function<Measured()>& work) {
    benchmark::RegisterBenchmark(name.c_str(), [work](benchmark::State& state) { report(state, work); })
        ->UseManualTime()
        ->Iterations(3)
        ->Unit(benchmark::kMillisecond);
  };
  using driver::ModelKind;
  const std::array<std::string, 4> memories{"ideal", "ddr4-2400", "lpddr4-3200", "hbm2"};
  add("resnet20/pin/ideal", [] { return run_resnet20(ModelKind::pin, "ideal", true); });
  for (const std::string& memory : memories) {
    add("resnet20/fast/" + memory, [=] { return run_resnet20(ModelKind::fast, memory, true); });
  }
  for (const std::string& memory : memories) {
    add("resnet50/values_off/" + memory, [=] { return run_trace("resnet50", memory, Values::off); });
  }
  add("vit_b_16/values_off/ideal", [] { return run_trace("vit_b_16", "ideal", Values::off); });
  for (const std::string network : {"resnet50", "vit_b_16"}) {
    add(network + "/fixed/ideal", [=] { return run_trace(network, "ideal", Values::fixed); });
    add(network + "/aligned/ideal", [=] { return run_trace(network, "ideal", Values::aligned); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}

int sc_main(int, char**) {
  return 0;
}
