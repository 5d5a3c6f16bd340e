// LPQ: formats of the weights by a block-wise genetic search, after the method of the paper.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quant/formats/arithmetic.h"
#include "quant/lpq/candidate_evaluator.h"
#include "quant/lpq/objective.h"
#include "quant/lpq/parallel.h"
#include "quant/lpq/quantize.h"
#include "quant/lpq/quantized_model.h"
#include "quant/lpq/representation.h"
#include "quant/lpq/search_checkpoint.h"
#include "workloads/layers.h"
#include "workloads/network.h"

namespace lpa::lpq {

/// What each layer of the graph costs by the width of its weights: 2, 4 and 8 bits. Layers without weights have none.
using WidthCosts = std::vector<std::map<int, double>>;

/// The bits of every layer's weights.
WidthCosts bits_of_weights(const workloads::LayerGraph& graph);
/// The least sum of costs that weights of some of these widths can have.
double least_cost(const WidthCosts& costs, const std::vector<int>& bits);

struct SearchOptions {
  int population = 20;
  int passes = 10;   ///< Over all blocks.
  int cycles = 4;    ///< Of regeneration and selection, per block.
  int partners = 4;  ///< Random parents that a child is mated with, for diversity.
  double lambda = 0.4;
  double temperature = 0.1;
  std::vector<int> bits{2, 4, 8};  ///< Widths of weights to choose from.
  Objective objective = Objective::global_local;
  Pooling pooling = Pooling::kurtosis;
  int activation_bits = 8;  ///< As in FitOptions.
  /// Of weights; a channel's own scale is never searched, but fits its weights.
  ScaleMode scales = ScaleMode::per_tensor;
  std::uint64_t seed = 1;
  int threads = 1;                 ///< The result does not depend on it.
  std::optional<double> budget{};  ///< Of the costs' sum: no candidate may exceed it, and its loss alone decides.
  WidthCosts costs{};              ///< Empty: bits_of_weights().
  std::string cost_name = "bits";  ///< What they count, for the record.
  formats::Arithmetic arithmetic = formats::arithmetic_preset("wide");
  std::filesystem::path checkpoint{};  ///< Written after every block, and read first if it is there. Empty: none.
};

/// "global-local", "global", "kl" or "mse"; "kurtosis" or "mean".
const char* to_string(Objective objective);
const char* to_string(Pooling pooling);

struct SearchResult {
  NetworkFormats formats;
  Candidate best;
  SearchRecord record;
};

/// Called after every cycle with the number of cycles done, of all, and the best candidate.
using SearchProgress = std::function<void(int done, int total, const Candidate& best)>;

/// Searches the formats of all weighted layers; everything else has the formats `fitted`, or, where activations follow
/// 2-bit weights, formats that are fitted here. Throws workloads::InputError
/// for an option that is not legal or a budget that no candidate meets, what Loss throws, workloads::OutputError and
/// Cancelled. A search that was cancelled goes on from its checkpoint, to the same result.
SearchResult search_formats(const workloads::Network& network, const workloads::LayerGraph& graph,
                            const std::vector<workloads::Tensor>& images, const NetworkFormats& fitted,
                            const SearchOptions& options, const SearchProgress& progress = {},
                            const CancelFlag* cancel = nullptr);

/// quantize() with search_formats() on what fit_formats() gives, which may throw too; method "lpq".
QuantizedModel search(const workloads::Network& network, const workloads::LayerGraph& graph,
                      const std::vector<workloads::Tensor>& images, const SearchOptions& options,
                      const SearchProgress& progress = {}, const CancelFlag* cancel = nullptr);

}  // namespace lpa::lpq
