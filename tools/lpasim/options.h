// Options of a sub-command: the same names on the command line and in configuration files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "hw_model/machine_config.h"
#include "workloads/nearest.h"

namespace lpa::cli {

struct Option {
  enum class Kind { value, repeated, flag };

  std::string name;         ///< Without the dashes.
  std::string placeholder;  ///< "FILE"; unused by flags.
  std::string description;
  Kind kind = Kind::value;
  bool required = false;
  std::string fallback = {};  ///< The value if the option is not given.
};

/// What a sub-command takes.
struct Command {
  std::string name;
  std::string summary;
  std::vector<Option> options;
  bool machine = false;         ///< Takes --hardware FILE and every machine parameter, such as --array.rows 16.
  std::string positional = {};  ///< Name of the one required argument without a name, such as FORMAT.
};

/// The options as given. Values of the command line win over those of --config, and both over --hardware.
class Arguments {
 public:
  /// One value and where it stands, for messages.
  struct Value {
    std::string text;
    std::string place;  ///< "option '--images'", "m.ini:3: 'images'"
    bool from_file = false;
  };

  bool help() const { return help_; }
  bool flag(const std::string& name) const;
  std::string text(const std::string& name) const;
  /// The value and where it stands; null: neither given nor has the option a fallback.
  const Value* find(const std::string& name) const;
  std::filesystem::path path(const std::string& name) const { return text(name); }
  /// Values of a repeated option, in order.
  std::vector<Value> list(const std::string& name) const;
  /// Throws Error unless the value is a whole number from `low` to `high`.
  std::uint64_t integer(const std::string& name, std::uint64_t low, std::uint64_t high) const;
  /// Throws Error unless the value is a number from `low` to `high`.
  double number(const std::string& name, double low, double high) const;
  /// Throws Error unless the value is one of `choices`.
  std::string choice(const std::string& name, const std::vector<std::string>& choices) const;
  /// The machine: defaults or a configuration of SCALE-Sim given as --hardware, then --hardware, --config and the
  /// command line, each in the parameters' order. Throws Error.
  hw::MachineConfig machine() const;

 private:
  friend class ArgumentParser;
  using Values = std::map<std::string, std::vector<Value>>;

  bool help_ = false;
  Values values_;                ///< By name; a repeated option has several.
  hw::MachineConfig base_;       ///< The defaults, or what a configuration of SCALE-Sim says.
  std::vector<Values> machine_;  ///< --hardware, --config, command line: later ones win.
};

/// Reads the command line and the configuration files it names. Throws Error for an option, key or value that is wrong,
/// suggesting the nearest name for one that is not known.
Arguments parse_arguments(const Command& command, const std::vector<std::string>& arguments);

/// What `lpasim COMMAND --help` prints.
std::string help_text(const Command& command);

using workloads::nearest;

/// The error for a value that is wrong: usage if it was given on the command line, input if in a file.
[[noreturn]] void bad_value(const Arguments::Value& value, const std::string& expected);

}  // namespace lpa::cli
