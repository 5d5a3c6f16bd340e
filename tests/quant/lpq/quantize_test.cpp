#include "quant/lpq/quantize.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/formats/arithmetic.h"
#include "tests/quant/lpq/random_model.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using formats::LpFormat;
using ::testing::HasSubstr;
using workloads::InputError;
using workloads::Layer;
using workloads::LayerGraph;
using workloads::LayerKind;
using Kind = workloads::Activation::Kind;
using workloads::testing::message_of;

/// One 1x1 convolution of `k` inputs to `n` outputs with random weights.
LayerGraph one_layer(int k, int n, double scale, std::mt19937_64& random) {
  std::normal_distribution<double> normal(0, scale);
  Layer layer;
  layer.name = "only";
  layer.op = "Conv";
  layer.geometry.in_c = k;
  layer.geometry.out_c = n;
  for (int i = 0; i < k * n; ++i) layer.weights.push_back(static_cast<float>(normal(random)));
  for (int i = 0; i < n; ++i) layer.bias.push_back(static_cast<float>(normal(random)));
  return {.network = "one.onnx", .in_h = 1, .in_w = 1, .in_c = k, .constants = {}, .layers = {layer}};
}

/// The largest magnitude that a sum of the layer can reach, reached by the accumulator itself.
std::int64_t worst_sum(const LayerGraph& graph, const QuantizedModel& model, formats::AccumulateEvents& events) {
  const QuantizedLayer& layer = model.layers[0];
  const formats::Accumulator accumulator(formats::arithmetic_preset("fixed"), layer.weight.n, layer.psum_lsb);
  formats::Operand activation = formats::to_operand(model.input, model.input.lp().maxpos_word());
  std::int64_t worst = 0;
  const auto depth = static_cast<std::size_t>(graph.layers[0].k());
  for (std::size_t n = 0; n < layer.bias.size(); ++n) {
    formats::Psum psum = accumulator.start(layer.bias[n]);
    const bool negative = layer.bias[n].mantissa < 0;
    for (std::size_t k = 0; k < depth; ++k) {
      const formats::Operand weight = formats::to_operand(layer.weight, layer.weights[n * depth + k]);
      activation.negative = weight.negative != negative;  // every product has the bias's sign
      psum = accumulator.mac(psum, weight, activation, &events);
    }
    worst = std::max(worst, std::abs(std::int64_t{psum.value}));
  }
  return worst;
}

TEST(ChoosePsumLsb, ExcludesSaturationAndWastesLessThanTwoBits) {
  std::mt19937_64 random(5);
  int resolved = 0;
  for (int trial = 0; trial < 60; ++trial) {
    const int k = 1 << (trial % 11);
    const LayerGraph graph = one_layer(k, 4, 0.2, random);
    NetworkFormats formats;
    formats.input = testing::random_format(random, 0);
    formats.layers.push_back({.weight = testing::random_format(random, 2), .encoded = {}, .output = {}});
    formats.layers[0].output = formats::LpFormat{.n = 8, .es = 0, .rs = 4, .sf_q8 = 0};
    const QuantizedModel model = quantize(graph, formats);
    formats::AccumulateEvents events;
    const std::int64_t worst = worst_sum(graph, model, events);
    const QuantizedLayer& layer = model.layers[0];
    const double scale = layer.weight.sf() + model.input.sf() - layer.encoded.sf();
    if (layer.psum_lsb <= std::floor(formats::log2_q14(layer.encoded.lp(), 1) / 16384.0 + scale) - 2) {
      // The rule of the proof decided, not that of the smallest word.
      EXPECT_EQ(events.saturations, 0U) << "trial " << trial;
      EXPECT_GT(worst, std::int64_t{1} << 28) << "trial " << trial << ": the lsb could be finer";
      ++resolved;
    }
  }
  EXPECT_GT(resolved, 20);
}

TEST(ChoosePsumLsb, KeepsTheSmallestOutputWordVisibleWhenTheFormatsAreTooWideForAProof) {
  std::mt19937_64 random(6);
  const LayerGraph graph = one_layer(16, 2, 0.2, random);
  NetworkFormats formats;
  formats.input = formats::LpFormat{.n = 8, .es = 5, .rs = 3, .sf_q8 = 0};  // up to 2^96
  formats.layers.push_back(
      {.weight = formats::LpFormat{.n = 8, .es = 0, .rs = 7, .sf_q8 = 512}, .encoded = {}, .output = {}});
  formats.layers[0].output = formats::LpFormat{.n = 8, .es = 0, .rs = 4, .sf_q8 = 0};  // 2^-4 at the least
  const QuantizedModel model = quantize(graph, formats);
  const double smallest = formats::log2_q14(model.layers[0].output.lp(), 1) / 16384.0 + 2;  // in the psum's terms
  EXPECT_EQ(model.layers[0].psum_lsb, static_cast<int>(std::floor(smallest)) - 1);
}

TEST(Quantize, RoundsWeightsToTheNearestValueAndScalesTheBias) {
  std::mt19937_64 random(7);
  const LayerGraph graph = one_layer(9, 3, 0.2, random);
  NetworkFormats formats;
  formats.input = formats::LpFormat{.n = 8, .es = 0, .rs = 7, .sf_q8 = 100};
  const LpFormat weight{.n = 4, .es = 1, .rs = 2, .sf_q8 = 300};
  const LpFormat output{.n = 4, .es = 0, .rs = 2, .sf_q8 = -20};
  formats.layers.push_back(
      {.weight = weight, .encoded = formats::LpFormat{.n = 2, .es = 0, .rs = 1}, .output = output});
  const QuantizedModel model = quantize(graph, formats);
  const QuantizedLayer& layer = model.layers.at(0);
  EXPECT_EQ(model.network, "one.onnx");
  EXPECT_EQ(layer.name, "only");
  EXPECT_EQ(layer.weight_shape, (std::vector<int>{3, 1, 1, 9}));
  EXPECT_EQ(layer.encoded, output) << "there is no residual to encode for";
  for (std::size_t i = 0; i < 27; ++i) {
    EXPECT_EQ(layer.weights.at(i),
              formats::encode(weight, graph.layers[0].weights[i], formats::Rounding::nearest_linear));
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const double bias = std::ldexp(layer.bias.at(i).mantissa, layer.bias[i].exponent - 24);
    const double expected = graph.layers[0].bias[i] * std::exp2(400 / 256.0);
    EXPECT_NEAR(bias, expected, std::abs(expected) * 1e-6);
  }
}

TEST(Quantize, ChannelsWithScalesOfTheirOwnAreRoundedInThem) {
  std::mt19937_64 random(3);
  const LayerGraph graph = one_layer(50, 4, 0.3, random);
  NetworkFormats formats;
  formats.input = formats::LpFormat{.n = 8, .es = 0, .rs = 7, .sf_q8 = 100};
  const LpFormat weight{.n = 4, .es = 1, .rs = 2, .sf_q8 = 300};
  const std::vector<std::int16_t> own{0, -256, 100, 777};
  formats.layers.push_back({.weight = weight, .encoded = {}, .output = {}, .channel_sf_q8 = own});
  const QuantizedModel model = quantize(graph, formats);
  const QuantizedLayer& layer = model.layers.at(0);
  EXPECT_EQ(layer.channel_sf_q8, own);
  for (std::size_t channel = 0; channel < 4; ++channel) {
    LpFormat format = weight;
    format.sf_q8 += own[channel];
    for (std::size_t i = channel * 50; i < (channel + 1) * 50; ++i) {
      const formats::Word word = formats::encode(format, graph.layers[0].weights[i], formats::Rounding::nearest_linear);
      EXPECT_EQ(layer.weights.at(i), word) << "channel " << channel;
    }
    EXPECT_EQ(layer.bias.at(channel), formats::to_bias_term(graph.layers[0].bias[channel], format.sf_q8 + 100));
  }
  formats::AccumulateEvents events;
  EXPECT_LT(worst_sum(graph, model, events), std::int64_t{1} << 31);
  EXPECT_EQ(events.saturations, 0u);

  formats.layers[0].channel_sf_q8.pop_back();
  EXPECT_THAT(message_of<InputError>([&] { quantize(graph, formats); }),
              HasSubstr("3 channel scales given but it has 4 output channels"));
}

const LpFormat in_format{.n = 8, .es = 1, .rs = 4, .sf_q8 = 50};
const LpFormat wide_format{.n = 8, .es = 0, .rs = 6, .sf_q8 = -30};
const LpFormat narrow_format{.n = 4, .es = 0, .rs = 3, .sf_q8 = 20};

/// One layer on a map of 1 x 4 x 6.
LayerGraph one_layer(LayerKind kind) {
  Layer layer;
  layer.name = "only";
  layer.kind = kind;
  layer.geometry.in_w = layer.geometry.out_w = 4;
  layer.geometry.in_c = layer.geometry.out_c = 6;
  return {.network = "one.onnx", .in_h = 1, .in_w = 4, .in_c = 6, .constants = {}, .layers = {layer}};
}

/// The input times itself, turned.
LayerGraph one_product(double scale) {
  LayerGraph graph = one_layer(LayerKind::matmul);
  Layer& layer = graph.layers[0];
  layer.stationary = workloads::network_input;
  layer.geometry.out_c = 4;
  layer.products = {.outer = 1,
                    .inner = 1,
                    .m = 4,
                    .n = 4,
                    .k = 6,
                    .input = {0, 0, 0, 6, 1},
                    .stationary = {0, 0, 0, 1, 6},
                    .output = {0, 0, 0, 4, 1},
                    .scale = scale};
  return graph;
}

TEST(ChoosePsumLsb, OfAProductHoldsTheBoundThatIsGiven) {
  for (const double scale : {1.0, 0.125}) {
    for (const double bound : {0.001, 1.0, 700.0}) {
      const LayerGraph graph = one_product(scale);
      const NetworkFormats formats{in_format, {}, {{.output = wide_format, .sum_bound = bound}}};
      const QuantizedLayer layer = quantize(graph, formats).layers.at(0);
      const double in_sum_terms = bound * std::exp2(2 * in_format.sf());
      EXPECT_LT(in_sum_terms, std::ldexp(1.0, 31 + layer.psum_lsb));
      EXPECT_GE(in_sum_terms, std::ldexp(1.0, 30 + layer.psum_lsb));
      EXPECT_EQ(layer.product_scale_q8, 256 * std::log2(scale));
    }
  }
}

TEST(ChoosePsumLsb, OfAProductExcludesSaturationIfNothingIsKnown) {
  const NetworkFormats formats{in_format, {}, {{.output = wide_format}}};
  const QuantizedLayer layer = quantize(one_product(1), formats).layers.at(0);
  const formats::Accumulator accumulator(formats::arithmetic_preset("fixed"), 8, layer.psum_lsb);
  const formats::Operand largest = formats::to_operand(in_format, in_format.maxpos_word());
  formats::AccumulateEvents events;
  formats::Psum psum = accumulator.start({});
  for (int k = 0; k < 6; ++k) psum = accumulator.mac(psum, largest, largest, &events);
  EXPECT_EQ(events.saturations, 0U);
  EXPECT_GT(psum.value, 1 << 28);
}

TEST(Quantize, GivesACurveItsTableAndAFormatBeforeIt) {
  std::mt19937_64 random(9);
  LayerGraph graph = one_layer(4, 2, 1, random);
  NetworkFormats formats{in_format, {}, {{wide_format, narrow_format, wide_format}}};
  workloads::Activation& activation = graph.layers[0].activation;
  activation = {.kind = Kind::clip, .low = 0, .high = 6};
  QuantizedLayer layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.encoded, wide_format);
  EXPECT_EQ(layer.tables[0], formats::word_table(wide_format, wide_format, activation));
  activation = {.kind = Kind::gelu};
  layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.encoded, narrow_format);
  EXPECT_EQ(layer.tables[0], formats::word_table(narrow_format, wide_format, activation));
  activation = {.kind = Kind::relu};
  layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.encoded, wide_format);
  EXPECT_TRUE(layer.tables[0].empty()) << "a sign needs no table";
}

TEST(Quantize, LetsACopyKeepItsFormatUnlessTwoSourcesOrACurveNeedAnother) {
  LayerGraph graph = one_layer(LayerKind::copy);
  NetworkFormats formats{in_format, {}, {{.output = wide_format}}};
  QuantizedLayer layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.output, in_format);
  EXPECT_TRUE(layer.tables[0].empty() && layer.tables[1].empty());

  graph.layers[0].activation.kind = Kind::relu;
  layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.output, wide_format);
  EXPECT_EQ(layer.tables[0], formats::word_table(in_format, wide_format, graph.layers[0].activation));

  graph.layers[0].activation = {};
  graph.constants.push_back({.name = "c", .h = 1, .w = 2, .c = 1, .data = {0.5F, -3}});
  graph.layers[0].addend = workloads::constant_operand(0);
  formats.constants = {wide_format};
  layer = quantize(graph, formats).layers.at(0);
  EXPECT_EQ(layer.output, wide_format);
  EXPECT_EQ(layer.tables[0], formats::word_table(in_format, wide_format, graph.layers[0].activation));
  EXPECT_TRUE(layer.tables[1].empty()) << "these words are those of the output";
}

TEST(Quantize, GivesACopyBetweenFormatsATableEvenIfItChangesNoWord) {
  LayerGraph graph = one_layer(LayerKind::copy);
  graph.layers[0].addend = workloads::network_input;
  formats::LpFormat close = in_format;
  close.sf_q8 += 1;
  const QuantizedLayer layer = quantize(graph, {in_format, {}, {{.output = close}}}).layers.at(0);
  ASSERT_EQ(layer.tables[0], formats::word_table(in_format, close, workloads::Activation{}));
  EXPECT_EQ(layer.tables[1], layer.tables[0]);
  for (std::size_t word = 0; word < layer.tables[0].size(); ++word) EXPECT_EQ(layer.tables[0][word], word);
}

TEST(Quantize, RoundsConstantsToTheNearestValue) {
  LayerGraph graph = one_layer(LayerKind::add);
  graph.layers[0].addend = workloads::constant_operand(0);
  graph.constants.push_back({.name = "c", .h = 1, .w = 4, .c = 6, .data = std::vector<float>(24, 0.3F)});
  graph.constants[0].data[7] = -1.7F;
  NetworkFormats formats{in_format, {narrow_format}, {{.output = wide_format}}};
  const QuantizedModel model = quantize(graph, formats);
  EXPECT_EQ(model.operand_format(workloads::constant_operand(0)), narrow_format);
  EXPECT_EQ(model.constants.at(0).name, "c");
  for (std::size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(model.constants[0].words.at(i),
              formats::encode(narrow_format, graph.constants[0].data[i], formats::Rounding::nearest_linear));
  }
  graph.constants[0].data[2] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(message_of<InputError>([&] { quantize(graph, formats); }),
            "constant \"c\": element 2 is inf but must be finite");
  formats.constants.clear();
  EXPECT_EQ(message_of<InputError>([&] { quantize(graph, formats); }),
            "formats for 0 constants given but the network has 1");
}

TEST(Quantize, HoldsTheParametersOfALayerNormalisationAsLogarithms) {
  LayerGraph graph = one_layer(LayerKind::layer_norm);
  Layer& layer = graph.layers[0];
  layer.weights = {1, -0.5F, 0, 3, 1, 1};
  layer.bias = {0, 2, -4, 0.1F, 0, 0};
  layer.epsilon = 0.25;
  const NetworkFormats formats{in_format, {}, {{.output = wide_format}}};
  QuantizedLayer quantized = quantize(graph, formats).layers.at(0);
  ASSERT_EQ(quantized.norm.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(quantized.norm[i].gamma, formats::to_log_number(layer.weights[i]));
    EXPECT_EQ(quantized.norm[i].beta, formats::to_log_number(layer.bias[i]));
  }
  EXPECT_EQ(quantized.epsilon_log_q8, -512);
  layer.epsilon = 0;
  EXPECT_EQ(quantize(graph, formats).layers.at(0).epsilon_log_q8, formats::no_epsilon);
  layer.bias[4] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message_of<InputError>([&] { quantize(graph, formats); }), HasSubstr("layer \"only\", shift 4: inf"));
}

TEST(Quantize, RequiresBytesOfWhatIsMultipliedOrCopied) {
  const auto error = [](const LayerGraph& graph, const NetworkFormats& formats) {
    return message_of<InputError>([&] { quantize(graph, formats); });
  };
  const NetworkFormats narrow{narrow_format, {}, {{.output = wide_format}}};
  const std::string expected =
      "format of the network's input: n is 4 but must be 8: the words are operands of a matrix product or copied";
  EXPECT_EQ(error(one_product(1), narrow), expected);
  EXPECT_EQ(error(one_layer(LayerKind::copy), narrow), expected);
  EXPECT_EQ(error(one_layer(LayerKind::softmax), narrow), "no error");
  // Through a max pool, whose words are its input's.
  LayerGraph graph = one_layer(LayerKind::max_pool);
  graph.layers.push_back(one_layer(LayerKind::copy).layers[0]);
  graph.layers[1].input = 0;
  NetworkFormats formats{narrow_format, {}, {{}, {}}};
  EXPECT_EQ(error(graph, formats), expected);
  formats.input = in_format;
  EXPECT_EQ(error(graph, formats), "no error");
}

TEST(Quantize, RejectsWhatTheMachineCannotTakeNamingTheLayer) {
  std::mt19937_64 random(8);
  LayerGraph graph = one_layer(2, 2, 1, random);
  const LpFormat good{.n = 8, .es = 0, .rs = 7};
  const NetworkFormats formats{good, {}, {{good, good, good}}};
  const auto error = [&graph](const NetworkFormats& wrong) {
    return message_of<InputError>([&] { quantize(graph, wrong); });
  };
  EXPECT_EQ(error(formats), "no error");
  NetworkFormats wrong = formats;
  wrong.layers[0].weight.n = 5;
  EXPECT_EQ(error(wrong), "layer \"only\", weight format: n is 5 but must be 2, 4 or 8");
  wrong = formats;
  wrong.layers[0].output.rs = 0;
  EXPECT_THAT(error(wrong), HasSubstr("layer \"only\", output format: rs"));
  wrong = formats;
  wrong.input.n = 16;
  EXPECT_THAT(error(wrong), HasSubstr("network's input"));
  wrong = formats;
  wrong.layers.clear();
  EXPECT_EQ(error(wrong), "formats for 0 layers given but the network has 1");

  graph.layers[0].bias[1] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error(formats), HasSubstr("layer \"only\", bias 1: "));
  graph.layers[0].weights[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(error(formats), "layer \"only\": weight 3 is nan but must be finite");
}

}  // namespace
}  // namespace lpa::lpq
