#include "workloads/onnx/fold.h"

#include <cmath>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::workloads::detail {
namespace {

using ::testing::HasSubstr;
using Integers = std::vector<std::int64_t>;
using Floats = std::vector<float>;

/// One node whose inputs are constants.
struct Case {
  explicit Case(const std::string& op) { node.set_op_type(op); }
  Case& in(const Shape& shape, Integers values) { return add({shape, std::move(values)}); }
  Case& in(const Shape& shape, Floats values) { return add({shape, std::move(values)}); }
  Case& absent() {
    node.add_input("");
    operands.push_back({});
    return *this;
  }
  Case& with(const std::string& name, std::int64_t value) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
    return *this;
  }
  Case& with(const std::string& name, const Integers& values) {
    auto* attribute = node.add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) attribute->add_ints(value);
    return *this;
  }
  std::optional<Constant> run() const { return fold(NodeReader(file, node, "n", operands)); }
  std::string error() const {
    return workloads::testing::message_of<InputError>([&] { run(); });
  }

  std::string file = "f";
  onnx::NodeProto node;
  std::vector<Operand> operands;

 private:
  Case& add(Constant constant) {
    node.add_input(fmt::format("x{}", operands.size()));
    operands.push_back({std::make_shared<Constant>(std::move(constant)), -1});
    return *this;
  }
};

void expect(const Case& node, const Shape& shape, const Integers& values) {
  const auto result = node.run();
  ASSERT_TRUE(result.has_value()) << node.node.op_type();
  EXPECT_EQ(result->shape, shape) << node.node.op_type();
  ASSERT_FALSE(result->is_float());
  EXPECT_EQ(result->integers(), values) << node.node.op_type();
}

void expect(const Case& node, const Shape& shape, const Floats& values) {
  const auto result = node.run();
  ASSERT_TRUE(result.has_value()) << node.node.op_type();
  EXPECT_EQ(result->shape, shape) << node.node.op_type();
  ASSERT_TRUE(result->is_float());
  EXPECT_EQ(result->floats(), values) << node.node.op_type();
}

constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

TEST(Fold, ArithmeticBroadcasts) {
  expect(Case("Add").in({2, 1}, Integers{10, 20}).in({3}, Integers{1, 2, 3}), {2, 3}, Integers{11, 12, 13, 21, 22, 23});
  expect(Case("Sub").in({}, Integers{5}).in({2}, Integers{1, 7}), {2}, Integers{4, -2});
  expect(Case("Mul").in({2}, Floats{1.5f, 2}).in({1}, Floats{4}), {2}, Floats{6, 8});
  expect(Case("Div").in({3}, Integers{7, -7, 8}).in({}, Integers{2}), {3}, Integers{3, -3, 4});
  expect(Case("Add").in({0, 1}, Integers{}).in({3}, Integers{1, 2, 3}), {0, 3}, Integers{});
  EXPECT_THAT(Case("Add").in({2}, Integers{1, 2}).in({3}, Integers{1, 2, 3}).error(),
              HasSubstr("shapes 2 and 3 cannot be broadcast"));
  EXPECT_THAT(Case("Div").in({}, Integers{1}).in({}, Integers{0}).error(), HasSubstr("division by zero"));
  EXPECT_THAT(Case("Div").in({}, Integers{lowest}).in({}, Integers{-1}).error(), HasSubstr("overflow"));
  EXPECT_THAT(Case("Mul").in({}, Integers{lowest}).in({}, Integers{2}).error(), HasSubstr("overflow"));
  EXPECT_THAT(Case("Add").in({}, Integers{1}).in({}, Floats{1}).error(), HasSubstr("one operand holds integers"));
}

TEST(Fold, Gather) {
  const auto source = [] { return Case("Gather").in({2, 3}, Integers{0, 1, 2, 10, 11, 12}); };
  expect(source().in({}, Integers{-1}), {3}, Integers{10, 11, 12});
  expect(source().in({2, 1}, Integers{2, 0}).with("axis", 1), {2, 2, 1}, Integers{2, 0, 12, 10});
  expect(source().in({0}, Integers{}), {0, 3}, Integers{});
  EXPECT_THAT(source().in({}, Integers{2}).error(), HasSubstr("index 2 is outside an axis of 2"));
  EXPECT_THAT(source().in({}, Integers{0}).with("axis", 2).error(), HasSubstr("axis 2 is outside a tensor of rank 2"));
}

TEST(Fold, ConcatJoinsOnAnyAxis) {
  expect(Case("Concat").in({1}, Integers{1}).in({0}, Integers{}).in({2}, Integers{2, 3}).with("axis", 0), {3},
         Integers{1, 2, 3});
  expect(Case("Concat").in({2, 1}, Floats{1, 2}).in({2, 2}, Floats{3, 4, 5, 6}).with("axis", -1), {2, 3},
         Floats{1, 3, 4, 2, 5, 6});
  EXPECT_THAT(Case("Concat").in({1}, Integers{1}).in({1, 1}, Integers{1}).with("axis", 0).error(),
              HasSubstr("cannot be joined"));
  EXPECT_THAT(Case("Concat").in({1}, Integers{1}).in({1}, Floats{1}).with("axis", 0).error(),
              HasSubstr("cannot be joined"));
  EXPECT_THAT(Case("Concat").in({1}, Integers{1}).error(), HasSubstr("attribute 'axis' is missing"));
}

TEST(Fold, SliceTakesEitherDirection) {
  const auto slice = [](Integers start, Integers end, Integers axes, Integers steps) {
    const auto n = static_cast<std::int64_t>(start.size());
    return Case("Slice")
        .in({2, 3}, Integers{0, 1, 2, 10, 11, 12})
        .in({n}, start)
        .in({n}, end)
        .in({n}, axes)
        .in({n}, steps);
  };
  expect(slice({1}, {3}, {1}, {1}), {2, 2}, Integers{1, 2, 11, 12});
  expect(slice({-1}, {lowest}, {-1}, {-2}), {2, 2}, Integers{2, 0, 12, 10});
  expect(slice({1, 0}, {lowest, 99}, {0, 1}, {-1, 2}), {2, 2}, Integers{10, 12, 0, 2});
  expect(slice({3}, {1}, {1}, {1}), {2, 0}, Integers{});
  EXPECT_THAT(slice({0}, {1}, {0}, {0}).error(), HasSubstr("a step is 0"));
  EXPECT_THAT(slice({0, 0}, {1, 1}, {0, -2}, {1, 1}).error(), HasSubstr("an axis is named twice"));
}

TEST(Fold, TransposeAndShapes) {
  const auto source = [](const std::string& op) { return Case(op).in({1, 2, 3}, Integers{0, 1, 2, 3, 4, 5}); };
  expect(source("Transpose"), {3, 2, 1}, Integers{0, 3, 1, 4, 2, 5});
  expect(source("Transpose").with("perm", Integers{1, 0, 2}), {2, 1, 3}, Integers{0, 1, 2, 3, 4, 5});
  EXPECT_THAT(source("Transpose").with("perm", Integers{0, 0, 2}).error(), HasSubstr("not a permutation"));
  expect(source("Shape"), {3}, Integers{1, 2, 3});
  expect(source("Shape").with("start", -2).with("end", 99), {2}, Integers{2, 3});
  expect(source("Reshape").in({2}, Integers{0, -1}), {1, 6}, Integers{0, 1, 2, 3, 4, 5});
  EXPECT_THAT(source("Reshape").in({2}, Integers{-1, -1}).error(), HasSubstr("cannot reshape 1x2x3 to -1x-1"));
  EXPECT_THAT(source("Reshape").in({1}, Integers{7}).error(), HasSubstr("cannot reshape"));
  expect(source("Flatten").with("axis", -1), {2, 3}, Integers{0, 1, 2, 3, 4, 5});
  expect(source("Squeeze"), {2, 3}, Integers{0, 1, 2, 3, 4, 5});
  EXPECT_THAT(source("Squeeze").in({1}, Integers{1}).error(), HasSubstr("axis 1 of 1x2x3 is not of size 1"));
  expect(source("Unsqueeze").in({2}, Integers{0, -1}), {1, 1, 2, 3, 1}, Integers{0, 1, 2, 3, 4, 5});
  EXPECT_THAT(source("Unsqueeze").in({2}, Integers{0, 0}).error(), HasSubstr("an axis is named twice"));
}

TEST(Fold, CastKeepsToTheRange) {
  expect(Case("Cast").in({2}, Floats{-1.7f, 2.9f}).with("to", onnx::TensorProto::INT64), {2}, Integers{-1, 2});
  expect(Case("Cast").in({2}, Integers{0, 3}).with("to", onnx::TensorProto::BOOL), {2}, Integers{0, 1});
  expect(Case("Cast").in({1}, Integers{3}).with("to", onnx::TensorProto::FLOAT), {1}, Floats{3});
  EXPECT_THAT(Case("Cast").in({1}, Floats{1e30f}).with("to", onnx::TensorProto::INT64).error(),
              HasSubstr("cannot cast"));
  EXPECT_THAT(Case("Cast").in({1}, Integers{lowest}).with("to", onnx::TensorProto::INT32).error(),
              HasSubstr("to INT32"));
  EXPECT_THAT(Case("Cast").in({1}, Integers{1}).with("to", onnx::TensorProto::STRING).error(),
              HasSubstr("data type 8"));
}

TEST(Fold, ConstantsOfShapeAreBounded) {
  expect(Case("ConstantOfShape").in({2}, Integers{2, 1}), {2, 1}, Floats{0, 0});
  EXPECT_THAT(Case("ConstantOfShape").in({2}, Integers{1 << 20, 1 << 20}).error(), HasSubstr("more than"));
  EXPECT_THAT(Case("ConstantOfShape").in({1}, Integers{1 << 27}).error(), HasSubstr("too large"));
  EXPECT_THAT(Case("ConstantOfShape").in({1}, Integers{-1}).error(), HasSubstr("negative size"));
}

TEST(Fold, PowersRemaindersAndExtremes) {
  expect(Case("Pow").in({2}, Floats{32, 4}).in({}, Floats{-0.5f}), {2}, Floats{std::pow(32.0f, -0.5f), 0.5f});
  expect(Case("Pow").in({}, Floats{3}).in({1}, Integers{2}), {1}, Floats{9});
  expect(Case("Pow").in({}, Integers{-3}).in({}, Integers{3}), {}, Integers{-27});
  EXPECT_THAT(Case("Pow").in({}, Integers{10}).in({}, Integers{100}).error(), HasSubstr("overflow"));
  expect(Case("Mod").in({4}, Integers{7, -7, 7, -7}).in({4}, Integers{3, 3, -3, -3}), {4}, Integers{1, 2, -2, -1});
  expect(Case("Mod").in({2}, Integers{7, -7}).in({}, Integers{3}).with("fmod", 1), {2}, Integers{1, -1});
  expect(Case("Mod").in({1}, Integers{lowest}).in({}, Integers{-1}), {1}, Integers{0});
  EXPECT_THAT(Case("Mod").in({1}, Integers{1}).in({}, Integers{0}).error(), HasSubstr("division by zero"));
  expect(Case("Min").in({2}, Integers{1, 5}).in({}, Integers{3}).in({}, Integers{2}), {2}, Integers{1, 2});
  expect(Case("Max").in({2}, Floats{1, 5}).in({}, Floats{3}), {2}, Floats{3, 5});
}

TEST(Fold, OperatorsOfOneOperand) {
  expect(Case("Sqrt").in({2}, Floats{4, 9}), {2}, Floats{2, 3});
  expect(Case("Floor").in({2}, Floats{-1.5f, 1.5f}), {2}, Floats{-2, 1});
  expect(Case("Ceil").in({2}, Floats{-1.5f, 1.5f}), {2}, Floats{-1, 2});
  expect(Case("Neg").in({2}, Integers{-1, 4}), {2}, Integers{1, -4});
  expect(Case("Neg").in({1}, Floats{2}), {1}, Floats{-2});
  EXPECT_THAT(Case("Neg").in({}, Integers{lowest}).error(), HasSubstr("overflow"));
  expect(Case("Not").in({2}, Integers{0, 1}), {2}, Integers{1, 0});
  EXPECT_THAT(Case("Sqrt").in({}, Integers{4}).error(), HasSubstr("holds integers (expected floats)"));
}

TEST(Fold, ComparisonsAndLogic) {
  const auto compare = [](const std::string& op) { return Case(op).in({3}, Integers{1, 2, 3}).in({}, Integers{2}); };
  expect(compare("Equal"), {3}, Integers{0, 1, 0});
  expect(compare("Less"), {3}, Integers{1, 0, 0});
  expect(compare("LessOrEqual"), {3}, Integers{1, 1, 0});
  expect(compare("Greater"), {3}, Integers{0, 0, 1});
  expect(compare("GreaterOrEqual"), {3}, Integers{0, 1, 1});
  expect(Case("Equal").in({2}, Floats{-100, 0}).in({}, Floats{0}), {2}, Integers{0, 1});
  // A double would not tell these apart.
  expect(Case("Equal").in({}, Integers{lowest}).in({}, Integers{lowest + 1}), {}, Integers{0});
  expect(Case("And").in({4}, Integers{0, 0, 1, 1}).in({4}, Integers{0, 1, 0, 1}), {4}, Integers{0, 0, 0, 1});
  expect(Case("Or").in({4}, Integers{0, 0, 1, 1}).in({4}, Integers{0, 1, 0, 1}), {4}, Integers{0, 1, 1, 1});
  EXPECT_THAT(Case("And").in({}, Floats{1}).in({}, Floats{1}).error(), HasSubstr("expected integers"));
}

TEST(Fold, WhereChoosesAndBroadcasts) {
  expect(Case("Where").in({2, 1}, Integers{1, 0}).in({2}, Floats{1, 2}).in({}, Floats{9}), {2, 2}, Floats{1, 2, 9, 9});
  EXPECT_THAT(Case("Where").in({1}, Floats{1}).in({1}, Floats{1}).in({1}, Floats{1}).error(),
              HasSubstr("expected integers"));
  EXPECT_THAT(Case("Where").in({1}, Integers{1}).in({1}, Floats{1}).in({1}, Integers{1}).error(),
              HasSubstr("one operand holds integers"));
}

TEST(Fold, RangesEnd) {
  const auto range = [](std::int64_t start, std::int64_t limit, std::int64_t delta) {
    return Case("Range").in({}, Integers{start}).in({}, Integers{limit}).in({}, Integers{delta});
  };
  expect(range(0, 5, 2), {3}, Integers{0, 2, 4});
  expect(range(3, 0, -1), {3}, Integers{3, 2, 1});
  expect(range(3, 0, 1), {0}, Integers{});
  expect(Case("Range").in({}, Floats{1}).in({}, Floats{2}).in({}, Floats{0.5f}), {2}, Floats{1, 1.5f});
  EXPECT_THAT(range(0, 5, 0).error(), HasSubstr("too large or endless"));
  EXPECT_THAT(range(0, 1 << 30, 1).error(), HasSubstr("too large or endless"));
  EXPECT_THAT(range(lowest, lowest + 1, 1).error(), HasSubstr("too large or endless"));
  EXPECT_THAT(Case("Range").in({2}, Integers{1, 2}).in({}, Integers{1}).in({}, Integers{1}).error(),
              HasSubstr("has shape 2 (expected a single number)"));
}

TEST(Fold, ScatterReplacesSlices) {
  const auto scatter = [](const Shape& at, Integers indices, const Shape& shape, Integers updates) {
    return Case("ScatterND")
        .in({2, 3}, Integers{0, 1, 2, 3, 4, 5})
        .in(at, std::move(indices))
        .in(shape, std::move(updates));
  };
  expect(scatter({1, 1}, {-1}, {1, 3}, {7, 8, 9}), {2, 3}, Integers{0, 1, 2, 7, 8, 9});
  expect(scatter({2, 2}, {0, 1, 1, -3}, {2}, {7, 8}), {2, 3}, Integers{0, 7, 2, 8, 4, 5});
  EXPECT_THAT(scatter({1, 1}, {2}, {1, 3}, {7, 8, 9}).error(), HasSubstr("index 2 is outside an axis of 2"));
  EXPECT_THAT(scatter({1, 3}, {0, 0, 0}, {1}, {7}).error(), HasSubstr("indices of shape 1x3 do not fit"));
  EXPECT_THAT(scatter({1, 1}, {0}, {3}, {7, 8, 9}).error(), HasSubstr("updates have shape 3 (expected 1x3"));
}

TEST(Fold, ExpandSplitTileAndPad) {
  expect(Case("Expand").in({2, 1}, Integers{1, 2}).in({3}, Integers{2, 1, 2}), {2, 2, 2},
         Integers{1, 1, 2, 2, 1, 1, 2, 2});
  EXPECT_THAT(Case("Expand").in({1}, Integers{1}).in({1}, Integers{1 << 27}).error(), HasSubstr("supported: up to"));
  expect(Case("Tile").in({2, 2}, Integers{1, 2, 3, 4}).in({2}, Integers{2, 1}), {4, 2},
         Integers{1, 2, 3, 4, 1, 2, 3, 4});
  expect(Case("Tile").in({2}, Integers{1, 2}).in({1}, Integers{2}), {4}, Integers{1, 2, 1, 2});
  expect(Case("Pad").in({2}, Integers{1, 2}).in({2}, Integers{1, 2}), {5}, Integers{0, 1, 2, 0, 0});
  EXPECT_THAT(Case("Pad").in({1}, Floats{1}).in({2}, Integers{1, 0}).in({}, Floats{3}).error(),
              HasSubstr("pads with 3 (supported: 0"));
  Case split = Case("Split").in({2, 3}, Integers{0, 1, 2, 3, 4, 5}).in({2}, Integers{1, 2}).with("axis", 1);
  split.node.add_output("a");
  split.node.add_output("b");
  const auto second = fold(NodeReader(split.file, split.node, "n", split.operands), 1);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->shape, (Shape{2, 2}));
  EXPECT_EQ(second->integers(), (Integers{1, 2, 4, 5}));
}

TEST(Fold, OtherOperatorsAreLeftAlone) {
  EXPECT_FALSE(Case("Relu").in({1}, Floats{1}).run().has_value());
}

}  // namespace
}  // namespace lpa::workloads::detail
