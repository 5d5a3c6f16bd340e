#include "traces/scalesim_config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "traces/csv.h"
#include "workloads/input_error.h"
#include "workloads/input_file.h"

namespace lpa::traces {
namespace {

/// What this reader does with a key.
enum class Use {
  read,
  must_be_off,  ///< Switches something on that is not modelled.
  ignored       ///< Means nothing to compute cycles.
};

struct KnownKey {
  std::string_view section, key;
  Use use;
};

constexpr std::array known_keys{
    KnownKey{"general", "run_name", Use::read},
    KnownKey{"architecture_presets", "ArrayHeight", Use::read},
    KnownKey{"architecture_presets", "ArrayWidth", Use::read},
    KnownKey{"architecture_presets", "IfmapSramSzkB", Use::read},
    KnownKey{"architecture_presets", "FilterSramSzkB", Use::read},
    KnownKey{"architecture_presets", "OfmapSramSzkB", Use::read},
    KnownKey{"architecture_presets", "Dataflow", Use::read},
    KnownKey{"architecture_presets", "Bandwidth", Use::read},
    KnownKey{"architecture_presets", "IfmapOffset", Use::ignored},
    KnownKey{"architecture_presets", "FilterOffset", Use::ignored},
    KnownKey{"architecture_presets", "OfmapOffset", Use::ignored},
    KnownKey{"architecture_presets", "MemoryBanks", Use::ignored},
    KnownKey{"architecture_presets", "ReadRequestBuffer", Use::ignored},
    KnownKey{"architecture_presets", "WriteRequestBuffer", Use::ignored},
    KnownKey{"architecture_presets", "SRAM_row_size", Use::ignored},
    KnownKey{"architecture_presets", "SRAM_bank_size", Use::ignored},
    KnownKey{"architecture_presets", "DRAM_row_size", Use::ignored},
    KnownKey{"architecture_presets", "DRAM_bank_size", Use::ignored},
    KnownKey{"layout", "IfmapCustomLayout", Use::must_be_off},
    KnownKey{"layout", "FilterCustomLayout", Use::must_be_off},
    KnownKey{"layout", "IfmapSRAMBankBandwidth", Use::ignored},
    KnownKey{"layout", "IfmapSRAMBankNum", Use::ignored},
    KnownKey{"layout", "IfmapSRAMBankPort", Use::ignored},
    KnownKey{"layout", "FilterSRAMBankBandwidth", Use::ignored},
    KnownKey{"layout", "FilterSRAMBankNum", Use::ignored},
    KnownKey{"layout", "FilterSRAMBankPort", Use::ignored},
    KnownKey{"sparsity", "SparsitySupport", Use::must_be_off},
    KnownKey{"sparsity", "SparseRep", Use::ignored},
    KnownKey{"sparsity", "OptimizedMapping", Use::ignored},
    KnownKey{"sparsity", "BlockSize", Use::ignored},
    KnownKey{"sparsity", "RandomNumberGeneratorSeed", Use::ignored},
    KnownKey{"run_presets", "InterfaceBandwidth", Use::read},
    KnownKey{"run_presets", "UseRamulatorTrace", Use::must_be_off},
    KnownKey{"run_presets", "TimeLinearModel", Use::ignored},
    KnownKey{"network_presets", "TopologyCsvLoc", Use::ignored},
};

std::string small_letters(std::string_view text) {
  std::string letters;
  for (const char c : text) letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return letters;
}

/// Sections and keys of a file, and the errors that name them.
class Parser {
 public:
  struct Value {
    std::string text;
    std::size_t line = 0;
  };

  explicit Parser(std::filesystem::path path) : path_(std::move(path)) {}

  void parse(std::string_view text) {
    while (!text.empty()) {
      const auto feed = text.find('\n');
      std::string_view line = text.substr(0, feed);
      text.remove_prefix(feed == std::string_view::npos ? text.size() : feed + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      ++line_;
      take(line);
    }
  }

  /// The value of a key; null if the file has none.
  const Value* find(std::string_view section, std::string_view key) const {
    const auto found = values_.find({std::string(section), std::string(key)});
    return found == values_.end() ? nullptr : &found->second;
  }
  const Value& value(std::string_view section, std::string_view key) const {
    const Value* found = find(section, key);
    if (found == nullptr) {
      throw workloads::InputError(fmt::format("{}: key '{}' of section [{}] is missing", path_.string(), key, section));
    }
    return *found;
  }
  [[noreturn]] void fail(std::size_t line, std::string_view what) const {
    throw workloads::InputError(fmt::format("{}:{}: {}", path_.string(), line, what));
  }
  [[noreturn]] void fail(std::string_view key, const Value& value, std::string_view what) const {
    fail(value.line, fmt::format("'{}': {}", key, what));
  }

 private:
  void take(std::string_view line) {
    const std::string_view content = trimmed(line);
    if (content.empty() || content.front() == '#' || content.front() == ';') return;
    const std::size_t indent = line.find(content);
    if (in_value_ && indent > indent_) fail(line_, "a value that goes on in the next line is not supported");
    indent_ = indent;
    in_value_ = content.front() != '[';
    if (in_value_) {
      take_key(content);
    } else {
      take_section(content);
    }
  }

  void take_section(std::string_view content) {
    if (!content.ends_with(']')) fail(line_, fmt::format("{}: ']' expected at the end", in_quotes(content)));
    section_ = content.substr(1, content.size() - 2);
    if (std::ranges::find(known_keys, section_, &KnownKey::section) == known_keys.end()) {
      fail(line_, fmt::format("section [{}] is not known", section_));
    }
    if (std::ranges::find(sections_, section_) != sections_.end()) {
      fail(line_, fmt::format("section [{}] is there twice", section_));
    }
    sections_.push_back(section_);
  }

  void take_key(std::string_view content) {
    const auto separator = content.find_first_of("=:");
    if (separator == std::string_view::npos || separator == 0) {
      fail(line_, fmt::format("{} is not a '[section]', 'key = value' or 'key: value'", in_quotes(content)));
    }
    const std::string_view written = trimmed(content.substr(0, separator));
    if (section_.empty()) fail(line_, fmt::format("{} stands before the first [section]", in_quotes(written)));
    const auto known = std::ranges::find_if(known_keys, [&](const KnownKey& k) {
      return k.section == section_ && small_letters(k.key) == small_letters(written);
    });
    if (known == known_keys.end()) {
      fail(line_, fmt::format("{}: key not known in section [{}]", in_quotes(written), section_));
    }
    const Value value{std::string(trimmed(content.substr(separator + 1))), line_};
    if (!values_.emplace(std::pair{section_, std::string(known->key)}, value).second) {
      fail(known->key, value, "given twice");
    }
    if (known->use == Use::must_be_off) expect_off(known->key, value);
  }

  void expect_off(std::string_view key, const Value& value) const {
    const std::string word = small_letters(value.text);
    if (word != "false" && word != "no" && word != "off" && word != "0") {
      fail(key, value, fmt::format("{}; only False is supported", in_quotes(value.text)));
    }
  }

  std::filesystem::path path_;
  std::size_t line_ = 0;
  std::size_t indent_ = 0;  ///< Of the last line that was not empty.
  bool in_value_ = false;   ///< That line was a key's: a deeper one continues its value.
  std::string section_;
  std::vector<std::string> sections_;
  std::map<std::pair<std::string, std::string>, Value> values_;  ///< By section and key as known_keys writes it.
};

ScalesimConfig::Number number(const Parser& file, std::string_view key) {
  const Parser::Value& value = file.value("architecture_presets", key);
  ScalesimConfig::Number result{.value = 0, .key = std::string(key), .line = value.line};
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, result.value);
  if (error != std::errc{} || stop != end || result.value < 1) {
    file.fail(key, value, fmt::format("{}; a whole number of at least 1 expected", in_quotes(value.text)));
  }
  return result;
}

}  // namespace

void ScalesimConfig::fail(const Number& number, std::string_view what) const {
  throw workloads::InputError(fmt::format("{}:{}: '{}': {}", path.string(), number.line, number.key, what));
}

ScalesimConfig read_scalesim_config(const std::filesystem::path& path) {
  const std::string text = workloads::read_whole_file(path);
  Parser file(path);
  file.parse(text);

  ScalesimConfig config;
  config.path = path;
  config.run_name = file.value("general", "run_name").text;
  config.rows = number(file, "ArrayHeight");
  config.columns = number(file, "ArrayWidth");
  config.ifmap_kib = number(file, "IfmapSramSzkB");
  config.filter_kib = number(file, "FilterSramSzkB");
  config.ofmap_kib = number(file, "OfmapSramSzkB");

  const Parser::Value& dataflow = file.value("architecture_presets", "Dataflow");
  if (dataflow.text != "ws") {
    file.fail("Dataflow", dataflow,
              fmt::format("{}; only ws, weight-stationary, is supported", in_quotes(dataflow.text)));
  }
  const Parser::Value& mode = file.value("run_presets", "InterfaceBandwidth");
  if (mode.text == "USER") {
    config.bandwidth = number(file, "Bandwidth");
  } else if (mode.text != "CALC") {
    file.fail("InterfaceBandwidth", mode, fmt::format("{}; CALC or USER expected", in_quotes(mode.text)));
  }
  return config;
}

}  // namespace lpa::traces
