#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/naive_layers.h"
#include "tests/workloads/naive_operators.h"
#include "tests/workloads/network_builder.h"
#include "workloads/input_error.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;
using Kinds = std::vector<LayerKind>;

/// Largest difference between the elements of both, in ascending order.
double set_difference(Tensor a, Tensor b) {
  std::ranges::sort(a.data);
  std::ranges::sort(b.data);
  a.shape = b.shape = {static_cast<std::int64_t>(a.data.size())};
  return difference(a, b);
}

/// The layers give the network's output, and each the elements of the values that it stands for.
LayerGraph expect_same(const Network& network, Random& random) {
  const LayerGraph graph = lower(network);
  const Tensor input = random_tensor(network.values[static_cast<std::size_t>(network.input)].shape, random);
  const std::vector<Tensor> values = naive_network(network, input);
  std::vector<Tensor> encoded;
  const std::vector<Tensor> results = naive_layers(graph, input, &encoded);
  std::set<std::string> names;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const Layer& layer = graph.layers[i];
    EXPECT_TRUE(names.insert(layer.name).second) << layer.name << " names two layers";
    const Tensor& value = values[static_cast<std::size_t>(layer.value)];
    if (value.data.size() != results[i].data.size()) continue;  // Part of a value, or of one with padding.
    EXPECT_LT(set_difference(results[i], value), 1e-4) << "result of " << layer.name;
    EXPECT_LT(set_difference(encoded[i], values[static_cast<std::size_t>(layer.encoded_value)]), 1e-4)
        << "encoded result of " << layer.name;
  }
  const Layer& last = graph.layers.back();
  const Tensor& expected = values[static_cast<std::size_t>(network.output)];
  Tensor output = results.back();
  const bool map = expected.shape.size() == 4 && last.kind != LayerKind::softmax;
  if (!map) {  // Stored as (rows, channels), not as (channels, rows).
    const auto rows = static_cast<std::size_t>(last.geometry.out_h * last.geometry.out_w);
    const auto c = static_cast<std::size_t>(last.geometry.out_c);
    for (std::size_t i = 0; i < output.data.size(); ++i) output.data[i] = results.back().data[i % c * rows + i / c];
  }
  output.shape = expected.shape;
  EXPECT_LT(difference(output, expected), 1e-4);
  return graph;
}

Kinds kinds(const LayerGraph& graph) {
  Kinds result;
  for (const Layer& layer : graph.layers) result.push_back(layer.kind);
  return result;
}

const Layer& layer_named(const LayerGraph& graph, const std::string& name) {
  return *std::ranges::find(graph.layers, name, &Layer::name);
}

std::string lower_error(const Network& network) {
  return message_of<InputError>([&] { lower(network); });
}

constexpr int tokens = 5, heads = 3, depth = 4, width = heads * depth;

/// softmax(q k') v for q, v: heads x tokens x depth, k: heads x depth x tokens, and back to tokens x width.
int attend(NetworkBuilder& b, int q, int k, int v, const Shape& result) {
  const int scores = b.pointwise("Softmax", Softmax{}, b.matmul(q, k, "qk"));
  const int heads_apart = b.matmul(scores, v, "av");
  const bool four = b.shape(q).size() == 4;
  return b.reshape(b.transpose(heads_apart, four ? std::vector{0, 2, 1, 3} : std::vector{1, 0, 2}), result);
}

void expect_no_copies(const LayerGraph& graph) {
  EXPECT_EQ(kinds(graph),
            (Kinds{LayerKind::conv, LayerKind::matmul, LayerKind::softmax, LayerKind::matmul, LayerKind::conv}));
  const Layer& qk = layer_named(graph, "qk");
  EXPECT_EQ(qk.products.input, (MatrixPlaces{0, 0, depth, 3 * width, 1}));
  EXPECT_EQ(qk.products.stationary, (MatrixPlaces{width, 0, depth, 1, 3 * width}));
  EXPECT_EQ(qk.products.output, (MatrixPlaces{0, 0, tokens * tokens, tokens, 1}));
  EXPECT_FLOAT_EQ(static_cast<float>(qk.products.scale), 0.5f);
  EXPECT_EQ(qk.input, qk.stationary);
  const Layer& av = layer_named(graph, "av");
  EXPECT_EQ(av.products.stationary, (MatrixPlaces{2 * width, 0, depth, 3 * width, 1}));
  EXPECT_EQ(av.products.output, (MatrixPlaces{0, 0, depth, width, 1}));
  EXPECT_EQ(av.stationary, qk.stationary);
  EXPECT_EQ(av.geometry.out_c, width);
  EXPECT_EQ(av.macs(), heads * tokens * depth * tokens);
  EXPECT_EQ(graph.layers.back().geometry.in_h, tokens);
}

TEST(LowerAttention, PackedProjectionSplitAfterATransposition) {
  Random random(1);
  NetworkBuilder b({1, tokens, width}, random);
  const int qkv = b.reshape(b.linear(NetworkBuilder::input, 3 * width), {1, tokens, 3, heads, depth});
  const int parts = b.transpose(qkv, {2, 0, 3, 1, 4});
  const auto part = [&](int i) { return b.reshape(b.slice(parts, 0, i, i + 1), {1, heads, tokens, depth}); };
  const int q = b.scale(part(0), 0.5f), k = b.transpose(part(1), {0, 1, 3, 2});
  expect_no_copies(expect_same(b.network(b.linear(attend(b, q, k, part(2), {1, tokens, width}), width)), random));
}

TEST(LowerAttention, PackedProjectionSlicedAlongTheChannels) {
  Random random(2);
  NetworkBuilder b({1, tokens, width}, random);
  const int first = b.transpose(NetworkBuilder::input, {1, 0, 2});  // Tokens, batch, width.
  const int qkv = b.linear(first, 3 * width);
  const auto part = [&](int i) {
    return b.reshape(b.slice(qkv, 2, i * width, (i + 1) * width), {tokens, heads, depth});
  };
  const int q = b.scale(b.transpose(part(0), {1, 0, 2}), 0.5f), k = b.transpose(part(1), {1, 2, 0});
  const int v = b.transpose(part(2), {1, 0, 2});
  const int out = b.linear(attend(b, q, k, v, {tokens, width}), width);
  expect_no_copies(expect_same(b.network(b.transpose(b.reshape(out, {tokens, 1, width}), {1, 0, 2})), random));
}

TEST(LowerAttention, ScaleBehindTheProduct) {
  Random random(3);
  NetworkBuilder b({1, tokens, width}, random);
  const int q = b.transpose(b.reshape(b.linear(NetworkBuilder::input, width), {1, tokens, heads, depth}), {0, 2, 1, 3});
  const int k = b.transpose(b.reshape(b.linear(NetworkBuilder::input, width), {1, tokens, heads, depth}), {0, 2, 3, 1});
  const int scaled = b.scale(b.matmul(q, k, "qk"), 0.25f);
  const LayerGraph graph = expect_same(b.network(b.pointwise("Softmax", Softmax{}, scaled)), random);
  EXPECT_EQ(kinds(graph), (Kinds{LayerKind::conv, LayerKind::conv, LayerKind::matmul, LayerKind::softmax}));
  EXPECT_EQ(layer_named(graph, "qk").products.scale, 0.25);
  EXPECT_EQ(layer_named(graph, "qk").encoded_value, scaled);
}

TEST(LowerAttention, AnOperandThatCannotBeReadIsCopiedOnce) {
  Random random(4);
  NetworkBuilder b({1, 6, 4}, random);
  const int x = b.linear(NetworkBuilder::input, 4);
  const int turned = b.transpose(x, {0, 2, 1});  // Rows along the channels: not for the moving operand.
  const int first = b.matmul(turned, b.linear(NetworkBuilder::input, 3), "first");
  const int second = b.matmul(turned, b.linear(NetworkBuilder::input, 3), "second");
  const LayerGraph graph = expect_same(b.network(b.add(first, second)), random);
  EXPECT_EQ(std::ranges::count(graph.layers, LayerKind::copy, &Layer::kind), 1);
  EXPECT_EQ(layer_named(graph, "first").input, layer_named(graph, "second").input);
  EXPECT_EQ(std::ranges::find(graph.layers, LayerKind::copy, &Layer::kind)->boxes.size(), 1u);
}

TEST(LowerTransformer, ClassTokenPositionsAndHead) {
  Random random(5);
  NetworkBuilder b({1, 3, 4, 4}, random);
  const int patches = b.transpose(b.reshape(b.conv(NetworkBuilder::input, 8, 2, 2, 0), {1, 8, 4}), {0, 2, 1});
  const int joined = b.concat({b.constant({1, 1, 8}, "class"), patches}, 1, "join");
  const int x = b.add(joined, b.constant({1, 5, 8}, "positions"), "place");
  const int hidden = b.pointwise("Gelu", Gelu{}, b.linear(b.layer_norm(x), 16, "up"));
  const int y = b.layer_norm(b.add(x, b.linear(hidden, 8, "down")));
  const int token = b.reshape(b.slice(y, 1, 0, 1, 1, "token"), {1, 8});
  const LayerGraph graph = expect_same(b.network(b.linear(token, 10)), random);
  EXPECT_EQ(kinds(graph),
            (Kinds{LayerKind::conv, LayerKind::copy, LayerKind::add, LayerKind::layer_norm, LayerKind::conv,
                   LayerKind::conv, LayerKind::layer_norm, LayerKind::copy, LayerKind::conv}));
  const Layer& join = layer_named(graph, "join");
  EXPECT_EQ(join.input, 0);
  ASSERT_TRUE(is_constant(join.addend));
  EXPECT_EQ(graph.constants[constant_index(join.addend)].name, "class");
  EXPECT_EQ(join.boxes.size(), 2u);
  EXPECT_TRUE(is_constant(layer_named(graph, "place").addend));
  EXPECT_EQ(layer_named(graph, "up").activation.kind, Activation::Kind::gelu);
  EXPECT_TRUE(layer_named(graph, "up").reencodes());
  EXPECT_EQ(layer_named(graph, "down").addend, 2);
  const Layer& cut = layer_named(graph, "token");
  EXPECT_EQ(cut.boxes, (std::vector{CopyBox{.count = {1, 1, 8}}}));
  EXPECT_EQ(cut.geometry.in_h, 5);
  EXPECT_EQ(cut.geometry.out_h, 1);
}

TEST(LowerTransformer, TheShippedVisionTransformer) {
  Random random(16);
  const LayerGraph graph = expect_same(import_onnx(LPA_WORKLOADS_DATA "/vit/vit.onnx"), random);
  EXPECT_EQ(graph.layers.size(), 63u);
  EXPECT_EQ(std::ranges::count(graph.layers, LayerKind::copy, &Layer::kind), 2) << "class token and its cut";
  EXPECT_EQ(std::ranges::count(graph.layers, LayerKind::add, &Layer::kind), 1) << "positions";
  EXPECT_EQ(std::ranges::count(graph.layers, LayerKind::matmul, &Layer::kind), 12);
  std::int64_t macs = 0;
  for (const Layer& layer : graph.layers) macs += layer.macs();
  EXPECT_EQ(macs, 78252800);
}

/// Shifted windows of side x side tokens on a map of size x size, with bias and mask, and patch merging.
Network shifted_windows(NetworkBuilder& b, int size, int side, int shift) {
  const int windows = size / side * (size / side), area = side * side;
  const int x = b.layer_norm(b.transpose(b.conv(NetworkBuilder::input, width, 1, 1, 0), {0, 2, 3, 1}));
  int normed = b.layer_norm(x);
  if (shift > 0) normed = b.roll(b.roll(normed, 1, shift), 2, shift);
  const int grid = b.transpose(b.reshape(normed, {1, size / side, side, size / side, side, width}), {0, 1, 3, 2, 4, 5});
  const int qkv = b.linear(b.reshape(grid, {windows, area, width}), 3 * width, "qkv");
  const int parts = b.transpose(b.reshape(qkv, {windows, area, 3, heads, depth}), {2, 0, 3, 1, 4});
  const auto part = [&](int i) { return b.reshape(b.slice(parts, 0, i, i + 1), {windows, heads, area, depth}); };
  const int q = b.scale(part(0), 0.5f), k = b.transpose(part(1), {0, 1, 3, 2});
  const int biased = b.add(b.matmul(q, k, "qk"), b.constant({windows, heads, area, area}, "bias"));
  const int masked =
      b.add(b.reshape(biased, {1, windows, heads, area, area}), b.constant({1, windows, heads, area, area}, "mask"));
  const int scores = b.pointwise("Softmax", Softmax{}, b.reshape(masked, {windows, heads, area, area}));
  const int joined = b.reshape(b.transpose(b.matmul(scores, part(2), "av"), {0, 2, 1, 3}), {windows * area, width});
  const int projected = b.reshape(b.linear(joined, width, "proj"), {1, size / side, size / side, side, side, width});
  int back = b.reshape(b.transpose(projected, {0, 1, 3, 2, 4, 5}), {1, size, size, width});
  if (shift > 0) back = b.roll(b.roll(back, 1, size - shift), 2, size - shift);
  const int sum = b.add(x, back, "residual");
  std::vector<int> quarters;
  for (const int column : {0, 1})
    for (const int row : {0, 1}) quarters.push_back(b.slice(b.slice(sum, 1, row, size, 2), 2, column, size, 2));
  const int merged = b.linear(b.layer_norm(b.concat(quarters, 3, "merge")), 2 * width);
  return b.network(
      b.node("GlobalAveragePool", GlobalAveragePool{}, {b.transpose(merged, {0, 3, 1, 2})}, {1, 2 * width, 1, 1}));
}

TEST(LowerTransformer, ShiftedWindows) {
  Random random(6);
  for (const int shift : {0, 1}) {
    NetworkBuilder b({1, 3, 12, 12}, random);
    const LayerGraph graph = expect_same(shifted_windows(b, 12, 3, shift), random);
    EXPECT_EQ(kinds(graph), (Kinds{LayerKind::conv, LayerKind::layer_norm, LayerKind::layer_norm, LayerKind::copy,
                                   LayerKind::conv, LayerKind::matmul, LayerKind::softmax, LayerKind::matmul,
                                   LayerKind::conv, LayerKind::copy, LayerKind::add, LayerKind::copy,
                                   LayerKind::layer_norm, LayerKind::conv, LayerKind::average_pool}));
    const Layer& qk = layer_named(graph, "qk");
    EXPECT_EQ((std::pair{qk.products.outer, qk.products.inner}), (std::pair{16, 3}));
    EXPECT_EQ(qk.products.input, (MatrixPlaces{0, 9 * 3 * width, depth, 3 * width, 1}));
    ASSERT_EQ(graph.constants.size(), 1u) << "bias and mask in one";
    EXPECT_TRUE(is_constant(qk.addend));
    EXPECT_EQ(layer_named(graph, "av").products.output, (MatrixPlaces{0, 9 * width, depth, width, 1}));
    for (const Layer& layer : graph.layers) EXPECT_LE(layer.boxes.size(), 15u) << layer.name;
    EXPECT_LE(layer_named(graph, "merge").boxes.size(), 2u);
  }
}

TEST(LowerTransformer, WindowsOfSwinNeedFewBoxes) {
  Random random(7);
  NetworkBuilder b({1, 8, 56, 56}, random);
  int x = b.transpose(b.conv(NetworkBuilder::input, 8, 1, 1, 0), {0, 2, 3, 1});
  x = b.roll(b.roll(x, 1, 3), 2, 3);
  x = b.reshape(b.transpose(b.reshape(x, {1, 8, 7, 8, 7, 8}), {0, 1, 3, 2, 4, 5}), {64 * 49, 8});
  const LayerGraph graph = expect_same(b.network(b.linear(x, 8)), random);
  EXPECT_EQ(graph.layers.size(), 3u);
  EXPECT_LE(graph.layers[1].boxes.size(), 30u);
}

TEST(LowerTransformer, PaddedWindows) {
  Random random(8);
  NetworkBuilder b({1, 4, 5, 5}, random);
  const int x = b.transpose(b.conv(NetworkBuilder::input, 4, 1, 1, 0), {0, 2, 3, 1});
  const int padded = b.node("Pad", Pad{{0, 0, 0, 0}, {0, 1, 1, 0}, 0}, {x}, {1, 6, 6, 4});
  const int grid = b.transpose(b.reshape(padded, {1, 2, 3, 2, 3, 4}), {0, 1, 3, 2, 4, 5});
  const int y = b.reshape(b.linear(b.reshape(grid, {4, 9, 4}), 4), {1, 2, 2, 3, 3, 4});
  const int back = b.reshape(b.transpose(y, {0, 1, 3, 2, 4, 5}), {1, 6, 6, 4});
  const int cut = b.slice(b.slice(back, 1, 0, 5), 2, 0, 5);
  const LayerGraph graph = expect_same(b.network(b.transpose(b.add(x, cut), {0, 3, 1, 2})), random);
  EXPECT_EQ(kinds(graph), (Kinds{LayerKind::conv, LayerKind::copy, LayerKind::conv, LayerKind::copy, LayerKind::add}));
}

TEST(LowerMobileNet, ClipsAndDepthwiseConvolutions) {
  Random random(9);
  NetworkBuilder b({1, 4, 6, 6}, random);
  const Clip relu6{0, 6};
  const int stem = b.conv(NetworkBuilder::input, 4, 1, 1, 0);
  const int wide = b.pointwise("Clip", relu6, b.conv(stem, 8, 1, 1, 0, 1, "expand"));
  const int deep = b.pointwise("Clip", relu6, b.conv(wide, 8, 3, 1, 1, 8, "depthwise"));
  const LayerGraph graph = expect_same(b.network(b.add(stem, b.conv(deep, 4, 1, 1, 0, 1, "project"))), random);
  ASSERT_EQ(graph.layers.size(), 4u);
  EXPECT_EQ(graph.layers[1].activation, (Activation{Activation::Kind::clip, 0, 6}));
  EXPECT_EQ(graph.layers[2].geometry.groups, 8);
  EXPECT_EQ(graph.layers[3].addend, 0);
}

TEST(LowerConcat, BranchesOfMapsAreCopiedTogether) {
  Random random(10);
  for (const std::size_t branches : {2u, 3u, 4u}) {
    NetworkBuilder b({1, 4, 6, 6}, random);
    std::vector<int> values;
    for (std::size_t i = 0; i < branches; ++i)
      values.push_back(b.conv(NetworkBuilder::input, 2 + static_cast<int>(i), 3, 1, 1));
    const int joined = b.pointwise("Relu", Relu{}, b.concat(values, 1, "join"));
    const LayerGraph graph = expect_same(b.network(b.conv(joined, 3, 3, 2, 1)), random);
    EXPECT_EQ(graph.layers.size(), branches + (branches - 1) + 1);
    for (const Layer& layer : graph.layers) EXPECT_LE(layer.boxes.size(), 2u);
    EXPECT_EQ(graph.layers[graph.layers.size() - 2].activation.kind, Activation::Kind::relu);
  }
}

TEST(LowerActivation, StandsAloneWhereItCannotBeFused) {
  Random random(11);
  NetworkBuilder b({1, 3, 4, 4}, random);
  const int x = b.conv(NetworkBuilder::input, 4, 3, 1, 1);
  const int y = b.pointwise("Gelu", Gelu{}, x, "curve");
  const int sum = b.add(x, b.conv(y, 4, 1, 1, 0, 1, "product"));
  const LayerGraph graph = expect_same(b.network(b.pointwise("Clip", Clip{-1, 0.5}, sum, "bound")), random);
  EXPECT_EQ(kinds(graph), (Kinds{LayerKind::conv, LayerKind::copy, LayerKind::conv, LayerKind::copy}));
  EXPECT_EQ(graph.layers[1].name, "curve");
  EXPECT_EQ(graph.layers[3].activation.kind, Activation::Kind::clip) << "not beside an addend";
}

TEST(LowerScale, MergesIntoWeights) {
  Random random(12);
  NetworkBuilder b({1, 3, 4, 4}, random);
  const int x = b.scale(b.conv(NetworkBuilder::input, 4, 3, 1, 1), -2);  // Into the weights before it.
  const int y = b.scale(b.pointwise("Relu", Relu{}, x), -0.5f);          // Into those behind it.
  const LayerGraph graph = expect_same(b.network(b.conv(y, 2, 3, 1, 1)), random);
  EXPECT_EQ(graph.layers.size(), 2u);
}

TEST(LowerScale, WhatCannotTakeAFactorIsNamed) {
  const auto with = [](auto build) {
    Random random(13);
    NetworkBuilder b({1, 4, 4}, random);
    const int x = b.pointwise("Softmax", Softmax{}, b.linear(NetworkBuilder::input, 4));
    return lower_error(b.network(build(b, x, b.scale(x, -2, "times"))));
  };
  EXPECT_THAT(with([](NetworkBuilder& b, int, int scaled) { return b.layer_norm(scaled); }),
              HasSubstr("folder/built.onnx: node 'times' (Mul): cannot be merged"));
  EXPECT_THAT(with([](NetworkBuilder&, int, int scaled) { return scaled; }),
              HasSubstr("node 'times' (Mul): is the network's output"));
  EXPECT_THAT(with([](NetworkBuilder& b, int x, int scaled) { return b.matmul(scaled, x, "product"); }),
              HasSubstr("node 'times' (Mul): multiplies the products of node 'product' (MatMul) by a factor below 0"));
}

TEST(LowerGemm, OneRowMayBeAnyPermutationOfTheMap) {
  Random random(14);
  NetworkBuilder b({1, 6, 4}, random);
  const int x = b.linear(NetworkBuilder::input, 4);
  const int flat = b.reshape(b.transpose(x, {0, 2, 1}), {1, 24});
  const LayerGraph graph = expect_same(b.network(b.linear(flat, 5)), random);
  ASSERT_EQ(graph.layers.size(), 2u);
  EXPECT_EQ(graph.layers[1].geometry.kernel_h, 6);
}

TEST(LowerCopy, MovedInputAndOutputAreCopied) {
  Random random(15);
  NetworkBuilder b({1, 3, 4, 6}, random);
  const int halves = b.concat({b.slice(NetworkBuilder::input, 3, 3, 6), b.slice(NetworkBuilder::input, 3, 0, 3)}, 3);
  const LayerGraph graph = expect_same(b.network(b.slice(b.conv(halves, 2, 3, 1, 1), 2, 1, 3)), random);
  EXPECT_EQ(kinds(graph), (Kinds{LayerKind::copy, LayerKind::conv, LayerKind::copy}));
}

/// A random chain of movements, products, additions and pointwise operators on values of three axes.
Network random_movements(Random& random) {
  NetworkBuilder b({1, pick(random, 2, 4), pick(random, 2, 4)}, random);
  std::vector<int> values{b.linear(NetworkBuilder::input, 4)};
  const auto any = [&] {
    return values[static_cast<std::size_t>(pick(random, 0, static_cast<int>(values.size()) - 1))];
  };
  const auto axis_of = [&] { return static_cast<std::size_t>(pick(random, 0, 2)); };
  for (int step = pick(random, 3, 12); step > 0; --step) {
    const int x = pick(random, 0, 2) > 0 ? values.back() : any();
    const Shape shape = b.shape(x);
    const std::size_t axis = axis_of();
    const int extent = static_cast<int>(shape[axis]);
    switch (pick(random, 0, 10)) {
      case 0:
        values.push_back(
            b.transpose(x, std::array{std::vector{0, 2, 1}, std::vector{1, 0, 2}, std::vector{2, 0, 1}}[axis]));
        break;
      case 1:
        values.push_back(b.reshape(x, {shape[1], shape[0], shape[2]}));
        break;
      case 2:
        values.push_back(b.slice(x, axis, extent / 2, extent, pick(random, 1, 2)));
        break;
      case 3:
        if (element_count(shape) < 500) values.push_back(b.concat({x, b.constant(shape), x}, axis));
        break;
      case 4:
        if (element_count(shape) < 500) values.push_back(b.concat({x, b.linear(x, static_cast<int>(shape[2]))}, axis));
        break;
      case 5:
        values.push_back(b.linear(x, pick(random, 1, 5)));
        break;
      case 6:
        values.push_back(b.matmul(b.scale(x, 0.25f), b.transpose(b.linear(x, static_cast<int>(shape[2])), {0, 2, 1})));
        break;
      case 7:
        values.push_back(
            b.add(x, pick(random, 0, 1) == 1 ? b.constant(shape) : b.linear(x, static_cast<int>(shape[2]))));
        break;
      case 8:
        values.push_back(b.layer_norm(b.pointwise("Clip", Clip{-0.5f, 2}, x)));
        break;
      case 9:
        values.push_back(b.pointwise("Relu", Relu{}, x));
        break;
      default:
        if (extent > 1) values.push_back(b.roll(x, axis, 1));
        break;
    }
  }
  return b.network(b.linear(values.back(), 3));
}

TEST(LowerCopy, RandomMovementsComputeTheSame) {
  std::size_t copies = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const LayerGraph graph = expect_same(random_movements(random), random);
    copies += static_cast<std::size_t>(std::ranges::count(graph.layers, LayerKind::copy, &Layer::kind));
  }
  EXPECT_GT(copies, 100u);
}

}  // namespace
}  // namespace lpa::workloads::testing
