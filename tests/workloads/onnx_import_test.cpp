#include "workloads/onnx_import.h"

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

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string import_error(const ModelBuilder& model) {
  return message_of<InputError>([&] { model.import(); });
}

Tensor filled(const Shape& shape, float value) {
  return {shape, std::vector<float>(static_cast<std::size_t>(element_count(shape)), value)};
}

const Shape& shape_of(const Network& network, int value) {
  return network.values[static_cast<std::size_t>(value)].shape;
}

TEST(OnnxImport, FoldsBatchNormalisationIntoTheConvolution) {
  Random random(1);
  ModelBuilder model({1, 3, 6, 6});
  const Tensor weights = random_tensor({4, 3, 3, 3}, random), bias = random_tensor({4}, random);
  const Tensor scale = random_tensor({4}, random), shift = random_tensor({4}, random),
               mean = random_tensor({4}, random);
  Tensor variance = random_tensor({4}, random);
  for (float& value : variance.data) value = std::abs(value);
  const std::string conv = model.node("Conv", {"input", model.constant(weights), model.constant(bias)});
  model.output(model.node(
      "BatchNormalization",
      {conv, model.constant(scale), model.constant(shift), model.constant(mean), model.constant(variance)}, "bn"));
  model.real("epsilon", 1e-3f);
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 1u);
  EXPECT_EQ(network.values[static_cast<std::size_t>(network.output)].name, "bn");

  const Tensor input = random_tensor({1, 3, 6, 6}, random);
  Tensor expected = naive_conv(input, weights, bias, {3, 3}, 1);
  for (std::size_t i = 0; i < expected.data.size(); ++i) {
    const std::size_t c = i / 16;
    expected.data[i] =
        (expected.data[i] - mean.data[c]) / std::sqrt(variance.data[c] + 1e-3f) * scale.data[c] + shift.data[c];
  }
  EXPECT_LT(difference(Executor(network).run(input), expected), 1e-5);
}

TEST(OnnxImport, BatchNormalisationElsewhereIsRefused) {
  Random random(2);
  const auto normalise = [](ModelBuilder& model, const std::string& value, int channels, float variance = 1) {
    const std::string one = model.constant(filled({channels}, 1)), v = model.constant(filled({channels}, variance));
    return model.node("BatchNormalization", {value, one, one, one, v}, "bn");
  };
  ModelBuilder alone({1, 3, 6, 6});
  alone.output(normalise(alone, "input", 3));
  EXPECT_THAT(import_error(alone), HasSubstr("node 'bn' (BatchNormalization): does not follow a Conv or Gemm"));

  ModelBuilder shared({1, 3, 6, 6});
  const std::string conv = shared.conv("input", 3, 3, 1, 1, 0, random);
  shared.output(shared.node("Add", {normalise(shared, conv, 3), conv}));
  EXPECT_THAT(import_error(shared), HasSubstr("node 'bn' (BatchNormalization): does not follow"));

  ModelBuilder negative({1, 3, 6, 6});
  negative.output(normalise(negative, negative.conv("input", 3, 3, 1, 1, 0, random), 3, -1));
  EXPECT_THAT(import_error(negative), HasSubstr("variance + epsilon of channel 0"));

  ModelBuilder mismatched({1, 3, 6, 6});
  mismatched.output(normalise(mismatched, mismatched.conv("input", 3, 4, 1, 1, 0, random), 3));
  EXPECT_THAT(import_error(mismatched), HasSubstr("has shape 3 (expected 4)"));
}

TEST(OnnxImport, FoldsAConstantAddendIntoTheBias) {
  Random random(3);
  ModelBuilder model({1, 3, 4, 4});
  const Tensor addend = random_tensor({5, 1, 1}, random), scalar = filled({}, 0.25f);
  const std::string conv = model.conv("input", 3, 5, 3, 1, 1, random);
  model.output(model.node("Add", {model.constant(scalar), model.node("Add", {conv, model.constant(addend)})}));
  ModelBuilder plain({1, 3, 4, 4});
  Random again(3);
  random_tensor({5, 1, 1}, again);
  plain.output(plain.conv("input", 3, 5, 3, 1, 1, again));
  const Tensor input = random_tensor({1, 3, 4, 4}, random);
  Tensor expected = Executor(plain.import()).run(input);
  for (std::size_t i = 0; i < expected.data.size(); ++i) expected.data[i] += addend.data[i / 16] + 0.25f;
  const Network network = model.import();
  EXPECT_EQ(network.nodes.size(), 1u);
  EXPECT_LT(difference(Executor(network).run(input), expected), 1e-6);
}

TEST(OnnxImport, FoldsTheShapeArithmeticOfExporters) {
  // x.view(x.size(0), -1) and F.pad(x, (1, 2)) as PyTorch writes them.
  ModelBuilder model({0, 2, 3, 4});
  const std::string size = model.node("Gather", {model.node("Shape", {"input"}), model.scalar(0)});
  const std::string given = model.constant(std::vector<std::int64_t>{1, 2, 0, 0});
  const std::string zeros = model.node("ConstantOfShape", {model.constant(std::vector<std::int64_t>{4})});
  auto* value = model.model.mutable_graph()->mutable_node(model.model.graph().node_size() - 1)->add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  value->mutable_t()->set_data_type(onnx::TensorProto::INT64);
  value->mutable_t()->add_dims(1);
  value->mutable_t()->add_int64_data(0);
  const std::string joined = model.node("Concat", {given, zeros});
  model.integer("axis", 0);
  const std::string pairs = model.node("Reshape", {joined, model.constant(std::vector<std::int64_t>{-1, 2})});
  const std::string reversed = model.node(
      "Slice", {pairs, model.constant(std::vector<std::int64_t>{-1}),
                model.constant(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min() + 1}),
                model.constant(std::vector<std::int64_t>{0}), model.constant(std::vector<std::int64_t>{-1})});
  const std::string transposed = model.node("Transpose", {reversed});
  model.ints("perm", {1, 0});
  const std::string flat = model.node("Reshape", {transposed, model.constant(std::vector<std::int64_t>{-1})});
  const std::string amounts = model.node("Cast", {flat});
  model.integer("to", onnx::TensorProto::INT64);
  const std::string padded = model.node("Pad", {"input", amounts});
  const std::string batch = model.node("Unsqueeze", {size, model.constant(std::vector<std::int64_t>{0})});
  const std::string target = model.node("Concat", {batch, model.constant(std::vector<std::int64_t>{-1})});
  model.integer("axis", 0);
  model.output(model.node("Reshape", {padded, target}));

  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 2u);
  const auto& pad = std::get<Pad>(network.nodes[0].attributes);
  EXPECT_EQ(pad.begins, (std::vector<int>{0, 0, 0, 1}));
  EXPECT_EQ(pad.ends, (std::vector<int>{0, 0, 0, 2}));
  EXPECT_EQ(shape_of(network, network.output), (Shape{1, 42}));
}

TEST(OnnxImport, LeavesOutWhatChangesNothing) {
  Random random(4);
  ModelBuilder model({1, 3, 4, 4});
  const std::string conv = model.conv(model.node("Identity", {"input"}), 3, 3, 1, 1, 0, random, "c");
  const std::string no_pad =
      model.node("Pad", {model.node("Dropout", {conv}), model.constant(std::vector<std::int64_t>(8, 0))});
  model.node("Softmax", {conv}, "unused");
  model.node("Shape", {conv}, "also_unused");
  model.output(model.node("Relu", {no_pad}));
  const Network network = model.import();
  ASSERT_EQ(network.nodes.size(), 2u);
  EXPECT_EQ(network.values.size(), 3u);
  EXPECT_EQ(network.nodes[0].name, "c");
}

TEST(OnnxImport, ReduceMeanOverTheMapIsGlobalAveragePooling) {
  Random random(5);
  const Tensor input = random_tensor({1, 3, 4, 5}, random);
  for (const bool keep : {true, false}) {
    ModelBuilder model({1, 3, 4, 5});
    model.output(model.node("ReduceMean", {"input"}));
    model.ints("axes", {-1, 2}).integer("keepdims", keep);
    Tensor expected = naive_pool(input, Pooling::average, {4, 5}, false);
    if (!keep) expected.shape = {1, 3};
    EXPECT_LT(difference(Executor(model.import()).run(input), expected), 1e-6);
  }
}

/// The mean over axes of a tensor, which are given as bits, by definition.
Tensor naive_mean(const Tensor& input, unsigned axes, bool keep) {
  Tensor result;
  std::vector<std::int64_t> strides;
  std::int64_t size = 1;
  for (std::size_t axis = input.shape.size(); axis-- > 0;) {
    const bool pooled = (axes >> axis & 1) != 0;
    strides.insert(strides.begin(), pooled ? 0 : size);
    if (!pooled) size *= input.shape[axis];
    if (!pooled || keep) result.shape.insert(result.shape.begin(), pooled ? 1 : input.shape[axis]);
  }
  std::vector<double> sums(static_cast<std::size_t>(size), 0);
  for (std::size_t i = 0; i < input.data.size(); ++i) {
    std::int64_t place = 0, rest = static_cast<std::int64_t>(i);
    for (std::size_t axis = input.shape.size(); axis-- > 0; rest /= input.shape[axis])
      place += rest % input.shape[axis] * strides[axis];
    sums[static_cast<std::size_t>(place)] += input.data[i];
  }
  const double area = static_cast<double>(input.data.size()) / static_cast<double>(size);
  for (const double sum : sums) result.data.push_back(static_cast<float>(sum / area));
  return result;
}

TEST(OnnxImport, ReduceMeanTakesAnyAxesButTheFirstAndTheLastAlone) {
  Random random(7);
  for (const Shape& shape : {Shape{1, 5, 3}, Shape{1, 3, 4, 5}, Shape{1, 2, 3, 4, 5}}) {
    const std::size_t rank = shape.size();
    const Tensor input = random_tensor(shape, random);
    for (unsigned axes = 1; axes < 1u << rank; ++axes) {
      for (const bool keep : {true, false}) {
        SCOPED_TRACE(fmt::format("rank {}, axes {:b}, keep {}", rank, axes, keep));
        ModelBuilder model(shape);
        model.output(model.node("ReduceMean", {"input"}));
        std::vector<std::int64_t> list;
        for (std::size_t axis = 0; axis < rank; ++axis)
          if ((axes >> axis & 1) != 0) list.push_back(static_cast<std::int64_t>(axis));
        model.ints("axes", list).integer("keepdims", keep);
        if ((axes & 1) != 0 || axes == 1u << (rank - 1)) {
          EXPECT_THAT(import_error(model), HasSubstr("any axes but the first"));
        } else {
          const Tensor result = Executor(model.import()).run(input), expected = naive_mean(input, axes, keep);
          EXPECT_EQ(result.shape, expected.shape);
          EXPECT_LT(difference(result, expected), 1e-6);
        }
      }
    }
  }
}

TEST(OnnxImport, UnnamedNodesAreNamedByOperatorAndPlace) {
  Random random(6);
  ModelBuilder model({1, 3, 4, 4});
  model.conv("input", 3, 3, 1, 1, 0, random);
  model.output(model.node("Relu", {"Conv1"}));
  for (auto& node : *model.model.mutable_graph()->mutable_node()) node.clear_name();
  const Network network = model.import();
  EXPECT_EQ(network.nodes[0].name, "Conv_0");
  EXPECT_EQ(network.nodes[1].name, "Relu_1");
}

TEST(OnnxImport, OpsetsFrom13To17AreTaken) {
  for (const int opset : {12, 13, 15, 17, 18}) {
    ModelBuilder model({1, 3, 4, 4}, opset);
    model.output(model.node("Relu", {"input"}));
    if (opset >= 13 && opset <= 17)
      EXPECT_EQ(import_error(model), "no error");
    else
      EXPECT_THAT(import_error(model),
                  EndsWith(fmt::format("model.onnx: ONNX opset {} is not supported (supported: 13 to 17)", opset)));
  }
}

TEST(OnnxImport, UnsupportedOperatorIsNamedWithItsNode) {
  ModelBuilder model({1, 3, 4, 4});
  model.output(model.node("HardSwish", {"input"}, "/features/act"));
  EXPECT_THAT(
      import_error(model),
      AllOf(
          HasSubstr("model.onnx: node '/features/act': operator 'HardSwish' is not supported (supported: Conv, Gemm, "),
          EndsWith(")")));
  model.model.mutable_graph()->mutable_node(0)->set_domain("com.example");
  EXPECT_THAT(import_error(model), HasSubstr("operator 'com.example.HardSwish' is not supported"));
}

TEST(OnnxImport, BatchMustBeOneOrSymbolic) {
  const auto relu_on = [](const Shape& shape) {
    ModelBuilder model(shape);
    model.output(model.node("Relu", {"input"}));
    return model;
  };
  EXPECT_EQ(shape_of(relu_on({0, 3, 4, 4}).import(), 0), (Shape{1, 3, 4, 4}));
  EXPECT_THAT(import_error(relu_on({2, 3, 4, 4})),
              EndsWith("input 'input' has batch size 2 (supported: 1 or symbolic)"));
  EXPECT_THAT(import_error(relu_on({1, 3, 0, 4})),
              EndsWith("input 'input' has no fixed size on axis 2 (supported: only the batch)"));
  EXPECT_THAT(import_error(relu_on({1})), HasSubstr("fewer than two axes"));
  EXPECT_THAT(import_error(relu_on({1, 1 << 20, 1 << 20})), HasSubstr("more than"));
}

TEST(OnnxImport, MalformedGraphsAreErrors) {
  Random random(7);
  const auto with = [&](auto build) {
    ModelBuilder model({1, 3, 4, 4});
    build(model);
    return import_error(model);
  };
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Relu", {"nowhere"}, "r")); }),
              HasSubstr("node 'r' (Relu): input 'nowhere' is produced by no earlier node"));
  EXPECT_THAT(
      with([](ModelBuilder& m) {
        m.node("Add", {"input", "b"}, "a");
        m.output(m.node("Relu", {"a"}, "b"));
      }),
      HasSubstr("node 'a' (Add): input 'b' is produced by no earlier node (missing, or the graph has a cycle)"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.node("Relu", {"input"}, "r");
                m.output(m.node("Relu", {"input"}, "r"));
              }),
              HasSubstr("value 'r' is produced twice"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Relu", {"input"}, "input")); }),
              HasSubstr("value 'input' is defined twice"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.node("Relu", {"input"}); }), HasSubstr("has 0 outputs (supported: 1)"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.node("Relu", {"input"}), m.output("other"); }),
              HasSubstr("output 'other' is produced by no node"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.node("Relu", {"input"}), m.output("input"); }),
              HasSubstr("is not computed from the input"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Shape", {"input"})); }),
              HasSubstr("is not computed from the input"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Relu", {}, "r")); }),
              HasSubstr("node 'r' (Relu): input 0 is missing"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Relu", {""}, "r")); }),
              HasSubstr("node 'r' (Relu): input 0 is missing"));
  EXPECT_THAT(with([](ModelBuilder& m) { m.output(m.node("Conv", {"input"}, "c")); }),
              HasSubstr("node 'c' (Conv): input 1 is missing"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.output(m.node("Conv", {"input", "input"}, "c"));
              }),
              HasSubstr("depends on the network's input (expected a constant)"));
  EXPECT_THAT(with([](ModelBuilder& m) {
                m.output(m.node("Conv", {"input", m.constant({1, 2, 3})}, "c"));
              }),
              HasSubstr("weights have shape 3"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.conv("input", 2, 4, 3, 1, 1, random, "c")); }),
              HasSubstr("node 'c' (Conv): an input of 3 channels in 1 groups does not fit weights of shape 4x2x3x3"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.conv("input", 3, 4, 5, 1, 0, random, "c")); }),
              HasSubstr("a window of 5 does not fit into an input of 4 with pads 0 and 0"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.conv("input", 3, 4, 3, 0, 1, random, "c")); }),
              HasSubstr("'strides' has the value 0"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.conv("input", 3, 4, 3, 1, -1, random, "c")); }),
              HasSubstr("'pads' has the value -1"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.node("MaxPool", {"input"}, "p")); }),
              HasSubstr("'kernel_shape' is missing"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                m.output(m.node("MaxPool", {"input"}, "p"));
                m.ints("kernel_shape", {2, 2}).ints("pads", {2, 0, 0, 0});
              }),
              HasSubstr("a pad of 2 is not smaller than the window of 2"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.gemm("input", 3, 4, random, "g")); }),
              HasSubstr("node 'g' (Gemm): input has shape 1x3x4x4 (expected two axes, the second of 3"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                m.output(m.node("Add", {"input", m.conv("input", 3, 3, 3, 1, 0, random)}, "a"));
              }),
              HasSubstr("node 'a' (Add): adds 1x3x4x4 and 1x3x2x2 (supported: equal shapes)"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                m.output(m.node("Reshape", {"input", m.constant({7, -1})}, "r"));
              }),
              HasSubstr("cannot reshape 1x3x4x4 to 7x-1"));
  EXPECT_THAT(with([&](ModelBuilder& m) {
                m.output(m.node("Slice", {"input", m.constant({5}), m.constant({2})}, "s"));
              }),
              HasSubstr("the output is empty"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.node("Flatten", {"input"}, "f")), m.integer("axis", 5); }),
              HasSubstr("axis 5 is outside a tensor of rank 4"));
  EXPECT_THAT(with([&](ModelBuilder& m) { m.output(m.node("Flatten", {"input"}, "f")), m.real("axis", 1); }),
              HasSubstr("attribute 'axis' has type FLOAT (expected INT)"));
}

TEST(OnnxImport, DamagedWeightsAreErrors) {
  Random random(8);
  const auto with = [&](auto damage) {
    ModelBuilder model({1, 3, 4, 4});
    model.output(model.conv("input", 3, 4, 3, 1, 1, random));
    damage(*model.model.mutable_graph()->mutable_initializer(0));
    return import_error(model);
  };
  using Proto = onnx::TensorProto;
  EXPECT_THAT(with([](Proto& t) { t.mutable_raw_data()->resize(100); }),
              HasSubstr("initializer 'constant1' has 100 bytes of data (expected 432: 108 elements of 4 bytes)"));
  EXPECT_THAT(with([](Proto& t) { t.clear_raw_data(); }), HasSubstr("has 0 values (expected 108)"));
  EXPECT_THAT(with([](Proto& t) { t.set_dims(0, -4); }), HasSubstr("has a negative size in its shape -4x3x3x3"));
  EXPECT_THAT(with([](Proto& t) { t.set_dims(0, std::int64_t{1} << 62); }), HasSubstr("has more than"));
  EXPECT_THAT(with([](Proto& t) { t.set_data_type(Proto::FLOAT16); }),
              HasSubstr("has data type FLOAT16 (supported: FLOAT"));
  EXPECT_THAT(with([](Proto& t) { t.set_data_type(12345); }), HasSubstr("has data type 12345"));
  EXPECT_THAT(with([](Proto& t) { t.set_data_location(Proto::EXTERNAL); }), HasSubstr("has its data in another file"));
}

}  // namespace
}  // namespace lpa::workloads::testing
