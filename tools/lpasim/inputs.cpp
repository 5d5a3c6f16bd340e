#include "tools/lpasim/inputs.h"

#include <algorithm>
#include <thread>

#include "tools/lpasim/error.h"
#include "tools/lpasim/interrupt.h"
#include "workloads/onnx_import.h"

namespace lpa::cli {
namespace {

constexpr std::uint64_t max_threads = 1024;

}  // namespace

Option network_option() {
  return {.name = "network", .placeholder = "FILE", .description = "trained network, ONNX", .required = true};
}

Option dataset_option() {
  return {.name = "dataset",
          .placeholder = "DIR",
          .description = "folder with images.npy, labels.npy and dataset.json",
          .required = true};
}

Option quantized_option() {
  return {.name = "quantized", .placeholder = "DIR", .description = "what lpasim quantize wrote", .required = true};
}

Option threads_option() {
  return {.name = "threads", .placeholder = "N", .description = "threads (default: as many as the computer has)"};
}

Inputs read_inputs(const Arguments& options, int images) {
  Inputs inputs;
  inputs.network = workloads::import_onnx(options.path("network"));
  inputs.graph = workloads::lower(inputs.network);
  inputs.dataset = workloads::read_dataset(options.path("dataset"), images);
  const auto& shape = inputs.network.values.at(static_cast<std::size_t>(inputs.network.input)).shape;
  workloads::check_shapes(inputs.dataset, shape, options.text("network"));
  return inputs;
}

lpq::QuantizedModel read_quantized(const Arguments& options, const workloads::LayerGraph& graph) {
  return lpq::read_quantized_model(options.path("quantized"), graph);
}

int thread_count(const Arguments& options) {
  if (options.text("threads").empty()) return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return static_cast<int>(options.integer("threads", 1, max_threads));
}

void fail_interrupted() {
  throw Error(interrupt_code(), "interrupted; nothing was written");
}

}  // namespace lpa::cli
