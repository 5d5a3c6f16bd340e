// The data sheet of the processing element, statement by statement. Contract: hw_model/README.md.
#include "hw_model/array/pe.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/hw_model/array/pe_bench.h"

namespace lpa::test {
namespace {

using datapath::Product;

TEST(PeTiming, ProductIsInTheMulRegisterOneCycleAfterTheActivationArrives) {
  PeBench bench;
  bench.load_shadow(word({real(2, 10)}));
  bench.activation(real(3, 20), true);
  EXPECT_FALSE(bench.pe.product_valid()) << "cycle p";
  bench.step();
  bench.no_activation();
  EXPECT_TRUE(bench.pe.product_valid()) << "cycle p + 1";
  EXPECT_EQ(bench.pe.product()[0], (Product{.r = 5, .u = 30, .negative = false, .zero = false, .nar = false}));
  bench.step();
  EXPECT_FALSE(bench.pe.product_valid()) << "cycle p + 2";
}

TEST(PeTiming, SumLeavesTwoCyclesAfterTheActivationArrivesAndStays) {
  PeBench bench;
  bench.load_shadow(word({real(2)}));
  bench.activation(real(3), true);
  bench.step();
  bench.no_activation();
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{}) << "cycle p + 1";
  bench.step();
  EXPECT_EQ(bench.psum_out.read(), psum(65536, 5)) << "cycle p + 2";
  bench.step(10);
  EXPECT_EQ(bench.psum_out.read(), psum(65536, 5)) << "no product, no change";
}

TEST(PeTiming, PartialSumIsTakenFromTheNorthOneCycleAfterTheActivationArrives) {
  PeBench bench;
  bench.load_shadow(word({real(0)}));
  bench.activation(real(0), true);
  bench.psum_in.write(psum(100, 0));  // Cycle p: too early.
  bench.step();
  bench.no_activation();
  bench.psum_in.write(psum(200, 0));  // Cycle p + 1.
  bench.step();
  bench.psum_in.write(psum(400, 0));  // Cycle p + 2: too late.
  EXPECT_EQ(bench.psum_out.read(), psum(65536 + 200, 0));
  bench.step();
  EXPECT_EQ(bench.psum_out.read(), psum(65536 + 200, 0));
}

TEST(PeTiming, ActivationLeavesEastOneCycleAfterItArrivesForOneCycle) {
  PeBench bench;
  bench.activation(real(3, 5, true));
  EXPECT_FALSE(bench.activation_out.read().valid) << "cycle p";
  bench.step();
  bench.no_activation();
  EXPECT_EQ(bench.activation_out.read(), (hw::ActivationWire{real(3, 5, true), true, false})) << "cycle p + 1";
  bench.step();
  EXPECT_FALSE(bench.activation_out.read().valid) << "cycle p + 2";
}

TEST(PeTiming, SwapBitLeavesEastWithItsActivation) {
  PeBench bench;
  bench.activation(real(1), true);
  bench.step();
  bench.activation(real(2), false);
  EXPECT_TRUE(bench.activation_out.read().swap);
  bench.step();
  EXPECT_FALSE(bench.activation_out.read().swap);
  EXPECT_TRUE(bench.activation_out.read().valid);
}

TEST(PeTiming, OneSumLeavesPerCycleWhenOneActivationArrivesPerCycle) {
  PeBench bench;
  bench.load_shadow(word({real(0)}));
  const std::uint64_t first = bench.cycle();
  for (int i = 0; i < 20; ++i) {
    bench.activation(real(i), i == 0);
    bench.step();
    if (bench.cycle() < first + 2) continue;
    EXPECT_EQ(bench.psum_out.read(), psum(65536, i - 1)) << "activation " << i - 1;
  }
}

TEST(PeTiming, WeightIsInTheShadowRegisterOneCycleAfterItArrives) {
  PeBench bench;
  bench.weight(word({real(7)}));
  EXPECT_EQ(bench.pe.shadow_weight(), word({zero()})) << "cycle p";
  bench.step();
  EXPECT_EQ(bench.pe.shadow_weight(), word({real(7)})) << "cycle p + 1";
  EXPECT_EQ(bench.pe.active_weight(), word({zero()})) << "it waits for a swap";
}

TEST(PeTiming, WeightWithHopsLeftLeavesSouthOneCycleLaterWithOneHopLess) {
  PeBench bench;
  bench.weight(word({real(7), real(1)}), 3);
  EXPECT_FALSE(bench.weight_out.read().tag.valid) << "cycle p";
  bench.step();
  bench.no_weight();
  EXPECT_EQ(bench.weight_out.read(), (hw::WeightWire{word({real(7), real(1)}), {true, 2}})) << "cycle p + 1";
  bench.step();
  EXPECT_FALSE(bench.weight_out.read().tag.valid) << "cycle p + 2";
}

TEST(PeTiming, WeightWithoutHopsLeftGoesNoFurther) {
  PeBench bench;
  bench.weight(word({real(6)}), 1);
  bench.step();
  bench.weight(word({real(7)}), 0);
  EXPECT_TRUE(bench.weight_out.read().tag.valid);
  bench.step();
  bench.no_weight();
  EXPECT_FALSE(bench.weight_out.read().tag.valid);
  EXPECT_EQ(bench.pe.shadow_weight(), word({real(7)}));
}

TEST(PeTiming, SwapTakesTheShadowWeightInTheSameCycle) {
  PeBench bench;
  bench.load_shadow(word({real(1)}));
  bench.activation(real(0), true);
  bench.step();
  bench.no_activation();
  EXPECT_EQ(bench.pe.product()[0].r, 1) << "the product is the new weight's";
  EXPECT_EQ(bench.pe.active_weight(), word({real(1)}));
}

TEST(PeTiming, WithoutASwapTheActiveWeightStaysWhileTheShadowIsLoaded) {
  PeBench bench;
  bench.load_shadow(word({real(1)}));
  bench.activation(real(0), true);
  bench.step();
  bench.weight(word({real(9)}));
  for (int i = 0; i < 3; ++i) {
    bench.activation(real(0), false);
    bench.step();
    bench.no_weight();
    EXPECT_EQ(bench.pe.product()[0].r, 1) << "activation " << i;
  }
  EXPECT_EQ(bench.pe.shadow_weight(), word({real(9)}));
  EXPECT_EQ(bench.pe.hazards(), 0u);
}

TEST(PeTiming, WeightMayArriveInTheCycleBeforeAndInTheCycleAfterTheSwap) {
  PeBench bench;
  bench.load_shadow(word({real(1)}));  // Arrives in the cycle before.
  bench.activation(real(0), true);
  bench.step();
  bench.no_activation();
  bench.weight(word({real(2)}));  // Arrives in the cycle after.
  bench.step();
  bench.no_weight();
  EXPECT_EQ(bench.pe.active_weight(), word({real(1)}));
  EXPECT_EQ(bench.pe.shadow_weight(), word({real(2)}));
  EXPECT_EQ(bench.pe.hazards(), 0u);
}

TEST(PeTiming, WeightThatArrivesInTheCycleOfTheSwapIsCountedAsHazard) {
  PeBench bench;
  bench.load_shadow(word({real(1)}));
  bench.activation(real(0), true);
  bench.weight(word({real(2)}));
  bench.step();
  EXPECT_EQ(bench.pe.hazards(), 1u);
  EXPECT_EQ(bench.pe.product()[0].r, 1) << "MUL saw what the register held";
}

TEST(PeTiming, ResetDropsProductsActivationsAndWeights) {
  PeBench bench;
  bench.load_shadow(word({real(1)}));
  bench.activation(real(0), true);
  bench.weight(word({real(2)}), 4);
  bench.step();
  bench.no_weight();
  bench.no_activation();
  bench.reset.write(true);  // In the cycle in which the product would be added.
  bench.step();
  bench.reset.write(false);
  EXPECT_TRUE(bench.pe.idle());
  EXPECT_FALSE(bench.activation_out.read().valid);
  EXPECT_FALSE(bench.weight_out.read().tag.valid);
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{}) << "the sum was not written";
  EXPECT_EQ(bench.pe.active_weight(), word({zero()}));
  EXPECT_EQ(bench.pe.shadow_weight(), word({zero()}));
  bench.step(3);
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{});
}

TEST(PeTiming, ActivationThatArrivesDuringResetIsDropped) {
  PeBench bench;
  bench.reset.write(true);
  bench.activation(real(0), true);
  bench.step();
  bench.reset.write(false);
  bench.no_activation();
  EXPECT_TRUE(bench.pe.idle());
  bench.step(3);
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{});
}

struct OneStagePe : PeBench {
  OneStagePe() : PeBench({}, layer_of_mode(8), {.pe = 1, .edge = 1}) {}
};

TEST(PeOfOneStageTiming, SumLeavesOneCycleAfterTheActivationArrivesAndStays) {
  OneStagePe bench;
  bench.load_shadow(word({real(2)}));
  bench.activation(real(3), true);
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{}) << "cycle p";
  bench.step();
  bench.no_activation();
  EXPECT_EQ(bench.psum_out.read(), psum(65536, 5)) << "cycle p + 1";
  EXPECT_FALSE(bench.pe.product_valid()) << "there is no MUL register";
  EXPECT_FALSE(bench.pe.idle()) << "the activation is on its way east";
  bench.step(10);
  EXPECT_EQ(bench.psum_out.read(), psum(65536, 5)) << "no product, no change";
  EXPECT_TRUE(bench.pe.idle());
}

TEST(PeOfOneStageTiming, PartialSumIsTakenFromTheNorthInTheCycleOfTheActivation) {
  OneStagePe bench;
  bench.load_shadow(word({real(0)}));
  bench.psum_in.write(psum(50, 0));  // Cycle p - 1: too early.
  bench.step();
  bench.activation(real(0), true);
  bench.psum_in.write(psum(100, 0));  // Cycle p.
  bench.step();
  bench.no_activation();
  bench.psum_in.write(psum(200, 0));  // Cycle p + 1: too late.
  EXPECT_EQ(bench.psum_out.read(), psum(65536 + 100, 0));
  bench.step(2);
  EXPECT_EQ(bench.psum_out.read(), psum(65536 + 100, 0));
}

TEST(PeOfOneStageTiming, OneSumLeavesPerCycleWhenOneActivationArrivesPerCycle) {
  OneStagePe bench;
  bench.load_shadow(word({real(0)}));
  for (int i = 0; i < 20; ++i) {
    bench.activation(real(i), i == 0);
    bench.step();
    EXPECT_EQ(bench.psum_out.read(), psum(65536, i)) << "activation " << i;
  }
}

TEST(PeOfOneStageTiming, SwapTakesTheShadowWeightInTheSameCycle) {
  OneStagePe bench;
  bench.load_shadow(word({real(1)}));
  bench.activation(real(0), true);
  bench.weight(word({real(9)}));
  bench.step();
  EXPECT_EQ(bench.psum_out.read(), psum(65536, 1)) << "the sum is the new weight's";
  EXPECT_EQ(bench.pe.hazards(), 1u) << "a weight in the cycle of the swap";
}

TEST(PeOfOneStageTiming, ActivationsAndWeightsLeaveAsEver) {
  OneStagePe bench;
  bench.activation(real(3, 5, true), true);
  bench.weight(word({real(7)}), 3);
  EXPECT_FALSE(bench.activation_out.read().valid) << "cycle p";
  bench.step();
  EXPECT_EQ(bench.activation_out.read(), (hw::ActivationWire{real(3, 5, true), true, true})) << "cycle p + 1";
  EXPECT_EQ(bench.weight_out.read(), (hw::WeightWire{word({real(7)}), {true, 2}})) << "cycle p + 1";
}

TEST(PeOfOneStageTiming, ActivationThatArrivesDuringResetIsDropped) {
  OneStagePe bench;
  bench.load_shadow(word({real(1)}));
  bench.reset.write(true);
  bench.activation(real(0), true);
  bench.step();
  bench.reset.write(false);
  bench.no_activation();
  bench.step(3);
  EXPECT_TRUE(bench.pe.idle());
  EXPECT_EQ(bench.psum_out.read(), hw::PsumWord{});
}

TEST(PeCorner, ZeroWeightLeavesSumAndExponentUnchanged) {
  PeBench bench;
  EXPECT_EQ(bench.mac(word({zero()}), real(100), psum(-7, 3)), psum(-7, 3));
}

TEST(PeCorner, ZeroActivationLeavesSumAndExponentUnchanged) {
  PeBench bench;
  EXPECT_EQ(bench.mac(word({real(100)}), zero(), psum(-7, 3)), psum(-7, 3));
}

TEST(PeCorner, ZeroProductOnAnEmptySumLeavesItEmpty) {
  PeBench bench;
  EXPECT_EQ(bench.mac(word({zero()}), zero()), hw::PsumWord{});
}

TEST(PeCorner, NarWeightMakesTheSumNarAndIsCounted) {
  PeBench bench;
  EXPECT_TRUE(bench.mac(word({nar()}), real(0), psum(5, 0)).lane[0].nar);
  EXPECT_EQ(bench.pe.events().nar_products, 1u);
}

TEST(PeCorner, NarTimesZeroIsNar) {
  PeBench bench;
  EXPECT_TRUE(bench.mac(word({zero()}), nar(), psum(5, 0)).lane[0].nar);
  EXPECT_EQ(bench.pe.events().nar_products, 1u);
}

TEST(PeCorner, NarSumStaysNarAndIsNotCountedAgain) {
  PeBench bench;
  hw::PsumWord sum;
  sum.lane[0].nar = true;
  EXPECT_TRUE(bench.mac(word({real(0)}), real(0), sum).lane[0].nar);
  EXPECT_EQ(bench.pe.events().nar_products, 0u);
}

TEST(PeCorner, ProductOfTwoNegativesIsPositive) {
  PeBench bench;
  EXPECT_EQ(bench.mac(word({real(1, 0, true)}), real(2, 0, true)), psum(65536, 3));
}

TEST(PeCorner, UlfxOverflowsIntoTheExponent) {
  PeBench bench;
  EXPECT_EQ(bench.mac(word({real(1, 48)}), real(2, 48)), psum(362 * 256, 4)) << "2^(3 + 96/64)";
}

TEST(PeCorner, SumThatDoesNotFitSaturatesAndIsCounted) {
  PeBench bench;
  const hw::PsumWord highest = psum(0x7fffffff, 0);
  EXPECT_EQ(bench.mac(word({real(0)}), real(0), highest), highest);
  EXPECT_EQ(bench.pe.events().saturations, 1u);
}

TEST(PeCorner, SaturationOfOneLaneDoesNotTouchItsNeighbours) {
  PeBench bench(formats::arithmetic_preset("poster"), layer_of_mode(2));
  hw::PsumWord sum;
  for (auto& lane : sum.lane) lane = {0, 0, false};
  sum.lane[1] = {7, 0, false};  // The largest of 2 + 2 bits.
  const hw::PsumWord result = bench.mac(word({real(0), real(0), real(0, 0, true), zero()}), real(0), sum);
  EXPECT_EQ(result.lane[0], (formats::Psum{4, 0, false}));
  EXPECT_EQ(result.lane[1], (formats::Psum{7, 0, false}));
  EXPECT_EQ(result.lane[2], (formats::Psum{-4, 0, false}));
  EXPECT_EQ(result.lane[3], (formats::Psum{0, 0, false}));
  EXPECT_EQ(bench.pe.events().saturations, 1u);
}

TEST(PeCorner, NarInOneLaneDoesNotTouchItsNeighbours) {
  PeBench bench({}, layer_of_mode(4));
  const hw::PsumWord result = bench.mac(word({nar(), real(3)}), real(0));
  EXPECT_TRUE(result.lane[0].nar);
  EXPECT_EQ(result.lane[1], (formats::Psum{65536, 3, false}));
}

TEST(PeCorner, LogarithmsBeyond4BitSlicesDoNotLeakIntoOtherLanes) {
  // LP<8,2,7> reaches 2^24 times 2^-24 beside a packed weight: the figures' 4-bit slices could not hold it.
  PeBench bench({}, layer_of_mode(2));
  const hw::PsumWord result = bench.mac(word({real(0), real(0, 0, true), real(0), zero()}), real(-28, 255));
  EXPECT_EQ(result.lane[0].exponent, -25);
  EXPECT_EQ(result.lane[1].value, -result.lane[0].value);
  EXPECT_EQ(result.lane[2], result.lane[0]);
  EXPECT_EQ(result.lane[3], formats::Psum{});
}

TEST(PeCorner, FixedSumsUseTheLayersLsb) {
  hw::LayerControl layer = layer_of_mode(8);
  layer.psum_lsb = -4;
  PeBench bench(formats::arithmetic_preset("fixed"), layer);
  EXPECT_EQ(bench.mac(word({real(1)}), real(2), psum(3, 0)), psum(8 * 16 + 3, 0));
}

TEST(PeCorner, ANewLayersModeTakesEffectWithItsControlWires) {
  PeBench bench;
  bench.mac(word({real(0), real(0)}), real(0));
  bench.control.write(layer_of_mode(4));
  bench.step();
  const hw::PsumWord result = bench.mac(word({real(1), real(2)}), real(0));
  EXPECT_EQ(result.lane[0].exponent, 1);
  EXPECT_EQ(result.lane[1].exponent, 2);
}

TEST(PeTrace, WaveformNamesPinsAndRegisters) {
  PeBench bench;
  const std::string path = ::testing::TempDir() + "pe_trace_test";
  sc_core::sc_trace_file* file = sc_core::sc_create_vcd_trace_file(path.c_str());
  bench.pe.trace_pins(file, "pe");
  EXPECT_EQ(bench.mac(word({real(2)}), real(3)), psum(65536, 5));
  sc_core::sc_close_vcd_trace_file(file);
  std::ifstream in(path + ".vcd");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::remove((path + ".vcd").c_str());
  for (const char* name : {"activation_in", "weight_in", "psum_in", "psum_out", "product_valid", "active_weight",
                           "shadow_weight", "product"}) {
    EXPECT_THAT(text, ::testing::HasSubstr(name));
  }
  EXPECT_THAT(text, ::testing::HasSubstr("b10000000000000000 ")) << "the sum's value 65536 on a 32-bit wire";
}

}  // namespace
}  // namespace lpa::test
