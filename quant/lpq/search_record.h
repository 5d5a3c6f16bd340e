// How a search went: what quant.json keeps of it.
#pragma once

#include <string>
#include <vector>

namespace lpa::lpq {

/// The best candidate after a cycle.
struct SearchStep {
  int pass = 0, block = 0, cycle = 0;
  double fitness = 0, loss = 0, cost = 0;
  friend bool operator==(const SearchStep&, const SearchStep&) = default;
};

struct SearchRecord {
  std::string objective;  ///< "global-local", "global", "kl" or "mse".
  std::string pooling;    ///< "kurtosis" or "mean".
  std::string cost;       ///< What cost counts: "bits" of weights.
  int population = 0, passes = 0, cycles = 0, partners = 0, blocks = 0, evaluations = 0;
  double lambda = 0, temperature = 0;
  double budget = 0;     ///< Of cost; 0: none.
  double full_cost = 0;  ///< Of 8-bit weights in every layer.
  std::vector<int> bits;
  double initial_fitness = 0;  ///< Of the best candidate before the first cycle.
  std::vector<SearchStep> history;
  friend bool operator==(const SearchRecord&, const SearchRecord&) = default;
};

}  // namespace lpa::lpq
