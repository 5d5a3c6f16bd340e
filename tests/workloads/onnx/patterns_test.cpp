// Layer normalisation and GELU that exporters write out.
#include <cmath>

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

/// A layer normalisation along the last axis, and ways to get it wrong.
struct WrittenNorm {
  float exponent = 2, epsilon = 1e-5f;
  std::int64_t axis = -1, variance_axis = -1;
  bool keepdims = true, multiplied = false;
  std::string used_twice;  ///< Name of an inner node that something else uses too.

  /// Returns the result's name.
  std::string operator()(ModelBuilder& model, const std::string& x) const {
    const std::string mean = model.node("ReduceMean", {x}, "mean");
    model.ints("axes", {axis}).integer("keepdims", keepdims);
    const std::string centred = model.node("Sub", {x, mean}, "centred");
    const std::string square = multiplied ? model.node("Mul", {centred, centred}, "square")
                                          : model.node("Pow", {centred, model.real_scalar(exponent)}, "square");
    const std::string variance = model.node("ReduceMean", {square}, "variance");
    model.ints("axes", {variance_axis});
    const std::string sum = model.node("Add", {model.real_scalar(epsilon), variance}, "sum");
    const std::string result = model.node("Div", {centred, model.node("Sqrt", {sum}, "root")}, "norm");
    return used_twice.empty() ? result : model.node("Add", {result, used_twice}, "other");
  }
};

ModelBuilder with_norm(const WrittenNorm& norm) {
  ModelBuilder model({1, 5, 7});
  model.output(norm(model, model.node("Relu", {"input"})));
  return model;
}

TEST(Patterns, LayerNormalisationWrittenOut) {
  Random random(1);
  const Tensor input = random_tensor({1, 5, 7}, random);
  const Tensor positive = naive_map(input, [](double x) { return std::max(x, 0.0); });
  const Tensor scale = random_tensor({7}, random), shift = random_tensor({7}, random);
  const Tensor ones{{7}, std::vector<float>(7, 1)}, zeros{{7}, std::vector<float>(7, 0)};
  for (const bool multiplied : {false, true}) {
    WrittenNorm norm;
    norm.multiplied = multiplied;
    norm.epsilon = 0.01f;
    norm.axis = multiplied ? 2 : -1;
    const Network plain = with_norm(norm).import();
    ASSERT_EQ(plain.nodes.size(), 2u);
    EXPECT_EQ(plain.nodes[1].op, "LayerNormalization");
    EXPECT_EQ(plain.values.back().name, "norm");
    EXPECT_LT(difference(Executor(plain).run(input), naive_layer_norm(positive, ones, zeros, 0.01f)), tolerance);

    ModelBuilder model({1, 5, 7});
    const std::string scaled = model.node("Mul", {model.constant(scale), norm(model, model.node("Relu", {"input"}))});
    model.output(model.node("Add", {scaled, model.constant(shift)}, "affine"));
    const Network affine = model.import();
    ASSERT_EQ(affine.nodes.size(), 2u);
    EXPECT_EQ(affine.values.back().name, "affine");
    EXPECT_LT(difference(Executor(affine).run(input), naive_layer_norm(positive, scale, shift, 0.01f)), tolerance);
  }
}

TEST(Patterns, TheResultOfALayerNormalisationMayBeUsedTwice) {
  Random random(2);
  ModelBuilder model({1, 5, 7});
  const std::string norm = WrittenNorm{}(model, "input");
  model.output(model.node("Add", {norm, model.node("Relu", {norm})}));
  EXPECT_EQ(model.import().nodes.size(), 3u);
}

TEST(Patterns, ADeviatingLayerNormalisationIsNamed) {
  WrittenNorm norm;
  norm.exponent = 3;
  EXPECT_THAT(import_error(with_norm(norm)),
              HasSubstr("node 'square' (Pow): is part of a layer normalisation but has the constant 3 (supported: 2)"));
  norm = {};
  norm.axis = 1;
  EXPECT_THAT(import_error(with_norm(norm)), HasSubstr("node 'mean' (ReduceMean): is part of a layer normalisation "
                                                       "(supported: over the last axis, which is kept)"));
  norm = {};
  norm.variance_axis = 0;
  EXPECT_THAT(import_error(with_norm(norm)), HasSubstr("node 'variance' (ReduceMean): is part of a layer"));
  norm = {};
  norm.keepdims = false;
  EXPECT_THAT(import_error(with_norm(norm)), HasSubstr("node 'mean' (ReduceMean): is part of a layer"));
  norm = {};
  norm.epsilon = -1;
  EXPECT_THAT(import_error(with_norm(norm)), HasSubstr("node 'norm' (Div): is a layer normalisation of 7 elements with "
                                                       "epsilon -1"));
  for (const char* inner : {"mean", "centred", "square", "variance", "sum", "root"}) {
    SCOPED_TRACE(inner);
    norm = {};
    norm.used_twice = inner;
    EXPECT_THAT(
        import_error(with_norm(norm)),
        HasSubstr("node 'mean' (ReduceMean): is not the mean over height and width of a feature map or over tokens "
                  "(supported: any axes but the first, the last not alone), and not part of a layer normalisation"));
  }
}

/// A GELU, and ways to get it wrong.
struct WrittenGelu {
  enum class Order { half_last, half_first, half_inside } order = Order::half_last;
  bool divides = true, swapped = false;
  float root = std::sqrt(2.0f), one = 1, half = 0.5f;
  std::string used_twice;

  std::string operator()(ModelBuilder& model, const std::string& x) const {
    const auto node = [&](const char* op, const std::string& a, const std::string& b, const char* name) {
      return swapped ? model.node(op, {b, a}, name) : model.node(op, {a, b}, name);
    };
    const std::string scaled = divides ? model.node("Div", {x, model.real_scalar(root)}, "scaled")
                                       : node("Mul", x, model.real_scalar(1 / root), "scaled");
    const std::string sum = node("Add", model.node("Erf", {scaled}, "erf"), model.real_scalar(one), "sum");
    const std::string factor = model.real_scalar(half);
    std::string result;
    if (order == Order::half_first)
      result = node("Mul", node("Mul", x, factor, "half"), sum, "gelu");
    else if (order == Order::half_inside)
      result = node("Mul", x, node("Mul", sum, factor, "half"), "gelu");
    else
      result = node("Mul", node("Mul", x, sum, "half"), factor, "gelu");
    return used_twice.empty() ? result : model.node("Add", {result, used_twice}, "other");
  }
};

ModelBuilder with_gelu(const WrittenGelu& gelu) {
  ModelBuilder model({1, 40});
  model.output(gelu(model, model.node("Identity", {"input"})));
  return model;
}

TEST(Patterns, GeluWrittenOut) {
  Random random(3);
  Tensor input = random_tensor({1, 40}, random);
  for (float& value : input.data) value *= 5;
  using Order = WrittenGelu::Order;
  for (const Order order : {Order::half_last, Order::half_first, Order::half_inside})
    for (const bool divides : {false, true})
      for (const bool swapped : {false, true}) {
        WrittenGelu gelu;
        gelu.order = order;
        gelu.divides = divides;
        gelu.swapped = swapped;
        const Network network = with_gelu(gelu).import();
        ASSERT_EQ(network.nodes.size(), 1u);
        EXPECT_EQ(network.nodes[0].op, "Gelu");
        EXPECT_EQ(network.values.back().name, "gelu");
        EXPECT_LT(difference(Executor(network).run(input), naive_map(input, naive_gelu)), tolerance);
      }
}

TEST(Patterns, ADeviatingGeluIsNamed) {
  WrittenGelu gelu;
  gelu.root = 1.5f;
  EXPECT_THAT(import_error(with_gelu(gelu)),
              HasSubstr("node 'scaled' (Div): is part of a GELU but has the constant 1.5 (supported: 1.41421)"));
  gelu = {};
  gelu.one = 2;
  EXPECT_THAT(import_error(with_gelu(gelu)),
              HasSubstr("node 'sum' (Add): is part of a GELU but has the constant 2 (supported: 1)"));
  gelu = {};
  gelu.half = 0.25f;
  EXPECT_THAT(import_error(with_gelu(gelu)),
              HasSubstr("node 'gelu' (Mul): is part of a GELU but has the constant 0.25 (supported: 0.5)"));
  for (const char* inner : {"scaled", "erf", "sum", "half"}) {
    SCOPED_TRACE(inner);
    gelu = {};
    gelu.used_twice = inner;
    EXPECT_THAT(import_error(with_gelu(gelu)), HasSubstr("node 'erf': operator 'Erf' is not supported (supported: "));
  }
  ModelBuilder alone({1, 40});
  alone.output(alone.node("Erf", {"input"}, "erf"));
  EXPECT_THAT(import_error(alone), HasSubstr("GELU by Erf and layer normalisation written out)"));
}

TEST(Patterns, AConstantOfAPatternMustNotBroadcast) {
  ModelBuilder model({1, 40});
  WrittenGelu gelu;
  model.output(gelu(model, "input"));
  model.model.mutable_graph()->mutable_initializer(0)->add_dims(1);
  EXPECT_EQ(import_error(model), "no error");
  for (int i = 0; i < 2; ++i) model.model.mutable_graph()->mutable_initializer(0)->add_dims(1);
  EXPECT_THAT(import_error(model), HasSubstr("node 'scaled' (Div): input 1 ('constant1') has more axes than"));
  model.model.mutable_graph()->mutable_initializer(0)->set_dims(0, 2);
  model.model.mutable_graph()->mutable_initializer(0)->mutable_raw_data()->resize(8);
  EXPECT_THAT(import_error(model), HasSubstr("has shape 2x1x1 (expected a single number)"));
}

}  // namespace
}  // namespace lpa::workloads::testing
