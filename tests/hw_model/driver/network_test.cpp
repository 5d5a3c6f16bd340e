// Random networks on random machines: words, layer by layer, against the software evaluation of the same arithmetic,
// and conservation of everything that is counted.
#include <algorithm>
#include <random>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "hw_model/control/schedule.h"
#include "hw_model/driver/mapper.h"
#include "hw_model/driver/program.h"
#include "hw_model/driver/simulation.h"
#include "tests/quant/lpq/random_model.h"

namespace lpa::driver {

void PrintTo(ModelKind model, std::ostream* out) {
  *out << (model == ModelKind::fast ? "fast" : "pin");
}

namespace {

using hw::MachineConfig;

/// Anything from a tiny to a roomy machine; its arithmetic is drawn, too. Columns cut 2-bit outputs at bytes.
MachineConfig random_machine(std::mt19937_64& random) {
  const auto draw = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  MachineConfig config;
  config.array.rows = draw(1, 20);
  config.array.columns = 4 * draw(1, 4);
  config.array.double_buffer_weights = draw(0, 3) > 0;
  config.weight_buffer = {draw(1, 16), 8 << draw(0, 3)};
  config.input_buffer = {draw(2, 32), 8 << draw(0, 3)};
  config.output_buffer = {draw(2, 32), 8 << draw(0, 3)};
  config.dma = {8 << draw(0, 4), draw(1, 20)};
  config.memory.latency = draw(0, 60);
  config.memory.bytes_per_cycle = 1 << draw(0, 6);
  config.ppu.lanes = draw(1, 20);
  constexpr std::array presets{"wide", "poster", "fixed"};
  config.arithmetic = formats::arithmetic_preset(presets[static_cast<std::size_t>(draw(0, 2))]);
  config.arithmetic.converter = draw(0, 1) == 0 ? formats::Converter::exact_table : formats::Converter::mitchell;
  config.arithmetic.lf_bits = draw(4, 12);
  config.arithmetic.encoder_log_bits = draw(4, 12);
  config.arithmetic.flush = draw(0, 1) == 1;
  return config;
}

/// Seed and model.
class RandomNetwork : public ::testing::TestWithParam<std::tuple<std::uint64_t, ModelKind>> {
 protected:
  void SetUp() override {
    const std::uint64_t seed = std::get<0>(GetParam());
    options.model = std::get<1>(GetParam());
    std::mt19937_64 random(seed);
    config = random_machine(random);
    // A group whose words do not begin at a byte cannot be run; the generator makes such ones, too.
    for (int attempt = 0; attempt < 100; ++attempt) {
      const bool nars = seed % 5 == 0;
      model = lpq::testing::make_random_model(random(), nars);
      // The groups that share a product share its NaRs, which the software evaluation does not know of.
      const auto grouped = [](const workloads::Layer& layer) { return layer.geometry.groups > 1; };
      if (nars && std::ranges::any_of(model.graph.layers, grouped)) continue;
      try {
        compile(config, model.graph, model.model);
        return;
      } catch (const MachineError&) {
        continue;
      }
    }
    FAIL() << "no model fits machine " << seed;
  }
  MachineConfig config;
  lpq::testing::RandomModel model;
  RunOptions options;
};

TEST_P(RandomNetwork, GivesTheWordsOfTheSoftwareEvaluation) {
  options.keep_maps = true;
  const RunResult result = run_network(config, model.graph, model.model, {model.input, model.input}, options);
  const lpq::SoftwareMachine software(model.graph, model.model, config.arithmetic);
  const std::vector<lpq::WordMap> expected = software.run(model.input);
  ASSERT_EQ(result.maps.size(), 2u);
  for (const auto& maps : result.maps) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto [got, want] = std::ranges::mismatch(maps[i].words, expected[i].words);
      ASSERT_TRUE(want == expected[i].words.end())
          << "layer " << i << " '" << model.graph.layers[i].name << "' " << model.graph.layers[i].op << " of "
          << model.graph.layers[i].geometry.groups << " groups, " << to_string(model.model.layers[i].output)
          << ": word " << want - expected[i].words.begin() << " is " << *got << " but should be " << *want;
    }
  }
  EXPECT_EQ(result.labels[0], lpq::argmax(expected.back(), model.model.layers.back().output));
}

TEST_P(RandomNetwork, ConservesCyclesMacsAndBytes) {
  const RunResult result = run_network(config, model.graph, model.model, {model.input}, options);
  const Program program = compile(config, model.graph, model.model);
  hw::Counters total;
  for (std::size_t i = 0; i < result.layers.size(); ++i) {
    const LayerResult& layer = result.layers[i];
    SCOPED_TRACE(layer.name);
    const hw::Counters& c = layer.counters;
    std::uint64_t causes = 0;
    for (const std::uint64_t cycles : c.by_cause) causes += cycles;
    EXPECT_EQ(causes, c.cycles);
    EXPECT_EQ(c.cause(hw::Cause::busy), c.vectors);
    EXPECT_EQ(c.macs, layer.m * layer.n * layer.k * layer.groups);

    std::int64_t read = 0;
    std::int64_t written = 0;
    for (const hw::Descriptor& d : program.descriptors[i]) {
      const std::int64_t pixels = d.batch * d.out_h * d.out_w;
      read += static_cast<std::int64_t>(hw::descriptor_bytes) + d.parameter_bytes() + traffic(d, config).total() +
              (d.adds() ? pixels * hw::packed_bytes(d.out_c, d.addend.bits) : 0);
      written += pixels * hw::packed_bytes(d.out_c, d.output.bits);
    }
    EXPECT_EQ(c.dram_read_bytes, static_cast<std::uint64_t>(read));
    EXPECT_EQ(c.dram_write_bytes, static_cast<std::uint64_t>(written));
    total += c;
  }
  EXPECT_EQ(result.total, total);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetwork,
                         ::testing::Combine(::testing::Range<std::uint64_t>(1, 41),
                                            ::testing::Values(ModelKind::fast, ModelKind::pin)),
                         [](const auto& test) {
                           const bool fast = std::get<1>(test.param) == ModelKind::fast;
                           return std::to_string(std::get<0>(test.param)) + (fast ? "_fast" : "_pin");
                         });

}  // namespace
}  // namespace lpa::driver
