// Random words through a processing element's pins, against the scalar model.
#include <deque>
#include <random>

#include <gtest/gtest.h>

#include "hw_model/datapath/decoder.h"
#include "tests/hw_model/array/pe_bench.h"
#include "tests/hw_model/datapath/hardware_formats.h"

namespace lpa::test {
namespace {

struct Case {
  const char* name;
  formats::Arithmetic arithmetic;
  int mode;
};

void PrintTo(const Case& machine, std::ostream* out) {
  *out << machine.name << " mode " << machine.mode;
}

class PeValues : public ::testing::TestWithParam<Case> {};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const int mode : {8, 4, 2}) {
    all.push_back({"wide", formats::arithmetic_preset("wide"), mode});
    all.push_back({"poster", formats::arithmetic_preset("poster"), mode});
    all.push_back({"fixed", formats::arithmetic_preset("fixed"), mode});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Machine, PeValues, ::testing::ValuesIn(cases()), [](const auto& test) {
  return std::string(test.param.name) + "_mode" + std::to_string(test.param.mode);
});

/// The sum is fed back after two cycles, so that two interleaved chains grow through the pins, with random stalls,
/// weights changed at random.
TEST_P(PeValues, LongChainsEqualTheScalarModel) {
  const auto& [name, arithmetic, mode] = GetParam();
  constexpr std::uint64_t seed = 4711;
  std::mt19937_64 random(seed);
  const auto weight_formats = hardware_formats(mode);
  const formats::LpFormat wf = weight_formats[random() % weight_formats.size()];
  const formats::LpFormat af = hardware_formats(8)[random() % 40];
  hw::LayerControl layer = layer_of_mode(mode);
  layer.psum_lsb = -12;
  PeBench bench(arithmetic, layer);
  const formats::Accumulator accumulator(arithmetic, mode, layer.psum_lsb);
  formats::AccumulateEvents events;

  std::uint8_t shadow = 0, active = 0;
  struct Expected {
    std::uint64_t cycle;
    hw::PsumWord sum;
  };
  std::deque<Expected> expected;
  std::deque<std::pair<std::uint8_t, std::uint8_t>> in_mul;  // Weight and activation of the product in the register.
  int checked = 0;
  for (int i = 0; i < 20000; ++i) {
    if (!expected.empty() && expected.front().cycle == bench.cycle()) {
      for (int lane = 0; lane < 8 / mode; ++lane) {
        const auto index = static_cast<std::size_t>(lane);
        ASSERT_EQ(bench.psum_out.read().lane[index], expected.front().sum.lane[index])
            << name << " seed " << seed << " cycle " << bench.cycle() << " lane " << lane << " of " << to_string(wf)
            << " by " << to_string(af);
      }
      expected.pop_front();
      ++checked;
    }
    // The sum for the product that stands in the MUL register: the output again, or a fresh start.
    if (!in_mul.empty()) {
      const auto [w, a] = in_mul.front();
      in_mul.pop_front();
      hw::PsumWord sum = bench.psum_out.read();
      if (random() % 64 == 0) sum = {};
      bench.psum_in.write(sum);
      for (int lane = 0; lane < 8 / mode; ++lane) {
        const auto single = static_cast<formats::Word>((w >> (lane * mode)) & ((1 << mode) - 1));
        formats::Psum& value = sum.lane[static_cast<std::size_t>(lane)];
        value = accumulator.mac(value, formats::to_operand(wf, single), formats::to_operand(af, a), &events);
      }
      expected.push_back({bench.cycle() + 1, sum});
    }
    if (random() % 4 != 0) {
      auto a = static_cast<std::uint8_t>(random());
      if (a == af.nar_word() && random() % 8 != 0) a = 1;  // NaR ends a chain; let it be rare.
      const bool swap = random() % 16 == 0;
      if (swap) active = shadow;
      bench.activation(datapath::decode_lane(a, datapath::to_word_format(af)), swap);
      in_mul.emplace_back(active, a);
      bench.no_weight();
    } else {
      bench.no_activation();
      shadow = static_cast<std::uint8_t>(random());
      bench.weight(datapath::decode(shadow, mode, wf.es, wf.rs));
    }
    bench.step();
  }
  EXPECT_GT(checked, 10000);
  EXPECT_EQ(bench.pe.events().saturations, events.saturations);
  EXPECT_EQ(bench.pe.events().nar_products, events.nar_products);
  EXPECT_GT(bench.pe.events().nar_products, 0u);
  EXPECT_EQ(bench.pe.hazards(), 0u);
}

}  // namespace
}  // namespace lpa::test
