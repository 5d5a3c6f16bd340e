#include "tests/hw_model/differential/random_case.h"

#include <algorithm>

#include <fmt/format.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/mapper.h"

namespace lpa::test {
namespace {

using hw::Descriptor;
using hw::FormatFields;
using hw::MachineConfig;

void draw_arithmetic(Choices& c, formats::Arithmetic& a) {
  a = formats::arithmetic_preset(c.pick({"wide", "fixed", "poster", "fixed"}));
  if (c.chance(1, 3)) a.converter = formats::Converter::mitchell;
  a.lf_bits = c.pick({8, 6, 10, 12});
  if (a.psum == formats::PsumKind::fixed) a.fixed_bits = c.pick({32, 24, 16, 32, 10});
  a.encoder_log_bits = c.pick({8, 6, 10});
  a.flush = !c.chance(1, 4);
}

void draw_memory(Choices& c, MachineConfig& config) {
  config.memory.mib = 1;
  config.memory.latency = c.pick({40, 0, 1, 7, 200});
  config.memory.bytes_per_cycle = c.pick({16, 1, 4, 64});
  if (!c.chance(1, 3)) return;
  config.memory.type = hw::MemoryType::dram;
  config.dram.set_preset(c.pick({"ddr4-2400", "lpddr4-3200", "hbm2"}));
  config.dram.channels = c.pick({1, 2, 4});
  config.dram.ranks = c.pick({1, 2});
  config.dram.page_policy = c.pick({hw::PagePolicy::open, hw::PagePolicy::closed});
  config.dram.refresh = !c.chance(1, 3);
}

/// What PEs multiply, with the arithmetic that this allows.
void draw_datapath(Choices& c, MachineConfig& config) {
  using enum hw::Datapath;
  config.datapath = c.pick({lp, lp, lp, integer, ant, bitfusion, adaptivfloat, posit});
  if (config.datapath == lp) return;
  const auto numbers = config.numbers();
  for (std::size_t i = 0; i < 3; ++i) config.weight_widths[i] = !formats_of(numbers, 8 >> i).empty();
  if (config.datapath == integer) config.weight_widths = {true, false, false};
  config.array.pack_inputs = config.array.pack_inputs && (config.datapath == ant || config.datapath == bitfusion);
  config.arithmetic.psum = formats::PsumKind::fixed;
}

MachineConfig draw_machine(Choices& c, bool large) {
  MachineConfig config;
  config.array.rows = c.pick({8, 4, 2, 1, 3, 5, 16, 11, 40});
  config.array.columns = c.pick({8, 4, 2, 1, 3, 12, 16, 6, 24});
  config.array.double_buffer_weights = !c.chance(1, 4);
  config.array.fold_overlap = !c.chance(1, 4);
  config.array.pack_inputs = c.chance(1, 3);
  config.array.stages = {.pe = c.pick({2, 1}), .edge = c.pick({1, 0})};
  config.clock_mhz = c.pick({500, 1000, 333, 700});
  const int roomy = large ? 64 : c.pick({16, 4, 2, 1});
  config.weight_buffer = {c.draw(1, roomy), c.pick({64, 8, 16, 32})};
  config.input_buffer = {c.draw(1, 2 * roomy), c.pick({64, 8, 16, 32})};
  config.output_buffer = {c.draw(1, 2 * roomy), c.pick({64, 8, 16})};
  config.weight_buffer.ports = c.chance(1, 4) ? 1 : 2;
  config.input_buffer.ports = c.chance(1, 4) ? 1 : 2;
  config.dma = {c.pick({64, 8, 16, 128}), c.pick({64, 1, 2, 5})};
  draw_memory(c, config);
  config.ppu.lanes = c.pick({16, 1, 3, 8, 40, 100});
  config.ppu.parameter_kib = c.pick({32, 1});
  draw_arithmetic(c, config.arithmetic);
  draw_datapath(c, config);
  config.stall.permille = c.chance(1, 3) ? c.pick({100, 10, 500, 800}) : 0;
  config.stall.seed = c.draw(1, 1000);
  return config;
}

FormatFields draw_format(Choices& c, formats::NumberSystem numbers, int bits) {
  FormatFields f;
  f.bits = bits;
  if (numbers != formats::NumberSystem::lp) {
    const auto all = formats_of(numbers, bits);
    const formats::TensorFormat& format = all[static_cast<std::size_t>(c.draw(0, static_cast<int>(all.size()) - 1))];
    return {bits, format.es, bits - 1, 0, c.draw(0, 512) - 256, static_cast<std::int64_t>(format.family)};
  }
  f.es = c.draw(0, std::max(0, bits - 3));
  f.rs = c.draw(1, bits - 1);
  f.regime = f.rs >= 2 && c.chance(1, 4) ? 1 : 0;
  f.sf = c.draw(0, 512) - 256;
  return f;
}

FormatFields draw_format(Choices& c, formats::NumberSystem numbers) {
  int bits = c.pick({8, 4, 2});
  if (formats_of(numbers, bits).empty()) bits = 8;
  return draw_format(c, numbers, bits);
}

/// Sizes of a window that fits its input.
void draw_window(Choices& c, Descriptor& d, bool gemm, bool large) {
  const int times = large ? 4 : 1;
  d.in_h = c.draw(1, times * (gemm ? 40 : 10));
  d.in_w = gemm ? 1 : c.draw(1, times * 12);
  if (!gemm) {
    d.kernel_h = c.pick({1, 2, 3, 5});
    d.kernel_w = c.pick({1, 2, 3, 7});
    d.dilation_h = c.draw(1, 2);
    d.dilation_w = c.draw(1, 2);
    d.stride_h = c.pick({1, 2, 3, 6});
    d.stride_w = c.draw(1, 3);
  }
  const std::int64_t reach_h = (d.kernel_h - 1) * d.dilation_h;
  const std::int64_t reach_w = (d.kernel_w - 1) * d.dilation_w;
  d.pad_top = c.draw(0, static_cast<int>(reach_h));
  d.pad_left = c.draw(0, static_cast<int>(reach_w));
  // As many positions as begin inside the padded input, or fewer.
  d.out_h = c.draw(1, static_cast<int>((d.in_h + d.pad_top - 1) / d.stride_h + 1));
  d.out_w = c.draw(1, static_cast<int>((d.in_w + d.pad_left - 1) / d.stride_w + 1));
}

/// Many visits that are alike: n-tiles whose results lie at the same places of bursts.
bool draw_alike(Choices& c, Descriptor& d) {
  if (!d.uses_array() || d.groups > 1 || d.layout() != hw::WeightLayout::packed || !c.chance(1, 4)) return false;
  d.out_c = 64 * c.draw(1, 4);
  d.in_c = c.draw(1, 12);
  return true;
}

std::int64_t pitch(Choices& c, std::int64_t channels, std::int64_t bits) {
  return hw::packed_bytes(channels, bits) + (c.chance(1, 4) ? c.draw(1, 9) : 0);
}

/// A smaller tiling than the mapper's, if the machine accepts it.
void draw_tiling(Choices& c, Descriptor& d, const MachineConfig& config) {
  Descriptor other = d;
  other.loop_order = c.draw(0, 1);
  other.band_rows = c.draw(1, static_cast<int>(d.band_rows));
  if (d.uses_array()) {
    const hw::Tiling tiling(d, config);
    other.block_tiles = c.draw(1, static_cast<int>(d.block_tiles));
    if (other.block_tiles == 1 && tiling.k_tiles > 1 && c.chance(1, 3)) {
      other.k_block = static_cast<int>(tiling.rows) * c.draw(1, static_cast<int>(tiling.k_tiles) - 1);
    }
  }
  if (!hw::check(other, config)) d = other;
}

/// A place in memory; addresses need not be aligned.
class Allocator {
 public:
  std::int64_t take(Choices& c, std::int64_t bytes) {
    const std::int64_t at = next_ + c.pick({0, 0, 1, 7, 40});
    next_ = (at + bytes + 63) / 64 * 64;
    return at;
  }
  std::int64_t next() const { return next_; }

 private:
  std::int64_t next_ = 0x1000;
};

std::vector<std::uint8_t> random_bytes(std::mt19937_64& random, std::int64_t count) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

std::vector<std::uint8_t> draw_weights(Choices& c, std::mt19937_64& random, const Descriptor& d,
                                       const MachineConfig& config) {
  const bool nars = c.chance(1, 4);
  const auto nar = static_cast<formats::Word>(1u << (d.weight.bits - 1));
  std::vector<formats::Word> words(static_cast<std::size_t>(d.out_c * d.kernel_h * d.kernel_w * d.in_c / d.groups));
  for (auto& word : words) {
    word = static_cast<formats::Word>(random() % (1u << d.weight.bits));
    if (word == nar && !(nars && random() % 16 == 0)) word = 1;
  }
  std::vector<formats::BiasTerm> bias(static_cast<std::size_t>(d.out_c));
  for (auto& term : bias) {
    if (random() % 4 == 0) continue;
    const auto mantissa = static_cast<std::int32_t>((1u << 24) + random() % (1u << 24));
    term = {random() % 2 == 0 ? mantissa : -mantissa, static_cast<std::int16_t>(static_cast<int>(random() % 12) - 6)};
  }
  std::vector<std::int16_t> scales(bias.size());
  if (c.chance(1, 2)) {
    for (auto& scale : scales) scale = static_cast<std::int16_t>(static_cast<int>(random() % 1024) - 512);
  }
  return driver::pack_weights(d, config, words.data(), bias.data(), scales.data());
}

/// A map's bytes without NaR words, or with some.
std::vector<std::uint8_t> draw_map(Choices& c, std::mt19937_64& random, std::int64_t bytes, std::int64_t bits) {
  std::vector<std::uint8_t> map = random_bytes(random, bytes);
  if (c.chance(1, 4)) return map;
  for (auto& byte : map) {
    for (std::int64_t bit = 0; bit < 8; bit += bits) {
      const auto mask = static_cast<std::uint8_t>(((1u << bits) - 1) << bit);
      const auto nar = static_cast<std::uint8_t>((1u << (bits - 1)) << bit);
      if ((byte & mask) == nar) byte = static_cast<std::uint8_t>(byte & ~mask);
    }
  }
  return map;
}

/// What stands in the array: weights, or another map; and what becomes of the sums.
void draw_product(Choices& c, Descriptor& d, formats::NumberSystem numbers, bool gemm) {
  d.encoded = d.output;
  d.scale = c.draw(0, 2048) - 1024;
  d.psum_lsb = -c.draw(2, 20);
  d.weight = draw_format(c, numbers);
  if (gemm && c.chance(1, 2)) {
    d.weight = draw_format(c, numbers, 8);
    d.weight_layout = c.draw(1, 2);
    d.weight_pitch = (d.layout() == hw::WeightLayout::rows ? d.out_c : d.in_c) + c.pick({0, 0, 1, 40});
  } else if (c.chance(1, 4)) {
    d.groups = c.draw(1, 6);
    d.in_c = d.groups * c.draw(1, 3);
    d.out_c = d.groups * c.draw(1, 3);
  }
  if (c.chance(1, 3)) {
    d.flags |= hw::flag_addend;
    d.encoded = draw_format(c, numbers);
  } else if (c.chance(1, 4)) {
    d.flags |= hw::flag_table;
    d.encoded = draw_format(c, numbers);
  }
}

Descriptor draw_shape(Choices& c, formats::NumberSystem numbers, bool large) {
  Descriptor d;
  const int kind = c.draw(0, 13);
  const bool gemm = kind >= 5 && kind <= 7;
  d.op = kind <= 7 ? 0 : kind - 7;
  const hw::LayerOp op = d.operation();
  const bool window = d.uses_array() || op == hw::LayerOp::max_pool || op == hw::LayerOp::average_pool;
  d.in_c = c.draw(1, gemm || !window ? 80 : 20);
  d.out_c = d.uses_array() ? c.draw(1, gemm ? 70 : 30) : d.in_c;
  if (window) {
    draw_window(c, d, gemm, large);
  } else {
    d.in_h = d.out_h = c.draw(1, 10);
    d.in_w = d.out_w = c.draw(1, 12);
  }
  d.input = draw_format(c, numbers);
  d.output = op == hw::LayerOp::max_pool ? d.input : draw_format(c, numbers);
  if (d.uses_array()) draw_product(c, d, numbers, gemm);
  if (op == hw::LayerOp::copy) {
    if (c.chance(1, 2)) d.flags |= hw::flag_table;
    if (!d.has(hw::flag_table)) d.output = d.input;
  }
  if (op == hw::LayerOp::layer_norm && c.chance(3, 4)) d.epsilon = -c.draw(0, 6000);
  if (d.adds()) d.addend = draw_format(c, numbers);
  if (c.chance(1, 2)) d.flags |= hw::flag_relu;
  if (d.operation() == hw::LayerOp::average_pool && c.chance(1, 2)) d.flags |= hw::flag_count_include_pad;
  return d;
}

/// Several times the same work: on maps one behind the other or, as heads do, on channels side by side. The pitches are
/// those of a single one.
void draw_batch(Choices& c, Descriptor& d) {
  d.batch = c.chance(1, 3) ? c.draw(2, 4) : 1;
  if (d.batch == 1) return;
  const auto advance = [&](std::int64_t& pitch, std::int64_t positions) {
    if (c.chance(1, 2)) return positions * pitch + c.pick({0, 0, 5});
    const std::int64_t bytes = pitch;
    pitch *= d.batch;
    return bytes;
  };
  d.input_stride = c.chance(1, 4) ? c.draw(0, 9) : advance(d.input_pitch, d.in_h * d.in_w);
  d.output_stride = advance(d.output_pitch, d.out_h * d.out_w);
  if (d.adds()) d.addend_stride = advance(d.addend_pitch, d.out_h * d.out_w);
}

/// Bytes of a tensor of that many positions and all of its batch.
std::int64_t tensor_bytes(const Descriptor& d, std::int64_t positions, std::int64_t pitch, std::int64_t stride) {
  return positions * pitch + (d.batch - 1) * stride;
}

/// The stationary operands of all products.
std::vector<std::uint8_t> draw_stationary(Choices& c, std::mt19937_64& random, Descriptor& d,
                                          const MachineConfig& config) {
  const hw::Tiling tiling(d, config);
  if (d.layout() != hw::WeightLayout::packed) {
    d.weight_stride = c.pick({0, 3, 64});
    return draw_map(c, random, tiling.weight_extent() + (d.batch - 1) * d.weight_stride, 8);
  }
  std::vector<std::uint8_t> all;
  for (std::int64_t i = 0; i < d.batch; ++i) {
    const std::vector<std::uint8_t> one = draw_weights(c, random, d, config);
    all.insert(all.end(), one.begin(), one.end());
  }
  d.weight_stride = tiling.weight_bytes();
  return all;
}

/// A table, or scales and shifts near 1.
std::vector<std::uint8_t> draw_parameters(std::mt19937_64& random, const Descriptor& d) {
  std::vector<std::uint8_t> bytes = random_bytes(random, d.parameter_bytes());
  if (d.has(hw::flag_table)) {
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(byte & ((1u << d.output.bits) - 1));
    return bytes;
  }
  for (std::size_t i = 1; i < bytes.size(); i += 4) bytes[i] = static_cast<std::uint8_t>(bytes[i] % 8 - 4);
  return bytes;
}

/// False if the machine cannot run the layer, whatever the tiling.
bool add_layer(Choices& c, std::mt19937_64& random, bool large, Case& test, Allocator& inputs,
               std::vector<Descriptor>& pending) {
  Descriptor d = draw_shape(c, test.config.numbers(), large);
  const bool alike = draw_alike(c, d);
  d.input_channel = c.chance(1, 4) ? c.draw(1, 5) : 0;
  d.output_channel = c.chance(1, 4) ? 4 * c.draw(1, 2) : 0;
  d.input_pitch = pitch(c, d.input_channel + d.in_c, d.input.bits);
  d.output_pitch = pitch(c, d.output_channel + d.out_c, d.output.bits);
  if (d.adds()) d.addend_pitch = pitch(c, d.output_channel + d.out_c, d.addend.bits);
  if (alike) d.output_pitch = (d.output_pitch + 63) / 64 * 64;
  draw_batch(c, d);
  try {
    driver::map_layer(d, test.config, "case");
  } catch (const driver::MachineError&) {
    return false;
  }
  if (!large || c.chance(1, 4)) draw_tiling(c, d, test.config);
  if (hw::check(d, test.config)) return false;

  const auto place = [&](std::vector<std::uint8_t> bytes) {
    const std::int64_t at = inputs.take(c, static_cast<std::int64_t>(bytes.size()));
    test.memory.push_back({static_cast<std::uint64_t>(at), std::move(bytes)});
    return at;
  };
  d.input_address =
      place(draw_map(c, random, tensor_bytes(d, d.in_h * d.in_w, d.input_pitch, d.input_stride), d.input.bits));
  if (d.uses_array()) d.weight_address = place(draw_stationary(c, random, d, test.config));
  if (d.adds()) {
    const std::int64_t bytes = tensor_bytes(d, d.out_h * d.out_w, d.addend_pitch, d.addend_stride);
    d.addend_address = place(draw_map(c, random, bytes, d.addend.bits));
  }
  if (d.parameter_bytes() > 0) d.parameter_address = place(draw_parameters(random, d));
  pending.push_back(d);
  return true;
}

/// The same layers again, with results elsewhere and, perhaps, other inputs: the fast model may know what they take.
void repeat_layers(Choices& c, Case& test, Allocator& allocator) {
  const std::vector<Descriptor> layers = test.layers;
  for (Descriptor d : layers) {
    d.output_address = allocator.take(c, tensor_bytes(d, d.out_h * d.out_w, d.output_pitch, d.output_stride));
    d.input_address += c.pick({0, 64, 1024, 3});
    if (allocator.next() > std::int64_t{test.config.memory.mib} << 20) return;
    test.layers.push_back(d);
    test.end_address = static_cast<std::uint64_t>(allocator.next());
  }
}

}  // namespace

Case make_case(Choices& c) {
  Case test;
  const bool large = c.chance(1, 4);  // Long runs of vectors: large maps, in few bands.
  test.config = draw_machine(c, large);
  test.four_phase = c.chance(1, 4);
  std::mt19937_64 random(static_cast<std::uint64_t>(c.draw(0, 1 << 20)));
  Allocator allocator;
  std::vector<Descriptor> layers;
  const int wanted = c.draw(1, 3);
  for (int attempt = 0; attempt < 40 && static_cast<int>(layers.size()) < wanted; ++attempt) {
    add_layer(c, random, large, test, allocator, layers);
  }
  test.output_address = static_cast<std::uint64_t>(allocator.next());
  for (Descriptor& d : layers) {
    d.output_address = allocator.take(c, tensor_bytes(d, d.out_h * d.out_w, d.output_pitch, d.output_stride));
    test.layers.push_back(d);
  }
  test.end_address = static_cast<std::uint64_t>(allocator.next());
  if (!test.layers.empty() && c.chance(1, 8)) {
    test.refused = test.layers;
    Descriptor& broken = test.refused[static_cast<std::size_t>(c.draw(0, static_cast<int>(layers.size()) - 1))];
    const auto& fields = hw::descriptor_fields();
    fields[static_cast<std::size_t>(c.draw(0, static_cast<int>(fields.size()) - 1))].at(broken) = 0xfffffff0;
  }
  if (c.chance(1, 3)) test.interference.look_after = c.draw(1, 3000);
  if (c.chance(1, 6)) test.interference.reset_after = c.draw(1, 3000);
  if (c.chance(1, 2)) repeat_layers(c, test, allocator);
  return test;
}

std::string to_string(const Case& test) {
  std::string text;
  const MachineConfig standard;
  for (const hw::Parameter& parameter : hw::machine_parameters()) {
    const std::string value = parameter.get(test.config);
    if (value != parameter.get(standard)) text += fmt::format("  --{} {}\n", parameter.name, value);
  }
  for (const Descriptor& layer : test.layers) {
    Descriptor copy = layer;
    Descriptor plain;
    text += "  layer:";
    for (const hw::DescriptorField& field : hw::descriptor_fields()) {
      if (field.at(copy) != field.at(plain)) text += fmt::format(" {}={}", field.name, field.at(copy));
    }
    text += '\n';
  }
  if (!test.refused.empty()) text += "  before it, the same with an illegal field\n";
  text += fmt::format("  memory speaks {} to the fast model", test.four_phase ? "four phases" : "with annotated time");
  if (test.interference.look_after > 0) text += fmt::format(", a look after {} cycles", test.interference.look_after);
  if (test.interference.reset_after > 0) text += fmt::format(", a reset after {}", test.interference.reset_after);
  return text + '\n';
}

}  // namespace lpa::test
