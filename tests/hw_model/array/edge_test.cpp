// The blocks around the PEs: edge decoders, skew registers and encoders, each by itself.
#include <gtest/gtest.h>

#include "hw_model/array/array_encoder.h"
#include "hw_model/array/edge_decoder.h"
#include "hw_model/array/skew_column.h"
#include "tests/hw_model/clocked_bench.h"

namespace lpa::test {
namespace {

hw::LayerControl layer() {
  hw::LayerControl control;
  control.weight = {4, 0, 2};
  control.activation = {8, 2, 7};
  control.encoded = {8, 2, 7};
  return control;
}

template <typename Decoder, typename Tag, typename Word, typename Wire>
struct DecoderBench : ClockedBench {
  explicit DecoderBench(const datapath::Stages& stages = {}) : decoder("decoder", stages) {
    decoder.clk(clk);
    decoder.reset(reset);
    decoder.control(control);
    decoder.tag(tag);
    decoder.word(word);
    decoder.decoded(decoded);
    control.write(layer());
  }
  sc_core::sc_signal<hw::LayerControl> control{"control"};
  sc_core::sc_signal<Tag> tag{"tag"};
  sc_core::sc_signal<Word> word{"word"};
  sc_core::sc_signal<Wire> decoded{"decoded"};
  Decoder decoder;
};
using ActivationDecoderBench = DecoderBench<hw::ActivationDecoder, hw::BundleTag, std::uint8_t, hw::ActivationWire>;
using WeightDecoderBench = DecoderBench<hw::WeightDecoder, hw::WeightTag, std::uint32_t, hw::WeightWire>;

TEST(ActivationDecoderTiming, LaneStandsOnTheOutputInTheCycleAfterTheWordForOneCycle) {
  ActivationDecoderBench bench;
  bench.tag.write({true, true, false, 9});
  bench.word.write(0b01111101);  // LP<8,2,7>: k = 4, e = 2.
  EXPECT_FALSE(bench.decoded.read().valid) << "cycle x";
  bench.step();
  bench.tag.write({});
  const hw::ActivationWire expected{{.r = 16, .u = 128, .negative = false, .zero = false, .nar = false}, true, true};
  EXPECT_EQ(bench.decoded.read(), expected) << "cycle x + 1";
  bench.step();
  EXPECT_FALSE(bench.decoded.read().valid) << "cycle x + 2";
}

TEST(ActivationDecoderTiming, WordsOneAfterTheOtherAndSwapOnlyWhereTheTagHasIt) {
  ActivationDecoderBench bench;
  for (int i = 0; i < 8; ++i) {
    bench.tag.write({true, i == 3, false, 0});
    bench.word.write(0b01000000);
    bench.step();
    EXPECT_TRUE(bench.decoded.read().valid);
    EXPECT_EQ(bench.decoded.read().swap, i == 3);
  }
}

TEST(ActivationDecoderTiming, ResetDropsTheWord) {
  ActivationDecoderBench bench;
  bench.tag.write({true, false, false, 0});
  bench.step();
  bench.reset.write(true);
  bench.step();
  EXPECT_FALSE(bench.decoded.read().valid);
}

TEST(WeightDecoderTiming, LanesStandOnTheOutputInTheCycleAfterTheWordWithItsHops) {
  WeightDecoderBench bench;
  bench.tag.write({true, 5});
  bench.word.write(0b1000'0101);  // Lane 0: LP<4,0,2> 0.5; lane 1: NaR.
  bench.step();
  bench.tag.write({});
  const hw::WeightWire decoded = bench.decoded.read();
  EXPECT_EQ(decoded.tag, (hw::WeightTag{true, 5}));
  EXPECT_EQ(decoded.word.lane[0], (datapath::Lane{.r = 0, .u = 32, .negative = false, .zero = false, .nar = false}));
  EXPECT_TRUE(decoded.word.lane[1].nar);
  EXPECT_EQ(decoded.word.lane[2], datapath::Lane{});
  bench.step();
  EXPECT_FALSE(bench.decoded.read().tag.valid);
}

TEST(WeightDecoderTiming, ResetDropsTheWord) {
  WeightDecoderBench bench;
  bench.tag.write({true, 5});
  bench.step();
  bench.reset.write(true);
  bench.step();
  EXPECT_FALSE(bench.decoded.read().tag.valid);
}

constexpr datapath::Stages no_edge_stages{.pe = 2, .edge = 0};

TEST(ActivationDecoderTiming, WithoutARegisterTheLaneStandsThereInTheWordsCycleOnly) {
  ActivationDecoderBench bench(no_edge_stages);
  bench.settle();
  EXPECT_FALSE(bench.decoded.read().valid) << "cycle x - 1";
  bench.step();
  bench.tag.write({true, true, false, 9});
  bench.word.write(0b01111101);  // LP<8,2,7>: k = 4, e = 2.
  bench.settle();
  const hw::ActivationWire expected{{.r = 16, .u = 128, .negative = false, .zero = false, .nar = false}, true, true};
  EXPECT_EQ(bench.decoded.read(), expected) << "cycle x";
  bench.step();
  bench.tag.write({});
  bench.settle();
  EXPECT_FALSE(bench.decoded.read().valid) << "cycle x + 1";
}

TEST(ActivationDecoderTiming, WithoutARegisterEqualTagsCarryWordAfterWord) {
  ActivationDecoderBench bench(no_edge_stages);
  for (const int word : {0b01000000, 0b01111101, 0b01000000}) {
    bench.tag.write({true, false, false, 0});
    bench.word.write(static_cast<std::uint8_t>(word));
    bench.settle();
    EXPECT_EQ(bench.decoded.read().lane.r, word == 0b01000000 ? 0 : 16);
    bench.step();
  }
}

TEST(WeightDecoderTiming, WithoutARegisterTheLanesStandThereInTheWordsCycleOnly) {
  WeightDecoderBench bench(no_edge_stages);
  bench.tag.write({true, 5});
  bench.word.write(0b1000'0101);  // Lane 0: LP<4,0,2> 0.5; lane 1: NaR.
  bench.settle();
  EXPECT_EQ(bench.decoded.read().tag, (hw::WeightTag{true, 5})) << "cycle y";
  EXPECT_EQ(bench.decoded.read().word.lane[0].u, 32);
  EXPECT_TRUE(bench.decoded.read().word.lane[1].nar);
  bench.step();
  bench.tag.write({});
  bench.settle();
  EXPECT_FALSE(bench.decoded.read().tag.valid) << "cycle y + 1";
}

template <int depth>
struct SkewBench : ClockedBench {
  SkewBench() {
    skew.clk(clk);
    skew.reset(reset);
    skew.in(in);
    skew.out(out);
  }
  sc_core::sc_signal<int> in{"in"}, out{"out"};
  hw::SkewColumn<int> skew{"skew", depth};
};

/// The value presented in cycle x, in every cycle another; bursts with long pauses, in which the column may sleep.
int presented(std::uint64_t cycle) {
  const std::uint64_t phase = cycle % 37;
  return phase < 12 ? static_cast<int>(cycle) + 1 : phase < 20 ? 0 : phase == 20 ? 7 : -3;
}

template <int depth>
void expect_delay() {
  SkewBench<depth> bench;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t now = bench.cycle();
    bench.in.write(presented(now));
    ASSERT_EQ(bench.out.read(), now < depth ? 0 : presented(now - depth)) << "depth " << depth << " cycle " << now;
    bench.step();
  }
}

TEST(SkewColumnTiming, OneRegisterDelaysByOneCycle) {
  expect_delay<1>();
}

TEST(SkewColumnTiming, TwoRegistersDelayByTwoCycles) {
  expect_delay<2>();
}

TEST(SkewColumnTiming, NineRegistersDelayByNineCycles) {
  expect_delay<9>();
}

TEST(SkewColumnTiming, ItIsSettledOnlyAfterTheLastChangeHasLeft) {
  SkewBench<3> bench;
  EXPECT_TRUE(bench.skew.settled());
  bench.in.write(5);
  bench.step();
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(bench.skew.settled());
    EXPECT_EQ(bench.out.read(), 0);
    bench.step();
  }
  EXPECT_TRUE(bench.skew.settled());
  EXPECT_EQ(bench.out.read(), 5);
}

TEST(SkewColumnTiming, ResetClearsEveryStage) {
  SkewBench<3> bench;
  for (int i = 1; i <= 3; ++i) {
    bench.in.write(i);
    bench.step();
  }
  bench.reset.write(true);
  bench.step();
  bench.reset.write(false);
  bench.in.write(0);
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(bench.out.read(), 0) << "cycle " << i << " after reset";
    bench.step();
  }
}

struct EncoderBench : ClockedBench {
  explicit EncoderBench(const datapath::Stages& stages = {}) : encoder("encoder", converter, arithmetic, stages) {
    encoder.clk(clk);
    encoder.reset(reset);
    encoder.control(control);
    encoder.tag_in(tag_in);
    encoder.scale(scale);
    encoder.tag(tag);
    encoder.psum(psum);
    encoder.words(words);
    control.write(layer());
    hw::PsumWord one;
    one.lane[0] = {65536, 0, false};   // 1 in a wide sum.
    one.lane[1] = {-65536, 0, false};  // -1
    one.lane[2] = {65536, 0, false};   // A lane that 4-bit weights do not use.
    psum.write(one);
  }
  sc_core::sc_signal<hw::LayerControl> control{"control"};
  sc_core::sc_signal<hw::BundleTag> tag_in{"tag_in"}, tag{"tag"};
  sc_core::sc_signal<hw::ScaleWord> scale{"scale"};
  sc_core::sc_signal<hw::PsumWord> psum{"psum"};
  sc_core::sc_signal<hw::EncodedWords> words{"words"};
  formats::Arithmetic arithmetic;
  datapath::LinearLogConverter converter{arithmetic.encoder_log_bits};
  hw::ArrayEncoder encoder;
};

TEST(ArrayEncoderTiming, WordsStandOnTheOutputInTheCycleAfterTheSums) {
  EncoderBench bench;
  bench.tag.write({true, false, true, 0});
  EXPECT_EQ(bench.words.read(), hw::EncodedWords{}) << "cycle z";
  bench.step();
  EXPECT_EQ(bench.words.read(), (hw::EncodedWords{{0b01000000, 0b11000000, 0, 0}})) << "cycle z + 1";
}

TEST(ArrayEncoderTiming, SumsThatAreNotCompleteAreNotEncoded) {
  EncoderBench bench;
  bench.tag.write({true, false, false, 0});
  bench.step(2);
  EXPECT_EQ(bench.words.read(), hw::EncodedWords{});
}

TEST(ArrayEncoderTiming, SumsWithoutAValidTagAreNotEncoded) {
  EncoderBench bench;
  bench.tag.write({false, false, true, 0});
  bench.step(2);
  EXPECT_EQ(bench.words.read(), hw::EncodedWords{});
}

TEST(ArrayEncoderTiming, WithoutARegisterTheWordsStandThereInTheSumsCycleOnly) {
  EncoderBench bench(no_edge_stages);
  bench.settle();
  EXPECT_EQ(bench.words.read(), hw::EncodedWords{}) << "cycle z - 1";
  bench.step();
  bench.tag.write({true, false, true, 0});
  bench.settle();
  EXPECT_EQ(bench.words.read(), (hw::EncodedWords{{0b01000000, 0b11000000, 0, 0}})) << "cycle z";
  bench.step();
  bench.tag.write({true, false, false, 0});
  bench.settle();
  EXPECT_EQ(bench.words.read(), hw::EncodedWords{}) << "cycle z + 1: sums that are not complete";
}

TEST(ArrayEncoderTiming, WithoutARegisterANewLayersControlTakesEffectAtOnce) {
  EncoderBench bench(no_edge_stages);
  bench.tag.write({true, false, true, 0});
  bench.step();
  hw::LayerControl control = layer();
  control.scale_q8 = -512;
  bench.control.write(control);
  bench.settle();
  EXPECT_EQ(bench.words.read().lane[0], 0b01010000) << "2^2 in LP<8,2,7>";
}

TEST(ArrayEncoderValues, TheLayersScaleIsSubtracted) {
  EncoderBench bench;
  hw::LayerControl control = layer();
  control.scale_q8 = -512;
  bench.control.write(control);
  bench.tag.write({true, false, true, 0});
  bench.step(2);
  EXPECT_EQ(bench.words.read().lane[0], 0b01010000) << "2^2 in LP<8,2,7>";
}

class ArrayEncoderScales : public ::testing::TestWithParam<int> {
 protected:
  ArrayEncoderScales() : bench_({.pe = 2, .edge = GetParam()}) {}

  /// A cycle in which a bundle enters, with a scale for lane 0, and the sums of another are complete.
  void cycle(const hw::BundleTag& entering, int scale_q8, const hw::BundleTag& leaving) {
    hw::ScaleWord word;
    word.lane[0] = static_cast<std::int16_t>(scale_q8);
    bench_.scale.write(word);
    bench_.tag_in.write(entering);
    bench_.tag.write(leaving);
    bench_.settle();
    if (GetParam() == 0) encoded_ = bench_.words.read().lane[0];
    bench_.step();
    if (GetParam() != 0) encoded_ = bench_.words.read().lane[0];
  }

  static hw::BundleTag begins(std::uint32_t index) { return {true, true, true, index}; }
  static hw::BundleTag follows(std::uint32_t index) { return {true, false, true, index}; }

  EncoderBench bench_;
  int encoded_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Edge, ArrayEncoderScales, ::testing::Values(0, 1),
                         [](const auto& test) { return test.param == 0 ? "Wire" : "Register"; });

TEST_P(ArrayEncoderScales, ATilesScalesWaitForItsSums) {
  constexpr int one = 0b01000000, four = 0b01010000, two = 0b01001000;
  cycle(begins(1), -512, {});
  cycle(follows(2), 99, {});              // Only the first bundle of a tile carries scales,
  cycle({true, true, false, 3}, 99, {});  // and only of a tile that completes sums.
  cycle(begins(4), -256, begins(1));
  EXPECT_EQ(encoded_, four) << "the first tile's, though the second one has entered";
  cycle({}, 77, follows(2));
  EXPECT_EQ(encoded_, four) << "the same for the rest of the tile";
  cycle({}, 77, {true, true, false, 3});
  cycle({}, 77, begins(4));
  EXPECT_EQ(encoded_, two);
  cycle({}, 77, follows(5));
  EXPECT_EQ(encoded_, two);
  bench_.reset.write(true);
  cycle({}, 0, {});
  bench_.reset.write(false);
  cycle({}, 0, follows(6));
  EXPECT_EQ(encoded_, one) << "reset clears them";
}

}  // namespace
}  // namespace lpa::test
