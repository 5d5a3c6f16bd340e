// The traces in traces/networks against the layer tables and the networks' published figures.
#include <map>
#include <ostream>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "traces/layer_table.h"
#include "traces/trace.h"

namespace lpa::traces::testing {
namespace {

struct Network {
  std::string name;
  std::int64_t parameters;  // torchvision's own count.

  friend void PrintTo(const Network& network, std::ostream* out) { *out << network.name; }
};

/// Products of equal m and k by (count, m, k, of activations); the sum of their n. Layers that share their input may
/// stand in one row of a table and in several layers of a trace, or the other way round.
using Products = std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, bool>, std::int64_t>;

class ShippedTrace : public ::testing::TestWithParam<Network> {
 protected:
  static Trace read(const std::string& suffix) {
    return read_trace(std::filesystem::path(LPA_TRACES) / "networks" / (GetParam().name + suffix + ".json"));
  }
  static std::vector<LayerShape> table() {
    return read_layer_table(std::filesystem::path(LPA_TRACES) / "layers" / (GetParam().name + ".csv"));
  }
};

std::set<int> weight_bits(const Trace& trace) {
  std::set<int> bits;
  for (std::size_t i = 0; i < trace.layers.size(); ++i)
    if (trace.graph.layers[i].kind == workloads::LayerKind::conv) bits.insert(trace.layers[i].weight.n);
  return bits;
}

TEST_P(ShippedTrace, HasTheTablesProductsAndMacs) {
  Products expected, given;
  std::int64_t macs = 0, weights = 0;
  for (const LayerShape& shape : table()) {
    macs += shape.macs;
    weights += shape.weights;
    expected[{shape.count, shape.m, shape.k, shape.kind == ShapeKind::matmul}] += shape.n;
  }
  const Trace trace = read("");
  for (const workloads::Layer& layer : trace.graph.layers) {
    const LayerWork work = work_of(layer);
    if (layer.uses_array()) given[{work.count, work.m, work.k, layer.kind == workloads::LayerKind::matmul}] += work.n;
  }
  EXPECT_EQ(total_work(trace).macs, macs);
  EXPECT_EQ(total_work(trace).weights, weights);
  EXPECT_EQ(given, expected);
}

TEST_P(ShippedTrace, SaysThePublishedNumberOfParameters) {
  for (const char* suffix : {"", "_w4", "_mixed"}) EXPECT_EQ(read(suffix).parameters, GetParam().parameters) << suffix;
}

TEST_P(ShippedTrace, HasItsRecipesWidths) {
  EXPECT_EQ(weight_bits(read("")), (std::set<int>{8}));
  EXPECT_EQ(weight_bits(read("_w4")), (std::set<int>{4}));
  EXPECT_EQ(weight_bits(read("_mixed")), (std::set<int>{2, 4, 8}));
}

INSTANTIATE_TEST_SUITE_P(Networks, ShippedTrace,
                         ::testing::Values(Network{"resnet18", 11'689'512}, Network{"resnet34", 21'797'672},
                                           Network{"resnet50", 25'557'032}, Network{"mobilenet_v2", 3'504'872},
                                           Network{"vit_b_16", 86'567'656}, Network{"deit_tiny_16", 5'717'416},
                                           Network{"deit_small_16", 22'050'664}, Network{"swin_t", 28'288'354}),
                         [](const auto& network) { return network.param.name; });

TEST(ShippedTraces, AreAllTested) {
  const auto files = std::filesystem::directory_iterator(std::filesystem::path(LPA_TRACES) / "networks");
  EXPECT_EQ(std::distance(begin(files), end(files)), 8 * 3);
}

}  // namespace
}  // namespace lpa::traces::testing
