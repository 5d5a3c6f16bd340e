#include "quant/lpq/search.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/lpq/fit.h"
#include "quant/lpq/network_blocks.h"
#include "quant/lpq/software_machine.h"
#include "quant/lpq/weight_formats.h"
#include "tests/quant/lpq/small_network.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using workloads::InputError;
using workloads::testing::message_of;
using workloads::testing::TemporaryFolder;

/// A network, what it lowers to, images and fitted formats.
struct Setting {
  explicit Setting(workloads::Network given, int count = 16, ScaleMode scale_mode = ScaleMode::per_tensor)
      : network(std::move(given)), mode(scale_mode) {
    const workloads::Dataset dataset = testing::make_small_dataset(2, count);
    for (int i = 0; i < count; ++i) images.push_back(dataset.image(i));
    formats = fit_formats(network, graph, images, {.weight_bits = 4, .scales = mode});
    if (mode == ScaleMode::per_channel) scales = channel_scales(graph);
  }

  SearchResult search(SearchOptions options) const {
    if (options.bits.size() == 3) options.bits = {2, 4};  // The formats of 8-bit words take long to fit.
    options.population = 6;
    options.passes = 2;
    options.cycles = 2;
    options.partners = 2;
    options.scales = mode;
    return search_formats(network, graph, images, formats, options);
  }

  workloads::Network network;
  workloads::LayerGraph graph = workloads::lower(network);
  std::vector<workloads::Tensor> images;
  NetworkFormats formats;
  ScaleMode mode;
  NetworkScales scales;
};

double bits_of(const Setting& setting, const WeightFormats& formats) {
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, {}, setting.scales);
  double bits = 0;
  for (std::size_t i = 0; i < formats.size(); ++i) {
    bits += static_cast<double>(quantization.layers()[i].weights) * formats[i].n;
  }
  return bits;
}

workloads::Network make_network(bool transformer) {
  return transformer ? testing::make_small_transformer(3) : testing::make_small_network(3);
}

class BothNetworks : public ::testing::TestWithParam<bool> {
 protected:
  const Setting setting{make_network(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Search, BothNetworks, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Transformer" : "Convolutions"; });

class EverySetting : public ::testing::TestWithParam<std::tuple<bool, ScaleMode>> {
 protected:
  const Setting setting{make_network(std::get<0>(GetParam())), 16, std::get<1>(GetParam())};
};

INSTANTIATE_TEST_SUITE_P(Search, EverySetting,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(ScaleMode::per_tensor, ScaleMode::per_channel)),
                         [](const auto& test) {
                           const std::string network = std::get<0>(test.param) ? "Transformer" : "Convolutions";
                           const bool one_scale = std::get<1>(test.param) == ScaleMode::per_tensor;
                           return network + (one_scale ? "PerTensor" : "PerChannel");
                         });

TEST_P(BothNetworks, BlocksAreStretchesThatOneValueLeadsInto) {
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, {}, setting.scales);
  const std::vector<NetworkBlock> blocks = find_blocks(setting.network, quantization.layers());
  ASSERT_GE(blocks.size(), 2u);
  std::vector<std::size_t> layers;
  int node = 0;
  std::set<int> constants;
  for (const workloads::Node& n : setting.network.nodes) {
    if (std::holds_alternative<workloads::Constant>(n.attributes)) constants.insert(n.output);
  }
  for (const NetworkBlock& block : blocks) {
    EXPECT_EQ(block.first_node, node);
    node = block.end_node;
    EXPECT_FALSE(block.layers.empty());
    layers.insert(layers.end(), block.layers.begin(), block.layers.end());
    // Whatever comes from here on needs nothing computed before but the block's value.
    std::set<int> known = constants;
    known.insert(block.value);
    for (std::size_t i = static_cast<std::size_t>(block.first_node); i < setting.network.nodes.size(); ++i) {
      for (const int input : setting.network.nodes[i].inputs) EXPECT_TRUE(known.contains(input)) << "node " << i;
      known.insert(setting.network.nodes[i].output);
    }
  }
  EXPECT_EQ(node, static_cast<int>(setting.network.nodes.size()));
  for (std::size_t i = 0; i < layers.size(); ++i) EXPECT_EQ(layers[i], i);
  EXPECT_EQ(layers.size(), quantization.layers().size());
}

TEST_P(EverySetting, WeightsAreRoundedToTheWordsOfTheModel) {
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, {}, setting.scales);
  const QuantizedModel model = quantize(setting.graph, setting.formats);
  for (std::size_t i = 0; i < quantization.layers().size(); ++i) {
    const QuantizedLayer& layer = model.layers[quantization.layers()[i].layer];
    std::vector<float> expected;
    const std::size_t channels = layer.bias.size(), of_channel = layer.weights.size() / channels;
    EXPECT_EQ(layer.channel_sf_q8.size(), setting.scales.empty() ? 0 : channels);
    for (std::size_t w = 0; w < layer.weights.size(); ++w) {
      const int own = layer.channel_sf_q8.empty() ? 0 : layer.channel_sf_q8[w / of_channel];
      const double value = formats::decode(layer.weight, layer.weights[w]) * std::exp2(-own / 256.0);
      expected.push_back(static_cast<float>(value));
    }
    std::vector<float> rounded = *quantization.weights(i, layer.weight.lp());
    for (float& weight : rounded) weight *= static_cast<float>(quantization.layers()[i].factor);
    std::ranges::sort(expected);  // The layer's order is another one than the node's.
    std::ranges::sort(rounded);
    ASSERT_EQ(rounded.size(), expected.size());
    for (std::size_t w = 0; w < rounded.size(); ++w) EXPECT_NEAR(rounded[w], expected[w], 1e-6);
  }
}

TEST_P(EverySetting, FakeQuantizedOutputsAreNearTheMachines) {
  const formats::Arithmetic arithmetic = formats::arithmetic_preset("wide");
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, arithmetic, setting.scales);
  const QuantizedModel model = quantize(setting.graph, setting.formats);
  const SoftwareMachine machine(setting.graph, model, arithmetic);
  workloads::Executor executor(setting.network);
  for (std::size_t i = 0; i < quantization.layers().size(); ++i) {
    const WeightedLayer& layer = quantization.layers()[i];
    executor.set_weights(layer.node, *quantization.weights(i, setting.formats.layers[layer.layer].weight.lp()));
  }
  double difference = 0, power = 0;
  for (const workloads::Tensor& image : setting.images) {
    const workloads::Tensor fake = executor.run(
        quantization.round_input(image), [&](int value, std::span<float> data) { quantization.round(value, data); });
    const formats::TensorFormat& format = model.layers.back().output;
    const workloads::Tensor exact = dequantize(machine.run_to_end(quantize_input(image, model.input)), format);
    for (std::size_t i = 0; i < fake.data.size(); ++i) {
      difference += std::pow(double{fake.data[i]} - exact.data[i], 2);
      power += std::pow(double{exact.data[i]}, 2);
    }
  }
  EXPECT_LT(difference / power, 0.01);
}

TEST_P(EverySetting, LossesFromABlockOnAreThoseOfTheWholeNetwork) {
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, {}, setting.scales);
  const auto evaluator = [&](int threads) {
    return CandidateEvaluator(setting.network, quantization, setting.images, Objective::global_local, 0.1,
                              Pooling::kurtosis, threads, nullptr);
  };
  std::vector<WeightFormatsOfLayer> layers;
  for (const WeightedLayer& layer : quantization.layers()) {
    layers.emplace_back(setting.graph.layers[layer.layer], std::vector<int>{2, 4},
                        setting.scales.empty() ? nullptr : setting.scales[layer.layer].get());
  }
  Random random(5);
  CandidateEvaluator whole = evaluator(1), part = evaluator(3);
  const std::size_t blocks = part.blocks().size();
  WeightFormats base;
  for (auto& layer : layers) base.push_back(layer.draw(random));
  for (int trial = 0; trial < 8; ++trial) {
    const std::size_t block = random.below(blocks);  // Forwards and backwards.
    std::vector<WeightFormats> candidates(3, base);
    for (WeightFormats& candidate : candidates) {
      for (std::size_t i = part.blocks()[block].layers.front(); i < layers.size(); ++i) {
        candidate[i] = layers[i].draw(random);
      }
    }
    whole.start_block(0, {});
    part.start_block(block, base);
    EXPECT_EQ(part.losses(candidates), whole.losses(candidates)) << "from block " << block;
    if (trial % 3 == 2) base = candidates[1];
  }
}

TEST_P(BothNetworks, DoesNotDependOnTheNumberOfThreads) {
  const SearchResult one = setting.search({.seed = 4, .threads = 1});
  for (const int threads : {2, 7}) {
    const SearchResult other = setting.search({.seed = 4, .threads = threads});
    EXPECT_EQ(other.best.formats, one.best.formats) << threads << " threads";
    EXPECT_EQ(other.record, one.record);
  }
  EXPECT_NE(setting.search({.seed = 5}).record.history, one.record.history);
}

TEST_P(BothNetworks, KeepsTheBudgetAndNeverGetsWorse) {
  const double weights = bits_of(setting, WeightFormats(setting.search({}).best.formats.size())) / 8;
  for (const double bits : {2.0, 2.7, 3.5, 4.0}) {
    const SearchResult result = setting.search({.budget = bits * weights});
    EXPECT_LE(result.best.cost, bits * weights);
    EXPECT_EQ(result.best.cost, bits_of(setting, result.best.formats));
    double last = result.record.initial_fitness;
    for (const SearchStep& step : result.record.history) {
      EXPECT_LE(step.fitness, last);
      last = step.fitness;
    }
    EXPECT_EQ(last, result.best.fitness);
    EXPECT_EQ(result.record.history.size(), 2u * 2 * static_cast<std::size_t>(result.record.blocks));
  }
}

TEST_P(EverySetting, ActivationsFollowTheWeights) {
  const SearchResult result = setting.search({.activation_bits = follow_weights, .seed = 3, .threads = 2});
  std::set<int> widths;
  for (std::size_t i = 0; i < setting.graph.layers.size(); ++i) {
    const workloads::Layer& layer = setting.graph.layers[i];
    const LayerFormats& formats = result.formats.layers[i];
    if (layer.kind != workloads::LayerKind::conv) continue;
    const bool narrow = formats.weight.n == 2 && !must_have_bytes(setting.graph, static_cast<int>(i));
    EXPECT_EQ(formats.output.n, narrow ? 4 : 8) << layer.name;
    widths.insert(formats.output.n);
    EXPECT_EQ(formats.channel_sf_q8, setting.scales.empty() ? std::vector<std::int16_t>{}
                                                            : setting.scales[i]->of(formats.weight.lp()).channel_sf_q8);
  }
  EXPECT_TRUE(widths.contains(4));
  // The search saw the very formats that it gives: its loss is that of the result.
  const FakeQuantization given(setting.network, setting.graph, result.formats, formats::arithmetic_preset("wide"),
                               setting.scales);
  CandidateEvaluator evaluator(setting.network, given, setting.images, Objective::global_local, 0.1, Pooling::kurtosis,
                               1, nullptr);
  evaluator.start_block(0, {});
  EXPECT_EQ(evaluator.losses({result.best.formats}).front(), result.best.loss);
}

TEST_P(BothNetworks, ALargerLambdaCompressesMore) {
  const double none = setting.search({.lambda = 0}).best.cost, strong = setting.search({.lambda = 20}).best.cost;
  EXPECT_GT(none, strong);
  EXPECT_EQ(strong, setting.search({.lambda = 20, .bits = {2}}).best.cost) << "2 bits everywhere";
}

class Interrupted : public ::testing::Test {
 protected:
  const Setting setting{testing::make_small_network(3)};
  const TemporaryFolder folder;
  SearchOptions options{.population = 5, .passes = 2, .cycles = 2, .partners = 2, .bits = {2, 4}, .seed = 9};
};

TEST_F(Interrupted, GoesOnToTheSameResult) {
  const SearchResult whole = search_formats(setting.network, setting.graph, setting.images, setting.formats, options);
  options.checkpoint = folder.path() / "search.json";
  for (int interrupt_after = 1; interrupt_after < 12; interrupt_after += 3) {
    std::filesystem::remove(options.checkpoint);
    std::atomic<bool> cancel = false;
    int steps = 0;
    const SearchProgress stop = [&](int, int, const Candidate&) { cancel = ++steps >= interrupt_after; };
    EXPECT_THROW(
        search_formats(setting.network, setting.graph, setting.images, setting.formats, options, stop, &cancel),
        Cancelled);
    EXPECT_EQ(std::filesystem::exists(options.checkpoint), interrupt_after >= options.cycles);
    int more = 0;
    const SearchProgress count = [&](int, int, const Candidate&) { ++more; };
    const SearchResult resumed =
        search_formats(setting.network, setting.graph, setting.images, setting.formats, options, count);
    EXPECT_EQ(more, static_cast<int>(whole.record.history.size()) - steps / options.cycles * options.cycles);
    EXPECT_EQ(resumed.best.formats, whole.best.formats);
    EXPECT_EQ(resumed.record, whole.record);
  }
}

TEST_F(Interrupted, RefusesTheCheckpointOfAnotherSearch) {
  options.checkpoint = folder.path() / "search.json";
  search_formats(setting.network, setting.graph, setting.images, setting.formats, options);
  const auto error = [&] {
    return message_of<InputError>(
        [&] { search_formats(setting.network, setting.graph, setting.images, setting.formats, options); });
  };
  options.lambda = 0.5;
  EXPECT_THAT(error(), AllOf(HasSubstr("search.json"), HasSubstr("other options")));
  options.lambda = 0.4;
  std::ifstream file(options.checkpoint);
  const std::string good((std::istreambuf_iterator<char>(file)), {});
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    std::ofstream(options.checkpoint) << text;
  };
  for (const std::string steps : {"1e300", "-4", "4294967296", "1", "1000"}) {
    changed("\"steps\": ", "\"steps\": " + steps + ", \"was\": ");
    EXPECT_THAT(error(), HasSubstr("search.json")) << steps;
  }
  changed("LP<", "LP<8,9,");
  EXPECT_THAT(error(), HasSubstr("search.json"));
  changed("\"loss\": ", "\"loss\": null, \"was\": ");
  EXPECT_THAT(error(), HasSubstr("not a search's checkpoint"));
  std::ofstream(options.checkpoint) << "{\"search\": 3}";
  EXPECT_THAT(error(), AllOf(HasSubstr("search.json"), HasSubstr("not a search's checkpoint")));
  std::ofstream(options.checkpoint) << "nonsense";
  EXPECT_THAT(error(), HasSubstr("not a search's checkpoint"));
}

TEST(Search, RefusesWhatCannotBe) {
  const Setting setting(testing::make_small_network(3));
  const auto error = [&](const SearchOptions& options) {
    return message_of<InputError>(
        [&] { search_formats(setting.network, setting.graph, setting.images, setting.formats, options); });
  };
  EXPECT_THAT(error({.bits = {2, 4}, .budget = 1}), HasSubstr("no formats fit the budget"));
  EXPECT_THAT(error({.population = 1}), HasSubstr("at least 2 candidates"));
  EXPECT_THAT(error({.temperature = 0}), HasSubstr("temperature"));
  EXPECT_THAT(error({.bits = {4, 4}}), HasSubstr("each once"));
  EXPECT_THAT(error({.bits = {3}}), HasSubstr("2, 4 and 8"));
  EXPECT_THAT(error({.bits = {2, 4}, .budget = NAN}), HasSubstr("budget must be a number"));
  EXPECT_THAT(error({.passes = 2000000000, .bits = {2, 4}}), HasSubstr("evaluations"));
}

TEST(Search, RefusesANetworkWithoutWeights) {
  workloads::Network network;
  network.file = "pool.onnx";
  network.values = {{"input", {1, 3, 8, 8}}, {"output", {1, 3, 4, 4}}};
  network.nodes = {{"pool",
                    "MaxPool",
                    workloads::Pool{.kernel = {2, 2}, .strides = {2, 2}, .dilations = {1, 1}, .pads = {0, 0, 0, 0}},
                    {0},
                    1}};
  network.input = 0;
  network.output = 1;
  const Setting setting(std::move(network));
  const auto search = [&] { search_formats(setting.network, setting.graph, setting.images, setting.formats, {}); };
  EXPECT_THAT(message_of<InputError>(search), HasSubstr("no layer has weights"));
}

TEST(Search, FindsTheNodesOfLayersThatShareAName) {
  workloads::Network network = testing::make_small_network(3);
  for (workloads::Node& node : network.nodes) node.name = "the same";
  const Setting setting(std::move(network));
  const FakeQuantization quantization(setting.network, setting.graph, setting.formats, {}, setting.scales);
  std::set<int> nodes;
  for (const WeightedLayer& layer : quantization.layers()) {
    nodes.insert(layer.node);
    EXPECT_EQ(layer.factor, 1);
    EXPECT_EQ(setting.network.nodes[static_cast<std::size_t>(layer.node)].op, setting.graph.layers[layer.layer].op);
  }
  EXPECT_EQ(nodes.size(), quantization.layers().size());
}

TEST(WeightFormats, MutantsAreLegalAndOther) {
  workloads::Layer layer;
  Random random(1);
  for (int i = 0; i < 1000; ++i) layer.weights.push_back(static_cast<float>(random.between(-1000, 1000)) / 997);
  WeightFormatsOfLayer formats(layer, {2, 4, 8}, nullptr);
  std::set<int> widths;
  for (int i = 0; i < 500; ++i) {
    const formats::LpFormat drawn = formats.draw(random), mutant = formats.mutate(drawn, random);
    EXPECT_EQ(formats::check(drawn), "");
    EXPECT_EQ(formats::check(mutant), "");
    widths.insert(mutant.n);
  }
  EXPECT_EQ(widths, (std::set<int>{2, 4, 8}));
  EXPECT_LT(formats.error(8), formats.error(4));
  EXPECT_LT(formats.error(4), formats.error(2));
}

/// Of the scales found from a grid.
void expect_near_the_best(const workloads::Layer& layer, formats::LpFormat format,
                          const ChannelScales::Scales& scales) {
  for (std::size_t c = 0; c < 5; ++c) {
    const auto first = layer.weights.begin() + 60 * static_cast<std::ptrdiff_t>(c);
    const ValueStatistics values({first, first + 60});
    const auto error = [&](int sf_q8) {
      format.sf_q8 = sf_q8;
      return mean_squared_error(values, format, Quantizer::offline);
    };
    const int found = scales.sf_q8 + scales.channel_sf_q8[c];
    double best = error(found);
    for (int sf = found - 1024; sf <= found + 1024; ++sf) best = std::min(best, error(sf));
    EXPECT_LE(error(found), 1.2 * best) << "channel " << c;
  }
}

TEST(ChannelScales, AreTheBestOfEveryChannel) {
  workloads::Layer layer;
  layer.geometry.out_c = 40;
  std::mt19937_64 random(4);
  std::normal_distribution<float> normal;
  for (int c = 0; c < 40; ++c) {
    for (int i = 0; i < 60; ++i) layer.weights.push_back(c == 7 ? 0 : std::ldexp(normal(random), c % 9));
  }
  const ChannelScales channels(layer);
  const ValueStatistics all(layer.weights);
  for (const int n : {2, 4, 8}) {
    const FormatChoice best = channels.best(n);
    EXPECT_LT(best.mean_squared_error, search_format(all, n, Quantizer::offline).mean_squared_error) << n << " bits";
    for (const formats::LpFormat& shape : formats::all_lp_formats(n)) {
      const ChannelScales::Scales& scales = channels.of(shape);
      ASSERT_EQ(scales.channel_sf_q8.size(), 40u);
      EXPECT_EQ(scales.channel_sf_q8[7], 0) << "only zeros";
      double error = 0;
      for (std::size_t c = 0; c < 40; ++c) {
        const ValueStatistics values({layer.weights.begin() + 60 * static_cast<std::ptrdiff_t>(c),
                                      layer.weights.begin() + 60 * static_cast<std::ptrdiff_t>(c + 1)});
        formats::LpFormat format = shape;
        format.sf_q8 = scales.sf_q8 + scales.channel_sf_q8[c];
        const double found = mean_squared_error(values, format, Quantizer::offline);
        error += found / 40;
        for (const int step : {-32, -1, 1, 32}) {
          if (n == 8) continue;
          format.sf_q8 += step;
          EXPECT_GE(mean_squared_error(values, format, Quantizer::offline), found) << "channel " << c;
          format.sf_q8 -= step;
        }
      }
      EXPECT_NEAR(error, scales.mean_squared_error, 1e-9 * error);
      if (shape.es == best.format.es && shape.rs == best.format.rs) {
        if (n == 8) expect_near_the_best(layer, best.format, scales);
        EXPECT_EQ(best.mean_squared_error, scales.mean_squared_error);
      }
    }
  }
}

TEST(ChannelScales, AChannelAllButZeroLeavesTheOthersTheirPartialSums) {
  workloads::LayerGraph graph{.network = "one.onnx", .in_h = 1, .in_w = 1, .in_c = 64, .constants = {}, .layers = {}};
  workloads::Layer layer;
  layer.name = "only";
  layer.geometry.in_c = 64;
  layer.geometry.out_c = 8;
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal(0, 0.1F);
  for (int i = 0; i < 8 * 64; ++i) layer.weights.push_back(normal(random));
  layer.bias.assign(8, 0.3F);
  graph.layers = {layer};
  const auto lsb = [&] {
    NetworkFormats formats{.input = formats::LpFormat{.n = 8, .es = 0, .rs = 7}, .constants = {}, .layers = {}};
    const ChannelScales channels(graph.layers[0]);
    LayerFormats& of_layer = formats.layers.emplace_back();
    of_layer.weight = channels.best(4).format;
    of_layer.output = formats::LpFormat{.n = 8, .es = 0, .rs = 7};
    of_layer.channel_sf_q8 = channels.of(of_layer.weight.lp()).channel_sf_q8;
    return quantize(graph, formats).layers[0].psum_lsb;
  };
  const int usual = lsb();
  for (int i = 0; i < 64; ++i) graph.layers[0].weights[static_cast<std::size_t>(i)] *= 1e-12F;
  EXPECT_LE(lsb(), usual + 4);
}

}  // namespace
}  // namespace lpa::lpq
