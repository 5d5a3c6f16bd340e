// Constants that are added to, or multiply, computed values.
#include <algorithm>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/model_builder.h"
#include "tests/workloads/naive_operators.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;

constexpr double tolerance = 1e-5;

std::string import_error(const ModelBuilder& model) {
  return message_of<InputError>([&] { model.import(); });
}

/// Element of a tensor that broadcasts to the place's rank.
double broadcast_at(const Tensor& tensor, const Shape& place) {
  Shape own(place.end() - static_cast<std::ptrdiff_t>(tensor.shape.size()), place.end());
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = tensor.shape[i] == 1 ? 0 : own[i];
  return element_at(tensor, own);
}

/// What the operator makes of two tensors, of which the second broadcasts to the first.
Tensor naive_binary(const std::string& op, const Tensor& a, const Tensor& b) {
  return naive_tensor(a.shape, [&](const Shape& place) {
    const double x = element_at(a, place), y = broadcast_at(b, place);
    return static_cast<float>(op == "Add" ? x + y : op == "Sub" ? x - y : op == "Mul" ? x * y : x / y);
  });
}

TEST(Arithmetic, ConstantsOfAnyShapeAreAdded) {
  Random random(1);
  const Tensor input = random_tensor({1, 3, 4, 5}, random);
  for (const Shape& shape : {Shape{}, {5}, {1, 5}, {4, 1}, {3, 1, 1}, {1, 3, 4, 5}, {1, 1, 4, 1}})
    for (const std::string op : {"Add", "Sub"}) {
      SCOPED_TRACE(fmt::format("{} of {}", op, to_string(shape)));
      const Tensor constant = random_tensor(shape, random);
      ModelBuilder model({1, 3, 4, 5});
      model.output(model.node(op, {model.node("Softmax", {"input"}), model.constant(constant, "c")}, "sum"));
      const Network network = model.import();
      ASSERT_EQ(network.nodes.size(), 3u);
      EXPECT_EQ(network.nodes[1].name, "c");
      EXPECT_EQ(network.nodes[1].op, "Constant");
      EXPECT_EQ(std::get<Constant>(network.nodes[1].attributes).value.shape, input.shape);
      EXPECT_LT(difference(Executor(network).run(input), naive_binary(op, naive_softmax(input), constant)), tolerance);
    }
}

TEST(Arithmetic, ConstantsGoIntoTheParametersBeforeThem) {
  Random random(2);
  const Tensor input = random_tensor({1, 3, 4, 4}, random), rows = random_tensor({1, 6, 8}, random);
  for (const std::string op : {"Add", "Sub", "Mul", "Div"}) {
    for (const Shape& shape : {Shape{}, {1}, {5, 1, 1}, {1, 5, 1, 1}}) {
      SCOPED_TRACE(fmt::format("Conv, {} of {}", op, to_string(shape)));
      const auto build = [&](bool plain) {
        Random same(3);
        ModelBuilder model({1, 3, 4, 4});
        const std::string conv = model.conv("input", 3, 5, 3, 1, 1, same);
        model.output(plain ? conv : model.node(op, {conv, model.constant(random_tensor(shape, same))}));
        return model.import();
      };
      Random same(3);
      ModelBuilder unused({1, 3, 4, 4});
      unused.conv("input", 3, 5, 3, 1, 1, same);
      const Tensor constant = random_tensor(shape, same);
      const Network network = build(false);
      ASSERT_EQ(network.nodes.size(), 1u);
      const Tensor expected = naive_binary(op, Executor(build(true)).run(input), constant);
      EXPECT_LT(difference(Executor(network).run(input), expected), 1e-4);
    }
    for (const Shape& shape : {Shape{}, {7}, {1, 1, 7}}) {
      SCOPED_TRACE(fmt::format("MatMul, {} of {}", op, to_string(shape)));
      const Tensor weights = random_tensor({8, 7}, random), constant = random_tensor(shape, random);
      const auto build = [&](bool plain) {
        ModelBuilder model({1, 6, 8});
        const std::string product = model.node("MatMul", {"input", model.constant(weights)});
        model.output(plain ? product : model.node(op, {product, model.constant(constant)}));
        return model.import();
      };
      const Network network = build(false);
      ASSERT_EQ(network.nodes.size(), 1u);
      const Tensor expected = naive_binary(op, Executor(build(true)).run(rows), constant);
      EXPECT_LT(difference(Executor(network).run(rows), expected), 1e-4);
    }
  }
}

TEST(Arithmetic, ParametersThatOthersUseStay) {
  Random random(3);
  const Tensor input = random_tensor({1, 3, 4, 4}, random);
  ModelBuilder model({1, 3, 4, 4});
  const std::string conv = model.conv("input", 3, 3, 1, 1, 0, random);
  const std::string twice = model.node("Mul", {conv, model.real_scalar(2)});
  model.output(model.node("Add", {twice, model.node("Add", {conv, model.real_scalar(1)})}));
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 5u);  // Conv, Scale, Constant, Add, Add.
  const std::vector<Tensor> values = Executor(network).run_all(input);
  const Tensor expected = naive_map(values[1], [](double x) { return 3 * x + 1; });
  EXPECT_LT(difference(values.back(), expected), tolerance);
}

TEST(Arithmetic, ConstantsAddedInTurnAreOne) {
  Random random(4);
  const Tensor input = random_tensor({1, 4, 3, 5}, random), bias = random_tensor({1, 3, 5}, random),
               mask = random_tensor({2, 1, 3, 5}, random);
  // As a transformer with shifted windows adds a bias to all windows and a mask to some.
  ModelBuilder model({1, 4, 3, 5});
  const std::string biased = model.node("Add", {model.node("Softmax", {"input"}), model.constant(bias)});
  const std::string windows = model.node("Reshape", {biased, model.constant({2, 2, 3, 5})});
  const std::string masked = model.node("Add", {windows, model.constant(mask)}, "masked");
  model.output(model.node("Softmax", {model.node("Reshape", {masked, model.constant({1, 4, 3, 5})})}));
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 4u);  // Softmax, Constant, Add, Softmax.
  Tensor expected = naive_binary("Add", naive_softmax(input), bias);
  expected.shape = {2, 2, 3, 5};
  expected = naive_binary("Add", expected, mask);
  expected.shape = {1, 4, 3, 5};
  EXPECT_LT(difference(Executor(network).run(input), naive_softmax(expected)), tolerance);
}

TEST(Arithmetic, SumsThatOthersUseAreNotChanged) {
  Random random(5);
  const Tensor input = random_tensor({1, 6}, random);
  ModelBuilder model({1, 6});
  const std::string first = model.node("Add", {model.node("Relu", {"input"}), model.real_scalar(1)});
  model.output(model.node("Add", {model.node("Add", {first, model.real_scalar(2)}), first}));
  const Tensor expected = naive_map(input, [](double x) { return 2 * std::max(x, 0.0) + 4; });
  EXPECT_LT(difference(Executor(model.import()).run(input), expected), tolerance);
}

TEST(Arithmetic, OneConstantInTwoPlacesHasTwoNames) {
  ModelBuilder model({1, 6});
  const std::string one = model.constant(Tensor{{6}, std::vector<float>(6, 1)}, "one");
  const std::string sum = model.node("Add", {model.node("Relu", {"input"}), one});
  model.output(model.node("Add", {model.node("Relu", {sum}), one}));
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 6u);
  EXPECT_EQ(network.nodes[1].name, "one");
  EXPECT_EQ(network.nodes[4].name, "one_1");
}

TEST(Arithmetic, FactorsAreScales) {
  Random random(6);
  const Tensor input = random_tensor({1, 6}, random);
  ModelBuilder model({1, 6});
  const std::string half = model.node("Div", {model.node("Relu", {"input"}), model.real_scalar(-2)});
  const std::string same = model.node("Mul", {model.real_scalar(1), half});
  model.output(model.node("Mul", {model.constant(Tensor{{1, 1}, {3}}), same}));
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 2u);
  EXPECT_EQ(std::get<Scale>(network.nodes[1].attributes).factor, -1.5f);
  const Tensor expected = naive_map(input, [](double x) { return std::max(x, 0.0) * -1.5; });
  EXPECT_LT(difference(Executor(network).run(input), expected), tolerance);
}

TEST(Arithmetic, TheFactorOfASumGoesIntoItsAddendsUnlessOthersUseThem) {
  Random random(7);
  const Tensor input = random_tensor({1, 6}, random);
  for (const bool shared : {false, true}) {
    ModelBuilder model({1, 6});
    // As the two heads of a distilled transformer are averaged.
    const std::string left = model.gemm("input", 6, 4, random), right = model.gemm("input", 6, 4, random);
    const std::string sum = model.node("Add", {left, right});
    const std::string more = model.node("Add", {sum, model.constant(random_tensor({1, 4}, random))});
    const std::string half = model.node("Div", {more, model.real_scalar(2)});
    model.output(shared ? model.node("Add", {half, left}) : half);
    const Network network = model.import();
    EXPECT_EQ(
        std::ranges::count_if(network.nodes, [](const Node& n) { return std::holds_alternative<Scale>(n.attributes); }),
        shared ? 1 : 0);
    ModelBuilder whole = model;
    whole.model.mutable_graph()->clear_output();
    whole.output(more);
    const Tensor before = Executor(whole.import()).run(input);
    Tensor expected = naive_map(before, [](double x) { return x / 2; });
    if (shared) {
      whole.model.mutable_graph()->clear_output();
      whole.output(left);
      expected = naive_binary("Add", expected, Executor(whole.import()).run(input));
    }
    EXPECT_LT(difference(Executor(network).run(input), expected), tolerance);
  }
}

TEST(Arithmetic, AHookMayChangeAConstantOfOneRun) {
  ModelBuilder model({1, 3});
  model.output(model.node("Add", {"input", model.constant(Tensor{{3}, {1, 2, 3}})}));
  const Network network = model.import();
  Executor executor(network);
  const Tensor input{{1, 3}, {0, 0, 0}};
  const int constant = network.nodes[0].output;
  const auto erase = [&](int value, std::span<float> data) {
    if (value == constant) std::ranges::fill(data, 0.0f);
  };
  EXPECT_EQ(executor.run(input).data, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(executor.run(input, erase).data, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(executor.run(input).data, (std::vector<float>{1, 2, 3}));
}

TEST(Arithmetic, WhatCannotBeRunIsNamed) {
  const auto with = [](const auto& build) {
    ModelBuilder model({1, 3, 4});
    model.output(build(model));
    return import_error(model);
  };
  const auto vector = [](ModelBuilder& m, std::int64_t count, float value = 1) {
    return m.constant(Tensor{{count}, std::vector<float>(static_cast<std::size_t>(count), value)}, "c");
  };
  EXPECT_THAT(
      with([&](ModelBuilder& m) {
        return m.node("Mul", {"input", vector(m, 4)}, "n");
      }),
      HasSubstr("node 'n' (Mul): input 1 ('c') has shape 4 (supported: one number, or after a Conv, Gemm, MatMul "
                "or layer normalisation that nothing else uses one per channel)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Add", {"input", vector(m, 5)}, "n");
              }),
              HasSubstr("node 'n' (Add): shapes 5 and 1x3x4 cannot be broadcast"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Add", {"input", m.constant(Tensor{{2, 3, 4}, std::vector<float>(24)}, "c")}, "n");
              }),
              HasSubstr("node 'n' (Add): input 1 ('c') of shape 2x3x4 makes 1x3x4 larger"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Mul", {"input", m.real_scalar(0)}, "n");
              }),
              HasSubstr("node 'n' (Mul): multiplies by 0 (supported: other numbers)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Div", {"input", m.real_scalar(0)}, "n");
              }),
              HasSubstr("node 'n' (Div): input 1 ('constant1') makes the factor inf"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Mul", {"input", m.scalar(3)}, "n");
              }),
              HasSubstr("node 'n' (Mul): input 1 ('constant1') holds integers (expected floats)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Mul", {"input", "input"}, "n");
              }),
              HasSubstr("node 'n' (Mul): multiplies two computed values (supported: by a constant, or inside a GELU)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Div", {m.real_scalar(1), "input"}, "n");
              }),
              HasSubstr("node 'n' (Div): divides by a computed value"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                return m.node("Sub", {m.real_scalar(1), "input"}, "n");
              }),
              HasSubstr("node 'n' (Sub): subtracts a computed value"));
}

}  // namespace
}  // namespace lpa::workloads::testing
