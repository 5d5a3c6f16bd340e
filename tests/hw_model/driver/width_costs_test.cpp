#include "hw_model/driver/width_costs.h"

#include <numeric>

#include <gtest/gtest.h>

#include "hw_model/cost/cost_model.h"
#include "hw_model/driver/image_stream.h"
#include "quant/lpq/quantize.h"
#include "tests/quant/lpq/small_network.h"

namespace lpa::driver {
namespace {

/// The network with every other layer of 2, 4 and 8 bits costs what the costs of its widths say.
void expect_costs_to_add_up(const std::function<double(const LayerResult&)>& measure) {
  const hw::MachineConfig config;
  const workloads::LayerGraph graph = workloads::lower(lpq::testing::make_small_network(1));
  const WidthCosts costs = width_costs(config, graph, measure);
  ASSERT_EQ(costs.layers.size(), graph.layers.size());

  lpq::NetworkFormats formats;
  formats.layers.resize(graph.layers.size());
  double expected = costs.others;
  int next = 2;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].kind != workloads::LayerKind::conv) {
      EXPECT_TRUE(costs.layers[i].empty());
      continue;
    }
    EXPECT_NE(costs.layers[i].at(8), costs.layers[i].at(2));
    formats.layers[i].weight = formats::LpFormat{.n = next, .es = 0, .rs = 1};
    expected += costs.layers[i].at(next);
    next = next == 8 ? 2 : 2 * next;
  }
  const lpq::QuantizedModel model = lpq::quantize(graph, formats);
  const workloads::Dataset images = lpq::testing::make_small_dataset(1, 1);
  const ImageInputs inputs{1, [&](std::size_t) { return lpq::quantize_input(images.image(0), model.input); }};
  const RunResult result = run_images(config, graph, model, inputs, {}, 1);
  double sum = 0;
  for (const LayerResult& layer : result.layers) sum += measure(layer);
  EXPECT_NEAR(sum, expected, 1e-9 * expected);
}

TEST(WidthCosts, SayWhatCyclesANetworkOfMixedWidthsTakes) {
  expect_costs_to_add_up([](const LayerResult& layer) { return static_cast<double>(layer.counters.cycles); });
}

TEST(WidthCosts, SayWhatEnergyANetworkOfMixedWidthsTakes) {
  const cost::CostModel model(hw::MachineConfig{});
  expect_costs_to_add_up([&](const LayerResult& layer) { return model.energy(layer.activity(false)).total(); });
}

}  // namespace
}  // namespace lpa::driver
