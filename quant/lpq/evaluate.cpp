#include "quant/lpq/evaluate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "quant/lpq/software_machine.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using workloads::Dataset;

void require_images(const Dataset& dataset, int images) {
  if (images < 0 || images > dataset.count) {
    throw workloads::InputError(
        fmt::format("{} images are asked for but data set \"{}\" has {}", images, dataset.name, dataset.count));
  }
}

Evaluation count_hits(const Dataset& dataset, std::vector<int> predicted) {
  Evaluation evaluation;
  evaluation.images = static_cast<int>(predicted.size());
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (predicted[i] == int{dataset.labels[i]}) ++evaluation.hits;
  }
  evaluation.predicted = std::move(predicted);
  return evaluation;
}

}  // namespace

Evaluation evaluate(const workloads::LayerGraph& graph, const QuantizedModel& model,
                    const formats::Arithmetic& arithmetic, const Dataset& dataset, int images, int threads,
                    const Progress& progress, const CancelFlag* cancel) {
  require_images(dataset, images);
  workloads::check_shapes(dataset, {1, graph.in_c, graph.in_h, graph.in_w}, graph.network);
  const SoftwareMachine machine(graph, model, arithmetic);
  std::vector<int> predicted(static_cast<std::size_t>(images));
  std::vector<formats::AccumulateEvents> events(static_cast<std::size_t>(images));
  parallel_for(
      images, threads,
      [&](int image, int) {
        const auto i = static_cast<std::size_t>(image);
        const WordMap logits = machine.run_to_end(quantize_input(dataset.image(image), model.input), &events[i]);
        predicted[i] = argmax(logits, model.layers.back().output);
      },
      progress, cancel);
  Evaluation evaluation = count_hits(dataset, std::move(predicted));
  for (const formats::AccumulateEvents& of_image : events) {
    evaluation.events.saturations += of_image.saturations;
    evaluation.events.nar_products += of_image.nar_products;
  }
  return evaluation;
}

Evaluation evaluate_fp32(const workloads::Network& network, const Dataset& dataset, int images, int threads,
                         const Progress& progress, const CancelFlag* cancel) {
  require_images(dataset, images);
  workloads::check_shapes(dataset, network.values[static_cast<std::size_t>(network.input)].shape, network.file);
  std::vector<std::optional<workloads::Executor>> executors(static_cast<std::size_t>(std::max(1, threads)));
  std::vector<int> predicted(static_cast<std::size_t>(images));
  parallel_for(
      images, threads,
      [&](int image, int worker) {
        auto& executor = executors[static_cast<std::size_t>(worker)];
        if (!executor) executor.emplace(network, 1);
        const workloads::Tensor logits = executor->run(dataset.image(image));
        predicted[static_cast<std::size_t>(image)] =
            static_cast<int>(std::max_element(logits.data.begin(), logits.data.end()) - logits.data.begin());
      },
      progress, cancel);
  return count_hits(dataset, std::move(predicted));
}

}  // namespace lpa::lpq
