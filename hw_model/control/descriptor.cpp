#include "hw_model/control/descriptor.h"

#include <algorithm>
#include <cassert>

#include "hw_model/control/schedule.h"

namespace lpa::hw {
namespace {

constexpr std::int64_t max_size = 65535;
constexpr std::int64_t max_address = 0xffffffff;
constexpr std::int64_t max_pitch = 0xffffff;
constexpr std::int64_t max_sf = std::int64_t{127} * 256;

template <std::int64_t Descriptor::*Member>
DescriptorField field(const std::string& name, std::int64_t min, std::int64_t max) {
  return {name, min, max, [](Descriptor& d) -> std::int64_t& { return d.*Member; }};
}

template <FormatFields Descriptor::*Format, std::int64_t FormatFields::*Member>
DescriptorField format_field(const std::string& name, std::int64_t min, std::int64_t max) {
  return {name, min, max, [](Descriptor& d) -> std::int64_t& { return d.*Format.*Member; }};
}

template <FormatFields Descriptor::*Format>
std::vector<DescriptorField> format_fields(const std::string& name) {
  return {format_field<Format, &FormatFields::bits>(name + ".bits", 2, 8),
          format_field<Format, &FormatFields::es>(name + ".es", 0, 5),
          format_field<Format, &FormatFields::rs>(name + ".rs", 1, 7),
          format_field<Format, &FormatFields::regime>(name + ".regime", 0, 1),
          format_field<Format, &FormatFields::sf>(name + ".sf", -max_sf, max_sf),
          format_field<Format, &FormatFields::family>(name + ".family", 0, 5)};
}

std::vector<DescriptorField> make_fields() {
  std::vector<DescriptorField> fields;
  const auto add = [&fields](const std::vector<DescriptorField>& more) {
    fields.insert(fields.end(), more.begin(), more.end());
  };
  add({field<&Descriptor::magic>("magic", Descriptor::magic_value, Descriptor::magic_value),
       field<&Descriptor::version>("version", Descriptor::version_value, Descriptor::version_value),
       field<&Descriptor::op>("op", 0, 6), field<&Descriptor::flags>("flags", 0, 15)});
  add(format_fields<&Descriptor::weight>("weight"));
  add(format_fields<&Descriptor::input>("input"));
  add(format_fields<&Descriptor::encoded>("encoded"));
  add(format_fields<&Descriptor::addend>("addend"));
  add(format_fields<&Descriptor::output>("output"));
  add({field<&Descriptor::scale>("scale", -3 * max_sf, 3 * max_sf),
       field<&Descriptor::psum_lsb>("psum_lsb", -1024, 1023),
       field<&Descriptor::in_h>("in_h", 1, max_size),
       field<&Descriptor::in_w>("in_w", 1, max_size),
       field<&Descriptor::in_c>("in_c", 1, max_size),
       field<&Descriptor::out_h>("out_h", 1, max_size),
       field<&Descriptor::out_w>("out_w", 1, max_size),
       field<&Descriptor::out_c>("out_c", 1, max_size),
       field<&Descriptor::kernel_h>("kernel_h", 1, 1023),
       field<&Descriptor::kernel_w>("kernel_w", 1, 1023),
       field<&Descriptor::stride_h>("stride_h", 1, 1023),
       field<&Descriptor::stride_w>("stride_w", 1, 1023),
       field<&Descriptor::pad_top>("pad_top", 0, 1023),
       field<&Descriptor::pad_left>("pad_left", 0, 1023),
       field<&Descriptor::dilation_h>("dilation_h", 1, 1023),
       field<&Descriptor::dilation_w>("dilation_w", 1, 1023),
       field<&Descriptor::input_pitch>("input_pitch", 1, max_pitch),
       field<&Descriptor::input_channel>("input_channel", 0, max_size),
       field<&Descriptor::output_pitch>("output_pitch", 1, max_pitch),
       field<&Descriptor::output_channel>("output_channel", 0, max_size),
       field<&Descriptor::addend_pitch>("addend_pitch", 1, max_pitch),
       field<&Descriptor::input_address>("input_address", 0, max_address),
       field<&Descriptor::weight_address>("weight_address", 0, max_address),
       field<&Descriptor::output_address>("output_address", 0, max_address),
       field<&Descriptor::addend_address>("addend_address", 0, max_address),
       field<&Descriptor::loop_order>("loop_order", 0, 1),
       field<&Descriptor::band_rows>("band_rows", 1, max_size),
       field<&Descriptor::block_tiles>("block_tiles", 1, max_size),
       field<&Descriptor::k_block>("k_block", 1, max_address),
       field<&Descriptor::groups>("groups", 1, max_size),
       field<&Descriptor::weight_layout>("weight_layout", 0, 2),
       field<&Descriptor::weight_pitch>("weight_pitch", 1, max_pitch),
       field<&Descriptor::batch>("batch", 1, max_size),
       field<&Descriptor::input_stride>("input_stride", 0, max_address),
       field<&Descriptor::weight_stride>("weight_stride", 0, max_address),
       field<&Descriptor::output_stride>("output_stride", 0, max_address),
       field<&Descriptor::addend_stride>("addend_stride", 0, max_address),
       field<&Descriptor::parameter_address>("parameter_address", 0, max_address),
       field<&Descriptor::epsilon>("epsilon", no_epsilon, -no_epsilon - 1)});
  return fields;
}

/// Checks fields in turn and remembers the first that is wrong.
class Checker {
 public:
  void expect(bool ok, std::string_view field, bool capacity = false) {
    if (!ok && !error_) error_ = DescriptorError{capacity, descriptor_field(field)};
  }
  bool ok() const { return !error_; }
  const std::optional<DescriptorError>& error() const { return error_; }

 private:
  std::optional<DescriptorError> error_;
};

void check_format(Checker& checker, const FormatFields& format, const std::string& name,
                  formats::NumberSystem numbers) {
  checker.expect(format.bits == 2 || format.bits == 4 || format.bits == 8, name + ".bits");
  if (numbers == formats::NumberSystem::lp) {
    checker.expect(format.family == 0, name + ".family");
    checker.expect(format.es <= std::max<std::int64_t>(0, format.bits - 3), name + ".es");
    checker.expect(format.rs <= format.bits - 1 && (format.regime == 0 || format.rs >= 2), name + ".rs");
    return;
  }
  const auto all = formats_of(numbers, static_cast<int>(format.bits));
  const auto family_has = [&format](const formats::TensorFormat& f) { return f.family == format.kind(); };
  const auto found = std::ranges::find_if(all, family_has);
  checker.expect(found != all.end(), name + ".family");
  checker.expect(found == all.end() || found->es == format.es, name + ".es");
  checker.expect(format.rs == format.bits - 1, name + ".rs");
  checker.expect(format.regime == 0, name + ".regime");
}

void check_same(Checker& checker, const FormatFields& from, const FormatFields& output) {
  checker.expect(output.bits == from.bits, "output.bits");
  checker.expect(output.es == from.es, "output.es");
  checker.expect(output.rs == from.rs, "output.rs");
  checker.expect(output.regime == from.regime, "output.regime");
  checker.expect(output.sf == from.sf, "output.sf");
  checker.expect(output.family == from.family, "output.family");
}

/// The last window must still touch the padded input: padding is smaller than the kernel, positions start inside.
void check_window(Checker& checker, const Descriptor& d) {
  const std::int64_t reach_h = (d.kernel_h - 1) * d.dilation_h;
  const std::int64_t reach_w = (d.kernel_w - 1) * d.dilation_w;
  checker.expect(d.pad_top <= reach_h, "pad_top");
  checker.expect(d.pad_left <= reach_w, "pad_left");
  checker.expect((d.out_h - 1) * d.stride_h - d.pad_top < d.in_h, "out_h");
  checker.expect((d.out_w - 1) * d.stride_w - d.pad_left < d.in_w, "out_w");
}

/// One past the last byte of a tensor that is visited `batch` times: positions `pitch` apart, of which the last one
/// ends with the word before `end_channel`.
std::int64_t tensor_end(const Descriptor& d, std::int64_t address, std::int64_t stride, std::int64_t positions,
                        std::int64_t pitch, std::int64_t end_channel, std::int64_t bits) {
  return address + (d.batch - 1) * stride + (positions - 1) * pitch + packed_bytes(end_channel, bits);
}

void check_tensors(Checker& checker, const Descriptor& d, const MachineConfig& config) {
  const auto fits = [&](std::int64_t end) { return end <= std::int64_t{config.memory.mib} << 20; };
  const auto holds = [](std::int64_t pitch, std::int64_t end_channel, std::int64_t bits) {
    return packed_bytes(end_channel, bits) <= pitch;
  };
  // Words are read one by one, but written and added in whole bytes.
  const std::int64_t in_end = d.input_channel + d.in_c, out_end = d.output_channel + d.out_c;
  const std::int64_t inputs = d.in_h * d.in_w, outputs = d.out_h * d.out_w;
  checker.expect(inputs == 1 || holds(d.input_pitch, in_end, d.input.bits), "input_pitch");
  checker.expect(outputs == 1 || holds(d.output_pitch, out_end, d.output.bits), "output_pitch");
  checker.expect(d.output_channel * d.output.bits % 8 == 0, "output_channel");
  checker.expect(fits(tensor_end(d, d.input_address, d.input_stride, inputs, d.input_pitch, in_end, d.input.bits)),
                 "input_address");
  checker.expect(
      fits(tensor_end(d, d.output_address, d.output_stride, outputs, d.output_pitch, out_end, d.output.bits)),
      "output_address");
  if (d.adds()) {
    checker.expect(outputs == 1 || holds(d.addend_pitch, out_end, d.addend.bits), "addend_pitch");
    checker.expect(d.output_channel * d.addend.bits % 8 == 0, "output_channel");
    checker.expect(
        fits(tensor_end(d, d.addend_address, d.addend_stride, outputs, d.addend_pitch, out_end, d.addend.bits)),
        "addend_address");
  }
  checker.expect(fits(d.parameter_address + d.parameter_bytes()), "parameter_address");
  checker.expect(d.parameter_bytes() <= std::int64_t{config.ppu.parameter_kib} << 10, "in_c", true);
}

/// What the operation allows of the fields that only some operations use.
void check_operation(Checker& checker, const Descriptor& d) {
  const LayerOp op = d.operation();
  checker.expect(!d.has(flag_addend) || d.uses_array(), "flags");
  checker.expect(!d.has(flag_count_include_pad) || op == LayerOp::average_pool, "flags");
  checker.expect(!d.has(flag_table) || ((d.uses_array() || op == LayerOp::copy) && !d.adds()), "flags");
  if (!d.uses_array()) checker.expect(d.in_c == d.out_c, "out_c");
  checker.expect(d.uses_array() ? d.in_c % d.groups == 0 && d.out_c % d.groups == 0 : d.groups == 1, "groups");
  checker.expect(d.layout() == WeightLayout::packed || (d.uses_array() && d.groups == 1), "weight_layout");
  if (d.layout() != WeightLayout::packed) {
    checker.expect(d.weight.bits == 8, "weight.bits");
    checker.expect(d.kernel_h == 1, "kernel_h");
    checker.expect(d.kernel_w == 1, "kernel_w");
  }
  const bool pools = op == LayerOp::max_pool || op == LayerOp::average_pool;
  if (!d.uses_array() && !pools) {
    checker.expect(d.kernel_h == 1 && d.stride_h == 1 && d.out_h == d.in_h, "out_h");
    checker.expect(d.kernel_w == 1 && d.stride_w == 1 && d.out_w == d.in_w, "out_w");
  }
}

/// Words that no operator makes anew keep their format.
void check_formats(Checker& checker, const Descriptor& d, formats::NumberSystem numbers) {
  check_format(checker, d.input, "input", numbers);
  check_format(checker, d.output, "output", numbers);
  if (d.uses_array()) {
    check_format(checker, d.weight, "weight", numbers);
    check_format(checker, d.encoded, "encoded", numbers);
  }
  if (d.adds()) check_format(checker, d.addend, "addend", numbers);
  if (d.has(flag_table)) return;
  if (d.uses_array() && !d.adds()) check_same(checker, d.encoded, d.output);
  if (d.operation() == LayerOp::max_pool || d.operation() == LayerOp::copy) check_same(checker, d.input, d.output);
}

}  // namespace

const std::vector<DescriptorField>& descriptor_fields() {
  static const std::vector<DescriptorField> fields = make_fields();
  return fields;
}

std::size_t descriptor_field(std::string_view name) {
  const auto& fields = descriptor_fields();
  const auto found = std::ranges::find(fields, name, &DescriptorField::name);
  assert(found != fields.end());
  return static_cast<std::size_t>(found - fields.begin());
}

DescriptorImage to_image(const Descriptor& descriptor) {
  Descriptor copy = descriptor;
  DescriptorImage image{};
  std::size_t offset = 0;
  for (const DescriptorField& field : descriptor_fields()) {
    const auto word = static_cast<std::uint32_t>(field.at(copy));
    for (int byte = 0; byte < 4; ++byte) image[offset++] = static_cast<std::uint8_t>(word >> (8 * byte));
  }
  return image;
}

Descriptor from_image(const DescriptorImage& image) {
  Descriptor descriptor;
  std::size_t offset = 0;
  for (const DescriptorField& field : descriptor_fields()) {
    std::uint32_t word = 0;
    for (int byte = 0; byte < 4; ++byte) word |= std::uint32_t{image[offset++]} << (8 * byte);
    field.at(descriptor) = field.min < 0 ? std::int64_t{static_cast<std::int32_t>(word)} : std::int64_t{word};
  }
  return descriptor;
}

std::int64_t Descriptor::parameter_bytes() const {
  if (has(flag_table)) return std::int64_t{1} << (uses_array() ? encoded.bits : input.bits);
  return operation() == LayerOp::layer_norm ? norm_term_bytes * in_c : 0;
}

std::optional<DescriptorError> check(const Descriptor& d, const MachineConfig& config) {
  Descriptor copy = d;
  const auto& fields = descriptor_fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::int64_t value = fields[i].at(copy);
    if (value < fields[i].min || value > fields[i].max) return DescriptorError{false, i};
  }
  Checker checker;
  check_formats(checker, d, config.numbers());
  check_operation(checker, d);
  check_window(checker, d);
  check_tensors(checker, d, config);
  if (!checker.ok()) return checker.error();

  const Tiling tiling(d, config);
  checker.expect(!d.uses_array() || config.takes(d.weight.bits), "weight.bits");
  checker.expect(!d.uses_array() || config.takes_activations(d.input.bits), "input.bits");
  checker.expect(d.band_rows <= d.out_h, "band_rows");
  checker.expect(d.block_tiles <= tiling.n_tiles, "block_tiles");
  checker.expect(d.k_block == tiling.k || (d.k_block < tiling.k && d.k_block % tiling.rows == 0 && d.block_tiles == 1),
                 "k_block");
  const std::int64_t weights_end = d.weight_address + (d.batch - 1) * d.weight_stride + tiling.weight_extent();
  checker.expect(!d.uses_array() || weights_end <= std::int64_t{config.memory.mib} << 20, "weight_address");
  // n-tiles cut the output's channels at byte boundaries.
  const std::int64_t narrowest = d.adds() ? std::min(d.output.bits, d.addend.bits) : d.output.bits;
  checker.expect(tiling.n_tiles == 1 || tiling.lanes * narrowest % 8 == 0, "output.bits");
  if (!checker.ok()) return checker.error();

  checker.expect(tiling.passes() <= max_passes, "band_rows", true);
  checker.expect(tiling.largest_input_fetch() <= config.input_buffer.half_bytes(), "band_rows", true);
  checker.expect(tiling.output_half_bytes() <= config.output_buffer.half_bytes(), "band_rows", true);
  checker.expect(tiling.largest_weight_fetch() <= config.weight_buffer.half_bytes(),
                 d.block_tiles > 1 ? "block_tiles" : "k_block", true);
  return checker.error();
}

}  // namespace lpa::hw
