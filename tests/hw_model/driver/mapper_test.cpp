#include "hw_model/driver/mapper.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::driver {
namespace {

using hw::Descriptor;
using hw::MachineConfig;
using ::testing::AllOf;
using ::testing::HasSubstr;

Descriptor conv3x3(std::int64_t size, std::int64_t in_c, std::int64_t out_c) {
  Descriptor d = test::gemm({}, 1, 1, 1);
  d.kernel_h = d.kernel_w = 3;
  d.pad_top = d.pad_left = 1;
  d.in_h = d.in_w = d.out_h = d.out_w = size;
  d.in_c = d.input_pitch = in_c;
  d.out_c = d.output_pitch = out_c;
  return d;
}

std::string error_of(Descriptor d, const MachineConfig& config) {
  try {
    map_layer(d, config, "conv1");
  } catch (const MachineError& error) {
    return error.what();
  }
  return "";
}

TEST(Mapper, ALayerThatFitsIsReadOnce) {
  const MachineConfig config;
  Descriptor d = conv3x3(16, 32, 32);
  map_layer(d, config, "conv");
  EXPECT_EQ(traffic(d, config).input_bytes, 16 * 16 * 32);
  EXPECT_EQ(traffic(d, config).weight_bytes, 9 * 32 * 32 + 8 * 32);
}

TEST(Mapper, BandsReadTheirHaloTwiceAndNothingElse) {
  MachineConfig config;
  config.input_buffer.kib = 16;  // Halves of 8 KiB: 16 rows of 16 x 32 bytes.
  Descriptor d = conv3x3(32, 16, 16);
  map_layer(d, config, "conv");
  const hw::Tiling tiling(d, config);
  ASSERT_GT(tiling.bands, 1);
  EXPECT_EQ(traffic(d, config).input_bytes, (32 + 2 * (tiling.bands - 1)) * 32 * 16);
}

TEST(Mapper, LeavesOutTheRowsThatAStrideSkips) {
  const MachineConfig config;
  Descriptor d = test::gemm(config, 1, 1, 1);
  d.in_h = d.in_w = 32;
  d.out_h = d.out_w = 16;
  d.stride_h = d.stride_w = 2;
  d.in_c = d.input_pitch = 16;
  d.out_c = d.output_pitch = 32;
  map_layer(d, config, "shortcut");
  EXPECT_EQ(traffic(d, config).input_bytes, 16 * 32 * 16) << "every other row";
  EXPECT_FALSE(hw::check(d, config));
}

TEST(Mapper, ChoosesTheLoopOrderThatReadsLess) {
  MachineConfig config;
  config.weight_buffer.kib = 8;
  config.input_buffer.kib = 8;
  Descriptor many_rows = test::gemm(config, 2000, 64, 64);  // Inputs are larger: keep them, re-read weights per band.
  Descriptor many_columns = test::gemm(config, 128, 2000, 64);
  for (Descriptor* d : {&many_rows, &many_columns}) {
    Descriptor other = *d;
    other.loop_order = 1 - other.loop_order;
    EXPECT_LE(traffic(*d, config).total(), traffic(other, config).total());
    EXPECT_NE(traffic(*d, config).total(), traffic(other, config).total()) << "the case tells the orders apart";
  }
}

TEST(Mapper, SplitsKIfASingleTileIsTooLargeForTheWeightBuffer) {
  MachineConfig config;
  config.weight_buffer.kib = 4;
  const Descriptor d = test::gemm(config, 16, 16, 1000);
  EXPECT_EQ(d.block_tiles, 1);
  EXPECT_LT(d.k_block, 1000);
  EXPECT_FALSE(hw::check(d, config));
}

TEST(Mapper, NamesTheBufferThatIsTooSmall) {
  MachineConfig config;
  config.input_buffer.kib = 1;
  EXPECT_THAT(error_of(conv3x3(32, 64, 8), config), AllOf(HasSubstr("layer 'conv1'"), HasSubstr("input_buffer.kib"),
                                                          HasSubstr("6144 bytes"), HasSubstr("512")));
  config = {};
  config.output_buffer.kib = 1;
  EXPECT_THAT(error_of(conv3x3(32, 8, 8), config), HasSubstr("output_buffer.kib"));
  config = {};
  config.weight_buffer.kib = 1;
  config.array.rows = 64;
  config.array.columns = 64;
  EXPECT_THAT(error_of(conv3x3(8, 64, 64), config), HasSubstr("weight_buffer.kib"));
}

TEST(Mapper, WhatItChoosesIsAcceptedAndNoNeighbourReadsLess) {
  std::mt19937 random(7);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  int mapped = 0;
  for (int i = 0; i < 200; ++i) {
    MachineConfig config;
    config.array.rows = draw(2, 16);
    config.array.columns = draw(2, 16);
    config.weight_buffer.kib = draw(1, 16);
    config.input_buffer.kib = draw(1, 16);
    config.output_buffer.kib = draw(1, 64);
    Descriptor d = conv3x3(draw(3, 20), draw(1, 40), draw(1, 80));
    if (!error_of(d, config).empty()) continue;
    ++mapped;
    map_layer(d, config, "conv");
    ASSERT_FALSE(hw::check(d, config)) << i;
    Descriptor smaller = d;
    smaller.band_rows = std::max<std::int64_t>(1, d.band_rows - 1);
    if (!hw::check(smaller, config)) {
      EXPECT_LE(traffic(d, config).total(), traffic(smaller, config).total()) << i;
    }
    smaller = d;
    smaller.block_tiles = std::max<std::int64_t>(1, d.block_tiles - 1);
    EXPECT_LE(traffic(d, config).total(), traffic(smaller, config).total()) << i;
  }
  EXPECT_GT(mapped, 100);
}

}  // namespace
}  // namespace lpa::driver
