#include "hw_model/machine_config.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "quant/formats/format_error.h"

namespace lpa::hw {
namespace {

using formats::AlignedWidths;
using formats::Arithmetic;
using formats::Converter;
using formats::PsumKind;

int parse_int(const std::string& name, const std::string& text) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) {
    throw ConfigError(fmt::format("{} = '{}': expected a whole number", name, text));
  }
  return value;
}

bool parse_bool(const std::string& name, const std::string& text) {
  if (text == "1" || text == "on" || text == "true" || text == "yes") return true;
  if (text == "0" || text == "off" || text == "false" || text == "no") return false;
  throw ConfigError(fmt::format("{} = '{}': expected on or off", name, text));
}

/// "16,8,4": the lanes of 8-, 4- and 2-bit weights. One number stands for all three.
std::array<int, 3> parse_lane_widths(const std::string& name, const std::string& text) {
  std::vector<int> widths;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    widths.push_back(parse_int(name, text.substr(begin, comma - begin)));
    begin = comma + 1;
  }
  if (widths.size() == 1) return {widths[0], widths[0], widths[0]};
  if (widths.size() == 3) return {widths[0], widths[1], widths[2]};
  throw ConfigError(
      fmt::format("{} = '{}': expected one number, or three for the lanes of 8-, 4- and 2-bit weights", name, text));
}

template <typename Enum>
Enum parse_choice(const std::string& name, const std::string& text,
                  const std::vector<std::pair<std::string, Enum>>& choices) {
  std::string legal;
  for (const auto& [word, value] : choices) {
    if (word == text) return value;
    legal += (legal.empty() ? "" : ", ") + word;
  }
  throw ConfigError(fmt::format("{} = '{}': expected one of {}", name, text, legal));
}

/// What to_string of psum.preset prints: the preset whose accumulators these are, or "custom".
std::string preset_name(const Arithmetic& arithmetic) {
  for (const char* name : {"wide", "poster", "fixed"}) {
    const Arithmetic preset = formats::arithmetic_preset(name);
    if (preset.psum == arithmetic.psum && preset.aligned == arithmetic.aligned &&
        preset.fixed_bits == arithmetic.fixed_bits) {
      return name;
    }
  }
  return "custom";
}

void set_preset(Arithmetic& arithmetic, const std::string& text) {
  if (text == "custom") return;  // What a report of a machine with widths of its own says.
  try {
    const Arithmetic preset = formats::arithmetic_preset(text);
    arithmetic.psum = preset.psum;
    arithmetic.aligned = preset.aligned;
    arithmetic.fixed_bits = preset.fixed_bits;
  } catch (const formats::FormatError&) {
    throw ConfigError(fmt::format("psum.preset = '{}': expected one of wide, poster, fixed", text));
  }
}

using IntMember = std::function<int&(MachineConfig&)>;

Parameter int_parameter(std::string name, std::string unit, std::string description, const IntMember& member) {
  auto get = [member](const MachineConfig& config) {
    MachineConfig copy = config;
    return std::to_string(member(copy));
  };
  auto set = [member, name](MachineConfig& config, const std::string& text) { member(config) = parse_int(name, text); };
  return {std::move(name), std::move(unit), std::move(description), get, set};
}

Parameter bool_parameter(std::string name, std::string description,
                         const std::function<bool&(MachineConfig&)>& member) {
  auto get = [member](const MachineConfig& config) {
    MachineConfig copy = config;
    return std::string(member(copy) ? "on" : "off");
  };
  auto set = [member, name](MachineConfig& config, const std::string& text) {
    member(config) = parse_bool(name, text);
  };
  return {std::move(name), "", std::move(description), get, set};
}

template <typename Enum>
Parameter choice_parameter(std::string name, std::string description,
                           const std::vector<std::pair<std::string, Enum>>& choices,
                           const std::function<Enum&(MachineConfig&)>& member) {
  auto get = [choices, member](const MachineConfig& config) {
    MachineConfig copy = config;
    const Enum now = member(copy);
    return std::ranges::find(choices, now, [](const auto& choice) { return choice.second; })->first;
  };
  auto set = [choices, member, name](MachineConfig& config, const std::string& text) {
    member(config) = parse_choice(name, text, choices);
  };
  return {std::move(name), "", std::move(description), get, set};
}

Parameter lane_parameter(std::string name, std::string description, int AlignedWidths::*width) {
  auto get = [width](const MachineConfig& config) {
    const auto& lanes = config.arithmetic.aligned;
    return fmt::format("{},{},{}", lanes[0].*width, lanes[1].*width, lanes[2].*width);
  };
  auto set = [width, name](MachineConfig& config, const std::string& text) {
    const auto widths = parse_lane_widths(name, text);
    for (std::size_t lane = 0; lane < widths.size(); ++lane) config.arithmetic.aligned[lane].*width = widths[lane];
  };
  return {std::move(name), "bits", std::move(description), get, set};
}

const std::vector<std::pair<std::string, Datapath>> datapaths{{"lp", Datapath::lp},
                                                              {"ant", Datapath::ant},
                                                              {"bitfusion", Datapath::bitfusion},
                                                              {"adaptivfloat", Datapath::adaptivfloat},
                                                              {"posit", Datapath::posit},
                                                              {"integer", Datapath::integer}};

/// Widths of weights, 8, 4 and 2 bits, that a datapath can have.
std::array<bool, 3> possible_widths(Datapath datapath) {
  switch (datapath) {
    case Datapath::lp:
    case Datapath::posit:
    case Datapath::bitfusion:
      return {true, true, true};
    case Datapath::ant:
      return {true, true, false};
    case Datapath::adaptivfloat:
    case Datapath::integer:
      break;
  }
  return {true, false, false};
}

constexpr std::array width_names{"8", "4", "2"};

std::string widths_text(const std::array<bool, 3>& widths) {
  std::string text;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (!widths[i]) continue;
    if (!text.empty()) text += ',';
    text += width_names[i];
  }
  return text;
}

std::array<bool, 3> parse_widths(const std::string& name, const std::string& text) {
  std::array<bool, 3> widths{};
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const auto* const found = std::ranges::find(width_names, text.substr(begin, comma - begin));
    if (found == width_names.end()) throw ConfigError(fmt::format("{} = '{}': expected some of 8,4,2", name, text));
    widths[static_cast<std::size_t>(found - width_names.begin())] = true;
    begin = comma + 1;
  }
  return widths;
}

void add_datapath(std::vector<Parameter>& list) {
  list.push_back({"pe.datapath", "", "lp, ant, bitfusion, adaptivfloat, posit or integer: what PEs multiply",
                  [](const MachineConfig& c) {
                    return std::ranges::find(datapaths, c.datapath, [](const auto& d) { return d.second; })->first;
                  },
                  [](MachineConfig& c, const std::string& text) {
                    const Datapath chosen = parse_choice("pe.datapath", text, datapaths);
                    if (chosen == c.datapath) return;
                    c.datapath = chosen;
                    c.weight_widths = possible_widths(chosen);
                  }});
  list.push_back(
      {"pe.weight_bits", "bits", "widths of weights that PEs take: some of 8,4,2; layers need one of them",
       [](const MachineConfig& c) { return widths_text(c.weight_widths); },
       [](MachineConfig& c, const std::string& text) { c.weight_widths = parse_widths("pe.weight_bits", text); }});
}

void add_memory(std::vector<Parameter>& list) {
  list.push_back(choice_parameter<MemoryType>("memory.type", "external memory: ideal or dram",
                                              {{"ideal", MemoryType::ideal}, {"dram", MemoryType::dram}},
                                              [](auto& c) -> MemoryType& { return c.memory.type; }));
  list.push_back(int_parameter("memory.latency", "cycles", "ideal memory: from request to first data, 0..100000",
                               [](auto& c) -> int& { return c.memory.latency; }));
  list.push_back(int_parameter("memory.bytes_per_cycle", "bytes", "ideal memory: shared bandwidth, 1..4096",
                               [](auto& c) -> int& { return c.memory.bytes_per_cycle; }));
  list.push_back(int_parameter("memory.mib", "MiB", "size of external memory, 1..4095",
                               [](auto& c) -> int& { return c.memory.mib; }));
  list.push_back({"dram.preset", "", "device, channels and ranks: ddr4-2400, lpddr4-3200 or hbm2",
                  [](const MachineConfig& c) { return c.dram.preset(); },
                  [](MachineConfig& c, const std::string& text) { c.dram.set_preset(text); }});
  list.push_back(int_parameter("dram.channels", "", "channels, a power of two, 1..64",
                               [](auto& c) -> int& { return c.dram.channels; }));
  list.push_back(int_parameter("dram.ranks", "", "ranks per channel, a power of two, 1..8",
                               [](auto& c) -> int& { return c.dram.ranks; }));
  list.push_back(choice_parameter<PagePolicy>("dram.page_policy", "rows after an access: open or closed",
                                              {{"open", PagePolicy::open}, {"closed", PagePolicy::closed}},
                                              [](auto& c) -> PagePolicy& { return c.dram.page_policy; }));
  list.push_back(bool_parameter("dram.refresh", "refresh all banks of a rank in turn",
                                [](auto& c) -> bool& { return c.dram.refresh; }));
  list.push_back(bool_parameter("dram.bank_rotation", "rotate the banks of a group by the row",
                                [](auto& c) -> bool& { return c.dram.bank_rotation; }));
}

std::vector<Parameter> make_parameters() {
  const std::vector<std::pair<std::string, Converter>> converters{{"exact_table", Converter::exact_table},
                                                                  {"mitchell", Converter::mitchell}};
  const std::vector<std::pair<std::string, PsumKind>> kinds{{"aligned", PsumKind::aligned}, {"fixed", PsumKind::fixed}};
  std::vector<Parameter> list;
  list.push_back(
      int_parameter("array.rows", "PEs", "inputs (k) of a tile, 1..256", [](auto& c) -> int& { return c.array.rows; }));
  list.push_back(int_parameter("array.columns", "PEs",
                               "columns; a tile has columns * 8 / weight bits outputs (n), 1..256",
                               [](auto& c) -> int& { return c.array.columns; }));
  list.push_back(bool_parameter("array.double_buffer_weights", "load the next tile's weights while this one streams",
                                [](auto& c) -> bool& { return c.array.double_buffer_weights; }));
  list.push_back(bool_parameter("array.fold_overlap", "tiles follow each other into the array, or off: one at a time",
                                [](auto& c) -> bool& { return c.array.fold_overlap; }));
  list.push_back(bool_parameter("array.pack_inputs", "a PE takes 2 inputs of 4 bits, or 4 of 2 bits, at a time",
                                [](auto& c) -> bool& { return c.array.pack_inputs; }));
  list.push_back(int_parameter("array.edge_stages", "", "register stages of the edges' decoders and encoders, 0..1",
                               [](auto& c) -> int& { return c.array.stages.edge; }));
  list.push_back(int_parameter("clock.mhz", "MHz", "clock, 1..10000", [](auto& c) -> int& { return c.clock_mhz; }));
  add_datapath(list);
  list.push_back(int_parameter("pe.stages", "", "register stages of a PE: 2 (MUL, ADD) or 1 (both in a cycle)",
                               [](auto& c) -> int& { return c.array.stages.pe; }));
  list.push_back(int_parameter("pe.log_bits", "bits",
                               "regime and ulfx of a 2-bit lane, for area and energy only, 4..16",
                               [](auto& c) -> int& { return c.pe_log_bits; }));
  list.push_back({"pe.converter", "", "log-linear converter: exact_table or mitchell",
                  [converters](const MachineConfig& c) {
                    return c.arithmetic.converter == Converter::mitchell ? converters[1].first : converters[0].first;
                  },
                  [converters](MachineConfig& c, const std::string& text) {
                    c.arithmetic.converter = parse_choice("pe.converter", text, converters);
                  }});
  list.push_back(int_parameter("pe.lf_bits", "bits", "fraction bits of the log-linear converter's output, 1..16",
                               [](auto& c) -> int& { return c.arithmetic.lf_bits; }));
  list.push_back({"psum.preset", "", "widths of the partial sums: wide (16+16), poster (8+8, 4+4, 2+2) or fixed (32)",
                  [](const MachineConfig& c) { return preset_name(c.arithmetic); },
                  [](MachineConfig& c, const std::string& text) { set_preset(c.arithmetic, text); }});
  list.push_back({"pe.psum", "", "partial sums: aligned or fixed",
                  [kinds](const MachineConfig& c) {
                    return c.arithmetic.psum == PsumKind::fixed ? kinds[1].first : kinds[0].first;
                  },
                  [kinds](MachineConfig& c, const std::string& text) {
                    c.arithmetic.psum = parse_choice("pe.psum", text, kinds);
                  }});
  list.push_back(lane_parameter("psum.integer_bits", "headroom of aligned sums, sign included; lanes of 8, 4, 2 bits",
                                &AlignedWidths::integer_bits));
  list.push_back(lane_parameter("psum.fraction_bits", "fraction bits of aligned sums; lanes of 8, 4, 2 bits",
                                &AlignedWidths::fraction_bits));
  list.push_back(int_parameter("psum.bits", "bits", "width of fixed sums, 8..32",
                               [](auto& c) -> int& { return c.arithmetic.fixed_bits; }));
  list.push_back(int_parameter("encoder.log_bits", "bits", "linear-log table of the encoder, in and out, 4..12",
                               [](auto& c) -> int& { return c.arithmetic.encoder_log_bits; }));
  list.push_back(bool_parameter("encoder.flush", "magnitudes below minpos/2 become zero",
                                [](auto& c) -> bool& { return c.arithmetic.flush; }));
  list.push_back(int_parameter("ppu.lanes", "elements", "elements per cycle of the post-processing unit, 1..256",
                               [](auto& c) -> int& { return c.ppu.lanes; }));
  list.push_back(int_parameter("ppu.parameter_kib", "KiB",
                               "memory of the unit's parameters: a table, or scale and shift of channels, 1..1024",
                               [](auto& c) -> int& { return c.ppu.parameter_kib; }));
  list.push_back(int_parameter("ppu.integer_bits", "bits", "headroom of the unit's adder, sign included",
                               [](auto& c) -> int& { return c.arithmetic.ppu.integer_bits; }));
  list.push_back(int_parameter("ppu.fraction_bits", "bits", "fraction bits of the unit's adder",
                               [](auto& c) -> int& { return c.arithmetic.ppu.fraction_bits; }));
  const auto add_buffer = [&list](const std::string& name, const std::string& what,
                                  BufferConfig MachineConfig::*buffer) {
    list.push_back(int_parameter(name + ".kib", "KiB", what + ", both halves, 1..65536",
                                 [buffer](auto& c) -> int& { return (c.*buffer).kib; }));
    list.push_back(int_parameter(name + ".port_bytes", "bytes", "bytes per access and cycle, a power of two, 8..1024",
                                 [buffer](auto& c) -> int& { return (c.*buffer).port_bytes; }));
  };
  add_buffer("weight_buffer", "weights and biases", &MachineConfig::weight_buffer);
  add_buffer("input_buffer", "input feature map rows", &MachineConfig::input_buffer);
  const auto add_ports = [&list](const std::string& name, BufferConfig MachineConfig::*buffer) {
    list.push_back(int_parameter(name + ".ports", "", "of each half: 2 reads and writes in one cycle, 1 does either",
                                 [buffer](auto& c) -> int& { return (c.*buffer).ports; }));
  };
  add_ports("weight_buffer", &MachineConfig::weight_buffer);
  add_ports("input_buffer", &MachineConfig::input_buffer);
  add_buffer("output_buffer", "partial sums, outputs and residuals", &MachineConfig::output_buffer);
  list.push_back(int_parameter("dma.burst_bytes", "bytes", "largest transaction, a power of two, 8..1024",
                               [](auto& c) -> int& { return c.dma.burst_bytes; }));
  list.push_back(int_parameter("dma.outstanding", "", "transactions in flight per engine, 1..1024",
                               [](auto& c) -> int& { return c.dma.outstanding; }));
  add_memory(list);
  list.push_back(int_parameter("stall.permille", "", "cycles of 1000 in which each interface is stalled, 0..900",
                               [](auto& c) -> int& { return c.stall.permille; }));
  list.push_back(int_parameter("stall.seed", "", "which cycles these are, 0..2147483647",
                               [](auto& c) -> int& { return c.stall.seed; }));
  return list;
}

void require(bool ok, const std::string& name, int value, const std::string& legal) {
  if (!ok) throw ConfigError(fmt::format("{} = {}: expected {}", name, value, legal));
}

void require_range(const std::string& name, int value, int low, int high) {
  require(low <= value && value <= high, name, value, fmt::format("a value from {} to {}", low, high));
}

void require_power_of_two(const std::string& name, int value, int low, int high) {
  require(low <= value && value <= high && (value & (value - 1)) == 0, name, value,
          fmt::format("a power of two from {} to {}", low, high));
}

}  // namespace

void MachineConfig::validate() const {
  require_range("array.rows", array.rows, 1, 256);
  require_range("array.columns", array.columns, 1, 256);
  require_range("array.edge_stages", array.stages.edge, 0, 1);
  require_range("pe.stages", array.stages.pe, 1, 2);
  require_range("clock.mhz", clock_mhz, 1, 10000);
  require_range("pe.log_bits", pe_log_bits, 4, 16);
  const std::array<bool, 3> possible = possible_widths(datapath);
  for (std::size_t i = 0; i < possible.size(); ++i) {
    if (!weight_widths[i] || possible[i]) continue;
    throw ConfigError(fmt::format("pe.weight_bits = {}: expected some of {}, which this datapath has",
                                  widths_text(weight_widths), widths_text(possible)));
  }
  const bool fuses = datapath == Datapath::lp || datapath == Datapath::ant || datapath == Datapath::bitfusion;
  if (array.pack_inputs && !fuses) {
    throw ConfigError("array.pack_inputs = on: expected off, since this datapath takes one input at a time");
  }
  if (datapath != Datapath::lp && arithmetic.psum != formats::PsumKind::fixed) {
    throw ConfigError("pe.psum = aligned: expected fixed, since only the lp datapath has aligned sums");
  }
  if (const std::string wrong = formats::check(arithmetic); !wrong.empty()) throw ConfigError(wrong);
  require_range("ppu.lanes", ppu.lanes, 1, 256);
  require_range("ppu.parameter_kib", ppu.parameter_kib, 1, 1024);
  const auto check_buffer = [](const std::string& name, const BufferConfig& buffer) {
    require_range(name + ".kib", buffer.kib, 1, 65536);
    require_power_of_two(name + ".port_bytes", buffer.port_bytes, 8, 1024);
  };
  require_range("weight_buffer.ports", weight_buffer.ports, 1, 2);
  require_range("input_buffer.ports", input_buffer.ports, 1, 2);
  check_buffer("weight_buffer", weight_buffer);
  check_buffer("input_buffer", input_buffer);
  check_buffer("output_buffer", output_buffer);
  require_power_of_two("dma.burst_bytes", dma.burst_bytes, 8, 1024);
  require_range("dma.outstanding", dma.outstanding, 1, 1024);
  require_range("memory.latency", memory.latency, 0, 100000);
  require_range("memory.bytes_per_cycle", memory.bytes_per_cycle, 1, 4096);
  require_range("memory.mib", memory.mib, 1, 4095);
  dram.validate();
  if (const std::int64_t mib = dram.bytes() >> 20; memory.type == MemoryType::dram && memory.mib > mib) {
    throw ConfigError(fmt::format("memory.mib = {}: expected at most {}, the size of the DRAM", memory.mib, mib));
  }
  require_range("stall.permille", stall.permille, 0, 900);
  require_range("stall.seed", stall.seed, 0, 2147483647);
}

formats::NumberSystem MachineConfig::numbers() const {
  switch (datapath) {
    case Datapath::lp:
      break;
    case Datapath::ant:
      return formats::NumberSystem::ant;
    case Datapath::adaptivfloat:
      return formats::NumberSystem::adaptivfloat;
    case Datapath::posit:
      return formats::NumberSystem::posit;
    case Datapath::bitfusion:
    case Datapath::integer:
      return formats::NumberSystem::integer;
  }
  return formats::NumberSystem::lp;
}

datapath::Multiplier MachineConfig::multiplier() const {
  switch (datapath) {
    case Datapath::lp:
      break;
    case Datapath::ant:
      return datapath::Multiplier::nibbles;
    case Datapath::bitfusion:
      return datapath::Multiplier::bricks;
    case Datapath::adaptivfloat:
    case Datapath::posit:
    case Datapath::integer:
      return datapath::Multiplier::significands;
  }
  return datapath::Multiplier::logarithms;
}

std::uint64_t MachineConfig::period_ps() const {
  const auto mhz = static_cast<std::uint64_t>(clock_mhz);
  return (1'000'000 + mhz / 2) / mhz;
}

double MachineConfig::peak_memory_bytes() const {
  if (memory.type == MemoryType::ideal) return memory.bytes_per_cycle;
  return dram.peak_bandwidth() * static_cast<double>(period_ps()) * 1e-12;
}

int MachineConfig::psum_bytes(int weight_bits) const {
  constexpr int exponent_bits = 11;
  const auto& widths = arithmetic.widths(weight_bits);
  const int bits = arithmetic.psum == PsumKind::fixed ? arithmetic.fixed_bits + 1
                                                      : widths.integer_bits + widths.fraction_bits + exponent_bits + 1;
  return (bits + 7) / 8;
}

const std::vector<Parameter>& machine_parameters() {
  static const std::vector<Parameter> parameters = make_parameters();
  return parameters;
}

}  // namespace lpa::hw
