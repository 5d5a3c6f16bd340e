#include "quant/lpq/candidate_evaluator.h"

#include <algorithm>
#include <variant>

namespace lpa::lpq {
namespace {

/// What the objective looks at: the results of all layers with weights and the network's output, or this alone.
std::vector<int> compared_values(const workloads::Network& network, const FakeQuantization& quantization,
                                 Objective objective) {
  std::vector<int> values;
  for (const WeightedLayer& layer : quantization.layers()) {
    if (objective == Objective::global_local && layer.value != network.output) values.push_back(layer.value);
  }
  values.push_back(network.output);
  return values;
}

}  // namespace

/// What a thread runs the network with.
struct CandidateEvaluator::Worker {
  explicit Worker(const workloads::Network& network) : executor(network, 1) {}

  workloads::Executor executor;
  std::vector<std::shared_ptr<const std::vector<float>>> weights;  ///< By weighted layer: those that it has.
};

CandidateEvaluator::CandidateEvaluator(const workloads::Network& network, const FakeQuantization& quantization,
                                       const std::vector<workloads::Tensor>& images, Objective objective,
                                       double temperature, Pooling pooling, int threads, const CancelFlag* cancel)
    : network_(network),
      quantization_(quantization),
      threads_(std::max(threads, 1)),
      cancel_(cancel),
      blocks_(find_blocks(network, quantization.layers())),
      images_(images),
      workers_(static_cast<std::size_t>(threads_)),
      representation_(network, compared_values(network, quantization, objective), pooling),
      loss_(objective, temperature, representation_.begins(), fp32_features()) {
  before_ = {images.size(), representation_.size(), std::vector<float>(images.size() * representation_.size())};
  inputs_.resize(images.size());
  for (std::size_t i = 0; i < images_.size(); ++i) {
    images_[i] = quantization_.round_input(images_[i]);
    inputs_[i] = images_[i].data;
  }
}

CandidateEvaluator::~CandidateEvaluator() = default;

CandidateEvaluator::Worker& CandidateEvaluator::worker(int index) {
  auto& worker = workers_[static_cast<std::size_t>(index)];
  if (!worker) {
    worker = std::make_unique<Worker>(network_);
    worker->weights.resize(quantization_.layers().size());
    // Those of earlier blocks may be needed without ever being run.
    for (std::size_t node = 0; node < network_.nodes.size(); ++node) {
      if (!std::holds_alternative<workloads::Constant>(network_.nodes[node].attributes)) continue;
      const int index_of_node = static_cast<int>(node);
      worker->executor.run_nodes(index_of_node, index_of_node + 1,
                                 [this](int value, std::span<float> data) { quantization_.round(value, data); });
    }
  }
  return *worker;
}

Features CandidateEvaluator::fp32_features() {
  Features features{images_.size(), representation_.size(), {}};
  features.data.resize(features.images * features.size);
  std::vector<std::optional<workloads::Executor>> executors(static_cast<std::size_t>(threads_));
  parallel_for(
      static_cast<int>(images_.size()), threads_,
      [&](int item, int index) {
        const auto image = static_cast<std::size_t>(item);
        auto& executor = executors[static_cast<std::size_t>(index)];
        if (!executor) executor.emplace(network_, 1);
        executor->run(images_[image], [&](int value, std::span<float> data) {
          representation_.pool(value, data, features.image(image));
        });
      },
      {}, cancel_);
  return features;
}

std::size_t CandidateEvaluator::first_layer(std::size_t block) const {
  return block == blocks_.size() ? quantization_.layers().size() : blocks_[block].layers.front();
}

void CandidateEvaluator::set_weights(Worker& worker, const WeightFormats& formats, std::size_t first_layer,
                                     std::size_t end_layer) {
  for (std::size_t layer = first_layer; layer < end_layer; ++layer) {
    auto weights = quantization_.weights(layer, formats[layer]);
    if (worker.weights[layer] == weights) continue;
    worker.executor.set_weights(quantization_.layers()[layer].node, *weights);
    worker.weights[layer] = std::move(weights);
  }
}

void CandidateEvaluator::start_block(std::size_t block, const WeightFormats& base) {
  const bool known = block_ <= block && std::equal(base_.begin(), base_.end(), base.begin());
  if (!known) {
    block_ = 0;
    base_.clear();
    for (std::size_t i = 0; i < images_.size(); ++i) inputs_[i] = images_[i].data;
  }
  while (block_ < block) advance(base);
}

/// To the next block.
void CandidateEvaluator::advance(const WeightFormats& base) {
  const NetworkBlock& block = blocks_[block_];
  const NetworkBlock& next = blocks_[block_ + 1];
  parallel_for(
      static_cast<int>(images_.size()), threads_,
      [&](int item, int index) {
        const auto image = static_cast<std::size_t>(item);
        Worker& own = worker(index);
        set_weights(own, base, first_layer(block_), first_layer(block_ + 1));
        std::ranges::copy(inputs_[image], own.executor.value(block.value).begin());
        own.executor.run_nodes(block.first_node, block.end_node, [&](int value, std::span<float> data) {
          quantization_.round(value, data, base);
          representation_.pool(value, data, before_.image(image));
        });
        const std::span<const float> input = own.executor.value(next.value);
        inputs_[image].assign(input.begin(), input.end());
      },
      {}, cancel_);
  ++block_;
  base_.assign(base.begin(), base.begin() + static_cast<std::ptrdiff_t>(first_layer(block_)));
}

std::vector<double> CandidateEvaluator::losses(const std::vector<WeightFormats>& candidates) {
  const NetworkBlock& block = blocks_[block_];
  std::vector<Features> features(candidates.size(), before_);
  // Several parts of the images, so that all threads have work to the end; each sets its candidate's weights.
  const int parts = threads_ == 1 ? 1 : 2 * threads_;
  parallel_for(
      static_cast<int>(candidates.size()) * parts, threads_,
      [&](int item, int index) {
        const auto candidate = static_cast<std::size_t>(item / parts);
        const auto part = static_cast<std::size_t>(item % parts);
        Worker& own = worker(index);
        set_weights(own, candidates[candidate], first_layer(block_), quantization_.layers().size());
        for (std::size_t image = part; image < images_.size(); image += static_cast<std::size_t>(parts)) {
          if (cancel_ != nullptr && *cancel_) throw Cancelled();
          std::ranges::copy(inputs_[image], own.executor.value(block.value).begin());
          own.executor.run_nodes(block.first_node, static_cast<int>(network_.nodes.size()),
                                 [&](int value, std::span<float> data) {
                                   quantization_.round(value, data, candidates[candidate]);
                                   representation_.pool(value, data, features[candidate].image(image));
                                 });
        }
      },
      {}, cancel_);
  std::vector<double> losses(candidates.size());
  parallel_for(static_cast<int>(candidates.size()), threads_, [&](int item, int) {
    losses[static_cast<std::size_t>(item)] = loss_(features[static_cast<std::size_t>(item)]);
  });
  return losses;
}

}  // namespace lpa::lpq
