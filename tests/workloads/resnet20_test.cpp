#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/workloads/naive_layers.h"
#include "tests/workloads/naive_operators.h"
#include "workloads/dataset.h"
#include "workloads/executor.h"
#include "workloads/layers.h"
#include "workloads/npy.h"
#include "workloads/onnx_import.h"

namespace lpa::workloads::testing {
namespace {

const std::filesystem::path data = LPA_WORKLOADS_DATA;

TEST(ResNet20, GivesTheRecordedLogitsForAll512Images) {
  const Network network = import_onnx(data / "resnet20/resnet20.onnx");
  const Dataset set = read_dataset(data / "cifar10/test", 512);
  check_shapes(set, network.values[static_cast<std::size_t>(network.input)].shape, network.file);
  const Tensor recorded = read_npy_f32(data / "resnet20/resnet20_test512_logits.npy");
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
  EXPECT_EQ(hits, 461);  // 90.04 %, the recorded accuracy.
}

TEST(ResNet20, LowersToFusedLayersThatComputeTheSame) {
  const Network network = import_onnx(data / "resnet20/resnet20.onnx");
  const LayerGraph graph = lower(network);
  EXPECT_EQ(graph.network, "resnet20.onnx");
  ASSERT_EQ(graph.layers.size(), 23u);  // 1 + 18 convolutions + 2 projections + pooling + 1 product.
  int additions = 0;
  std::int64_t macs = 0, parameters = 0;
  for (const Layer& layer : graph.layers) {
    EXPECT_NE(layer.kind, LayerKind::add) << layer.name;
    additions += layer.addend != no_operand ? 1 : 0;
    macs += layer.macs();
    parameters += static_cast<std::int64_t>(layer.weights.size() + layer.bias.size());
  }
  EXPECT_EQ(additions, 9);
  // 3x3: 32*32*9*(3*16 + 6*16*16), 16*16*9*(16*32 + 5*32*32), 8*8*9*(32*64 + 5*64*64); projections; product.
  EXPECT_EQ(macs, 14598144 + 12976128 + 12976128 + 131072 + 131072 + 640);
  // 272474 as trained, less one of the two batch normalisation parameters of 784 channels.
  EXPECT_EQ(parameters, 272474 - 784);

  const Tensor image = read_dataset(data / "cifar10/test", 1).image(0);
  const std::vector<Tensor> values = Executor(network).run_all(image);
  std::vector<Tensor> encoded;
  const std::vector<Tensor> results = naive_layers(graph, image, &encoded);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto compare = [&](Tensor expected, const Tensor& actual) {
      expected.shape = actual.shape;  // Flattening keeps the order.
      EXPECT_LT(difference(actual, expected), 1e-4) << "layer " << i << " " << graph.layers[i].name;
    };
    compare(values[static_cast<std::size_t>(graph.layers[i].value)], results[i]);
    compare(values[static_cast<std::size_t>(graph.layers[i].encoded_value)], encoded[i]);
  }
}

}  // namespace
}  // namespace lpa::workloads::testing
