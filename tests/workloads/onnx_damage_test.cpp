// Damaged files: whatever the bytes, the import ends with a network or an InputError of one line.
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/workloads/model_builder.h"
#include "workloads/input_error.h"
#include "workloads/layers.h"
#include "workloads/onnx_import.h"

namespace lpa::workloads::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A bit of everything that the import has code for.
std::string rich_model() {
  Random random(1);
  ModelBuilder model({1, 3, 8, 8});
  const std::string padded = model.node("Pad", {"input", model.constant({0, 0, 1, 1, 0, 0, 1, 1})});
  const std::string conv = model.conv(padded, 3, 4, 3, 1, 0, random);
  const std::string ones = model.constant(Tensor{{4}, {1, 1, 1, 1}});
  const std::string stem = model.node("Relu", {model.node("BatchNormalization", {conv, ones, ones, ones, ones})});
  const std::string sum = model.node("Add", {model.conv(stem, 4, 4, 3, 1, 1, random), stem});
  const std::string pooled = model.node("MaxPool", {sum});
  model.ints("kernel_shape", {2, 2}).ints("strides", {2, 2}).integer("ceil_mode", 1);
  const std::string size = model.node("Gather", {model.node("Shape", {pooled}), model.scalar(0)});
  const std::string batch = model.node("Unsqueeze", {size, model.constant({0})});
  const std::string target = model.node("Concat", {batch, model.constant({-1})});
  model.integer("axis", 0);
  model.output(model.gemm(model.node("Reshape", {pooled, target}), 64, 5, random));
  return model.bytes();
}

/// The operators of transformers.
std::string rich_transformer() {
  Random random(2);
  ModelBuilder model({1, 6, 8}, 17);
  const std::string token =
      model.node("Expand", {model.constant(random_tensor({1, 1, 8}, random)), model.constant({1, 1, 1})});
  const std::string tokens = model.node("Concat", {token, "input"});
  model.integer("axis", 1);
  const std::string placed = model.node("Add", {tokens, model.constant(random_tensor({7, 8}, random))});
  const std::string ones = model.constant(Tensor{{8}, std::vector<float>(8, 1)});
  const std::string norm = model.node("LayerNormalization", {placed, ones, ones});
  const std::string qkv = model.node("MatMul", {norm, model.constant(random_tensor({8, 24}, random))});
  const std::string heads = model.node("Reshape", {qkv, model.constant({1, 7, 3, 2, 4})});
  const std::string turned = model.node("Transpose", {heads});
  model.ints("perm", {2, 0, 3, 1, 4});
  const auto parts = model.split_node("Split", {turned, model.constant({1, 1, 1})}, 3);
  model.integer("axis", 0);
  const std::string q =
      model.node("Mul", {model.node("Squeeze", {parts[0], model.constant({0})}), model.real_scalar(0.5f)});
  const std::string k = model.node("Transpose", {model.node("Squeeze", {parts[1], model.constant({0})})});
  model.ints("perm", {0, 1, 3, 2});
  const std::string v = model.node("Gather", {parts[2], model.scalar(0)});
  const std::string attention = model.node("Softmax", {model.node("MatMul", {q, k})});
  const std::string mixed = model.node("Transpose", {model.node("MatMul", {attention, v})});
  model.ints("perm", {0, 2, 1, 3});
  const std::string sum = model.node("Add", {model.node("Reshape", {mixed, model.constant({1, 7, 8})}), placed});
  const std::string mean = model.node("ReduceMean", {sum});
  model.ints("axes", {-1});
  const std::string centred = model.node("Sub", {sum, mean});
  const std::string variance = model.node("ReduceMean", {model.node("Pow", {centred, model.real_scalar(2)})});
  model.ints("axes", {-1});
  const std::string root = model.node("Sqrt", {model.node("Add", {variance, model.real_scalar(1e-5f)})});
  const std::string second = model.node("Div", {centred, root});
  const std::string erf = model.node("Erf", {model.node("Div", {second, model.real_scalar(1.41421356f)})});
  const std::string half = model.node("Mul", {second, model.node("Add", {erf, model.real_scalar(1)})});
  const std::string gelu = model.node("Mul", {half, model.real_scalar(0.5f)});
  const std::string size = model.node("Range", {model.scalar(0), model.scalar(1), model.scalar(1)});
  const std::string first = model.node("Slice", {gelu, size, model.constant({1}), model.constant({1})});
  const std::string clipped = model.node("Clip", {first, model.real_scalar(0), model.real_scalar(6)});
  model.output(model.gemm(model.node("Reshape", {clipped, model.constant({1, 8})}), 8, 3, random));
  return model.bytes();
}

/// Imports and, if that works, lowers, where an error's message must be one line; the import's, or "no error".
std::string outcome(const std::string& bytes) {
  std::optional<Network> network;
  const std::string message = message_of<InputError>([&] { network = import_bytes(bytes); });
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  if (!network) return message;
  EXPECT_THAT(message_of<InputError>([&] { lower(*network); }), Not(HasSubstr("\n")));
  return message;
}

TEST(DamagedOnnx, TheWholeModelsAreFine) {
  for (const std::string& bytes : {rich_model(), rich_transformer()}) EXPECT_EQ(outcome(bytes), "no error");
  EXPECT_NO_THROW(lower(import_bytes(rich_model())));
}

TEST(DamagedOnnx, EveryTruncationIsAnError) {
  const std::string whole = rich_model();
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(outcome(whole.substr(0, length)), "no error") << length << " of " << whole.size() << " bytes";
}

TEST(DamagedOnnx, TruncationsOfTheShippedNetworkAreErrors) {
  const std::string whole = read_bytes(std::filesystem::path(LPA_WORKLOADS_DATA) / "resnet20/resnet20.onnx");
  ASSERT_GT(whole.size(), 1000000u);
  for (std::size_t length = 0; length < whole.size(); length += whole.size() / 37)
    EXPECT_NE(outcome(whole.substr(0, length)), "no error") << length << " of " << whole.size() << " bytes";
  for (std::size_t cut = 1; cut <= 20; ++cut)
    EXPECT_NE(outcome(whole.substr(0, whole.size() - cut)), "no error") << cut;
}

TEST(DamagedOnnx, OtherFilesAreErrors) {
  for (const std::string& bytes :
       {std::string(), std::string("\0", 1), std::string(1000, '\0'), std::string(1000, '\xff'),
        std::string("{\"json\": true}"), std::string("\x93NUMPY")})
    EXPECT_THAT(outcome(bytes), HasSubstr("model.onnx: not an ONNX model, or truncated"));
  EXPECT_THAT(message_of<InputError>([] { import_onnx("/nonexistent/x.onnx"); }),
              HasSubstr("/nonexistent/x.onnx: no such file"));
}

class DamagedModel : public ::testing::TestWithParam<std::string (*)()> {};
INSTANTIATE_TEST_SUITE_P(, DamagedModel, ::testing::Values(rich_model, rich_transformer), [](const auto& model) {
  return std::string(model.index == 0 ? "Convolutions" : "Transformer");
});

TEST_P(DamagedModel, FlippedBytesNeverCrash) {
  const std::string whole = GetParam()();
  Random random(20240623);
  int errors = 0;
  for (int round = 0; round < 4000; ++round) {
    SCOPED_TRACE(fmt::format("round {} of seed 20240623", round));
    std::string bytes = whole;
    for (int changes = pick(random, 1, 3); changes > 0; --changes) {
      const auto at = static_cast<std::size_t>(pick(random, 0, static_cast<int>(whole.size()) - 1));
      bytes[at] =
          static_cast<char>(pick(random, 0, 1) == 1 ? bytes[at] ^ (1 << pick(random, 0, 7)) : pick(random, 0, 255));
    }
    errors += outcome(bytes) != "no error" ? 1 : 0;
  }
  EXPECT_GT(errors, 400);
  EXPECT_LT(errors, 4000) << "weights may have any value";
}

TEST_P(DamagedModel, RandomAttributesNeverCrash) {
  const std::vector<std::int64_t> nasty{-1,
                                        0,
                                        1,
                                        2,
                                        3,
                                        64,
                                        1 << 20,
                                        1 << 28,
                                        std::int64_t{1} << 31,
                                        std::int64_t{1} << 62,
                                        std::numeric_limits<std::int64_t>::min(),
                                        std::numeric_limits<std::int64_t>::max()};
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(GetParam()()));
  Random random(99);
  const auto value = [&] {
    return nasty[static_cast<std::size_t>(pick(random, 0, static_cast<int>(nasty.size()) - 1))];
  };
  int errors = 0;
  for (int round = 0; round < 3000; ++round) {
    SCOPED_TRACE(fmt::format("round {} of seed 99", round));
    onnx::ModelProto changed = model;
    auto& graph = *changed.mutable_graph();
    for (int changes = pick(random, 1, 2); changes > 0; --changes) {
      auto& node = *graph.mutable_node(pick(random, 0, graph.node_size() - 1));
      auto& tensor = *graph.mutable_initializer(pick(random, 0, graph.initializer_size() - 1));
      switch (pick(random, 0, 4)) {
        case 0:
          if (node.attribute_size() > 0) {
            auto& attribute = *node.mutable_attribute(pick(random, 0, node.attribute_size() - 1));
            attribute.set_i(value());
            if (attribute.ints_size() > 0) attribute.set_ints(pick(random, 0, attribute.ints_size() - 1), value());
          }
          break;
        case 1:
          if (tensor.int64_data_size() > 0)
            tensor.set_int64_data(pick(random, 0, tensor.int64_data_size() - 1), value());
          break;
        case 2:
          if (tensor.dims_size() > 0) tensor.set_dims(pick(random, 0, tensor.dims_size() - 1), value());
          break;
        case 3:
          if (node.input_size() > 0)
            node.set_input(pick(random, 0, node.input_size() - 1),
                           graph.node(pick(random, 0, graph.node_size() - 1)).output(0));
          break;
        default:
          node.set_op_type(graph.node(pick(random, 0, graph.node_size() - 1)).op_type());
      }
    }
    errors += outcome(changed.SerializeAsString()) != "no error" ? 1 : 0;
  }
  EXPECT_GT(errors, 1000);
  EXPECT_LT(errors, 3000);
}

}  // namespace
}  // namespace lpa::workloads::testing
