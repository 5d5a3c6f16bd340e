// Configuration files of SCALE-Sim (github.com/scalesim-project/SCALE-Sim, versions 2 and 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace lpa::traces {

/// What decides the cycles of a weight-stationary run.
struct ScalesimConfig {
  /// A whole number of at least 1, and where it stands.
  struct Number {
    std::int64_t value = 1;
    std::string key;
    std::size_t line = 0;
  };

  std::filesystem::path path;
  std::string run_name;
  Number rows, columns;                     ///< ArrayHeight, ArrayWidth
  Number ifmap_kib, filter_kib, ofmap_kib;  ///< IfmapSramSzkB, FilterSramSzkB, OfmapSramSzkB: 1024 bytes each.
  std::optional<Number> bandwidth;          ///< Words per cycle, with InterfaceBandwidth = USER; CALC: none is given.

  /// Throws workloads::InputError "<file>:<line>: '<key>': <what>".
  [[noreturn]] void fail(const Number& number, std::string_view what) const;
};

/// Reads a configuration in the syntax of Python's configparser: [section], 'key = value' or 'key: value', keys in
/// small or capital letters, comments in lines of their own that begin with '#' or ';'. A value ends with its line.
///
/// Keys that mean nothing to compute cycles, such as the addresses of the operands, are accepted and not looked at.
/// Throws workloads::InputError with file, line and key for anything that would change the result and is not modelled:
/// a Dataflow other than ws, sparsity, custom layouts and Ramulator's traces, and keys that are not known.
ScalesimConfig read_scalesim_config(const std::filesystem::path& path);

}  // namespace lpa::traces
