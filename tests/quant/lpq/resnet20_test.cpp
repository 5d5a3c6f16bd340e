// The accuracy of the shipped ResNet-20 in the machine's arithmetic.
#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "quant/lpq/evaluate.h"
#include "quant/lpq/fit.h"
#include "workloads/dataset.h"
#include "workloads/onnx_import.h"

namespace lpa::lpq {
namespace {

constexpr int images = LPA_LPQ_GOLDEN_IMAGES;

TEST(ResNet20, LosesAtMostOnePointWithEightBitFormatsAndWidePartialSums) {
  const std::filesystem::path data = LPA_WORKLOADS_DATA;
  const workloads::Network network = workloads::import_onnx(data / "resnet20/resnet20.onnx");
  const workloads::LayerGraph graph = workloads::lower(network);
  const workloads::Dataset calibration = workloads::read_dataset(data / "cifar10/calibration");
  const workloads::Dataset test = workloads::read_dataset(data / "cifar10/test", images);
  std::vector<workloads::Tensor> calibration_images;
  for (int i = 0; i < calibration.count; ++i) calibration_images.push_back(calibration.image(i));
  ASSERT_EQ(calibration_images.size(), 128U);

  const QuantizedModel model = fit(network, graph, calibration_images, {.threads = 2});
  const Evaluation fp32 = evaluate_fp32(network, test, images, 2);
  const Evaluation quantized = evaluate(graph, model, formats::arithmetic_preset("wide"), test, images, 2);
  RecordProperty("fp32_hits", fp32.hits);
  RecordProperty("quantized_hits", quantized.hits);
  EXPECT_GE(fp32.top1(), 0.85);
  // Of fewer than 100 images a point is less than one image: then one may be lost.
  EXPECT_GE(quantized.hits, fp32.hits - std::max(1, images / 100));
  EXPECT_EQ(quantized.events.saturations, 0U);
  EXPECT_EQ(quantized.events.nar_products, 0U);
}

}  // namespace
}  // namespace lpa::lpq
