#include "quant/lpq/fit.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quant/lpq/evaluate.h"
#include "quant/lpq/format_search.h"
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

TEST_F(Fit, KeepsTheNetworksOutputAtEightBits) {
  const auto images = calibration(32);
  const QuantizedModel model = fit(network_, graph_, images, {});
  const SoftwareMachine machine(graph_, model, formats::arithmetic_preset("wide"));
  workloads::Executor executor(network_);
  double error = 0, power = 0;
  for (const auto& image : images) {
    const auto expected = executor.run(image);
    const auto logits = dequantize(machine.run_to_end(quantize_input(image, model.input)), model.layers.back().output);
    for (std::size_t i = 0; i < expected.data.size(); ++i) {
      error += std::pow(logits.data.at(i) - expected.data[i], 2);
      power += std::pow(expected.data[i], 2);
    }
  }
  EXPECT_LT(error, 0.0015 * power);  // 28 dB
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
