#include "tools/lpasim/check_words.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/driver/machine_error.h"
#include "tests/quant/lpq/random_model.h"

namespace lpa::cli {
namespace {

class WordCheckTest : public ::testing::Test {
 protected:
  /// What a machine without faults gives.
  WordCheckTest() : model(lpq::testing::make_random_model(3, false)) {
    formats::AccumulateEvents events;
    result.maps = lpq::SoftwareMachine(model.graph, model.model, config.arithmetic).run(model.input, &events);
    result.layers.resize(result.maps.size());
    result.layers[0].saturations = events.saturations;
  }
  std::string error() const {
    try {
      WordCheck(model.graph, model.model, config)(5, model.input, result);
    } catch (const driver::MachineError& thrown) {
      return thrown.what();
    }
    return "no error";
  }

  hw::MachineConfig config;
  lpq::testing::RandomModel model;
  driver::ImageResult result;
};

TEST_F(WordCheckTest, AcceptsTheSameWords) {
  EXPECT_EQ(error(), "no error");
}

TEST_F(WordCheckTest, NamesTheFirstWordThatDiffers) {
  lpq::WordMap& map = result.maps[1];
  ASSERT_GT(map.words.size(), 1u);
  map.words.back() = static_cast<formats::Word>(map.words.back() ^ 1);
  EXPECT_EQ(error().find(fmt::format("image 5, layer '{}', row {}, column {}, channel {}: the machine gave word ",
                                     model.graph.layers[1].name, map.height - 1, map.width - 1, map.channels - 1)),
            0u)
      << error();
  map.words.front() = static_cast<formats::Word>(map.words.front() ^ 1);
  EXPECT_THAT(error(), testing::HasSubstr("row 0, column 0, channel 0: "));
}

TEST_F(WordCheckTest, ComparesSizesAndSaturations) {
  ++result.layers[1].saturations;
  EXPECT_THAT(error(), testing::StartsWith("image 5: the machine counted "));
  result.maps[0].words.pop_back();
  EXPECT_THAT(error(), testing::HasSubstr(" words, the software evaluation "));
}

}  // namespace
}  // namespace lpa::cli
