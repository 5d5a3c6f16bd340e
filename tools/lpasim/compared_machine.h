// A machine of a comparison: its hardware and the widths that its quantization method gives to layers.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "hw_model/machine_config.h"

namespace lpa::cli {

struct ComparedMachine {
  std::string name;
  hw::MachineConfig hardware;
  bool narrow_activations = false;  ///< As narrow as the weights of the layers that read them.
  /// Shares of MACs by weight bits, by network; "*": any other.
  std::map<std::string, std::map<int, double>> shares;
  std::string source;

  /// Of a network. There is always one.
  const std::map<int, double>& shares_of(const std::string& network) const;
};

/// The comparison that comes with the program: hw_model/configs/comparison.json, installed or in the source tree.
std::filesystem::path shipped_comparison();

/// The machines of a comparison's file that are named, in this order. Hardware files are looked for beside it. Throws
/// Error and workloads::InputError, suggesting a name where one is not known.
std::vector<ComparedMachine> read_comparison(const std::filesystem::path& file, const std::vector<std::string>& names);

}  // namespace lpa::cli
