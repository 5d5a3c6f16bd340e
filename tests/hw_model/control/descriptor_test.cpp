#include "hw_model/control/descriptor.h"

#include <set>

#include <gtest/gtest.h>

#include "hw_model/control/schedule.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

/// Name of the field that a machine refuses, or "".
std::string refused(const Descriptor& descriptor, const MachineConfig& config = {}) {
  const auto error = check(descriptor, config);
  return error ? descriptor_fields()[error->field].name + (error->capacity ? " (capacity)" : "") : "";
}

TEST(Descriptor, IsAListOfNamedWordsThatFitsItsSize) {
  std::set<std::string> names;
  for (const DescriptorField& field : descriptor_fields()) names.insert(field.name);
  EXPECT_EQ(names.size(), descriptor_fields().size());
  EXPECT_LE(descriptor_fields().size() * 4, descriptor_bytes);
}

TEST(Descriptor, BeginsWithItsMagicInMemory) {
  const DescriptorImage image = to_image(Descriptor{});
  EXPECT_EQ(std::string(image.begin(), image.begin() + 4), "LPAD");
  EXPECT_EQ(image[4], Descriptor::version_value);
}

TEST(Descriptor, EveryFieldKeepsItsLowestAndHighestValueInTheImage) {
  for (const DescriptorField& field : descriptor_fields()) {
    for (const std::int64_t value : {field.min, field.max}) {
      Descriptor descriptor;
      field.at(descriptor) = value;
      Descriptor back = from_image(to_image(descriptor));
      for (const DescriptorField& other : descriptor_fields()) {
        EXPECT_EQ(other.at(back), other.at(descriptor)) << field.name << " = " << value << " changed " << other.name;
      }
    }
  }
}

TEST(Descriptor, AGemmOfTheMapperIsAccepted) {
  for (const std::int64_t bits : {8, 4, 2}) EXPECT_EQ(refused(test::gemm({}, 100, 20, 50, bits)), "");
}

TEST(Descriptor, EveryFieldOutOfItsRangeIsNamed) {
  for (const DescriptorField& field : descriptor_fields()) {
    for (const std::int64_t value : {field.min - 1, field.max + 1}) {
      Descriptor descriptor = test::gemm({}, 10, 10, 10);
      field.at(descriptor) = value;
      EXPECT_EQ(refused(descriptor), field.name) << value;
    }
  }
}

TEST(Descriptor, FormatsMustBeOnesTheHardwareHas) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.input.bits = 3;
  EXPECT_EQ(refused(d), "input.bits");
  d = test::gemm({}, 10, 10, 10);
  d.weight = {4, 2, 2, 0, 0};
  EXPECT_EQ(refused(d), "weight.es");
  d = test::gemm({}, 10, 10, 10);
  d.weight = {4, 0, 4, 0, 0};
  EXPECT_EQ(refused(d), "weight.rs");
  d = test::gemm({}, 10, 10, 10);
  d.weight.rs = 1;
  EXPECT_EQ(refused(d), "");
  d.weight.regime = 1;
  EXPECT_EQ(refused(d), "weight.rs");
}

TEST(Descriptor, FormatsMustBeThoseOfTheMachinesDatapath) {
  const auto of_machine = [](Datapath datapath) {
    MachineConfig config;
    config.datapath = datapath;
    config.arithmetic = formats::arithmetic_preset("fixed");
    return config;
  };
  const auto with = [](const FormatFields& weight, const FormatFields& other) {
    Descriptor d = test::gemm({}, 10, 8, 8, weight.bits);
    d.weight = weight;
    d.input = d.encoded = d.output = other;
    return d;
  };
  const FormatFields lp, integer{8, 0, 7, 0, 0, 3}, flint{4, 0, 3, 0, 0, 5}, posit{8, 1, 7, 0, 0, 1};
  EXPECT_EQ(refused(with(lp, lp), of_machine(Datapath::lp)), "");
  EXPECT_EQ(refused(with(integer, lp), of_machine(Datapath::lp)), "weight.family");
  EXPECT_EQ(refused(with(lp, lp), of_machine(Datapath::integer)), "input.family");
  EXPECT_EQ(refused(with(integer, integer), of_machine(Datapath::integer)), "");
  EXPECT_EQ(refused(with(flint, integer), of_machine(Datapath::ant)), "");
  EXPECT_EQ(refused(with(flint, integer), of_machine(Datapath::bitfusion)), "weight.family");
  EXPECT_EQ(refused(with(posit, posit), of_machine(Datapath::posit)), "");
  FormatFields wrong = posit;
  wrong.es = 2;
  EXPECT_EQ(refused(with(wrong, posit), of_machine(Datapath::posit)), "weight.es");
  wrong = posit;
  wrong.rs = 6;
  EXPECT_EQ(refused(with(wrong, posit), of_machine(Datapath::posit)), "weight.rs");
}

TEST(Descriptor, WithoutAnAdditionTheOutputFormatIsTheEncoders) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.output.sf = 1;
  EXPECT_EQ(refused(d), "output.sf");
  d.flags = flag_addend;
  d.addend_address = test::input_at;
  EXPECT_EQ(refused(d), "");
}

TEST(Descriptor, AMaxPoolKeepsItsFormat) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.op = static_cast<std::int64_t>(LayerOp::max_pool);
  d.block_tiles = 1;
  EXPECT_EQ(refused(d), "");
  d.output.es = 2;
  EXPECT_EQ(refused(d), "output.es");
}

TEST(Descriptor, WindowsThatMissTheInputAreRefused) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.pad_top = 1;
  EXPECT_EQ(refused(d), "pad_top");
  d = test::gemm({}, 10, 10, 10);
  d.stride_h = 2;
  EXPECT_EQ(refused(d), "out_h");
}

TEST(Descriptor, TensorsBeyondTheMemoryAreRefused) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.output_address = (std::int64_t{256} << 20) - 99;
  EXPECT_EQ(refused(d), "output_address");
  d.output_address -= 1;
  EXPECT_EQ(refused(d), "");
  d.weight_address = (std::int64_t{256} << 20) - 100;
  EXPECT_EQ(refused(d), "weight_address");
}

TEST(Descriptor, PitchesMustHoldTheChannels) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.input_pitch = 9;
  EXPECT_EQ(refused(d), "input_pitch");
  d = test::gemm({}, 10, 10, 10);
  d.output_channel = 1;
  EXPECT_EQ(refused(d), "output_pitch");
}

TEST(Descriptor, KBlocksAreTheWholeOrRowsOfTheArray) {
  Descriptor d = test::gemm({}, 10, 8, 100);
  d.k_block = 101;
  EXPECT_EQ(refused(d), "k_block");
  d.k_block = 50;
  EXPECT_EQ(refused(d), "k_block");
  d.k_block = 48;
  EXPECT_EQ(refused(d), "");
  d = test::gemm({}, 10, 16, 100);
  d.block_tiles = 2;
  d.k_block = 48;
  EXPECT_EQ(refused(d), "k_block");
}

TEST(Descriptor, TilesThatDoNotFitABufferAreACapacityError) {
  MachineConfig config;
  const Descriptor d = test::gemm(config, 1000, 100, 100);
  config.input_buffer.kib = 64;
  EXPECT_EQ(refused(d, config), "band_rows (capacity)");
  config = {};
  config.output_buffer.kib = 16;
  EXPECT_EQ(refused(d, config), "band_rows (capacity)");
  config = {};
  config.weight_buffer.kib = 8;
  EXPECT_EQ(refused(d, config), "block_tiles (capacity)");
}

TEST(Descriptor, MorePassesThanTheControllerCountsAreACapacityError) {
  MachineConfig config;
  config.array.columns = 1;
  Descriptor d = test::gemm({}, 4096, 4096, 1);
  d.band_rows = 4;
  d.block_tiles = 4;
  EXPECT_EQ(refused(d, config), "");
  d.band_rows = 2;
  EXPECT_EQ(refused(d, config), "band_rows (capacity)");
}

TEST(Descriptor, NTilesMustCutTheOutputAtBytes) {
  MachineConfig config;
  config.array.columns = 1;
  Descriptor d = test::gemm(config, 10, 4, 10);
  d.encoded = d.output = {4, 1, 2, 0, 0};
  EXPECT_EQ(refused(d, config), "output.bits");
  config.array.columns = 2;
  d.block_tiles = 2;
  EXPECT_EQ(refused(d, config), "");
}

TEST(Descriptor, ProductsOfMapsHaveByteWordsAndAWindowOfOne) {
  for (const WeightLayout layout : {WeightLayout::rows, WeightLayout::columns}) {
    Descriptor d = test::gemm({}, 10, 10, 10);
    d.weight_layout = static_cast<std::int64_t>(layout);
    d.weight_pitch = 10;
    EXPECT_EQ(refused(d), "");
    d.groups = 2;
    EXPECT_EQ(refused(d), "weight_layout");
    d.groups = 1;
    d.weight = {4, 1, 2, 0, 0};
    EXPECT_EQ(refused(d), "weight.bits");
    d = test::gemm({}, 10, 10, 10);
    d.weight_layout = static_cast<std::int64_t>(layout);
    d.kernel_h = 2;
    EXPECT_EQ(refused(d), "kernel_h");
  }
}

TEST(Descriptor, GroupsDivideTheChannels) {
  Descriptor d = test::gemm({}, 10, 12, 6);
  for (const std::int64_t groups : {1, 2, 3, 6}) {
    d.groups = groups;
    EXPECT_EQ(refused(d), "");
  }
  d.groups = 4;
  EXPECT_EQ(refused(d), "groups") << "of the inputs";
  d = test::gemm({}, 10, 6, 12);
  d.groups = 4;
  EXPECT_EQ(refused(d), "groups") << "of the outputs";
}

TEST(Descriptor, TablesComeWithProductsAndCopiesThatAddNothing) {
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.flags = flag_table;
  d.encoded = {4, 1, 2, 0, 0};
  EXPECT_EQ(refused(d), "") << "a table may change the format";
  EXPECT_EQ(d.parameter_bytes(), 16);
  d.flags |= flag_addend;
  EXPECT_EQ(refused(d), "flags");
  d.flags = flag_table;
  d.op = static_cast<std::int64_t>(LayerOp::copy);
  d.block_tiles = 1;
  d.output.sf = 5;
  EXPECT_EQ(refused(d), "");
  EXPECT_EQ(d.parameter_bytes(), 256);
  d.flags = 0;
  EXPECT_EQ(refused(d), "output.sf");
  d.output.sf = 0;
  d.op = static_cast<std::int64_t>(LayerOp::softmax);
  EXPECT_EQ(refused(d), "");
  d.flags = flag_table;
  EXPECT_EQ(refused(d), "flags");
}

TEST(Descriptor, ParametersMustFitTheirMemory) {
  MachineConfig config;
  config.ppu.parameter_kib = 1;
  Descriptor d = test::gemm(config, 4, 128, 128);
  d.block_tiles = 1;
  d.op = static_cast<std::int64_t>(LayerOp::layer_norm);
  EXPECT_EQ(d.parameter_bytes(), 1024);
  EXPECT_EQ(refused(d, config), "");
  d = test::gemm(config, 4, 129, 129);
  d.op = static_cast<std::int64_t>(LayerOp::layer_norm);
  EXPECT_EQ(refused(d, config), "in_c (capacity)");
  d.parameter_address = (std::int64_t{256} << 20) - 1000;
  EXPECT_EQ(refused(d), "parameter_address");
}

TEST(Descriptor, TheLastProductOfABatchMustBeWithinMemory) {
  const std::int64_t end = std::int64_t{256} << 20;
  Descriptor d = test::gemm({}, 10, 10, 10);
  d.batch = 3;
  d.output_stride = 1000;
  d.output_address = end - 2 * 1000 - 100;
  EXPECT_EQ(refused(d), "");
  d.output_address += 1;
  EXPECT_EQ(refused(d), "output_address");
  d.output_address = test::output_at;
  d.weight_stride = 4096;
  d.weight_address = end - 2 * 4096 - Tiling(d, {}).weight_bytes();
  EXPECT_EQ(refused(d), "");
  d.weight_address += 1;
  EXPECT_EQ(refused(d), "weight_address");
}

}  // namespace
}  // namespace lpa::hw
