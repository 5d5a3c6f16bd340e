#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "workloads/dataset.h"
#include "workloads/executor.h"
#include "workloads/npy.h"
#include "workloads/onnx_import.h"

namespace lpa::workloads::testing {
namespace {

const std::filesystem::path data = LPA_WORKLOADS_DATA;

TEST(Vit, GivesTheRecordedLogitsForAll512Images) {
  const Network network = import_onnx(data / "vit/vit.onnx");
  const Dataset set = read_dataset(data / "cifar10/test", 512);
  check_shapes(set, network.values[static_cast<std::size_t>(network.input)].shape, network.file);
  const Tensor recorded = read_npy_f32(data / "vit/vit_test512_logits.npy");
  ASSERT_EQ(recorded.shape, (Shape{512, 10}));
  Executor executor(network);
  int hits = 0;
  for (int i = 0; i < set.count; ++i) {
    const Tensor logits = executor.run(set.image(i));
    ASSERT_EQ(logits.shape, (Shape{1, 10}));
    for (std::size_t c = 0; c < 10; ++c)
      ASSERT_NEAR(logits.data[c], recorded.data[static_cast<std::size_t>(i) * 10 + c], 1e-3) << "image " << i;
    const auto best = std::max_element(logits.data.begin(), logits.data.end()) - logits.data.begin();
    if (best == set.labels[static_cast<std::size_t>(i)]) ++hits;
  }
  EXPECT_EQ(hits, 409);  // 79.88 %, the recorded accuracy.
}

template <class Kind>
int count(const Network& network) {
  return static_cast<int>(std::ranges::count_if(
      network.nodes, [](const Node& node) { return std::holds_alternative<Kind>(node.attributes); }));
}

TEST(Vit, BecomesTheOperatorsOfATransformer) {
  const Network network = import_onnx(data / "vit/vit.onnx");
  EXPECT_EQ(count<LayerNorm>(network), 13);  // Two a block and the last one.
  EXPECT_EQ(count<Gelu>(network), 6);
  EXPECT_EQ(count<Softmax>(network), 6);
  EXPECT_EQ(count<MatMul>(network), 12);
  EXPECT_EQ(count<Gemm>(network), 25);
  EXPECT_EQ(count<Conv>(network), 2);
  EXPECT_EQ(count<Scale>(network), 6);
  EXPECT_EQ(count<Constant>(network), 2);  // Class token and positions.
  EXPECT_EQ(count<Add>(network), 13);      // Two a block and the positions.
  std::int64_t parameters = 0;
  for (const Node& node : network.nodes) {
    if (const auto* conv = std::get_if<Conv>(&node.attributes))
      parameters += element_count(conv->weights.shape) + element_count(conv->bias.shape);
    if (const auto* gemm = std::get_if<Gemm>(&node.attributes))
      parameters += element_count(gemm->weights.shape) + element_count(gemm->bias.shape);
    if (const auto* norm = std::get_if<LayerNorm>(&node.attributes))
      parameters += element_count(norm->scale.shape) + element_count(norm->shift.shape);
    if (const auto* constant = std::get_if<Constant>(&node.attributes))
      parameters += element_count(constant->value.shape);
  }
  EXPECT_EQ(parameters, 880522);
}

}  // namespace
}  // namespace lpa::workloads::testing
