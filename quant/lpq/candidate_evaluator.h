// The loss of candidates that differ from a common one behind some place in the network only. Internal to the search.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "quant/lpq/fake_quantization.h"
#include "quant/lpq/network_blocks.h"
#include "quant/lpq/objective.h"
#include "quant/lpq/parallel.h"
#include "quant/lpq/representation.h"
#include "workloads/executor.h"

namespace lpa::lpq {

/// Runs the calibration images through the fake-quantized network, from a block on: what comes before the block is
/// kept. Results do not depend on `threads`.
class CandidateEvaluator {
 public:
  /// Keeps references to `network` and `quantization`. Throws what Loss throws, and Cancelled.
  CandidateEvaluator(const workloads::Network& network, const FakeQuantization& quantization,
                     const std::vector<workloads::Tensor>& images, Objective objective, double temperature,
                     Pooling pooling, int threads, const CancelFlag* cancel);
  ~CandidateEvaluator();

  const std::vector<NetworkBlock>& blocks() const { return blocks_; }
  /// From now on candidates have the formats of `base` in all blocks before this one.
  void start_block(std::size_t block, const WeightFormats& base);
  std::vector<double> losses(const std::vector<WeightFormats>& candidates);

 private:
  struct Worker;

  Features fp32_features();
  Worker& worker(int index);
  void set_weights(Worker& worker, const WeightFormats& formats, std::size_t first_layer, std::size_t end_layer);
  void advance(const WeightFormats& base);
  std::size_t first_layer(std::size_t block) const;

  const workloads::Network& network_;
  const FakeQuantization& quantization_;
  int threads_;
  const CancelFlag* cancel_;
  std::vector<NetworkBlock> blocks_;
  std::vector<workloads::Tensor> images_;  ///< Rounded.
  std::vector<std::unique_ptr<Worker>> workers_;
  Representation representation_;
  Loss loss_;

  // Before the block that candidates start from.
  std::size_t block_ = 0;
  WeightFormats base_;                      ///< Of the blocks before it.
  std::vector<std::vector<float>> inputs_;  ///< The block's input value, by image.
  Features before_;
};

}  // namespace lpa::lpq
