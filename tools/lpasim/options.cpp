#include "tools/lpasim/options.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <sstream>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include "hw_model/driver/scalesim_machine.h"
#include "tools/lpasim/error.h"

namespace lpa::cli {
namespace {

namespace po = boost::program_options;

constexpr std::size_t help_width = 110;

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// A configuration file's text, and the lines its keys stand in; Boost's parser keeps no line numbers.
struct ConfigText {
  std::string text;
  std::multimap<std::string, int> lines;  ///< Full key ("array.rows") to line number.
  std::map<std::string, int> raw;         ///< A line without comment to the number of its first occurrence.

  int line_of(const std::string& key) const {
    const auto found = lines.find(key);
    return found == lines.end() ? 1 : found->second;
  }
};

ConfigText read_config_text(const std::string& file) {
  if (std::filesystem::is_directory(file)) {
    throw Error(ExitCode::input, fmt::format("{}: is a folder, expected a configuration file", file));
  }
  std::ifstream stream(file);
  if (!stream) throw Error(ExitCode::input, fmt::format("{}: cannot be opened", file));
  ConfigText config;
  std::string section;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    config.text += line + '\n';
    const std::string content = trim(line.substr(0, line.find('#')));
    config.raw.emplace(content, number);
    if (content.size() > 1 && content.front() == '[' && content.back() == ']') {
      section = content.substr(1, content.size() - 2);
      if (!section.empty() && section.back() != '.') section += '.';
    } else if (const auto equals = content.find('='); equals != std::string::npos) {
      config.lines.emplace(section + trim(content.substr(0, equals)), number);
    }
  }
  if (stream.bad()) throw Error(ExitCode::input, fmt::format("{}: cannot be read", file));
  return config;
}

/// Configurations of SCALE-Sim have a section of this name, in small or capital letters.
bool is_scalesim(const ConfigText& config) {
  return std::ranges::any_of(config.raw, [](const auto& line) {
    std::string text = line.first;
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text == "[architecture_presets]";
  });
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names, const std::string& dashes) {
  const std::string candidate = nearest(name, names);
  return candidate.empty() ? std::string{} : fmt::format("; did you mean '{}{}'?", dashes, candidate);
}

bool is_machine_parameter(const std::string& name) {
  const auto& parameters = hw::machine_parameters();
  return std::any_of(parameters.begin(), parameters.end(), [&](const auto& p) { return p.name == name; });
}

std::string syntax_error(const po::error& error) {
  std::string message = error.what();
  std::replace(message.begin(), message.end(), '\n', ' ');
  return message;
}

bool is_true(const Arguments::Value& value) {
  const std::string& text = value.text;
  if (text.empty() || text == "1" || text == "on" || text == "true" || text == "yes") return true;
  if (text == "0" || text == "off" || text == "false" || text == "no") return false;
  bad_value(value, "on or off");
}

}  // namespace

/// Collects the values from all places.
class ArgumentParser {
 public:
  explicit ArgumentParser(const Command& command) : command_(command) {
    for (const Option& option : command.options) add(option.name, option.kind == Option::Kind::flag);
    if (command.machine) {
      for (const auto& parameter : hw::machine_parameters()) add(parameter.name, false);
    }
    command_line_.add(file_options_);
    add_to(command_line_, "config", false);
    if (command.machine) add_to(command_line_, "hardware", false);
    command_line_.add_options()("help,h", "");
  }

  Arguments parse(const std::vector<std::string>& arguments) {
    Arguments::Values line_machine;
    Arguments::Values line_values = parse_command_line(arguments, line_machine);
    if (result_.help_) return result_;

    Arguments::Values file_machine;
    Arguments::Values hardware_machine;
    if (const auto config = line_values.find("config"); config != line_values.end()) {
      result_.values_ = parse_file(config->second.front().text, file_options_, file_machine);
    }
    if (const auto hardware = line_values.find("hardware"); command_.machine && hardware != line_values.end()) {
      const std::string& file = hardware->second.front().text;
      if (is_scalesim(read_config_text(file))) {
        result_.base_ = driver::read_scalesim_machine(file);
      } else {
        po::options_description keys;
        for (const auto& parameter : hw::machine_parameters()) add_to(keys, parameter.name, false);
        parse_file(file, keys, hardware_machine);
      }
    }
    for (auto& [name, values] : line_values) result_.values_[name] = std::move(values);
    result_.machine_ = {std::move(hardware_machine), std::move(file_machine), std::move(line_machine)};

    for (const Option& option : command_.options) {
      if (result_.values_.contains(option.name)) continue;
      if (option.required) {
        throw Error(ExitCode::usage, fmt::format("{}: option '--{} {}' is missing; see lpasim {} --help", command_.name,
                                                 option.name, option.placeholder, command_.name));
      }
      if (!option.fallback.empty()) {
        result_.values_[option.name] = {{option.fallback, fmt::format("option '--{}'", option.name)}};
      }
    }
    return result_;
  }

 private:
  static void add_to(po::options_description& description, const std::string& name, bool flag) {
    if (flag) {
      description.add_options()(name.c_str(), po::bool_switch(), "");
    } else {
      description.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }

  void add(const std::string& name, bool flag) {
    add_to(file_options_, name, flag);
    names_.push_back(name);
  }

  bool repeated(const std::string& name) const {
    return std::any_of(command_.options.begin(), command_.options.end(),
                       [&](const Option& o) { return o.name == name && o.kind == Option::Kind::repeated; });
  }

  void store(Arguments::Values& values, Arguments::Values& machine, const std::string& name, Arguments::Value value) {
    auto& list = is_machine_parameter(name) ? machine[name] : values[name];
    if (!list.empty() && !repeated(name)) {
      throw Error(value.from_file ? ExitCode::input : ExitCode::usage, value.place + " is given twice");
    }
    list.push_back(std::move(value));
  }

  Arguments::Values parse_command_line(const std::vector<std::string>& arguments, Arguments::Values& machine) {
    namespace style = po::command_line_style;
    Arguments::Values values;
    try {
      const auto parsed = po::command_line_parser(arguments)
                              .options(command_line_)
                              .style(style::unix_style & ~style::allow_guessing)
                              .allow_unregistered()
                              .run();
      for (const auto& option : parsed.options) {
        if (option.string_key == "help") {
          result_.help_ = true;
          return values;
        }
      }
      for (const auto& option : parsed.options) {
        if (option.position_key >= 0) {
          take_positional(values, option.original_tokens.front());
        } else if (option.unregistered) {
          unknown_option(option.original_tokens.front());
        } else {
          store(values, machine, option.string_key,
                {option.value.empty() ? "" : option.value.front(), fmt::format("option '--{}'", option.string_key)});
        }
      }
    } catch (const po::error& error) {
      throw Error(ExitCode::usage, syntax_error(error));
    }
    if (!command_.positional.empty() && !values.contains(command_.positional)) {
      throw Error(ExitCode::usage, fmt::format("{}: {} is missing; see lpasim {} --help", command_.name,
                                               command_.positional, command_.name));
    }
    return values;
  }

  void take_positional(Arguments::Values& values, const std::string& text) {
    if (command_.positional.empty() || values.contains(command_.positional)) {
      throw Error(ExitCode::usage, fmt::format("unexpected argument '{}'; see lpasim {} --help", text, command_.name));
    }
    values[command_.positional] = {{text, command_.positional}};
  }

  [[noreturn]] void unknown_option(const std::string& token) const {
    const std::string given = token.substr(0, token.find('='));
    std::vector<std::string> names = names_;
    names.insert(names.end(), {"config", "help"});
    if (command_.machine) names.emplace_back("hardware");
    const std::string bare = given.substr(std::min(given.find_first_not_of('-'), given.size()));
    std::string hint = did_you_mean(bare, names, "--");
    if (hint.empty()) hint = fmt::format("; see lpasim {} --help", command_.name);
    throw Error(ExitCode::usage, fmt::format("unknown option '{}'{}", given, hint));
  }

  Arguments::Values parse_file(const std::string& file, const po::options_description& keys,
                               Arguments::Values& machine) {
    const ConfigText config = read_config_text(file);
    std::istringstream stream(config.text);
    Arguments::Values values;
    try {
      std::map<std::string, int> seen;
      for (const auto& option : po::parse_config_file(stream, keys, true).options) {
        const std::string& key = option.string_key;
        int line = config.line_of(key);
        if (const auto found = config.lines.find(key); found != config.lines.end()) {
          line = std::next(found, seen[key]++)->second;
        }
        if (option.unregistered) unknown_key(file, line, key, keys);
        store(values, machine, key,
              {option.value.empty() ? "" : option.value.front(), fmt::format("{}:{}: '{}'", file, line, key), true});
      }
    } catch (const po::invalid_config_file_syntax& error) {
      const auto line = config.raw.find(trim(error.tokens()));
      throw Error(ExitCode::input, fmt::format("{}:{}: '{}' is not a '[section]' or 'key = value'", file,
                                               line == config.raw.end() ? 1 : line->second, trim(error.tokens())));
    } catch (const po::error& error) {
      throw Error(ExitCode::input, fmt::format("{}: {}", file, syntax_error(error)));
    }
    return values;
  }

  [[noreturn]] static void unknown_key(const std::string& file, int line, const std::string& key,
                                       const po::options_description& keys) {
    std::string hint;
    if (key == "config" || key == "hardware") {
      hint = "; a configuration file cannot name another one, give it on the command line";
    } else {
      std::vector<std::string> names;
      for (const auto& option : keys.options()) names.push_back(option->long_name());
      hint = did_you_mean(key, names, "");
      if (hint.empty()) hint = "; lpasim describe lists the machine's";
    }
    throw Error(ExitCode::input, fmt::format("{}:{}: unknown key '{}'{}", file, line, key, hint));
  }

  const Command& command_;
  po::options_description file_options_;
  po::options_description command_line_;
  std::vector<std::string> names_;
  Arguments result_;
};

const Arguments::Value* Arguments::find(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second.front();
}

bool Arguments::flag(const std::string& name) const {
  const Value* value = find(name);
  return value != nullptr && is_true(*value);
}

std::string Arguments::text(const std::string& name) const {
  const Value* value = find(name);
  return value == nullptr ? std::string{} : value->text;
}

std::vector<Arguments::Value> Arguments::list(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<Value>{} : found->second;
}

std::uint64_t Arguments::integer(const std::string& name, std::uint64_t low, std::uint64_t high) const {
  const Value* value = find(name);
  if (value == nullptr) throw Error(ExitCode::usage, fmt::format("option '--{}' is missing", name));
  std::uint64_t number = 0;
  const char* end = value->text.data() + value->text.size();
  const auto [stop, error] = std::from_chars(value->text.data(), end, number);
  if (error != std::errc{} || stop != end || number < low || number > high) {
    bad_value(*value, high == UINT64_MAX ? fmt::format("a whole number of at least {}", low)
                                         : fmt::format("a whole number from {} to {}", low, high));
  }
  return number;
}

double Arguments::number(const std::string& name, double low, double high) const {
  const Value* value = find(name);
  if (value == nullptr) throw Error(ExitCode::usage, fmt::format("option '--{}' is missing", name));
  double number = 0;
  const char* end = value->text.data() + value->text.size();
  const auto [stop, error] = std::from_chars(value->text.data(), end, number);
  if (error != std::errc{} || stop != end || !(number >= low && number <= high)) {
    bad_value(*value, fmt::format("a number from {} to {}", low, high));
  }
  return number;
}

std::string Arguments::choice(const std::string& name, const std::vector<std::string>& choices) const {
  const Value* value = find(name);
  if (value == nullptr) throw Error(ExitCode::usage, fmt::format("option '--{}' is missing", name));
  if (std::find(choices.begin(), choices.end(), value->text) == choices.end()) {
    bad_value(*value, fmt::format("{}", fmt::join(choices, ", ")));
  }
  return value->text;
}

hw::MachineConfig Arguments::machine() const {
  const auto fail = [](const Value& value, const std::string& message) {
    if (value.from_file) throw Error(ExitCode::input, fmt::format("{}: {}", value.place, message));
    throw Error(ExitCode::usage, fmt::format("option --{}", message));
  };
  hw::MachineConfig config = base_;
  for (const Values& source : machine_) {
    for (const auto& parameter : hw::machine_parameters()) {
      const auto found = source.find(parameter.name);
      if (found == source.end()) continue;
      try {
        parameter.set(config, found->second.front().text);
      } catch (const hw::ConfigError& error) {
        fail(found->second.front(), error.what());
      }
    }
  }
  try {
    config.validate();
  } catch (const hw::ConfigError& error) {
    // The message begins with the parameter's name; the last place that set it is to blame. Failing that, the last
    // place that set anything.
    const std::string message = error.what();
    const Value* culprit = nullptr;
    const Value* last = nullptr;
    for (const Values& source : machine_) {
      for (const auto& [name, values] : source) {
        last = &values.front();
        if (message.starts_with(name + " ")) culprit = last;
      }
    }
    if (culprit == nullptr) culprit = last;
    if (culprit == nullptr) throw Error(ExitCode::failure, message);
    fail(*culprit, message);
  }
  return config;
}

Arguments parse_arguments(const Command& command, const std::vector<std::string>& arguments) {
  return ArgumentParser(command).parse(arguments);
}

std::string help_text(const Command& command) {
  std::string usage = "lpasim " + command.name;
  if (!command.positional.empty()) usage += " " + command.positional;
  po::options_description description("Options", help_width, help_width / 2);
  const auto add = [&](const std::string& name, const std::string& placeholder, const std::string& text) {
    description.add_options()(name.c_str(), po::value<std::string>()->value_name(placeholder), text.c_str());
  };
  for (const Option& option : command.options) {
    if (option.required) usage += fmt::format(" --{} {}", option.name, option.placeholder);
    if (option.kind == Option::Kind::flag) {
      description.add_options()(option.name.c_str(), option.description.c_str());
    } else {
      add(option.name, option.placeholder,
          option.description + (option.fallback.empty() ? "" : fmt::format(" (default {})", option.fallback)));
    }
  }
  if (command.machine) {
    add("hardware", "FILE",
        "the machine's parameters, an INI file: [array], rows = 16; or a configuration of SCALE-Sim");
    add("<parameter>", "VALUE", "one parameter of the machine, such as --array.rows 16; lpasim describe lists them");
  }
  add("config", "FILE", "these options, an INI file: images = 8; the command line wins");
  description.add_options()("help,h", "this text");
  std::ostringstream stream;
  stream << "Usage: " << usage << " [options]\n\n" << command.summary << "\n\n" << description;
  return stream.str();
}

void bad_value(const Arguments::Value& value, const std::string& expected) {
  throw Error(value.from_file ? ExitCode::input : ExitCode::usage,
              fmt::format("{}: '{}' is not valid, expected {}", value.place, value.text, expected));
}

}  // namespace lpa::cli
