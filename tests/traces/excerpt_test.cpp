#include "traces/excerpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/small_trace.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::traces::testing {
namespace {

TEST(Excerpt, OfAllLayersIsTheTrace) {
  Trace whole = small_trace();
  whole.parameters = 0;
  EXPECT_EQ(trace_text(excerpt(whole, 0, whole.layers.size())), trace_text(whole));
}

TEST(Excerpt, WhatComesFromOutsideBecomesConstants) {
  const Trace part = excerpt(small_trace(), 1, 5);
  EXPECT_NO_THROW(check_trace(part));
  ASSERT_EQ(part.layers.size(), 4U);
  ASSERT_EQ(part.constants.size(), 2U);
  EXPECT_EQ(part.operand_name(part.graph.layers[0].input), "conv");
  EXPECT_EQ(part.constants[0].role, ConstantRole::rectified_layer);
  EXPECT_EQ(part.operand_name(part.graph.layers[0].addend), "bias map");
  EXPECT_EQ(part.constants[1].role, ConstantRole::own);
  EXPECT_EQ(part.operand_name(part.graph.layers[3].input), "max");
  EXPECT_EQ(part.graph.layers[3].addend, 2);
}

TEST(Excerpt, AnOperandUsedTwiceIsOneConstant) {
  const Trace part = excerpt(small_trace(), 6, 9);
  EXPECT_NO_THROW(check_trace(part));
  ASSERT_EQ(part.constants.size(), 2U);
  EXPECT_EQ(part.graph.constants[0].name, "norm");
  EXPECT_EQ(part.graph.constants[1].name, "residual");
  EXPECT_EQ(part.constants[0].role, ConstantRole::layer);
}

TEST(IndependentLayers, HaveAnInputEach) {
  LayerShape conv;
  conv.name = "layer";
  conv.geometry = ConvGeometry{.in_c = 4,
                               .in_h = 10,
                               .in_w = 11,
                               .out_c = 8,
                               .out_h = 5,
                               .out_w = 5,
                               .kernel_h = 3,
                               .kernel_w = 3,
                               .stride = 2,
                               .groups = 1};
  LayerShape linear{.name = "layer", .kind = ShapeKind::linear, .m = 7, .n = 5, .k = 6};
  Trace trace = independent_layers("table.csv", {conv, linear});
  apply_recipe(trace, Recipe::w8);
  EXPECT_NO_THROW(check_trace(trace));
  const workloads::LayerGeometry& g = trace.graph.layers[0].geometry;
  EXPECT_EQ(g.pad_bottom, 1) << "the last window reaches beyond the input";
  EXPECT_EQ(g.pad_right, 0);
  EXPECT_EQ(trace.graph.layers[1].name, "layer#2");
  EXPECT_EQ(trace.graph.layers[1].macs(), 7 * 5 * 6);
  EXPECT_EQ(trace.graph.constants.size(), 2U);
}

TEST(IndependentLayers, RefuseProductsOfActivations) {
  const LayerShape matmul{.name = "qk", .kind = ShapeKind::matmul};
  EXPECT_EQ(workloads::testing::message_of<workloads::InputError>([&] { independent_layers("t.csv", {matmul}); }),
            "t.csv: layer 'qk': a matmul of a table has no operands (supported: conv, linear)");
}

}  // namespace
}  // namespace lpa::traces::testing
