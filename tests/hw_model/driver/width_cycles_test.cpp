#include "hw_model/driver/width_cycles.h"

#include <numeric>

#include <gtest/gtest.h>

#include "hw_model/driver/image_stream.h"
#include "quant/lpq/quantize.h"
#include "tests/quant/lpq/small_network.h"

namespace lpa::driver {
namespace {

TEST(WidthCycles, SayWhatANetworkOfMixedWidthsTakes) {
  const hw::MachineConfig config;
  const workloads::LayerGraph graph = workloads::lower(lpq::testing::make_small_network(1));
  const WidthCycles cycles = width_cycles(config, graph);
  ASSERT_EQ(cycles.layers.size(), graph.layers.size());

  // Every other layer with 2, 4 and 8 bits.
  lpq::NetworkFormats formats;
  formats.layers.resize(graph.layers.size());
  double expected = cycles.others;
  int next = 2;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    if (graph.layers[i].kind != workloads::LayerKind::conv) {
      EXPECT_TRUE(cycles.layers[i].empty());
      continue;
    }
    EXPECT_GE(cycles.layers[i].at(8), cycles.layers[i].at(2));
    formats.layers[i].weight = {.n = next, .es = 0, .rs = 1};
    expected += cycles.layers[i].at(next);
    next = next == 8 ? 2 : 2 * next;
  }
  const lpq::QuantizedModel model = lpq::quantize(graph, formats);
  const workloads::Dataset images = lpq::testing::make_small_dataset(1, 1);
  const ImageInputs inputs{1, [&](std::size_t) { return lpq::quantize_input(images.image(0), model.input); }};
  const RunResult result = run_images(config, graph, model, inputs, {}, 1);
  double sum = 0;
  for (const LayerResult& layer : result.layers) sum += static_cast<double>(layer.counters.cycles);
  EXPECT_EQ(sum, expected);
  EXPECT_EQ(static_cast<double>(result.total.cycles), expected);
}

}  // namespace
}  // namespace lpa::driver
