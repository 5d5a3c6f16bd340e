#include "traces/recipe.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/small_trace.h"

namespace lpa::traces::testing {
namespace {

using ::testing::ElementsAre;

/// A chain of 1x1 convolutions whose layer i has channels[i] x channels[i + 1] weights.
Trace chain(const std::vector<int>& channels) {
  Trace trace;
  trace.graph.network = "chain";
  trace.graph.in_c = channels.front();
  for (std::size_t i = 0; i + 1 < channels.size(); ++i) {
    workloads::Layer layer;
    layer.name = "layer " + std::to_string(i);
    layer.input = static_cast<int>(i) - 1;
    layer.geometry.in_c = channels[i];
    layer.geometry.out_c = channels[i + 1];
    trace.graph.layers.push_back(layer);
  }
  return trace;
}

std::vector<int> bits_of(const Trace& trace) {
  std::vector<int> bits;
  for (const TraceLayer& layer : trace.layers) bits.push_back(layer.weight.n);
  return bits;
}

TEST(Recipe, UniformOnesGiveEveryLayerTheSameWidth) {
  Trace trace = chain({3, 4, 5, 6});
  apply_recipe(trace, Recipe::w8);
  EXPECT_THAT(bits_of(trace), ElementsAre(8, 8, 8));
  apply_recipe(trace, Recipe::w4);
  EXPECT_THAT(bits_of(trace), ElementsAre(4, 4, 4));
  apply_recipe(trace, Recipe::w2);
  EXPECT_THAT(bits_of(trace), ElementsAre(2, 2, 2));
  set_weight_bits(trace, 4);
  EXPECT_THAT(bits_of(trace), ElementsAre(4, 4, 4));
}

TEST(Recipe, MixedGivesTheLargerHalfOfTheInnerLayers4Or2Bits) {
  // Weights: 800, 80, 160, 320, 640, 1280, 2560, 40. The larger half of the inner six: 640, 1280, 2560.
  Trace trace = chain({100, 8, 10, 16, 20, 32, 40, 64, 10});
  apply_recipe(trace, Recipe::mixed);
  EXPECT_THAT(bits_of(trace), ElementsAre(8, 8, 8, 8, 4, 4, 2, 8));
  Trace two = chain({3, 4, 5});
  apply_recipe(two, Recipe::mixed);
  EXPECT_THAT(bits_of(two), ElementsAre(8, 8));
}

std::vector<int> output_bits_of(const Trace& trace) {
  std::vector<int> bits;
  for (const TraceLayer& layer : trace.layers) bits.push_back(layer.output.n);
  return bits;
}

TEST(Recipe, SharesOfMacsGiveWiderWeightsToTheEnds) {
  Trace trace = chain({10, 10, 10, 10, 10, 10});  // Five layers of as many MACs.
  apply_recipe(trace, Recipe::w8);
  set_weight_shares(trace, {{8, 0.4}, {4, 0.6}}, false);
  EXPECT_THAT(bits_of(trace), ElementsAre(8, 4, 4, 4, 8));
  EXPECT_THAT(output_bits_of(trace), ElementsAre(8, 8, 8, 8, 8));
  set_weight_shares(trace, {{8, 0.2}, {4, 0.2}, {2, 0.6}}, false);
  EXPECT_THAT(bits_of(trace), ElementsAre(8, 2, 2, 2, 4));
  set_weight_shares(trace, {{2, 1.0}}, false);
  EXPECT_THAT(bits_of(trace), ElementsAre(2, 2, 2, 2, 2));
  set_weight_shares(trace, {{8, 0.0}, {2, 1.0}}, false);
  EXPECT_THAT(bits_of(trace), ElementsAre(2, 2, 2, 2, 2));
}

TEST(Recipe, NarrowActivationsAreThoseOfTheirReaders) {
  Trace trace = chain({10, 10, 10, 10, 10, 10});
  apply_recipe(trace, Recipe::w8);
  set_weight_shares(trace, {{8, 0.4}, {4, 0.6}}, true);
  EXPECT_THAT(output_bits_of(trace), ElementsAre(4, 4, 4, 8, 8)) << "the fifth layer and the user read 8 bits";
  check_trace(trace);
  set_weight_shares(trace, {{8, 1.0}}, true);
  EXPECT_THAT(output_bits_of(trace), ElementsAre(8, 8, 8, 8, 8));
}

TEST(Recipe, WeightsGrowFinerWithTheLengthOfTheSums) {
  Trace trace = chain({4, 16, 1});
  apply_recipe(trace, Recipe::w4);
  EXPECT_EQ(to_string(trace.layers[0].weight), "LP<4,0,2,1>");
  EXPECT_EQ(to_string(trace.layers[1].weight), "LP<4,0,2,2>");
}

TEST(Recipe, TracesPassTheCheck) {
  Trace trace = small_trace();
  for (const std::string& name : recipe_names()) {
    apply_recipe(trace, recipe_of(name));
    EXPECT_NO_THROW(check_trace(trace)) << name;
  }
  EXPECT_THROW(recipe_of("w3"), std::invalid_argument);
}

TEST(Recipe, ATraceTakesTheFormatsOfAMachine) {
  for (const std::string& name : formats::number_system_names()) {
    const auto numbers = formats::parse_number_system(name);
    Trace trace = small_trace();
    apply_recipe(trace, Recipe::w8);
    use_numbers(trace, numbers);
    EXPECT_NO_THROW(check_trace(trace)) << name;
    EXPECT_TRUE(contains(numbers, trace.input)) << name;
    for (std::size_t i = 0; i < trace.layers.size(); ++i) {
      const TraceLayer& layer = trace.layers[i];
      EXPECT_TRUE(contains(numbers, layer.output) && contains(numbers, layer.encoded)) << name;
      EXPECT_TRUE(!trace.graph.layers[i].uses_array() || contains(numbers, layer.weight)) << name;
    }
    for (const std::string& other : formats::number_system_names()) {
      Trace there = trace;
      use_numbers(there, formats::parse_number_system(other));
      EXPECT_NO_THROW(check_trace(there)) << name << " on " << other;
    }
    const std::string text = trace_text(trace);
    use_numbers(trace, numbers);
    EXPECT_EQ(trace_text(trace), text) << name;
  }
}

TEST(Recipe, AMachinesFormatsKeepTheirWidthAndReachAsFarAsTheWordsGo) {
  Trace trace = chain({4, 16, 1});
  apply_recipe(trace, Recipe::w4);
  use_numbers(trace, formats::NumberSystem::ant);
  EXPECT_EQ(to_string(trace.layers[0].weight), "flint<4,0.125>");  // 16 words of a variance of 1/4: up to 4 * 1/2.
  EXPECT_EQ(to_string(trace.layers[1].weight), "flint<4,0.0625>");
  EXPECT_EQ(to_string(trace.layers[1].output), "int<8,0.0625>");
  EXPECT_EQ(trace.layers[0].psum_lsb, 0);
  // No words of 4 bits: formats stay, and the machine refuses them.
  Trace narrow = chain({4, 16, 1});
  apply_recipe(narrow, Recipe::w4);
  use_numbers(narrow, formats::NumberSystem::adaptivfloat);
  EXPECT_EQ(to_string(narrow.layers[0].weight), "LP<4,0,2,1>");
  EXPECT_EQ(to_string(narrow.layers[0].output), "adaptivfloat<8,4,-13>");
}

/// The largest sum of k products has its place in 31 bits, and not in 30.
TEST(Recipe, FixedSumsCannotSaturate) {
  const formats::LpFormat weight{.n = 4, .es = 0, .rs = 2, .sf_q8 = 512}, input{.n = 8, .es = 0, .rs = 3, .sf_q8 = 0};
  const formats::LpFormat encoded{.n = 8, .es = 2, .rs = 3, .sf_q8 = 0};
  const double largest = 1.2 * 1000 * std::exp2(formats::log2_q14(weight, weight.maxpos_word()) / 16384.0) *
                         std::exp2(formats::log2_q14(input, input.maxpos_word()) / 16384.0);
  const int lsb = psum_lsb_for(1000, weight, input, encoded, 0);
  EXPECT_LT(std::ldexp(largest, -lsb), std::exp2(31));
  EXPECT_GE(std::ldexp(largest, -lsb), std::exp2(30));
}

}  // namespace
}  // namespace lpa::traces::testing
