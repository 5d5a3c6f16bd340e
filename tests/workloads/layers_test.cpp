#include "workloads/layers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/model_builder.h"
#include "tests/workloads/naive_layers.h"
#include "tests/workloads/naive_operators.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;

/// Every layer of the lowered network must give the value that it stands for, before and after what is fused.
LayerGraph expect_same(const ModelBuilder& model, Random& random) {
  const Network network = model.import();
  const LayerGraph graph = lower(network);
  const Tensor input = random_tensor(network.values[static_cast<std::size_t>(network.input)].shape, random);
  const std::vector<Tensor> values = Executor(network).run_all(input);
  std::vector<Tensor> encoded;
  const std::vector<Tensor> results = naive_layers(graph, input, &encoded);
  EXPECT_EQ(graph.layers.back().value >= 0 ? values[static_cast<std::size_t>(graph.layers.back().value)].data
                                           : std::vector<float>(),
            values[static_cast<std::size_t>(network.output)].data)
      << "the last layer is the output";
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Layer& layer = graph.layers[i];
    const auto compare = [&](int value, Tensor actual, const char* what) {
      const Tensor& expected = values[static_cast<std::size_t>(value)];
      if (expected.shape.size() == 3) {  // 1 x M x K lies as (h, c), not as (c, h).
        Tensor rows{{1, layer.geometry.out_h, layer.geometry.out_c}, {}};
        for (int h = 0; h < layer.geometry.out_h; ++h)
          for (int c = 0; c < layer.geometry.out_c; ++c)
            rows.data.push_back(actual.data[static_cast<std::size_t>(c * layer.geometry.out_h + h)]);
        actual = rows;
      }
      EXPECT_EQ(actual.data.size(), expected.data.size());
      actual.shape = expected.shape;
      EXPECT_LT(difference(actual, expected), 1e-4) << what << " of layer " << i << ", " << layer.name;
    };
    compare(layer.value, results[i], "result");
    compare(layer.encoded_value, encoded[i], "encoded result");
  }
  return graph;
}

std::string lower_error(const ModelBuilder& model) {
  const Network network = model.import();
  return message_of<InputError>([&] { lower(network); });
}

std::vector<std::string> names(const LayerGraph& graph) {
  std::vector<std::string> result;
  for (const Layer& layer : graph.layers) result.push_back(layer.name);
  return result;
}

TEST(Lower, ProjectionComesBeforeTheConvolutionThatAddsIt) {
  for (const bool swapped : {false, true}) {
    Random random(1);
    ModelBuilder model({1, 4, 6, 6});
    const std::string stem = model.node("Relu", {model.conv("input", 4, 4, 3, 1, 1, random, "stem")});
    const std::string inner = model.node("Relu", {model.conv(stem, 4, 8, 3, 2, 1, random, "first")});
    const std::string second = model.conv(inner, 8, 8, 3, 1, 1, random, "second");
    const std::string projection = model.conv(stem, 4, 8, 1, 2, 0, random, "projection");
    const std::vector<std::string> operands =
        swapped ? std::vector{projection, second} : std::vector{second, projection};
    model.output(model.node("Relu", {model.node("Add", operands)}));
    const LayerGraph graph = expect_same(model, random);
    EXPECT_EQ(names(graph), (std::vector<std::string>{"stem", "first", "projection", "second"}));
    EXPECT_EQ(graph.layers[3].input, 1);
    EXPECT_EQ(graph.layers[3].addend, 2);
    EXPECT_TRUE(graph.layers[3].activation.kind == Activation::Kind::relu);
    EXPECT_EQ(graph.layers[2].addend, no_operand);
    EXPECT_FALSE(graph.layers[2].activation.kind == Activation::Kind::relu);
  }
}

TEST(Lower, AConvolutionThatOthersNeedDoesNotTakeTheAddition) {
  Random random(2);
  ModelBuilder model({1, 4, 6, 6});
  const std::string a = model.conv("input", 4, 4, 3, 1, 1, random, "a");
  const std::string b = model.node("Relu", {model.conv(a, 4, 4, 3, 1, 1, random, "b")});
  model.output(model.node("Relu", {model.node("Add", {a, b}, "sum")}));
  const LayerGraph graph = expect_same(model, random);
  EXPECT_EQ(names(graph), (std::vector<std::string>{"a", "b", "sum"}));
  EXPECT_EQ(graph.layers[2].kind, LayerKind::add);
  EXPECT_EQ(graph.layers[2].input, 0);
  EXPECT_EQ(graph.layers[2].addend, 1);
  EXPECT_TRUE(graph.layers[2].activation.kind == Activation::Kind::relu);
}

TEST(Lower, AdditionOfTheInputOrOfItselfWorks) {
  Random random(3);
  ModelBuilder residual({1, 3, 5, 5});
  residual.output(residual.node("Add", {"input", residual.conv("input", 3, 3, 3, 1, 1, random)}));
  const LayerGraph graph = expect_same(residual, random);
  ASSERT_EQ(graph.layers.size(), 1u);
  EXPECT_EQ(graph.layers[0].addend, network_input);

  ModelBuilder twice({1, 3, 5, 5});
  const std::string conv = twice.conv("input", 3, 3, 3, 1, 1, random);
  twice.output(twice.node("Add", {conv, conv}));
  EXPECT_EQ(expect_same(twice, random).layers[1].kind, LayerKind::add);

  ModelBuilder both({1, 3, 5, 5});
  both.output(both.node("Add", {"input", "input"}));
  EXPECT_EQ(expect_same(both, random).layers.size(), 1u);
}

TEST(Lower, ChainOfAdditionsFusesEachOnce) {
  Random random(4);
  ModelBuilder model({1, 3, 5, 5});
  const std::string a = model.conv("input", 3, 3, 3, 1, 1, random, "a"),
                    b = model.conv("input", 3, 3, 3, 1, 1, random, "b"),
                    c = model.conv("input", 3, 3, 3, 1, 1, random, "c");
  model.output(model.node("Add", {model.node("Add", {a, b}), c}));
  const LayerGraph graph = expect_same(model, random);
  ASSERT_EQ(graph.layers.size(), 3u);
  for (const Layer& layer : graph.layers) EXPECT_EQ(layer.kind, LayerKind::conv);
}

TEST(Lower, FlattenedMapBecomesAKernelOfItsSize) {
  Random random(5);
  ModelBuilder model({1, 2, 7, 6});
  const std::string conv = model.conv("input", 2, 3, 3, 1, 0, random);
  const std::string flat = model.node("Reshape", {conv, model.constant({1, -1})});
  const std::string hidden = model.node("Relu", {model.gemm(model.node("Relu", {flat}), 60, 7, random)});
  model.output(model.gemm(hidden, 7, 4, random));
  const LayerGraph graph = expect_same(model, random);
  ASSERT_EQ(graph.layers.size(), 3u);
  EXPECT_TRUE(graph.layers[0].activation.kind == Activation::Kind::relu)
      << "ReLU on the flattened map is the convolution's";
  const LayerGeometry& g = graph.layers[1].geometry;
  EXPECT_EQ((std::array{g.kernel_h, g.kernel_w, g.in_h, g.in_w, g.in_c, g.out_h, g.out_w, g.out_c}),
            (std::array{5, 4, 5, 4, 3, 1, 1, 7}));
  EXPECT_EQ(graph.layers[1].k(), 60);
  EXPECT_EQ(graph.layers[1].macs(), 420);
}

TEST(Lower, RowsOfAMatrixAreTheHeight) {
  Random random(6);
  ModelBuilder model({1, 5, 6});
  const std::string first = model.node("MatMul", {"input", model.constant(random_tensor({6, 4}, random))});
  const std::string biased =
      model.node("Relu", {model.node("Add", {first, model.constant(random_tensor({4}, random))})});
  model.output(model.gemm(model.node("Flatten", {biased}), 20, 3, random));
  const LayerGraph graph = expect_same(model, random);
  ASSERT_EQ(graph.layers.size(), 2u);
  EXPECT_EQ(graph.in_h, 5);
  EXPECT_EQ(graph.in_c, 6);
  EXPECT_EQ(graph.layers[0].m(), 5);
  EXPECT_EQ(graph.layers[0].n(), 4);
  EXPECT_EQ(graph.layers[0].k(), 6);
  EXPECT_EQ(graph.layers[1].geometry.kernel_h, 5);
}

TEST(Lower, PaddingIsMergedIntoEachUser) {
  Random random(7);
  ModelBuilder model({1, 2, 6, 6});
  const std::string stem = model.node("Relu", {model.conv("input", 2, 2, 1, 1, 0, random)});
  const std::string pad = model.node("Pad", {stem, model.constant({0, 0, 1, 0, 0, 0, 0, 2})});
  const std::string conv = model.conv(pad, 2, 3, 3, 1, 1, random, "conv");
  const std::string pooled = model.node("MaxPool", {pad}, "max");
  model.ints("kernel_shape", {3, 3}).ints("pads", {1, 1, 1, 0});
  const std::string mean = model.node("AveragePool", {pad}, "mean");
  model.ints("kernel_shape", {3, 3});
  const auto tail = [&](const std::string& value, int c, int size) {
    return model.gemm(model.node("Flatten", {value}), c * size, 4, random);
  };
  model.output(model.node("Add", {tail(conv, 3, 56), model.node("Add", {tail(pooled, 2, 49), tail(mean, 2, 30)})}));
  const LayerGraph graph = expect_same(model, random);
  const auto find = [&](const std::string& name) { return *std::ranges::find(graph.layers, name, &Layer::name); };
  const LayerGeometry g = find("conv").geometry;
  EXPECT_EQ((std::array{g.pad_top, g.pad_left, g.pad_bottom, g.pad_right}), (std::array{2, 1, 1, 3}));
  EXPECT_EQ(find("max").geometry.pad_top, 2);
  EXPECT_TRUE(find("mean").count_include_pad);
}

TEST(Lower, CeilModeBecomesPadding) {
  Random random(8);
  for (const char* op : {"MaxPool", "AveragePool"}) {
    ModelBuilder model({1, 3, 8, 7});
    model.output(model.node(op, {"input"}));
    model.ints("kernel_shape", {3, 3}).ints("strides", {2, 2}).integer("ceil_mode", 1);
    const LayerGraph graph = expect_same(model, random);
    EXPECT_EQ(graph.layers[0].geometry.pad_bottom, 1);
    EXPECT_EQ(graph.layers[0].geometry.pad_right, 0);
    EXPECT_EQ(graph.layers[0].geometry.out_h, 4);
  }
}

TEST(Lower, SliceAndReshapeWithoutEffectDisappear) {
  Random random(9);
  ModelBuilder model({1, 3, 4, 4});
  const std::string slice =
      model.node("Slice", {"input", model.constant({0}), model.constant({99}), model.constant({2})});
  const std::string pooled = model.node("GlobalAveragePool", {model.conv(slice, 3, 4, 3, 1, 1, random)});
  const std::string there = model.node("Flatten", {pooled});
  const std::string back = model.node("Reshape", {there, model.constant({1, 4, 1, 1})});
  model.output(model.conv(back, 4, 2, 1, 1, 0, random));
  EXPECT_EQ(expect_same(model, random).layers.size(), 3u);
}

TEST(Lower, WhatCannotRunIsNamed) {
  Random random(10);
  const auto with = [&](auto build) {
    ModelBuilder model({1, 3, 6, 6});
    build(model);
    return lower_error(model);
  };
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Flatten", {"input"}, "f")); }),
              HasSubstr("has no layer to run"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.output(m.node("Pad", {"input", m.constant({0, 0, 1, 1, 0, 0, 1, 1})}, "p"));
              }),
              HasSubstr("node 'p' (Pad): is the network's output"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                const std::string one = m.constant(Tensor{{1}, {1}});
                m.output(m.node("GlobalAveragePool",
                                {m.node("Pad", {"input", m.constant({0, 0, 1, 1, 0, 0, 1, 1}), one}, "p")}, "g"));
              }),
              HasSubstr("node 'p' (Pad): pads with 1 and is followed by node 'g' (GlobalAveragePool) (supported: 0"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                const std::string one = m.constant(Tensor{{1}, {1}});
                m.output(m.node("Pad", {"input", m.constant({0, 1, 0, 0, 0, 0, 0, 0}), one}, "p"));
              }),
              HasSubstr("node 'p' (Pad): pads another axis than height and width with 1 (supported: 0)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                const std::string one = m.constant(Tensor{{1}, {1}});
                m.output(m.conv(m.node("Pad", {"input", m.constant({0, 0, 1, 1, 0, 0, 1, 1}), one}, "p"), 3, 2, 3, 1, 0,
                                random));
              }),
              HasSubstr("node 'p' (Pad): pads with 1 before a Conv (supported: 0)"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.output(m.node("MaxPool", {m.node("Pad", {"input", m.constant({0, 0, 1, 1, 0, 0, 1, 1})}, "p")}));
                m.ints("kernel_shape", {3, 3});
              }),
              HasSubstr("node 'p' (Pad): pads with 0 before a MaxPool (supported: -infinity, or 0 after Relu)"));
}

TEST(Lower, WhatCannotBeReadOrFusedIsCopied) {
  Random random(11);
  const auto kinds = [&](auto build) {
    ModelBuilder model({1, 3, 6, 6});
    build(model);
    std::vector<LayerKind> result;
    for (const Layer& layer : expect_same(model, random).layers) result.push_back(layer.kind);
    return result;
  };
  using Kinds = std::vector<LayerKind>;
  EXPECT_EQ(kinds([](ModelBuilder& m) { m.output(m.node("Relu", {"input"})); }), Kinds{LayerKind::copy});
  EXPECT_EQ(kinds([&](ModelBuilder& m) {
              const std::string c = m.conv("input", 3, 3, 3, 1, 1, random);
              m.output(m.node("Add", {m.node("Relu", {c}), c}));
            }),
            (Kinds{LayerKind::conv, LayerKind::copy, LayerKind::add}));
  EXPECT_EQ(kinds([&](ModelBuilder& m) {
              m.output(m.conv(m.node("Reshape", {"input", m.constant({1, 12, 3, 3})}), 12, 2, 3, 1, 0, random));
            }),
            (Kinds{LayerKind::copy, LayerKind::conv}));
  EXPECT_EQ(kinds([](ModelBuilder& m) {
              m.output(m.node("GlobalAveragePool", {m.node("Pad", {"input", m.constant({0, 0, 1, 1, 0, 0, 1, 1})})}));
            }),
            (Kinds{LayerKind::copy, LayerKind::average_pool}));
  EXPECT_EQ(kinds([&](ModelBuilder& m) {
              m.output(m.conv(m.node("Pad", {"input", m.constant({0, 1, 0, 0, 0, 0, 0, 0})}), 4, 2, 3, 1, 0, random));
            }),
            (Kinds{LayerKind::copy, LayerKind::conv}));
}

/// A random network of residual blocks, branches and poolings.
ModelBuilder random_network(Random& random) {
  int size = pick(random, 6, 10), channels = pick(random, 1, 6);
  ModelBuilder model({1, channels, size, size});
  std::string x = "input";
  const auto conv = [&](const std::string& from, int in_c, int out_c, int stride) {
    const int kernel = pick(random, 0, 2) == 0 ? 1 : 3;
    if (kernel == 3 && pick(random, 0, 2) == 0)
      return model.conv(model.node("Pad", {from, model.constant({0, 0, 1, 1, 0, 0, 1, 1})}), in_c, out_c, 3, stride, 0,
                        random);
    return model.conv(from, in_c, out_c, kernel, stride, kernel / 2, random);
  };
  for (int block = pick(random, 1, 4); block > 0; --block) {
    const int out_c = pick(random, 1, 6), stride = size > 3 ? pick(random, 1, 2) : 1;
    std::string main = conv(x, channels, out_c, stride), side;
    if (pick(random, 0, 1) == 1) main = conv(model.node("Relu", {main}), out_c, out_c, 1);
    if (pick(random, 0, 1) == 1 && stride == 1 && out_c == channels)
      side = x;
    else if (pick(random, 0, 3) > 0)
      side = conv(x, channels, out_c, stride);
    if (!side.empty() && pick(random, 0, 3) == 0 && side != x) side = model.node("Relu", {side});
    if (!side.empty() && pick(random, 0, 3) == 0 && side != x) {
      const std::string more = conv(side, out_c, out_c, 1);  // The side branch now has a second user.
      main = model.node("Add", {more, main});
    }
    if (!side.empty())
      main = model.node("Add", pick(random, 0, 1) == 1 ? std::vector{main, side} : std::vector{side, main});
    if (pick(random, 0, 3) > 0) main = model.node("Relu", {main});
    size = (size - 1) / stride + 1;
    channels = out_c;
    x = main;
    if (size >= 4 && pick(random, 0, 2) == 0) {
      x = model.node(pick(random, 0, 1) == 1 ? "MaxPool" : "AveragePool", {x});
      model.ints("kernel_shape", {2, 2}).ints("strides", {2, 2});
      size /= 2;
    }
  }
  if (pick(random, 0, 1) == 1) {
    x = model.node("GlobalAveragePool", {x});
    size = 1;
  }
  model.output(model.gemm(model.node("Flatten", {x}), channels * size * size, 3, random));
  return model;
}

TEST(Lower, RandomNetworksComputeTheSame) {
  int fused = 0, alone = 0;
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const ModelBuilder model = random_network(random);
    const LayerGraph graph = expect_same(model, random);
    for (const Layer& layer : graph.layers) {
      fused += layer.kind == LayerKind::conv && layer.addend != no_operand ? 1 : 0;
      alone += layer.kind == LayerKind::add ? 1 : 0;
    }
  }
  EXPECT_GT(fused, 50);
  EXPECT_GT(alone, 0);
}

}  // namespace
}  // namespace lpa::workloads::testing
