#include "hw_model/driver/timeline_file.h"

#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "workloads/atomic_file.h"

namespace lpa::driver {
namespace {

using hw::Cause;
using hw::Slice;
using hw::Track;
using nlohmann::ordered_json;

class TimelineFileTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file); }

  std::string text() const {
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
  }
  /// Complete events of the file.
  std::vector<ordered_json> slices() const {
    std::vector<ordered_json> found;
    const ordered_json whole = ordered_json::parse(text());
    for (const auto& event : whole["traceEvents"]) {
      if (event["ph"] == "X") found.push_back(event);
    }
    return found;
  }

  const std::filesystem::path file =
      std::filesystem::path(::testing::TempDir()) /
      (std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()) + ".json");
  hw::MachineConfig config;
};

TEST_F(TimelineFileTest, NamesTheMachineAndOneThreadForEachTrack) {
  config.array.rows = 4;
  TimelineFile(file, config).finish();
  std::set<int> threads;
  std::set<std::string> names;
  const ordered_json whole = ordered_json::parse(text());
  for (const auto& event : whole["traceEvents"]) {
    EXPECT_EQ(event["ph"], "M");
    if (event["name"] == "process_name") {
      EXPECT_EQ(event["args"]["name"], "LPA 4x8");
    }
    if (event["name"] == "thread_name") names.insert(event["args"]["name"]);
    if (event["name"] == "thread_sort_index") {
      EXPECT_EQ(event["args"]["sort_index"], event["tid"]);
      threads.insert(event["tid"].get<int>());
    }
  }
  EXPECT_EQ(threads.size(), hw::track_count);
  EXPECT_EQ(names.size(), hw::track_count);
}

TEST_F(TimelineFileTest, ShowsStallsDirectlyBelowTheArray) {
  TimelineFile timeline(file, config);
  timeline.add({.track = Track::array, .begin = 1, .end = 9});
  timeline.add({.track = Track::stall, .cause = Cause::psum_wait, .begin = 2, .end = 5});
  timeline.finish();
  const auto events = slices();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1]["tid"], events[0]["tid"].get<int>() + 1);
  EXPECT_EQ(events[1]["name"], "psum_wait");
  EXPECT_TRUE(events[1].contains("cname"));
}

TEST_F(TimelineFileTest, NamesSlicesByWhatTheyAre) {
  TimelineFile timeline(file, config);
  timeline.begin_layer(3, "conv \"1\"\\\n", 7);
  timeline.add({.track = Track::array, .begin = 1, .end = 9, .index = 12, .n_tile = 3, .k_tile = 4});
  timeline.add({.track = Track::input_buffer_1, .begin = 1, .end = 9, .index = 2});
  timeline.add({.track = Track::ppu, .begin = 1, .end = 9, .index = 5});
  timeline.add({.track = Track::layer, .begin = 1, .end = 100, .index = 8});
  timeline.finish();
  const auto events = slices();
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0]["name"], "tile 12 (n 3, k 4)");
  EXPECT_EQ(events[1]["name"], "fetch 2");
  EXPECT_EQ(events[2]["name"], "visit 5");
  EXPECT_EQ(events[3]["name"], "conv \"1\"\\\n");
  EXPECT_EQ(events[3]["args"],
            ordered_json({{"edge", 1}, {"cycles", 99}, {"image", 7}, {"layer", 3}, {"descriptor", 8}}));
}

TEST_F(TimelineFileTest, TimesAreExactDecimals) {
  TimelineFile timeline(file, config);  // 2 ns
  timeline.add({.track = Track::array, .begin = 500, .end = 501});
  timeline.add({.track = Track::array, .begin = 123'456'789, .end = 123'457'289});
  timeline.finish();
  EXPECT_THAT(text(), testing::HasSubstr("\"ts\":1,\"dur\":0.002,"));
  EXPECT_THAT(text(), testing::HasSubstr("\"ts\":246913.578,\"dur\":1,"));
}

TEST_F(TimelineFileTest, TimesFollowTheClocksWholePicoseconds) {
  config.clock_mhz = 333;
  TimelineFile timeline(file, config);
  timeline.add({.track = Track::array, .begin = 1000, .end = 1001});
  timeline.finish();
  EXPECT_EQ(config.period_ps(), 3003u);
  EXPECT_THAT(text(), testing::HasSubstr("\"ts\":3.003,\"dur\":0.003003,"));
}

TEST_F(TimelineFileTest, RecordsOnlyTheLayersAskedFor) {
  TimelineFile timeline(file, config, {.first = 1, .end = 3});
  for (int image = 0; image < 2; ++image) {
    for (std::size_t layer = 0; layer < 4; ++layer) {
      timeline.begin_layer(layer, std::string(1, static_cast<char>('a' + layer)), image);
      timeline.add({.track = Track::layer, .begin = 1, .end = 2});
    }
  }
  EXPECT_EQ(timeline.slices(), 4u);
  timeline.finish();
  std::vector<std::string> names;
  for (const auto& event : slices()) names.push_back(event["name"]);
  EXPECT_THAT(names, testing::ElementsAre("b", "c", "b", "c"));
}

TEST_F(TimelineFileTest, StaysCompleteBeyondItsBuffer) {
  TimelineFile timeline(file, config);
  constexpr std::uint64_t count = 50'000;
  for (std::uint64_t i = 1; i <= count; ++i) timeline.add({.track = Track::array, .begin = i, .end = i + 1});
  timeline.finish();
  const auto events = slices();
  ASSERT_EQ(events.size(), count);
  for (std::uint64_t i = 0; i < count; ++i) ASSERT_EQ(events[i]["args"]["edge"], i + 1);
}

TEST_F(TimelineFileTest, TellsWhatCannotBeWritten) {
  EXPECT_THROW(TimelineFile("/nowhere/t.json", config), workloads::OutputError);
  TimelineFile timeline("/dev/full", config);
  for (std::uint64_t i = 1; i <= 50'000; ++i) timeline.add({.track = Track::array, .begin = i, .end = i + 1});
  try {
    timeline.finish();
    FAIL() << "the disk was full";
  } catch (const workloads::OutputError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("/dev/full: cannot be written: "));
  }
}

}  // namespace
}  // namespace lpa::driver
