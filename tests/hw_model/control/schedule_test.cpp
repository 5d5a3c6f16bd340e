#include "hw_model/control/schedule.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "hw_model/driver/mapper.h"
#include "tests/hw_model/layer_builder.h"

namespace lpa::hw {
namespace {

struct Case {
  MachineConfig config;
  Descriptor descriptor;
};

/// A random legal convolution with random tile sizes on a random machine with roomy buffers.
Case random_case(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random); };
  Case c;
  c.config.array.rows = static_cast<int>(draw(1, 9));
  c.config.array.columns = static_cast<int>(draw(1, 9));
  Descriptor& d = c.descriptor;
  d = test::gemm({}, 1, 1, 1, std::int64_t{1} << draw(1, 3));
  d.kernel_h = draw(1, 3);
  d.kernel_w = draw(1, 3);
  d.stride_h = draw(1, 3);
  d.stride_w = draw(1, 3);
  d.pad_top = draw(0, static_cast<int>(d.kernel_h) - 1);
  d.in_h = draw(4, 12);
  d.in_w = draw(4, 12);
  d.in_c = draw(1, 20);
  d.out_c = draw(1, 60);
  d.out_h = (d.in_h + d.pad_top - d.kernel_h) / d.stride_h + 1;
  d.out_w = (d.in_w - d.kernel_w) / d.stride_w + 1;
  d.input_pitch = d.in_c;
  d.output_pitch = d.out_c;
  d.k_block = d.kernel_h * d.kernel_w * d.in_c;
  d.band_rows = draw(1, static_cast<int>(d.out_h));
  d.loop_order = draw(0, 1);
  const Tiling tiling(d, c.config);
  if (draw(0, 1) == 1 && tiling.k > c.config.array.rows) {
    d.k_block = c.config.array.rows * draw(1, static_cast<int>(tiling.k / c.config.array.rows));
  } else {
    d.block_tiles = draw(1, static_cast<int>(tiling.n_tiles));
  }
  return c;
}

class RandomSchedule : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomSchedule, VisitsEveryOutputOnceForEveryK) {
  const auto [config, d] = random_case(GetParam());
  const Schedule schedule(d, config);
  const Tiling& t = schedule.tiling();
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> k_of_output;  // (position, channel) -> k so far
  std::int64_t vectors = 0;
  std::int64_t index = 0;
  for (TileCursor tile(schedule); !tile.done(); tile.next()) {
    EXPECT_EQ(tile.index(), index++);
    const VisitCursor& visit = tile.visit();
    vectors += visit.positions();
    const std::int64_t first = t.band_first_row(visit.pass().band) * d.out_w;
    for (std::int64_t position = first; position < first + visit.positions(); ++position) {
      for (std::int64_t n = 0; n < visit.channels(); ++n) {
        auto& k = k_of_output[{position, visit.n_tile() * t.lanes + n}];
        EXPECT_EQ(k, t.k_begin(tile.k_tile())) << "k ascends without a gap";
        k += t.k_rows(tile.k_tile());
      }
    }
  }
  EXPECT_EQ(vectors, schedule.vectors());
  EXPECT_EQ(static_cast<std::int64_t>(k_of_output.size()), d.out_h * d.out_w * d.out_c);
  for (const auto& [output, k] : k_of_output) EXPECT_EQ(k, t.k);
}

TEST_P(RandomSchedule, FetchesHoldWhatTheirVisitsRead) {
  const auto [config, d] = random_case(GetParam());
  const Schedule schedule(d, config);
  const Tiling& t = schedule.tiling();
  std::int64_t last_weight = 0;
  std::int64_t last_input = 0;
  std::set<std::int64_t> weight_rows;
  for (TileCursor tile(schedule); !tile.done(); tile.next()) {
    const std::int64_t number = tile.weight_fetch();
    EXPECT_TRUE(number == last_weight || number == last_weight + 1) << "in order";
    last_weight = number;
    const Fetch& fetch = schedule.weight_fetches()[static_cast<std::size_t>(number)];
    const std::int64_t columns = t.tile_columns(tile.visit().n_tile());
    for (std::int64_t k = t.k_begin(tile.k_tile()); k < t.k_begin(tile.k_tile()) + t.k_rows(tile.k_tile()); ++k) {
      const std::int64_t offset = tile.weight_offset(k);
      EXPECT_GE(offset, tile.first_k() ? Tiling::bias_bytes * tile.visit().channels() : 0);
      EXPECT_LE(offset + columns, fetch.bytes);
      weight_rows.insert(fetch.address + offset);
    }
    EXPECT_LE(fetch.bytes, t.largest_weight_fetch());

    const Pass& pass = tile.visit().pass();
    EXPECT_TRUE(pass.input_fetch == last_input || pass.input_fetch == last_input + 1) << "in order";
    last_input = pass.input_fetch;
    const Fetch& rows = schedule.input_fetches()[static_cast<std::size_t>(pass.input_fetch)];
    EXPECT_EQ(rows.address, d.input_address + t.input_first_row(pass.band) * t.input_row_bytes());
    EXPECT_EQ(rows.bytes, (t.input_end_row(pass.band) - t.input_first_row(pass.band)) * t.input_row_bytes());
    EXPECT_LE(rows.bytes, t.largest_input_fetch());
    const std::int64_t last = t.band_first_row(pass.band) + t.band_row_count(pass.band) - 1;
    EXPECT_GE(t.input_end_row(pass.band), std::min(d.in_h, last * d.stride_h - d.pad_top + d.kernel_h));
  }
  EXPECT_EQ(last_weight + 1, static_cast<std::int64_t>(schedule.weight_fetches().size()));
  EXPECT_EQ(last_input + 1, static_cast<std::int64_t>(schedule.input_fetches().size()));
  EXPECT_EQ(static_cast<std::int64_t>(weight_rows.size()), t.n_tiles * t.k)
      << "every row of every n-tile has its place";
}

TEST_P(RandomSchedule, FetchesTheWeightsOnceIfTheBlocksAreOutside) {
  auto [config, d] = random_case(GetParam());
  d.loop_order = static_cast<std::int64_t>(LoopOrder::weights_outer);
  if (Tiling(d, config).k_blocks > 1) d.band_rows = d.out_h;
  const std::int64_t bytes = driver::traffic(d, config).weight_bytes;
  const Tiling t(d, config);
  std::int64_t columns = 0;
  for (std::int64_t tile = 0; tile < t.n_tiles; ++tile) columns += t.tile_columns(tile);
  EXPECT_EQ(bytes, t.k * columns + Tiling::bias_bytes * d.out_c);
  EXPECT_EQ(bytes, t.weight_bytes());
}

TEST_P(RandomSchedule, FetchesEveryInputRowOnceForABandIfTheBandsAreOutside) {
  auto [config, d] = random_case(GetParam());
  d.loop_order = static_cast<std::int64_t>(LoopOrder::inputs_outer);
  EXPECT_EQ(static_cast<std::int64_t>(Schedule(d, config).input_fetches().size()), Tiling(d, config).bands);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomSchedule, ::testing::Range<std::uint64_t>(1, 101));

TEST(Schedule, AFetchThatIsStillThereIsNotRepeated) {
  Descriptor d = test::gemm({}, 64, 64, 16);
  d.band_rows = 64;
  d.block_tiles = 8;
  for (const std::int64_t order : {0, 1}) {
    d.loop_order = order;
    const Schedule schedule(d, {});
    EXPECT_EQ(schedule.input_fetches().size(), 1u);
    EXPECT_EQ(schedule.weight_fetches().size(), 1u);
    EXPECT_EQ(schedule.visits(), 8);
  }
}

}  // namespace
}  // namespace lpa::hw
