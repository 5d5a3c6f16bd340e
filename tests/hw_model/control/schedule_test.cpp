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

/// Whether the word (k, n) of a tile's operand is the byte of memory at `address`.
void expect_word_at(const Schedule& schedule, const TileCursor& tile, std::int64_t k, std::int64_t column,
                    std::int64_t address) {
  const Fetch& fetch = schedule.weight_fetches()[static_cast<std::size_t>(tile.weight_fetch())];
  const std::int64_t offset = tile.weight_offset(k) + column * tile.column_stride();
  EXPECT_LT(offset, tile.weights_end());
  EXPECT_LE(tile.weights_end(), fetch.bytes);
  EXPECT_EQ(fetch.address_of(offset), address);
}

TEST(Schedule, OperandsInMemoryAreFoundByRowsAndByColumns) {
  const MachineConfig config;
  for (const WeightLayout layout : {WeightLayout::rows, WeightLayout::columns}) {
    for (const std::int64_t k_block : {50, 16}) {
      Descriptor d = test::gemm(config, 20, 21, 50);
      d.weight_layout = static_cast<std::int64_t>(layout);
      d.weight_pitch = 77;
      d.batch = 3;
      d.weight_stride = 9000;
      d.k_block = k_block;
      d.block_tiles = k_block == 50 ? 2 : 1;
      ASSERT_FALSE(check(d, config));
      const Schedule schedule(d, config);
      const Tiling& t = schedule.tiling();
      for (TileCursor tile(schedule); !tile.done(); tile.next()) {
        EXPECT_FALSE(tile.has_biases());
        const std::int64_t base = d.weight_address + tile.visit().pass().batch * d.weight_stride;
        const std::int64_t first_k = t.k_begin(tile.k_tile());
        for (std::int64_t k = first_k; k < first_k + t.k_rows(tile.k_tile()); ++k) {
          for (std::int64_t column = 0; column < t.tile_columns(tile.visit().n_tile()); ++column) {
            const std::int64_t n = tile.visit().n_tile() * 8 + column;
            expect_word_at(schedule, tile, k, column, base + (layout == WeightLayout::rows ? k * 77 + n : n * 77 + k));
          }
        }
      }
    }
  }
}

TEST(Schedule, ABatchRepeatsTheProductOnItsOwnAddresses) {
  const MachineConfig config;
  Descriptor d = test::gemm(config, 12, 20, 16);
  const Schedule one(d, config);
  d.batch = 4;
  d.input_stride = 1000;
  d.weight_stride = 5000;
  const Schedule four(d, config);
  EXPECT_EQ(four.visits(), 4 * one.visits());
  EXPECT_EQ(four.vectors(), 4 * one.vectors());
  ASSERT_EQ(four.input_fetches().size(), 4 * one.input_fetches().size());
  ASSERT_EQ(four.weight_fetches().size(), 4 * one.weight_fetches().size());
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(four.input_fetches()[i].address, d.input_address + static_cast<std::int64_t>(i) * 1000);
    EXPECT_EQ(four.weight_fetches()[i].address, d.weight_address + static_cast<std::int64_t>(i) * 5000);
    EXPECT_EQ(four.passes()[i].batch, static_cast<std::int64_t>(i));
  }
}

TEST(Schedule, OnlyTheChannelsInUseAreFetched) {
  const MachineConfig config;
  Descriptor d = test::gemm(config, 6, 8, 5);
  d.input = {4, 1, 2, 0, 0};
  d.input_pitch = 20;
  d.input_channel = 7;  // Words 7 to 11: the high half of byte 3, bytes 4 and 5.
  const Schedule schedule(d, config);
  const Fetch& fetch = schedule.input_fetches().front();
  EXPECT_EQ(fetch.bytes, 6 * 3);
  EXPECT_EQ(schedule.tiling().pixel_bytes(), 3);
  EXPECT_EQ(schedule.tiling().channel_bit(0), 4);
  for (std::int64_t pixel = 0; pixel < 6; ++pixel) {
    EXPECT_EQ(fetch.address_of(3 * pixel + 1), d.input_address + 20 * pixel + 3 + 1);
    EXPECT_EQ(fetch.contiguous(3 * pixel + 1), 2);
  }
  d.input_channel = 0;
  d.in_c = 40;
  const Schedule whole(d, config);
  EXPECT_EQ(whole.input_fetches().front().contiguous(7), 6 * 20 - 7) << "whole pixels are one piece";
}

TEST(Schedule, OnlyTheBlocksOfGroupsCountAsMacs) {
  const MachineConfig config;
  for (const std::int64_t groups : {1, 2, 4, 8}) {
    Descriptor d = test::gemm(config, 4, 24, 8);
    d.kernel_w = 3;
    d.in_w = d.out_w = 5;
    d.groups = groups;
    const Tiling t(d, config);
    std::int64_t macs = 0;
    for (std::int64_t n_tile = 0; n_tile < t.n_tiles; ++n_tile) {
      for (std::int64_t k_tile = 0; k_tile < t.k_tiles; ++k_tile) macs += t.vector_macs(n_tile, k_tile);
    }
    EXPECT_EQ(macs, 24 * 3 * 8 / groups);
  }
}

}  // namespace
}  // namespace lpa::hw
