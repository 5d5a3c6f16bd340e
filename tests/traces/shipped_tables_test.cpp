// The tables in traces/layers against the networks' published figures.
#include <functional>
#include <numeric>
#include <ostream>

#include <gtest/gtest.h>

#include "tests/workloads/temporary_folder.h"
#include "traces/layer_table.h"

namespace lpa::traces::testing {
namespace {

using Layers = std::vector<LayerShape>;

std::int64_t sum(const Layers& layers, const std::function<std::int64_t(const LayerShape&)>& value) {
  return std::accumulate(layers.begin(), layers.end(), std::int64_t{0},
                         [&](std::int64_t total, const LayerShape& layer) { return total + value(layer); });
}

/// Parameters that a table does not hold: a batch normalisation's scale and shift after every convolution, and the
/// biases of the classifier.
std::int64_t rest_of_cnn(const Layers& layers) {
  return sum(layers, [](const LayerShape& layer) { return layer.geometry ? 2 * layer.geometry->out_c : layer.n; });
}

/// Biases, class token, position embeddings, two layer normalisations a block and one at the end.
std::int64_t rest_of_vit(const Layers& layers) {
  const std::int64_t width = layers.front().n, tokens = 1 + layers.front().m, blocks = 12;
  const std::int64_t biases =
      sum(layers, [](const LayerShape& layer) { return layer.kind == ShapeKind::matmul ? 0 : layer.n; });
  return biases + width * (1 + tokens) + 2 * width * (2 * blocks + 1);
}

/// Biases except of the patch merging, layer normalisations, and a relative position table of 13 x 13 for every head.
std::int64_t rest_of_swin(const Layers& layers) {
  const auto of_layer = [](const LayerShape& layer) -> std::int64_t {
    if (layer.kind == ShapeKind::matmul) return 0;
    if (layer.name.ends_with(".reduction")) return 2 * layer.k;
    const bool first_of_block = layer.name.ends_with(".qkv");
    const std::int64_t heads = layer.k / 32, positions = 13;
    return layer.n + (first_of_block ? 4 * layer.k + positions * positions * heads : 0);
  };
  return sum(layers, of_layer) + 2 * layers.front().n + 2 * layers.back().k;
}

struct Network {
  std::string name;
  std::size_t layers;
  double mmac;              // Rounded to hundredths.
  std::int64_t parameters;  // torchvision's own count.
  std::int64_t (*rest)(const Layers&);

  friend void PrintTo(const Network& network, std::ostream* out) { *out << network.name; }
};

class ShippedTable : public ::testing::TestWithParam<Network> {
 protected:
  std::filesystem::path path_ = std::filesystem::path(LPA_TRACES) / "layers" / (GetParam().name + ".csv");
  Layers layers_ = read_layer_table(path_);
};

TEST_P(ShippedTable, HasTheNetworksLayersAndMacs) {
  EXPECT_EQ(layers_.size(), GetParam().layers);
  EXPECT_NEAR(static_cast<double>(sum(layers_, [](const LayerShape& layer) { return layer.macs; })) / 1e6,
              GetParam().mmac, 0.005);
}

TEST_P(ShippedTable, MakesUpTheNetworksParameters) {
  const std::int64_t weights = sum(layers_, [](const LayerShape& layer) { return layer.weights; });
  EXPECT_EQ(weights + GetParam().rest(layers_), GetParam().parameters);
}

TEST_P(ShippedTable, IsWrittenAsItIsRead) {
  const workloads::testing::TemporaryFolder folder;
  write_layer_table(folder / "copy.csv", layers_);
  EXPECT_EQ(workloads::testing::read_bytes(folder / "copy.csv"), workloads::testing::read_bytes(path_));
}

INSTANTIATE_TEST_SUITE_P(Networks, ShippedTable,
                         ::testing::Values(Network{"resnet18", 21, 1814.07, 11'689'512, rest_of_cnn},
                                           Network{"resnet34", 37, 3663.76, 21'797'672, rest_of_cnn},
                                           Network{"resnet50", 54, 4089.18, 25'557'032, rest_of_cnn},
                                           Network{"mobilenet_v2", 53, 300.77, 3'504'872, rest_of_cnn},
                                           Network{"vit_b_16", 74, 17563.83, 86'567'656, rest_of_vit},
                                           Network{"deit_tiny_16", 74, 1253.68, 5'717'416, rest_of_vit},
                                           Network{"deit_small_16", 74, 4598.88, 22'050'664, rest_of_vit},
                                           Network{"swin_t", 77, 4490.57, 28'288'354, rest_of_swin}),
                         [](const auto& network) { return network.param.name; });

TEST(ShippedTables, AreAllTested) {
  const auto files = std::filesystem::directory_iterator(std::filesystem::path(LPA_TRACES) / "layers");
  EXPECT_EQ(std::distance(begin(files), end(files)), 8);
}

}  // namespace
}  // namespace lpa::traces::testing
