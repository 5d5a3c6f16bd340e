#include "workloads/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/workloads/temporary_folder.h"
#include "workloads/input_error.h"
#include "workloads/npy.h"

namespace lpa::workloads::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// Two images of 1 x 2 with 3 channels.
class DatasetFiles : public ::testing::Test {
 protected:
  DatasetFiles() { write(); }

  void write() {
    write_bytes(folder_ / "dataset.json", description_.dump());
    write_npy(folder_ / "images.npy", image_shape_, pixels_);
    write_npy(folder_ / "labels.npy", {static_cast<std::int64_t>(labels_.size())}, labels_);
  }
  std::string error(int limit = 0) {
    write();
    return message_of<InputError>([&] { read_dataset(folder_.path(), limit); });
  }

  TemporaryFolder folder_;
  json description_ = {{"name", "tiny"},        {"origin", "a test"},       {"split", "all"},
                       {"classes", {"a", "b"}}, {"mean", {0.5, 0.25, 0.0}}, {"std", {1, 0.5, 2}},
                       {"layout", "NHWC uint8"}};
  Shape image_shape_{2, 1, 2, 3};
  std::vector<std::uint8_t> pixels_{0, 51, 255, 102, 0, 51, 1, 2, 3, 4, 5, 6}, labels_{1, 0};
};

TEST_F(DatasetFiles, ImageIsNormalisedAndChannelFirst) {
  const Dataset set = read_dataset(folder_.path());
  EXPECT_EQ(set.name, "tiny");
  EXPECT_EQ(set.split, "all");
  EXPECT_EQ(set.origin, "a test");
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.labels, labels_);
  const Tensor image = set.image(0);
  EXPECT_EQ(image.shape, (Shape{1, 3, 1, 2}));
  const float expected[] = {-0.5f, -0.1f, -0.1f, -0.5f, 0.5f, 0.1f};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(image.data[i], expected[i]) << i;
  EXPECT_FLOAT_EQ(set.image(1).data[5], 6.0f / 255 / 2);
}

TEST_F(DatasetFiles, LimitKeepsTheFirstImagesAndMustBeThere) {
  const Dataset one = read_dataset(folder_.path(), 1);
  EXPECT_EQ(one.count, 1);
  EXPECT_EQ(one.pixels.size(), 6u);
  EXPECT_EQ(one.labels.size(), 1u);
  EXPECT_THAT(error(3), HasSubstr("images.npy: 2 images (expected at least 3)"));
}

TEST_F(DatasetFiles, EveryMissingOrMistypedFieldIsNamed) {
  const json good = description_;
  for (const auto& [name, value] : good.items()) {
    description_ = good;
    description_.erase(name);
    EXPECT_THAT(error(), HasSubstr("dataset.json: field '" + name + "' is missing"));
    for (const json& wrong : {json(7), json::array({json::object()}), json::array(), json(nullptr)}) {
      description_[name] = wrong;
      EXPECT_THAT(error(), HasSubstr("dataset.json: field '" + name + "'")) << wrong;
    }
  }
  description_ = good;
  description_["layout"] = "NCHW float";
  EXPECT_THAT(error(), HasSubstr("field 'layout' is 'NCHW float' (supported: 'NHWC uint8')"));
  description_ = good;
  description_["std"] = {1, 0, 1};
  EXPECT_THAT(error(), HasSubstr("field 'std' has the value 0 (expected positive numbers)"));
  description_["std"] = {1, 1};
  EXPECT_THAT(error(), HasSubstr("field 'std' has 2 values (expected 3, one a channel)"));
  description_ = json::array();
  EXPECT_THAT(error(), HasSubstr("dataset.json: not a JSON object"));
}

TEST_F(DatasetFiles, ArraysMustFitEachOther) {
  labels_ = {0, 1, 1};
  EXPECT_THAT(error(), HasSubstr("labels.npy: shape 3 (expected 2, one label an image)"));
  labels_ = {0, 2};
  EXPECT_THAT(error(), HasSubstr("labels.npy: label 2 of image 1 (expected less than 2"));
  labels_ = {0, 1};
  image_shape_ = {2, 6};
  EXPECT_THAT(error(), HasSubstr("images.npy: shape 2x6 (expected N x H x W x C)"));
}

TEST_F(DatasetFiles, MissingFilesAreNamed) {
  for (const char* name : {"images.npy", "labels.npy", "dataset.json"}) {
    write();
    std::filesystem::remove(folder_ / name);
    EXPECT_EQ(message_of<InputError>([&] { read_dataset(folder_.path()); }),
              (folder_ / name).string() + ": no such file");
  }
}

TEST_F(DatasetFiles, ShapeIsCheckedAgainstTheNetwork) {
  const Dataset set = read_dataset(folder_.path());
  EXPECT_NO_THROW(check_shapes(set, {1, 3, 1, 2}, "n.onnx"));
  EXPECT_EQ(message_of<InputError>([&] {
              check_shapes(set, {1, 3, 2, 1}, "n.onnx");
            }),
            "n.onnx: takes an input of 1x3x2x1, the images of data set 'tiny' are 1x3x1x2");
}

TEST(ShippedDatasets, AreCifar10) {
  const std::filesystem::path folder = std::filesystem::path(LPA_WORKLOADS_DATA) / "cifar10";
  for (const auto& [name, count] : {std::pair{"calibration", 128}, std::pair{"test", 512}}) {
    const Dataset set = read_dataset(folder / name);
    EXPECT_EQ(set.count, count);
    EXPECT_EQ(set.classes.size(), 10u);
    EXPECT_EQ(set.image(0).shape, (Shape{1, 3, 32, 32}));
  }
}

}  // namespace
}  // namespace lpa::workloads::testing
