#include "quant/lpq/trace_model.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/small_trace.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"
#include "workloads/safetensors.h"

namespace lpa::lpq::testing {
namespace {

using ::testing::HasSubstr;
using traces::testing::small_trace;
using workloads::testing::message_of;

QuantizedModel drawn(const traces::Trace& trace, std::uint64_t seed) {
  QuantizedModel model = blank_model(trace);
  draw_words(trace, seed, model);
  return model;
}

TEST(TraceModel, HasTheTracesFormats) {
  const traces::Trace trace = small_trace();
  const QuantizedModel model = drawn(trace, 1);
  ASSERT_EQ(model.layers.size(), trace.layers.size());
  const traces::Trace again = to_trace(trace.graph, model);
  EXPECT_EQ(again.layers, trace.layers);
  EXPECT_EQ(again.constants, trace.constants);
  EXPECT_EQ(again.input, trace.input);
  EXPECT_EQ(model.layers[6].product_scale_q8, -256);
  EXPECT_EQ(model.layers[6].tables[0].size(), 256U) << "gelu";
}

TEST(TraceModel, DrawnWordsDependOnTheSeedAndTheName) {
  const traces::Trace trace = small_trace();
  EXPECT_EQ(drawn(trace, 1), drawn(trace, 1));
  EXPECT_EQ(draw_input(trace, 1), draw_input(trace, 1));
  EXPECT_NE(drawn(trace, 1).layers[0].weights, drawn(trace, 2).layers[0].weights);
  EXPECT_NE(draw_input(trace, 1).words, draw_input(trace, 2).words);
  traces::Trace renamed = trace;
  renamed.graph.layers[0].name = "other";
  EXPECT_NE(drawn(renamed, 1).layers[0].weights, drawn(trace, 1).layers[0].weights);
  EXPECT_EQ(drawn(renamed, 1).layers[4].weights, drawn(trace, 1).layers[4].weights);
}

TEST(TraceModel, WeightsAreRoundedNormalNumbers) {
  traces::Trace trace = small_trace();
  trace.graph.layers.resize(1);
  trace.layers.resize(1);
  workloads::LayerGeometry& g = trace.graph.layers[0].geometry;
  g.in_c = trace.graph.in_c = 64, g.out_c = 512;
  traces::apply_recipe(trace, traces::Recipe::w8);
  const QuantizedModel model = drawn(trace, 1);
  const double k = 64 * 9, count = k * 512;
  ASSERT_EQ(static_cast<double>(model.layers[0].weights.size()), count);
  double sum = 0, squares = 0;
  for (const formats::Word word : model.layers[0].weights) {
    const double value = formats::decode(model.layers[0].weight, word);
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / count * std::sqrt(k), 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count * k, 1, 0.02);
}

TEST(TraceModel, WordsComeBackFromTheirFile) {
  const workloads::testing::TemporaryFolder folder;
  const traces::Trace trace = small_trace();
  QuantizedModel model = drawn(trace, 7);
  const auto conv = std::ranges::find(model.layers, workloads::LayerKind::conv, &QuantizedLayer::kind);
  ASSERT_NE(conv, model.layers.end());
  conv->channel_sf_q8.assign(conv->bias.size(), -300);
  write_words(folder / "w.safetensors", trace, model);
  QuantizedModel copy = blank_model(trace);
  EXPECT_NE(copy, model);
  read_words(folder / "w.safetensors", trace, copy);
  EXPECT_EQ(copy, model);
}

TEST(TraceModel, NamesFileAndTensorOfWordsThatDoNotFit) {
  const workloads::testing::TemporaryFolder folder;
  const traces::Trace trace = small_trace();
  const QuantizedModel model = drawn(trace, 7);
  const auto file = folder / "w.safetensors";
  write_words(file, trace, model);
  const workloads::SafeTensors right = workloads::read_safetensors(file);
  const auto error = [&](const std::function<void(workloads::SafeTensors&)>& damage) {
    workloads::SafeTensors content = right;
    damage(content);
    workloads::write_safetensors(file, content);
    QuantizedModel copy = blank_model(trace);
    return message_of<workloads::InputError>([&] { read_words(file, trace, copy); });
  };
  EXPECT_THAT(error([](auto& content) { content.tensors.erase("conv.weight"); }),
              HasSubstr("w.safetensors: tensor \"conv.weight\": is missing"));
  EXPECT_THAT(error([](auto& content) { content.tensors["conv.weight"] = content.tensors["residual.weight"]; }),
              HasSubstr("tensor \"conv.weight\": has 32 elements but must have 216"));
  EXPECT_THAT(error([](auto& content) { content.tensors["conv.weight"] = content.tensors["conv.mantissa"]; }),
              HasSubstr("tensor \"conv.weight\": must have the type U8"));
  EXPECT_THAT(
      error([](auto& content) { std::get<std::vector<std::uint8_t>>(content.tensors["conv.weight"].data)[3] = 0x80; }),
      HasSubstr("tensor \"conv.weight\": word 3 is NaR but must be a real number"));
  EXPECT_THAT(error([](auto& content) {
                std::get<std::vector<std::int32_t>>(content.tensors["conv.mantissa"].data)[1] = 1 << 25;
              }),
              HasSubstr("tensor \"conv.mantissa\": element 1 is 33554432 but must be less than 2^25 in magnitude"));
  EXPECT_THAT(error([](auto& content) {
                std::get<std::vector<std::int32_t>>(content.tensors["norm.scale"].data)[1] = 1 << 20;
              }),
              HasSubstr("tensor \"norm.scale\": 1048576 is no number"));
}

TEST(TraceModel, NamesAreMadeUnique) {
  workloads::LayerGraph graph = small_trace().graph;
  graph.layers[1].name = "conv";
  graph.layers[2].name = "input";
  graph.layers[3].name = "";
  const traces::Trace trace = to_trace(graph);
  EXPECT_EQ(trace.graph.layers[1].name, "conv#2");
  EXPECT_EQ(trace.graph.layers[2].name, "input#2");
  EXPECT_EQ(trace.graph.layers[3].name, "layer");
}

}  // namespace
}  // namespace lpa::lpq::testing
