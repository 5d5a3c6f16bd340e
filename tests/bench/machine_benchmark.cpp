// Wall time of simulated networks, each in a process of its own: ResNet-20 with values on both models, a list of layers
// of ResNet-50's size without values on the fast one.
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>
#include <systemc>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/mapper.h"
#include "hw_model/driver/simulation.h"
#include "hw_model/driver/system.h"
#include "quant/lpq/fit.h"
#include "traces/layer_table.h"
#include "workloads/dataset.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

namespace {

using namespace lpa;

struct Measured {
  double seconds = 0;
  double cycles = 0;
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
  for (auto iteration : state) {
    const Measured measured = in_child(work);
    if (measured.cycles == 0) state.SkipWithError("the simulation failed");
    state.SetIterationTime(measured.seconds);
    cycles += measured.cycles;
    seconds += measured.seconds;
  }
  state.counters["simulated_cycles"] = cycles / static_cast<double>(state.iterations());
  state.counters["cycles_per_second"] = cycles / seconds;
}

hw::MachineConfig machine(const std::string& memory) {
  hw::MachineConfig config;
  config.memory.mib = 1024;
  if (memory == "ideal") return config;
  for (const hw::Parameter& parameter : hw::machine_parameters()) {
    if (parameter.name == "memory.type") parameter.set(config, "dram");
    if (parameter.name == "dram.preset") parameter.set(config, memory);
  }
  return config;
}

/// A convolution of the table as a layer of 8-bit words; linear layers are convolutions of M x 1 pixels.
hw::Descriptor describe(const traces::LayerShape& shape, const hw::MachineConfig& config, std::int64_t& next_address) {
  hw::Descriptor d;
  d.weight = d.input = d.encoded = d.output = {8, 1, 3, 0, 0};
  d.in_h = d.out_h = shape.m;
  d.in_c = shape.k;
  d.out_c = shape.n;
  if (shape.geometry) {
    const traces::ConvGeometry& g = *shape.geometry;
    d.in_h = g.in_h;
    d.in_w = g.in_w;
    d.in_c = g.in_c / g.groups;
    d.out_h = g.out_h;
    d.out_w = g.out_w;
    d.kernel_h = g.kernel_h;
    d.kernel_w = g.kernel_w;
    d.stride_h = d.stride_w = g.stride;
    d.pad_top = d.pad_left = g.pad;
  }
  d.input_pitch = d.in_c;
  d.output_pitch = d.out_c;
  const auto take = [&](std::int64_t bytes) {
    const std::int64_t at = next_address;
    next_address = (at + bytes + 63) / 64 * 64;
    return at;
  };
  d.input_address = take(d.in_h * d.in_w * d.input_pitch);
  d.output_address = take(d.out_h * d.out_w * d.output_pitch);
  driver::map_layer(d, config, shape.name);
  d.weight_address = take(hw::Tiling(d, config).weight_bytes());
  return d;
}

Measured run_table(const std::string& network, const std::string& memory) {
  const hw::MachineConfig config = machine(memory);
  std::vector<hw::Descriptor> layers;
  std::int64_t next_address = 1 << 20;
  for (const auto& shape :
       traces::read_layer_table(std::string(LPA_SOURCE_DIR) + "/traces/layers/" + network + ".csv")) {
    for (std::int64_t i = 0; i < shape.count; ++i) layers.push_back(describe(shape, config, next_address));
  }
  return timed([&] {
    hw::Counters counters;
    driver::System system(config, driver::ModelKind::fast, [&](driver::Host& host) { counters = host.run(0, layers); });
    system.set_values(false);
    system.run();
    return static_cast<double>(counters.cycles);
  });
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
    add("resnet50/values_off/" + memory, [=] { return run_table("resnet50", memory); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}

int sc_main(int, char**) {
  return 0;
}
