#include "hw_model/driver/program.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/machine_error.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::driver {
namespace {

using formats::Word;

TEST(MapPlace, PadsEveryPixelToWholeBytes) {
  EXPECT_EQ((MapPlace{0, 2, 3, 5, 8}.bytes()), 30);
  EXPECT_EQ((MapPlace{0, 2, 3, 5, 4}.bytes()), 18);
  EXPECT_EQ((MapPlace{0, 2, 3, 5, 2}.bytes()), 12);
}

TEST(PackMap, PutsTheFirstWordOfAPixelLowest) {
  const lpq::WordMap map{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  const MapPlace place{0, 1, 2, 3, 4};
  EXPECT_EQ(pack_map(map, place), (std::vector<std::uint8_t>{0x21, 0x03, 0x54, 0x06}));
  EXPECT_EQ(unpack_map(pack_map(map, place), place), map);
}

TEST(PackMap, AndUnpackAreInverse) {
  std::mt19937 random(3);
  for (const int bits : {2, 4, 8}) {
    for (int channels = 1; channels < 12; ++channels) {
      lpq::WordMap map{3, 4, channels, {}};
      for (int i = 0; i < 12 * channels; ++i) map.words.push_back(static_cast<Word>(random() % (1u << bits)));
      const MapPlace place{0, 3, 4, channels, bits};
      EXPECT_EQ(unpack_map(pack_map(map, place), place), map);
    }
  }
}

TEST(PackWeights, PutsBiasesBeforeRowsOfColumns) {
  hw::MachineConfig config;
  config.array.columns = 2;
  const hw::Descriptor d = test::gemm(config, 1, 3, 2);
  // w[n][k]
  const std::vector<Word> words{0x11, 0x12, 0x21, 0x22, 0x31, 0x32};
  const std::vector<formats::BiasTerm> bias{formats::to_bias_term(1.0, 0), formats::to_bias_term(-3.0, 0), {}};
  const std::vector<std::uint8_t> bytes = pack_weights(d, config, words.data(), bias.data());
  // 16 fraction bits: 1.0 is 0x10000 * 2^0, -3.0 is -0x18000 * 2^1.
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0, 0,  // tile 0, bias 0
                                              0x00, 0x80, 0xfe, 0xff, 0x01, 0x00, 0, 0,  // bias 1
                                              0x11, 0x21, 0x12, 0x22,                    // k = 0, 1
                                              0x00, 0x00, 0x00, 0x00, 0x00, 0xfc, 0, 0,  // tile 1, no bias: no exponent
                                              0x31, 0x32}));
}

TEST(PackWeights, PacksAdjacentOutputChannelsIntoAByte) {
  const hw::MachineConfig config;
  const hw::Descriptor d = test::gemm(config, 1, 3, 1, 4);
  const std::vector<Word> words{0x1, 0x2, 0x3};
  const std::vector<formats::BiasTerm> bias(3);
  const std::vector<std::uint8_t> bytes = pack_weights(d, config, words.data(), bias.data());
  ASSERT_EQ(bytes.size(), 3u * 8 + 2);
  EXPECT_EQ(bytes[24], 0x21);
  EXPECT_EQ(bytes[25], 0x03);
}

TEST(PackWeights, TakesAsManyBytesWhateverTheArraysShape) {
  for (const std::int64_t bits : {8, 4, 2}) {
    for (int columns = 1; columns < 9; ++columns) {
      hw::MachineConfig config;
      config.array.columns = columns;
      const hw::Descriptor d = test::gemm(config, 4, 40, 10, bits);
      EXPECT_EQ(test::unit_weights(d, config).size(), static_cast<std::size_t>(10 * 40 * bits / 8 + 8 * 40));
      EXPECT_EQ(hw::Tiling(d, config).weight_bytes(), 10 * 40 * bits / 8 + 8 * 40);
    }
  }
}

TEST(Compile, SaysWhatDoesNotFitIntoMemory) {
  hw::MachineConfig config;
  config.memory.mib = 1;
  workloads::LayerGraph graph;
  graph.in_h = graph.in_w = 600;
  graph.in_c = 3;
  lpq::QuantizedModel model;
  try {
    compile(config, graph, model);
    FAIL() << "1 MiB cannot hold the input";
  } catch (const MachineError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("the network's input needs 1080000 bytes"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("memory.mib"));
  }
}

}  // namespace
}  // namespace lpa::driver
