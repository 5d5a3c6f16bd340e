#include "quant/lpq/fit.h"

#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/lpq/evaluate.h"
#include "quant/lpq/format_search.h"
#include "quant/lpq/linear_search.h"
#include "quant/lpq/quantize.h"
#include "quant/lpq/software_machine.h"
#include "tests/quant/lpq/small_network.h"
#include "tests/workloads/temporary_folder.h"
#include "workloads/executor.h"
#include "workloads/input_error.h"

namespace lpa::lpq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using workloads::InputError;
using workloads::LayerKind;
using workloads::testing::message_of;

class Fit : public ::testing::Test {
 protected:
  std::vector<workloads::Tensor> calibration(int count) const {
    const workloads::Dataset dataset = testing::make_small_dataset(2, count);
    std::vector<workloads::Tensor> images;
    for (int i = 0; i < count; ++i) images.push_back(dataset.image(i));
    return images;
  }

  std::string error(const FitOptions& options) const {
    return message_of<InputError>([&] { fit(network_, graph_, calibration(1), options); });
  }

  const workloads::Network network_ = testing::make_small_network(1);
  const workloads::LayerGraph graph_ = workloads::lower(network_);
};

TEST_F(Fit, DoesNotDependOnTheNumberOfThreads) {
  FitOptions options{.seed = 7};
  const auto images = calibration(24);
  const QuantizedModel one = fit(network_, graph_, images, options);
  for (const int threads : {2, 40}) {
    options.threads = threads;
    EXPECT_EQ(fit(network_, graph_, images, options), one) << threads << " threads";
  }
}

TEST_F(Fit, WordsOfOtherMachinesAreThoseOfTheirSystem) {
  for (const std::string& name : formats::number_system_names()) {
    for (const ScaleMode scales : {ScaleMode::per_tensor, ScaleMode::per_channel}) {
      FitOptions options{.numbers = formats::parse_number_system(name), .scales = scales};
      const QuantizedModel model = fit(network_, graph_, calibration(4), options);
      EXPECT_TRUE(contains(options.numbers, model.input)) << name;
      for (const QuantizedLayer& layer : model.layers) {
        EXPECT_TRUE(contains(options.numbers, layer.output)) << name << ", " << layer.name;
        EXPECT_TRUE(layer.kind != LayerKind::conv || contains(options.numbers, layer.weight)) << name;
      }
    }
  }
}

TEST_F(Fit, RefusesWidthsThatAMachinesWordsDoNotHave) {
  EXPECT_THAT(error({.weight_bits = 4, .numbers = formats::NumberSystem::adaptivfloat}),
              HasSubstr("weight bits is 4 but adaptivfloat has no words of that width"));
  EXPECT_THAT(error({.activation_bits = 2, .numbers = formats::NumberSystem::ant}), HasSubstr("activation bits is 2"));
}

/// The error of rounding value by value.
double error_of(const std::vector<float>& values, const formats::TensorFormat& format) {
  const formats::NumberEncoder encode(number_format(format));
  double sum = 0;
  for (const float value : values) sum += std::pow(encode.quantize(value) - value, 2);
  return sum / static_cast<double>(values.size());
}

TEST(LinearSearch, NoOtherScaleHasALesserError) {
  const unsigned seed = 11;
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3F);
  std::vector<float> values(2000);
  for (float& value : values) value = normal(random);
  const ValueStatistics statistics(values);
  for (const auto system : {formats::NumberSystem::integer, formats::NumberSystem::ant}) {
    for (const int bits : {8, 4}) {
      const LinearChoice choice = search_linear_format(statistics, system, bits);
      const double error = error_of(values, choice.format);
      EXPECT_NEAR(choice.mean_squared_error, error, 1e-9 + 1e-6 * error) << to_string(choice.format);
      for (formats::TensorFormat other : formats_of(system, bits)) {
        for (int sf_q8 = choice.format.sf_q8 - 600; sf_q8 < choice.format.sf_q8 + 600; sf_q8 += 3) {
          other.sf_q8 = sf_q8;
          ASSERT_GE(error_of(values, other), error * (1 - 1e-6)) << to_string(other) << ", seed " << seed;
        }
      }
    }
  }
}

TEST(LinearSearch, AdaptivFloatHasItsAuthorsBiasAndAPositNone) {
  const std::vector<float> values{0.1F, -5.0F, 0.7F, 0.0F};
  const ValueStatistics statistics(values);
  const LinearChoice af = search_linear_format(statistics, formats::NumberSystem::adaptivfloat, 8);
  EXPECT_EQ(to_string(af.format), to_string(formats::fit_adaptiv_float(8, 4, 5)));
  EXPECT_NEAR(af.mean_squared_error, error_of(values, af.format), 1e-9);
  const LinearChoice posit = search_linear_format(statistics, formats::NumberSystem::posit, 8);
  EXPECT_EQ(to_string(posit.format), "posit<8,1>");
  EXPECT_NEAR(posit.mean_squared_error, error_of(values, posit.format), 1e-9);
  EXPECT_EQ(search_linear_format(ValueStatistics({0, 0}), formats::NumberSystem::integer, 8).format.sf_q8, 0);
}

TEST(LinearSearch, ValuesBeyondEveryScaleGetTheLastOne) {
  for (const auto system :
       {formats::NumberSystem::integer, formats::NumberSystem::ant, formats::NumberSystem::adaptivfloat}) {
    for (const float value : {1e-41F, 1e-37F, 3e38F}) {
      const LinearChoice choice = search_linear_format(ValueStatistics({value, -value / 3}), system, 8);
      EXPECT_EQ(formats::check(choice.format), "") << value;
      EXPECT_TRUE(contains(system, choice.format)) << value;
    }
  }
}

TEST_F(Fit, DependsOnTheSeedOnlyWhereValuesAreDrawn) {
  // 24 images of 6 x 8 x 8 values are all taken; 600 images are not.
  const auto few = calibration(24), many = calibration(600);
  QuantizedModel one = fit(network_, graph_, few, {.seed = 1}), two = fit(network_, graph_, few, {.seed = 2});
  two.seed = one.seed;
  EXPECT_EQ(one, two);
  one = fit(network_, graph_, many, {.threads = 2, .seed = 1}),
  two = fit(network_, graph_, many, {.threads = 2, .seed = 2});
  two.seed = one.seed;
  EXPECT_NE(one, two);
}

TEST_F(Fit, ChoosesTheBestFormatOfEveryTensor) {
  const auto images = calibration(8);
  const QuantizedModel model = fit(network_, graph_, images, {.activation_bits = 4});
  EXPECT_EQ(model.method, "fit");
  EXPECT_EQ(model.seed, 1U);
  EXPECT_EQ(model.calibration_images, 8);
  workloads::Executor executor(network_);
  std::vector<std::vector<float>> values(network_.values.size());
  for (const auto& image : images) {
    const auto tensors = executor.run_all(image);
    for (std::size_t v = 0; v < values.size(); ++v) {
      values[v].insert(values[v].end(), tensors[v].data.begin(), tensors[v].data.end());
    }
  }
  const auto best = [&values](int value, Quantizer quantizer) {
    return search_format(ValueStatistics(values.at(static_cast<std::size_t>(value))), 4, quantizer).format;
  };
  EXPECT_EQ(model.input, best(network_.input, Quantizer::offline));
  ASSERT_EQ(model.layers.size(), graph_.layers.size());
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    SCOPED_TRACE(graph_.layers[i].name);
    const workloads::Layer& layer = graph_.layers[i];
    if (layer.kind == LayerKind::max_pool) {
      EXPECT_EQ(model.layers[i].output, model.operand_format(layer.input));
      continue;
    }
    EXPECT_EQ(model.layers[i].output, best(layer.value, Quantizer::encoder));
    const bool adds = layer.kind == LayerKind::conv && layer.addend != workloads::no_operand;
    EXPECT_EQ(model.layers[i].encoded, best(adds ? layer.encoded_value : layer.value, Quantizer::encoder));
    if (layer.kind != LayerKind::conv) continue;
    EXPECT_EQ(model.layers[i].weight, search_format(ValueStatistics(layer.weights), 8, Quantizer::offline).format);
  }
}

/// Of the output's power, in the given arithmetic.
double output_error(const workloads::Network& network, const workloads::LayerGraph& graph, const QuantizedModel& model,
                    const std::vector<workloads::Tensor>& images, const char* preset) {
  const SoftwareMachine machine(graph, model, formats::arithmetic_preset(preset));
  workloads::Executor executor(network);
  double error = 0, power = 0;
  for (const auto& image : images) {
    const auto expected = executor.run(image);
    formats::AccumulateEvents events;
    const auto words = machine.run_to_end(quantize_input(image, model.input), &events);
    EXPECT_EQ(events.saturations, 0U) << preset;
    const auto logits = dequantize(words, model.layers.back().output);
    for (std::size_t i = 0; i < expected.data.size(); ++i) {
      error += std::pow(logits.data.at(i) - expected.data[i], 2);
      power += std::pow(expected.data[i], 2);
    }
  }
  return error / power;
}

TEST_F(Fit, KeepsTheNetworksOutputAtEightBits) {
  const auto images = calibration(32);
  const QuantizedModel model = fit(network_, graph_, images, {});
  EXPECT_LT(output_error(network_, graph_, model, images, "wide"), 0.0015);  // 28 dB
}

/// Attention, normalisation, curves.
class FitTransformer : public Fit {
 protected:
  const workloads::Layer& layer(const std::string& name) const { return graph.layers.at(index(name)); }
  const QuantizedLayer& quantized(const QuantizedModel& model, const std::string& name) const {
    return model.layers.at(index(name));
  }

  const workloads::Network network = testing::make_small_transformer(3);
  const workloads::LayerGraph graph = workloads::lower(network);

 private:
  std::size_t index(const std::string& name) const {
    std::size_t i = 0;
    while (i < graph.layers.size() && graph.layers[i].name != name) ++i;
    return i;
  }
};

TEST_F(FitTransformer, KeepsTheNetworksOutputAtEightBits) {
  const auto images = calibration(32);
  const QuantizedModel model = fit(network, graph, images, {});
  for (const char* preset : {"wide", "fixed"}) {
    EXPECT_LT(output_error(network, graph, model, images, preset), 0.004) << preset;  // 24 dB
  }
}

TEST_F(FitTransformer, ChoosesTheFormatsOfAllKindsOfLayers) {
  const auto images = calibration(8);
  const QuantizedModel model = fit(network, graph, images, {.activation_bits = 4});
  workloads::Executor executor(network);
  std::vector<std::vector<float>> values(network.values.size());
  for (const auto& image : images) {
    const auto tensors = executor.run_all(image);
    for (std::size_t v = 0; v < values.size(); ++v) {
      values[v].insert(values[v].end(), tensors[v].data.begin(), tensors[v].data.end());
    }
  }
  const auto best = [&values](int value, int bits) {
    return search_format(ValueStatistics(values.at(static_cast<std::size_t>(value))), bits, Quantizer::encoder).format;
  };
  // Operands of products are 8 bits wide whatever is asked for.
  for (const char* name : {"softmax", "qkv"}) {
    EXPECT_EQ(quantized(model, name).output, best(layer(name).value, 8)) << name;
  }
  for (const char* name : {"norm1", "norm2", "scores"}) {
    EXPECT_EQ(quantized(model, name).output, best(layer(name).value, 4)) << name;
  }
  const QuantizedLayer& fc1 = quantized(model, "fc1");
  EXPECT_EQ(fc1.output, best(layer("fc1").value, 4));
  EXPECT_EQ(fc1.encoded, best(layer("fc1").encoded_value, 4));
  EXPECT_NE(fc1.encoded, fc1.output);
  ASSERT_EQ(model.constants.size(), graph.constants.size());
  for (std::size_t i = 0; i < model.constants.size(); ++i) {
    const int bits = must_have_bytes(graph, workloads::constant_operand(static_cast<int>(i))) ? 8 : 4;
    EXPECT_EQ(model.constants[i].format,
              search_format(ValueStatistics(graph.constants[i].data), bits, Quantizer::offline).format);
  }
}

TEST_F(FitTransformer, BoundsTheSumsOfProductsFromTheImages) {
  const auto images = calibration(16);
  const NetworkFormats formats = fit_formats(network, graph, images, {});
  workloads::Executor executor(network);
  double rows = 0, columns = 0;  // Of query (before its scaling) and key.
  const workloads::Node* scores = nullptr;
  for (const auto& node : network.nodes) {
    if (node.name == "scores") scores = &node;
  }
  ASSERT_NE(scores, nullptr);
  for (const auto& image : images) {
    const auto tensors = executor.run_all(image);
    const auto& query = tensors.at(static_cast<std::size_t>(scores->inputs[0])).data;  // 2 x 5 x 4
    const auto& key = tensors.at(static_cast<std::size_t>(scores->inputs[1])).data;    // 2 x 4 x 5
    for (std::size_t h = 0; h < 2; ++h) {
      for (std::size_t t = 0; t < 5; ++t) {
        double row = 0, column = 0;
        for (std::size_t c = 0; c < 4; ++c) {
          row += std::pow(query.at((h * 5 + t) * 4 + c), 2);
          column += std::pow(key.at((h * 4 + c) * 5 + t), 2);
        }
        rows = std::max(rows, std::sqrt(row));
        columns = std::max(columns, std::sqrt(column));
      }
    }
  }
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const workloads::Layer& layer = graph.layers[i];
    if (layer.kind != LayerKind::matmul) {
      EXPECT_EQ(formats.layers[i].sum_bound, 0);
    } else if (layer.name == "scores") {
      const double expected = 4 * rows * columns / layer.products.scale;
      EXPECT_NEAR(formats.layers[i].sum_bound, expected, 1e-4 * expected);
    } else {
      EXPECT_GT(formats.layers[i].sum_bound, 0);
    }
  }
}

TEST_F(Fit, TakesTheWidthsAskedFor) {
  const FitOptions options{.weight_bits = 4, .layer_weight_bits = {{"conv2", 2}, {"fc", 8}}, .activation_bits = 4};
  const QuantizedModel model = fit(network_, graph_, calibration(2), options);
  std::vector<std::string> widths;
  for (const QuantizedLayer& layer : model.layers) {
    if (layer.kind == LayerKind::conv) widths.push_back(layer.name + ":" + std::to_string(layer.weight.n));
    EXPECT_EQ(layer.output.n, 4);
    EXPECT_EQ(layer.encoded.n, 4);
  }
  EXPECT_THAT(widths, ElementsAre("conv1:4", "conv2:2", "fc:8"));
  EXPECT_EQ(model.input.n, 4);
}

TEST_F(Fit, ActivationsFollowTheWeights) {
  const FitOptions options{
      .weight_bits = 4, .layer_weight_bits = {{"conv2", 2}, {"fc", 8}}, .activation_bits = follow_weights};
  const QuantizedModel model = fit(network_, graph_, calibration(2), options);
  for (const QuantizedLayer& layer : model.layers) {
    const bool follows = layer.name == "conv2" || layer.name == "pool";  // A max pool keeps the format.
    EXPECT_EQ(layer.encoded.n, follows ? 4 : 8) << layer.name;
    EXPECT_EQ(layer.output.n, follows ? 4 : 8) << layer.name;
  }
  EXPECT_EQ(model.input.n, 8);
}

TEST_F(Fit, RejectsWrongOptions) {
  EXPECT_EQ(error({.weight_bits = 3}), "weight bits is 3 but must be 2, 4 or 8");
  EXPECT_EQ(error({.activation_bits = 16}), "activation bits is 16 but must be 2, 4 or 8");
  EXPECT_THAT(error({.layer_weight_bits = {{"conv9", 4}}}), HasSubstr("layer \"conv9\""));
  EXPECT_THAT(error({.layer_weight_bits = {{"pool", 4}}}), HasSubstr("layer \"pool\""));
  EXPECT_EQ(error({.layer_weight_bits = {{"fc", 7}}}), "weight bits of layer \"fc\" is 7 but must be 2, 4 or 8");
  EXPECT_EQ(message_of<InputError>([&] { fit(network_, graph_, {}, {}); }),
            "there must be at least one calibration image");
}

TEST_F(Fit, RejectsValuesThatAreNotFinite) {
  auto images = calibration(1);
  images[0].data[5] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message_of<InputError>([&] { fit(network_, graph_, images, {}); }), HasSubstr("must be finite"));
}

TEST_F(Fit, ReportsProgressToTheEndAndCanBeCancelled) {
  std::vector<int> steps;
  int total = 0;
  const auto progress = [&](int done, int of) {
    steps.push_back(done);
    total = of;
  };
  fit(network_, graph_, calibration(3), {.threads = 2}, progress);
  std::vector<int> all(static_cast<std::size_t>(total));
  for (int i = 0; i < total; ++i) all[static_cast<std::size_t>(i)] = i + 1;
  EXPECT_EQ(steps, all);
  EXPECT_GT(total, 3);

  CancelFlag cancel{false};
  const auto cancel_at_two = [&cancel](int done, int) { cancel = done >= 2; };
  EXPECT_THROW(fit(network_, graph_, calibration(3), {}, cancel_at_two, &cancel), Cancelled);
}

}  // namespace
}  // namespace lpa::lpq
