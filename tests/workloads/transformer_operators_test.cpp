// Operators of transformers: import and execution against their definitions.
#include <cmath>
#include <limits>

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

constexpr double tolerance = 1e-5;

std::string import_error(const ModelBuilder& model) {
  return message_of<InputError>([&] { model.import(); });
}

template <class Kind>
const Kind& only(const Network& network) {
  EXPECT_EQ(network.nodes.size(), 1u);
  return std::get<Kind>(network.nodes.at(0).attributes);
}

TEST(TransformerOperators, ProductsOfComputedValuesEqualTheirDefinition) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const int m = pick(random, 1, 20), k = pick(random, 1, 20), n = pick(random, 1, 20);
    Shape lead;
    for (int axes = pick(random, 0, 2); axes > 0; --axes) lead.push_back(pick(random, 1, 4));
    const auto with = [&](std::int64_t rows, std::int64_t columns) {
      Shape shape = lead;
      shape.insert(shape.end(), {rows, columns});
      return shape;
    };
    // Both operands are parts of one input.
    const std::int64_t left = element_count(with(m, k)), right = element_count(with(k, n));
    ModelBuilder model({1, left + right});
    const auto parts = model.split_node("Split", {"input", model.constant(std::vector<std::int64_t>{left, right})}, 2);
    model.integer("axis", 1);
    const std::string a = model.node("Reshape", {parts[0], model.constant(with(m, k))});
    const std::string b = model.node("Reshape", {parts[1], model.constant(with(k, n))});
    model.output(model.node("MatMul", {a, b}));
    const Tensor input = random_tensor({1, left + right}, random);
    const Tensor first{with(m, k), {input.data.begin(), input.data.begin() + left}};
    const Tensor second{with(k, n), {input.data.begin() + left, input.data.end()}};
    EXPECT_LT(difference(Executor(model.import()).run(input), naive_matmul(first, second)), tolerance);
  }
}

TEST(TransformerOperators, AProductBroadcastsItsOperands) {
  Random random(1);
  ModelBuilder model({1, 1, 3, 4});
  const std::string right = model.node("Reshape", {"input", model.constant({4, 3})});
  const std::string left = model.node("Expand", {"input", model.constant({2, 5, 1, 1})});
  model.output(model.node("MatMul", {left, right}));
  const Tensor input = random_tensor({1, 1, 3, 4}, random);
  const Tensor expected = naive_tensor({2, 5, 3, 3}, [&](const Shape& place) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k)
      sum += double{element_at(input, {0, 0, place[2], k})} * input.data[static_cast<std::size_t>(k * 3 + place[3])];
    return static_cast<float>(sum);
  });
  EXPECT_LT(difference(Executor(model.import()).run(input), expected), tolerance);
}

TEST(TransformerOperators, ProductsThatDoNotFitAreErrors) {
  ModelBuilder model({1, 3, 4});
  model.output(model.node("MatMul", {"input", "input"}, "m"));
  EXPECT_THAT(import_error(model), HasSubstr("node 'm' (MatMul): multiplies 1x3x4 by 1x3x4 (expected"));
  ModelBuilder constant({1, 3, 4});
  constant.output(constant.node("MatMul", {constant.constant(Tensor{{2, 3}, {1, 2, 3, 4, 5, 6}}), "input"}, "m"));
  EXPECT_THAT(import_error(constant), HasSubstr("node 'm' (MatMul): the left operand is a constant"));
}

TEST(TransformerOperators, ProductsWithWeightsTakeAnyLeadingAxes) {
  Random random(2);
  const Tensor weights = random_tensor({40, 37}, random), input = random_tensor({1, 3, 5, 40}, random);
  ModelBuilder model({1, 3, 5, 40});
  const std::string windows = model.node("Reshape", {"input", model.constant({3, 5, 40})});
  model.output(model.node("MatMul", {windows, model.constant(weights)}));
  const Tensor expected = naive_tensor({3, 5, 37}, [&](const Shape& place) {
    double sum = 0;
    for (std::int64_t k = 0; k < 40; ++k)
      sum += double{element_at(input, {0, place[0], place[1], k})} * element_at(weights, {k, place[2]});
    return static_cast<float>(sum);
  });
  EXPECT_LT(difference(Executor(model.import()).run(input), expected), tolerance);

  ModelBuilder rows({1, 5, 40});
  const std::string flat = rows.node("Reshape", {"input", rows.constant({5, 40})});
  rows.output(rows.gemm(flat, 40, 7, random));
  EXPECT_EQ(rows.import().values.back().shape, (Shape{5, 7}));
}

TEST(TransformerOperators, SoftmaxEqualsItsDefinition) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const Shape shape{1, pick(random, 1, 4), pick(random, 1, 9), pick(random, 1, 70)};
    ModelBuilder model(shape);
    model.output(model.node("Softmax", {"input"}));
    if (seed % 2 == 0) model.integer("axis", 3);
    Tensor input = random_tensor(shape, random);
    for (float& value : input.data) value *= 50;
    EXPECT_LT(difference(Executor(model.import()).run(input), naive_softmax(input)), tolerance);
  }
  ModelBuilder model({1, 3, 4});
  model.output(model.node("Softmax", {"input"}, "s"));
  model.integer("axis", 1);
  EXPECT_THAT(import_error(model), HasSubstr("node 's' (Softmax): 'axis' is 1 of 3 axes (supported: the last one)"));
}

TEST(TransformerOperators, LayerNormalizationEqualsItsDefinition) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Random random(seed);
    const std::int64_t k = pick(random, 2, 70);
    const Shape shape{1, pick(random, 1, 4), pick(random, 1, 9), k};
    const bool shifted = seed % 2 == 0;
    const Tensor scale = random_tensor({k}, random),
                 shift = shifted ? random_tensor({k}, random)
                                 : Tensor{{k}, std::vector<float>(static_cast<std::size_t>(k), 0.0f)};
    ModelBuilder model(shape, 17);
    std::vector<std::string> inputs{"input", model.constant(scale)};
    if (shifted) inputs.push_back(model.constant(shift));
    model.output(model.node("LayerNormalization", inputs));
    model.real("epsilon", 0.01f).integer("axis", seed % 3 == 0 ? 3 : -1);
    Tensor input = random_tensor(shape, random);
    for (float& value : input.data) value = 3 * value + 1;
    EXPECT_LT(difference(Executor(model.import()).run(input), naive_layer_norm(input, scale, shift, 0.01f)), tolerance);
  }
}

TEST(TransformerOperators, LayerNormalizationElsewhereIsRefused) {
  const auto with = [](const Shape& scale, std::int64_t axis, float epsilon) {
    ModelBuilder model({1, 3, 4}, 17);
    const Tensor ones{scale, std::vector<float>(static_cast<std::size_t>(element_count(scale)), 1.0f)};
    model.output(model.node("LayerNormalization", {"input", model.constant(ones)}, "n"));
    model.integer("axis", axis).real("epsilon", epsilon);
    return import_error(model);
  };
  EXPECT_EQ(with({4}, -1, 0), "no error");
  EXPECT_THAT(with({3, 4}, 1, 0.1f), HasSubstr("node 'n' (LayerNormalization): 'axis' is 1 of 3 axes"));
  EXPECT_THAT(with({3}, -1, 0.1f), HasSubstr("has shape 3 (expected 4)"));
  EXPECT_THAT(with({4}, -1, -0.1f), HasSubstr("'epsilon' is -0.1"));
  ModelBuilder mean({1, 4}, 17);
  const std::string one = mean.constant(Tensor{{4}, {1, 1, 1, 1}});
  mean.output(mean.split_node("LayerNormalization", {"input", one}, 2)[1]);
  EXPECT_THAT(import_error(mean), HasSubstr("(LayerNormalization): output 1 ('LayerNormalization1_1') is used"));
}

TEST(TransformerOperators, ClipEqualsItsDefinition) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Random random(3);
  Tensor input = random_tensor({1, 100}, random);
  for (float& value : input.data) value *= 10;
  const auto clipped = [&](float low, float high) {
    ModelBuilder model({1, 100});
    const std::string below = low == -infinity ? "" : model.real_scalar(low);
    const std::string above = high == infinity ? "" : model.real_scalar(high);
    model.output(model.node("Clip", {model.node("Relu", {"input"}), below, above}));
    model.model.mutable_graph()->mutable_node(0)->set_op_type("Identity");
    return model;
  };
  for (const auto& [low, high] : {std::pair{0.0f, 6.0f}, {-2.0f, 3.0f}, {-2.0f, infinity}, {-infinity, 3.0f}}) {
    const Network network = clipped(low, high).import();
    EXPECT_EQ(only<Clip>(network).low, low);
    EXPECT_EQ(only<Clip>(network).high, high);
    const double least = low, most = high;
    const Tensor expected = naive_map(input, [&](double x) { return std::min(std::max(x, least), most); });
    EXPECT_EQ(difference(Executor(network).run(input), expected), 0);
  }
  only<Relu>(clipped(0, infinity).import());
  only<Relu>(clipped(0, std::numeric_limits<float>::max()).import());
  EXPECT_THAT(import_error(clipped(3, 2)), HasSubstr("(Clip): has the bounds 3 and 2"));
}

TEST(TransformerOperators, DropoutAndCastsChangeNothing) {
  const auto dropped = [](float ratio, std::int64_t training) {
    ModelBuilder model({1, 4});
    model.output(
        model.node("Relu", {model.node("Dropout", {"input", model.real_scalar(ratio), model.scalar(training)})}));
    return model;
  };
  EXPECT_EQ(dropped(0.5f, 0).import().nodes.size(), 1u);
  EXPECT_EQ(dropped(0, 1).import().nodes.size(), 1u);
  EXPECT_THAT(import_error(dropped(0.5f, 1)), HasSubstr("(Dropout): 'training_mode' is true"));
  ModelBuilder model({1, 4});
  model.output(model.node("Relu", {model.node("Cast", {"input"})}));
  auto* to = model.model.mutable_graph()->mutable_node(0)->add_attribute();
  to->set_name("to");
  to->set_type(onnx::AttributeProto::INT);
  to->set_i(onnx::TensorProto::FLOAT);
  EXPECT_EQ(model.import().nodes.size(), 1u);
  to->set_i(onnx::TensorProto::INT64);
  EXPECT_THAT(import_error(model), HasSubstr("(Cast): casts a computed value (supported: to FLOAT)"));
}

}  // namespace
}  // namespace lpa::workloads::testing
