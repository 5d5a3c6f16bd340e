// A search that can be interrupted and resumed. Internal to the search.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "quant/lpq/candidate_evaluator.h"
#include "quant/lpq/search_record.h"

namespace lpa::lpq {

struct Candidate {
  WeightFormats formats;
  double loss = 0;     ///< L_CO
  double cost = 0;     ///< Sum of the layers' costs.
  double fitness = 0;  ///< L_CO * L_CR^lambda, L_CR being the cost over that of 8 bits in every layer; with a budget
                       ///< L_CO. The smaller, the better.
};

/// A search between two blocks.
struct SearchState {
  int steps = 0;                      ///< Cycles done.
  std::vector<Candidate> population;  ///< Best first.
  double initial_fitness = 0;
  int evaluations = 0;
  std::vector<SearchStep> history;
};

/// A file that keeps a search's state.
class SearchCheckpoint {
 public:
  /// `key` says which search it is: another one's state is refused.
  SearchCheckpoint(std::filesystem::path file, std::string key) : file_(std::move(file)), key_(std::move(key)) {}

  std::string name() const { return file_.string(); }
  /// The state in the file; nullopt: there is no file. Throws workloads::InputError if it holds anything else than a
  /// state of this search.
  std::optional<SearchState> read() const;
  /// Throws workloads::OutputError.
  void write(const SearchState& state) const;

 private:
  std::filesystem::path file_;
  std::string key_;
};

}  // namespace lpa::lpq
