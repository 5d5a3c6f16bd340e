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

TEST(PackWeights, SurroundsGroupsWithZeros) {
  const hw::MachineConfig config;
  hw::Descriptor d = test::gemm(config, 1, 4, 4);
  d.groups = 2;
  const std::vector<Word> words{0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x41, 0x42};  // [n][k of the group]
  const std::vector<formats::BiasTerm> bias(4);
  const std::vector<std::uint8_t> bytes = pack_weights(d, config, words.data(), bias.data());
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin() + 4 * 8, bytes.end()),
            (std::vector<std::uint8_t>{0x11, 0x21, 0, 0,  // k = 0
                                       0x12, 0x22, 0, 0,  //
                                       0, 0, 0x31, 0x41,  //
                                       0, 0, 0x32, 0x42}));
}

/// A depthwise 3x3 convolution.
struct Depthwise {
  explicit Depthwise(int channels, int weight_bits = 8) {
    workloads::Layer layer;
    layer.name = "depthwise";
    layer.geometry = {.in_h = 6,
                      .in_w = 6,
                      .in_c = channels,
                      .out_h = 4,
                      .out_w = 4,
                      .out_c = channels,
                      .kernel_h = 3,
                      .kernel_w = 3,
                      .groups = channels};
    graph.in_h = graph.in_w = 6;
    graph.in_c = channels;
    graph.layers.push_back(layer);
    lpq::QuantizedLayer quantized;
    quantized.weight = formats::LpFormat{weight_bits, 0, weight_bits - 1, 0};
    quantized.encoded = quantized.output = model.input = formats::LpFormat{8, 1, 3, 0};
    quantized.weights.assign(static_cast<std::size_t>(9 * channels), 1);
    quantized.bias.resize(static_cast<std::size_t>(channels));
    model.layers.push_back(quantized);
  }
  std::vector<hw::Descriptor> descriptors() const { return compile({}, graph, model).descriptors.front(); }

  workloads::LayerGraph graph;
  lpq::QuantizedModel model;
};

TEST(Compile, GroupsFillTheLanesAndFollowEachOtherAsABatch) {
  const auto list = Depthwise(24).descriptors();
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].groups, 8);
  EXPECT_EQ(list[0].in_c, 8);
  EXPECT_EQ(list[0].batch, 3);
  EXPECT_EQ(list[0].input_stride, 8);
  EXPECT_EQ(list[0].output_stride, 8);
  const auto packed = Depthwise(24, 4).descriptors();
  ASSERT_EQ(packed.size(), 2u) << "16 lanes: 16 groups, and the 8 that are left";
  EXPECT_EQ(packed[0].groups, 16);
  EXPECT_EQ(packed[1].groups, 8);
  EXPECT_EQ(packed[1].input_channel, 16);
}

}  // namespace
}  // namespace lpa::driver
