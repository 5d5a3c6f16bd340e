// Random tiles through the array's pins, against the scalar model: values, counters and the tile interval.
#include <array>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "tests/hw_model/array/array_bench.h"
#include "tests/hw_model/datapath/hardware_formats.h"

namespace lpa::test {
namespace {

struct Machine {
  const char* name;
  Shape shape;
  const char* preset;
  int mode;
  int activation_bits = 8;
  int inputs = 1;
};

/// What a layer is made of, drawn at random.
struct Layer {
  Layer(const Machine& machine, std::mt19937_64& random) {
    const auto draw = [&random](int n) {
      const auto all = hardware_formats(n);
      formats::LpFormat format = all[random() % all.size()];
      format.es = std::min(format.es, 2);  // So that sums of products of some words meet and saturate.
      format.sf_q8 = static_cast<int>(random() % 512) - 256;
      return format;
    };
    weight = draw(machine.mode);
    activation = draw(machine.activation_bits);
    output = draw(8);
    control.weight = datapath::to_word_format(weight);
    control.activation = datapath::to_word_format(activation);
    control.encoded = datapath::to_word_format(output);
    control.psum_lsb = -10;
    control.scale_q8 = weight.sf_q8 + activation.sf_q8 - output.sf_q8;
    control.inputs = static_cast<std::uint8_t>(machine.inputs);
  }
  formats::LpFormat weight, activation, output;
  hw::LayerControl control;
};

/// A stream of tiles: when each bundle is presented, when the weights of the tile after it start, and what comes out.
class TileStream {
 public:
  TileStream(const Machine& machine, std::uint64_t seed)
      : random_(seed),
        shape_(machine.shape),
        arithmetic_(formats::arithmetic_preset(machine.preset)),
        layer_(machine, random_),
        accumulator_(arithmetic_, machine.mode, layer_.control.psum_lsb),
        bench_(shape_, layer_.control, arithmetic_) {
    for (const std::int16_t own : own_scales) {
      encoders_.try_emplace(own, arithmetic_, layer_.output, machine.mode, layer_.control.psum_lsb,
                            layer_.control.scale_q8 + own);
    }
  }

  /// Tiles of `vectors` bundles, one per cycle, whose swaps are `interval` cycles apart.
  void plan_regular(int tiles, int vectors, int interval) {
    for (int i = 0; i < tiles; ++i) {
      const int swap = shape_.rows + i * interval;
      plan_weights(swap - (i == 0 ? shape_.rows : interval - 1));
      for (int m = 0; m < vectors; ++m) plan_bundle(swap + m, m == 0);
    }
  }

  /// Tiles of random length with random stalls; weights arrive at a random moment of those that the contract allows.
  void plan_with_stalls(int tiles) {
    const int rows = shape_.rows;
    int cycle = rows;
    int earliest = 0;  // Of the weights.
    for (int i = 0; i < tiles; ++i) {
      const int swap = std::max(cycle, earliest + rows) + below(3);
      plan_weights(earliest + below(swap - rows - earliest + 1));
      cycle = swap;
      for (int m = 0, vectors = 1 + below(2 * rows); m < vectors; ++m) {
        plan_bundle(cycle, m == 0);
        cycle += 1 + (below(3) == 0 ? below(4) : 0);
      }
      earliest = swap + 1;
    }
  }

  /// Runs the plan and compares everything that leaves the array.
  void run(bool values_matter = true) {
    const int last = bundles_.rbegin()->first + shape_.rows + shape_.columns + 3;
    std::size_t sums_seen = 0, words_seen = 0;
    for (int cycle = 0; cycle <= last; ++cycle) {
      if (bench_.tag_out.read().valid) {
        if (values_matter) check_sums(sums_seen, cycle);
        ++sums_seen;
      }
      if (bench_.word_tag_out.read().valid) {
        if (values_matter) check_words(words_seen, cycle);
        ++words_seen;
      }
      if (::testing::Test::HasFatalFailure()) return;
      present(cycle);
      bench_.step();
    }
    EXPECT_EQ(sums_seen, bundles_.size());
    EXPECT_EQ(words_seen, words_.size());
    if (!values_matter) return;
    EXPECT_EQ(bench_.array.saturations(), events_.saturations);
    EXPECT_EQ(bench_.array.nar_products(), events_.nar_products);
    EXPECT_EQ(bench_.array.active_products(), active_products_);
    EXPECT_TRUE(bench_.array.idle());
  }

  std::uint64_t hazards() const { return bench_.array.hazards(); }
  const formats::AccumulateEvents& events() const { return events_; }

 private:
  struct Bundle {
    hw::BundleTag tag;
    Words activations;
    Sums sums;
    Scales scales;
  };
  static constexpr std::array<std::int16_t, 4> own_scales{0, 300, -77, 1024};

  int below(int bound) { return bound <= 0 ? 0 : static_cast<int>(random_() % static_cast<std::uint64_t>(bound)); }

  /// A word whose lanes are no NaR; rarely one whose lowest lane is.
  std::uint8_t word(const formats::LpFormat& format) {
    auto drawn = static_cast<std::uint8_t>(random_());
    for (int lane = 0; lane < 8 / format.n; ++lane) {
      if (lane_word(drawn, lane, format.n) == format.nar_word()) {
        drawn = static_cast<std::uint8_t>(drawn ^ (1 << (lane * format.n)));
      }
    }
    if (below(200) != 0) return drawn;
    const int mask = (1 << format.n) - 1;
    return static_cast<std::uint8_t>((drawn & ~mask) | format.nar_word());
  }

  void plan_weights(int cycle) {
    tiles_.emplace_back(static_cast<std::size_t>(shape_.rows * layer_.control.inputs));
    for (Words& row : tiles_.back()) {
      for (int c = 0; c < shape_.columns; ++c) row.push_back(word(layer_.weight));
    }
    for (int row = shape_.rows - 1; row >= 0; --row) {
      weights_[cycle + shape_.rows - 1 - row] = {tiles_.size() - 1, row};
    }
  }

  void plan_bundle(int cycle, bool swap) {
    Bundle bundle;
    bundle.tag = {true, swap, below(2) == 0, static_cast<std::uint32_t>(bundles_.size())};
    for (int k = 0; k < shape_.rows * layer_.control.inputs; ++k) {
      bundle.activations.push_back(
          static_cast<std::uint8_t>(word(layer_.activation) & ((1 << layer_.activation.n) - 1)));
    }
    bundle.sums.resize(static_cast<std::size_t>(shape_.columns));
    for (hw::PsumWord& sum : bundle.sums) {
      for (formats::Psum& lane : sum.lane) {
        if (below(2) == 0) lane = accumulator_.start({below(1 << 25) - (1 << 24), static_cast<std::int16_t>(below(8))});
      }
    }
    for (int c = 0; c < shape_.columns; ++c) {
      auto& lanes = bundle.scales.emplace_back().lane;
      for (std::int16_t& own : lanes) own = own_scales[static_cast<std::size_t>(below(own_scales.size()))];
    }
    count_active(tiles_.back(), bundle.activations);
    if (swap && bundle.tag.last_k) scales_ = bundle.scales;
    expected_scales_.push_back(scales_);
    expected_.push_back(scalar_model(accumulator_, layer_.weight, layer_.activation, tiles_.back(), bundle.activations,
                                     bundle.sums, events_));
    if (bundle.tag.last_k) words_.push_back(expected_.size() - 1);
    bundles_[cycle] = std::move(bundle);
  }

  void count_active(const std::vector<Words>& tile, const Words& activations) {
    for (std::size_t k = 0; k < tile.size(); ++k) {
      for (const std::uint8_t packed : tile[k]) {
        for (int lane = 0; lane < 8 / layer_.weight.n; ++lane) {
          if (lane_word(packed, lane, layer_.weight.n) != 0 && activations[k] != 0) ++active_products_;
        }
      }
    }
  }

  void present(int cycle) {
    const auto inputs = static_cast<std::size_t>(layer_.control.inputs);
    if (const auto found = bundles_.find(cycle); found != bundles_.end()) {
      Words bytes(static_cast<std::size_t>(shape_.rows));
      for (std::size_t k = 0; k < found->second.activations.size(); ++k) {
        const auto bit = k % inputs * static_cast<std::size_t>(layer_.activation.n);
        bytes[k / inputs] = static_cast<std::uint8_t>(bytes[k / inputs] | found->second.activations[k] << bit);
      }
      bench_.bundle(found->second.tag, bytes, found->second.sums);
      bench_.scales(found->second.scales);
    }
    if (const auto found = weights_.find(cycle); found != weights_.end()) {
      const auto [tile, row] = found->second;
      std::vector<std::uint32_t> words(static_cast<std::size_t>(shape_.columns));
      for (std::size_t i = 0; i < inputs; ++i) {
        const Words& of_input = tiles_[tile][static_cast<std::size_t>(row) * inputs + i];
        for (std::size_t c = 0; c < words.size(); ++c) words[c] |= std::uint32_t{of_input[c]} << (8 * i);
      }
      bench_.weight_row(row, words);
    }
  }

  void check_sums(std::size_t bundle, int cycle) {
    ASSERT_LT(bundle, expected_.size());
    EXPECT_EQ(bench_.tag_out.read().index, bundle);
    for (std::size_t c = 0; c < expected_[bundle].size(); ++c) {
      for (int lane = 0; lane < 8 / layer_.weight.n; ++lane) {
        const auto i = static_cast<std::size_t>(lane);
        ASSERT_EQ(bench_.psum_out[c].read().lane[i], expected_[bundle][c].lane[i])
            << describe(cycle) << " bundle " << bundle << " column " << c << " lane " << lane;
      }
    }
  }

  void check_words(std::size_t index, int cycle) {
    ASSERT_LT(index, words_.size());
    const std::size_t bundle = words_[index];
    EXPECT_EQ(bench_.word_tag_out.read().index, bundle);
    for (std::size_t c = 0; c < expected_[bundle].size(); ++c) {
      for (int lane = 0; lane < datapath::max_lanes; ++lane) {
        const auto i = static_cast<std::size_t>(lane);
        const formats::PsumEncoder& encoder = encoders_.at(expected_scales_[bundle][c].lane[i]);
        const formats::Word expected = lane < 8 / layer_.weight.n ? encoder(expected_[bundle][c].lane[i]) : 0;
        ASSERT_EQ(bench_.word_out[c].read().lane[i], expected)
            << describe(cycle) << " bundle " << bundle << " column " << c << " lane " << lane;
      }
    }
  }

  std::string describe(int cycle) const {
    return to_string(layer_.weight) + " by " + to_string(layer_.activation) + " to " + to_string(layer_.output) +
           " cycle " + std::to_string(cycle);
  }

  std::mt19937_64 random_;
  Shape shape_;
  formats::Arithmetic arithmetic_;
  Layer layer_;
  formats::Accumulator accumulator_;
  std::map<std::int16_t, formats::PsumEncoder> encoders_;    ///< By a channel's own scale.
  Scales scales_{static_cast<std::size_t>(shape_.columns)};  ///< Of the tile that last began to complete sums.
  std::vector<Scales> expected_scales_;                      ///< By bundle.
  ArrayBench bench_;
  std::vector<std::vector<Words>> tiles_;
  std::map<int, Bundle> bundles_;
  std::map<int, std::pair<std::size_t, int>> weights_;
  std::vector<Sums> expected_;
  std::vector<std::size_t> words_;
  formats::AccumulateEvents events_;
  std::uint64_t active_products_ = 0;
};

constexpr std::uint64_t seed = 20240623;

void PrintTo(const Machine& machine, std::ostream* out) {
  *out << machine.name << " mode " << machine.mode << " activation " << machine.activation_bits;
}

std::string machine_name(const ::testing::TestParamInfo<Machine>& test) {
  return std::string(test.param.name).append("_mode") + std::to_string(test.param.mode) + "_a" +
         std::to_string(test.param.activation_bits) +
         (test.param.inputs > 1 ? "_inputs" + std::to_string(test.param.inputs) : std::string());
}

std::vector<Machine> machines() {
  return {{"R8_C8_wide", {8, 8}, "wide", 8},
          {"R8_C8_wide", {8, 8}, "wide", 4},
          {"R8_C8_wide", {8, 8}, "wide", 2},
          {"R8_C8_poster", {8, 8}, "poster", 8},
          {"R8_C8_poster", {8, 8}, "poster", 4},
          {"R8_C8_poster", {8, 8}, "poster", 2},
          {"R8_C8_fixed", {8, 8}, "fixed", 8},
          {"R8_C8_fixed", {8, 8}, "fixed", 4, 4},
          {"R16_C4_wide", {16, 4}, "wide", 8},
          {"R4_C16_poster", {4, 16}, "poster", 4, 4},
          {"R4_C16_fixed", {4, 16}, "fixed", 2},
          {"R1_C1_wide", {1, 1}, "wide", 8},
          {"R1_C1_wide", {1, 1}, "wide", 2, 2},
          {"R3_C5_wide", {3, 5}, "wide", 4, 2},
          {"R3_C5_poster", {3, 5}, "poster", 8},
          {"R8_C8_wide", {8, 8}, "wide", 4, 4, 2},
          {"R8_C8_poster", {8, 8}, "poster", 2, 2, 4},
          {"R3_C5_fixed", {3, 5}, "fixed", 8, 2, 4},
          {"R2_C3_pe1_edge0_wide", {2, 3, {1, 0}}, "wide", 8, 4, 2},
          {"R8_C8_pe1_wide", {8, 8, {1, 1}}, "wide", 4},
          {"R8_C8_edge0_poster", {8, 8, {2, 0}}, "poster", 8},
          {"R5_C3_pe1_edge0_fixed", {5, 3, {1, 0}}, "fixed", 2},
          {"R1_C1_pe1_edge0_wide", {1, 1, {1, 0}}, "wide", 8}};
}

class ArrayValues : public ::testing::TestWithParam<Machine> {};
INSTANTIATE_TEST_SUITE_P(Machine, ArrayValues, ::testing::ValuesIn(machines()), machine_name);

TEST_P(ArrayValues, TilesWithRandomStallsEqualTheScalarModel) {
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  TileStream stream(GetParam(), seed);
  stream.plan_with_stalls(25 + 600 / GetParam().shape.rows);
  stream.run();
  EXPECT_EQ(stream.hazards(), 0u);
  EXPECT_GT(stream.events().nar_products, 0u) << "the words do not exercise the counter";
}

std::vector<Machine> shapes() {
  return {{"R8_C8", {8, 8}, "wide", 8},
          {"R16_C4", {16, 4}, "wide", 8},
          {"R4_C16", {4, 16}, "wide", 8},
          {"R1_C1", {1, 1}, "wide", 8},
          {"R3_C5", {3, 5}, "wide", 8},
          {"R8_C8_pe1_edge0", {8, 8, {1, 0}}, "wide", 8},
          {"R1_C1_pe1_edge0", {1, 1, {1, 0}}, "wide", 8}};
}

class TileInterval : public ::testing::TestWithParam<Machine> {
 protected:
  int rows() const { return GetParam().shape.rows; }
};
INSTANTIATE_TEST_SUITE_P(Shape, TileInterval, ::testing::ValuesIn(shapes()), machine_name);

TEST_P(TileInterval, TilesOfOneVectorMayFollowAfterRPlus1Cycles) {
  TileStream stream(GetParam(), seed);
  stream.plan_regular(6, 1, rows() + 1);
  stream.run();
  EXPECT_EQ(stream.hazards(), 0u);
}

TEST_P(TileInterval, TilesOfRVectorsMayFollowAfterRPlus1Cycles) {
  TileStream stream(GetParam(), seed);
  stream.plan_regular(6, rows(), rows() + 1);
  stream.run();
  EXPECT_EQ(stream.hazards(), 0u);
}

TEST_P(TileInterval, TilesOfRPlus1VectorsMayFollowWithoutABubble) {
  TileStream stream(GetParam(), seed);
  stream.plan_regular(6, rows() + 1, rows() + 1);
  stream.run();
  EXPECT_EQ(stream.hazards(), 0u);
}

TEST_P(TileInterval, LongTilesMayFollowWithoutABubble) {
  TileStream stream(GetParam(), seed);
  stream.plan_regular(4, 3 * rows() + 2, 3 * rows() + 2);
  stream.run();
  EXPECT_EQ(stream.hazards(), 0u);
}

TEST_P(TileInterval, TilesAfterRCyclesAreAHazard) {
  TileStream stream(GetParam(), seed);
  stream.plan_regular(6, 1, rows());
  stream.run(false);
  EXPECT_GT(stream.hazards(), 0u);
}

/// The same layer for every shape of array.
TEST_P(TileInterval, AGemmChainedThroughThePartialSumPinsDoesNotDependOnTheShape) {
  constexpr int m_count = 7, k_count = 45;
  constexpr int columns_in_all = 20;  // Packed columns: 40 outputs.
  // Narrow formats, mostly positive words: many products of about the same size.
  const formats::LpFormat wf{.n = 4, .es = 0, .rs = 1}, af{.n = 8, .es = 0, .rs = 1}, of{.n = 8, .es = 1, .rs = 5};
  std::mt19937_64 random(seed);
  std::vector<Words> weights(k_count), activations(m_count);
  const auto draw = [&random] {
    const auto value = static_cast<std::uint8_t>(random() & 0x77);
    return random() % 8 != 0 ? value : static_cast<std::uint8_t>((16 - (value & 15)) & 15);
  };
  for (Words& row : weights) {
    for (int c = 0; c < columns_in_all; ++c) row.push_back(draw());
  }
  for (Words& row : activations) {
    for (int k = 0; k < k_count; ++k) row.push_back(static_cast<std::uint8_t>(random() & 0x7f));
  }

  const Shape shape = GetParam().shape;
  const formats::Arithmetic poster = formats::arithmetic_preset("poster");  // Rounds and saturates: order matters.
  hw::LayerControl layer;
  layer.weight = datapath::to_word_format(wf);
  layer.activation = datapath::to_word_format(af);
  layer.encoded = datapath::to_word_format(of);
  layer.scale_q8 = 100;
  ArrayBench bench(shape, layer, poster);
  const auto columns = static_cast<std::size_t>(shape.columns);
  const auto interval = static_cast<std::uint64_t>(bench.array.latency() + shape.stages.edge) + 1;

  formats::AccumulateEvents events;
  const formats::Accumulator accumulator(poster, 4);
  const formats::PsumEncoder encoder(poster, of, 4, 0, 100);
  for (std::size_t first_column = 0; first_column < columns_in_all; first_column += columns) {
    std::vector<Sums> sums(m_count, Sums(columns));
    for (int first_k = 0; first_k < k_count; first_k += shape.rows) {
      const bool last = first_k + shape.rows >= k_count;
      std::vector<Words> tile(static_cast<std::size_t>(shape.rows), Words(columns, 0));
      for (std::size_t r = 0; r < tile.size() && static_cast<std::size_t>(first_k) + r < k_count; ++r) {
        for (std::size_t c = 0; c < columns && first_column + c < columns_in_all; ++c) {
          tile[r][c] = weights[static_cast<std::size_t>(first_k) + r][first_column + c];
        }
      }
      bench.load(tile);
      const std::uint64_t x = bench.cycle();
      for (std::size_t m = 0; m < m_count; ++m) {
        Words vector(tile.size(), 0);
        for (std::size_t r = 0; r < tile.size() && static_cast<std::size_t>(first_k) + r < k_count; ++r) {
          vector[r] = activations[m][static_cast<std::size_t>(first_k) + r];
        }
        // Small arrays deliver before the last vector is presented: wait for each vector's words.
        bench.bundle({true, m == 0, last, static_cast<std::uint32_t>(m)}, vector, sums[m]);
        bench.run_to(x + m * interval + static_cast<std::uint64_t>(bench.array.latency()));
        sums[m] = bench.sums_out();
        ASSERT_TRUE(bench.tag_out.read().valid);
        if (last) {
          bench.step(shape.stages.edge);
          ASSERT_TRUE(bench.word_tag_out.read().valid);
          for (std::size_t c = 0; c < columns && first_column + c < columns_in_all; ++c) {
            for (int lane = 0; lane < 2; ++lane) {
              formats::Psum sum;
              for (std::size_t k = 0; k < k_count; ++k) {
                sum = accumulator.mac(sum, formats::to_operand(wf, lane_word(weights[k][first_column + c], lane, 4)),
                                      formats::to_operand(af, activations[m][k]), &events);
              }
              ASSERT_EQ(sums[m][c].lane[static_cast<std::size_t>(lane)], sum) << "m " << m << " column " << c;
              ASSERT_EQ(bench.word_out[c].read().lane[static_cast<std::size_t>(lane)], encoder(sum));
            }
          }
        }
        bench.run_to(x + (m + 1) * interval);
      }
    }
  }
  EXPECT_EQ(bench.array.saturations(), events.saturations);
  EXPECT_GT(events.saturations, 0u) << "the layer is too tame for its purpose";
}

}  // namespace
}  // namespace lpa::test
