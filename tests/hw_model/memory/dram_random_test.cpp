// Random traffic on the presets and on the lab device, judged command by command.
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/hw_model/memory/dram_lab.h"
#include "tests/hw_model/memory/dram_trace.h"

namespace lpa::hw {
namespace {

using test::DramBench;
using test::Kind;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::uint64_t first_seed = 20240517;

/// Streams and jumps, reads and writes, bursts and pauses, whole and broken transactions.
class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random_(seed) {}

  void run(DramBench& bench, int transactions) {
    std::int64_t arrival = 0;
    for (int i = 0; i < transactions; ++i) {
      if (draw(0, 15) == 0) arrival += draw(0, 3) == 0 ? draw(0, 20000) : draw(0, 300);
      if (draw(0, 3) == 0) arrival += draw(0, 8);
      if (draw(0, 31) == 0) jump();
      const auto stream = static_cast<std::size_t>(draw(0, 3));
      const auto bytes = static_cast<std::uint64_t>(draw(0, 3) == 0 ? draw(1, 300) : 64);
      const bool write = draw(0, 7) == 0 ? draw(0, 1) == 0 : stream == 3;
      const std::int64_t response = bench.serve(streams_[stream], bytes, write, arrival);
      EXPECT_GE(response, arrival);
      streams_[stream] += bytes;
    }
  }

 private:
  std::int64_t draw(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  void jump() {
    const std::uint64_t window = draw(0, 1) == 0 ? 1 << 20 : 1 << 28;  // Few rows of every bank, or many.
    streams_[static_cast<std::size_t>(draw(0, 3))] = static_cast<std::uint64_t>(draw(0, 1 << 28)) % window;
  }

  std::mt19937_64 random_;
  std::array<std::uint64_t, 4> streams_{0x0, 0x40000, 0x80040, 0xc0013};
};

struct Machine {
  std::string name;
  DramConfig config;
};

void PrintTo(const Machine& m, std::ostream* out) {
  *out << m.name;
}

std::vector<Machine> machines() {
  std::vector<Machine> list;
  const auto add = [&list](const std::string& name, DramConfig config) {
    for (const int ranks : {1, 2}) {
      for (const auto policy : {PagePolicy::open, PagePolicy::closed}) {
        config.ranks = ranks;
        config.page_policy = policy;
        list.push_back({fmt::format("{}_{}_{}", name, ranks, policy == PagePolicy::open ? "open" : "closed"), config});
      }
    }
  };
  DramConfig config = test::dram_lab();
  add("lab", config);
  config.refresh = config.bank_rotation = true;
  add("lab_refresh", config);
  for (const DramPreset& preset : dram_presets()) {
    config = DramConfig{};
    config.set_preset(preset.name);
    std::string name = preset.name;
    std::ranges::replace(name, '-', '_');
    add(name, config);
  }
  return list;
}

class RandomTraffic : public ::testing::TestWithParam<Machine> {};

TEST_P(RandomTraffic, BreaksNoRuleAndWaitsForNothingElse) {
  const DramConfig& config = GetParam().config;
  config.validate();
  for (std::uint64_t seed = first_seed; seed < first_seed + 4; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    DramBench bench(config);
    Traffic(seed).run(bench, 2500);
    EXPECT_THAT(test::violations(bench.trace(), config), IsEmpty());
    EXPECT_THAT(test::late_commands(bench.trace(), config), IsEmpty());
    std::uint64_t bursts = 0, columns = 0;
    for (const MemoryStatistic& s : bench.timing().statistics()) {
      const std::string name = s.name;
      if (name == "reads" || name == "writes") columns += s.value;
      if (name.starts_with("row_")) bursts += s.value;
    }
    EXPECT_EQ(bursts, columns) << "each burst is a hit, a miss or a conflict";
    EXPECT_EQ(static_cast<std::int64_t>(columns), std::ranges::count_if(bench.trace(), [](auto& c) {
                return c.kind == Kind::read || c.kind == Kind::write;
              }));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RandomTraffic, ::testing::ValuesIn(machines()),
                         [](const auto& test) { return test.param.name; });

/// The judge must see a timing that is a clock too short, in traffic that nobody made for it.
TEST(RandomTrafficJudge, SeesEveryTimingThatIsTooShort) {
  const std::pair<int DramDevice::*, const char*> timings[] = {{&DramDevice::rcd, "tRCD"},
                                                               {&DramDevice::rp, "tRP"},
                                                               {&DramDevice::rp_all, "tRPab"},
                                                               {&DramDevice::ras, "tRAS"},
                                                               {&DramDevice::rc, "tRC"},
                                                               {&DramDevice::ccd_s, "tCCD_S"},
                                                               {&DramDevice::ccd_l, "tCCD_L"},
                                                               {&DramDevice::rrd_s, "tRRD_S"},
                                                               {&DramDevice::rrd_l, "tRRD_L"},
                                                               {&DramDevice::faw, "tFAW"},
                                                               {&DramDevice::wr, "tWR"},
                                                               {&DramDevice::wtr_s, "tWTR_S"},
                                                               {&DramDevice::wtr_l, "tWTR_L"},
                                                               {&DramDevice::rtp, "tRTP"},
                                                               {&DramDevice::rtw, "tRTW"},
                                                               {&DramDevice::rfc, "tRFC"},
                                                               {&DramDevice::rank_switch, "rank switch"}};
  DramConfig config = test::dram_lab();
  config.ranks = 2;
  config.refresh = true;
  for (const auto& [timing, rule] : timings) {
    DramConfig wrong = config;
    --(wrong.device.*timing);
    DramBench bench(wrong);
    Traffic(first_seed).run(bench, 4000);
    EXPECT_THAT(test::violations(bench.trace(), config), Contains(StartsWith(rule))) << "seed " << first_seed;
    DramConfig loose = config;
    ++(loose.device.*timing);
    DramBench late(loose);
    Traffic(first_seed).run(late, 4000);
    EXPECT_THAT(test::late_commands(late.trace(), config), Not(IsEmpty())) << rule << ", seed " << first_seed;
  }
}

TEST(RandomTrafficJudge, SeesCommandsToTheWrongRowAndOutOfOrder) {
  const DramConfig config = test::dram_lab();
  DramBench bench(config);
  Traffic(first_seed).run(bench, 500);
  const auto first_column = [](test::DramTrace& trace) {
    return std::ranges::find_if(trace, [](auto& c) { return c.kind == Kind::read || c.kind == Kind::write; });
  };
  test::DramTrace trace = bench.trace();
  ++first_column(trace)->place.row;
  EXPECT_THAT(test::violations(trace, config), Contains(StartsWith("closed row")));

  trace = bench.trace();
  std::erase_if(trace, [](auto& c) { return c.kind == Kind::precharge; });
  EXPECT_THAT(test::violations(trace, config), Contains(StartsWith("open bank")));

  trace = bench.trace();
  std::iter_swap(trace.begin() + 100, trace.begin() + 200);
  EXPECT_THAT(test::violations(trace, config), Contains(StartsWith("order of arrival")));

  trace = bench.trace();
  trace.back().arrival = trace.back().cycle + 1;
  EXPECT_THAT(test::violations(trace, config), Contains(StartsWith("arrival")));

  DramConfig refreshing = config;
  refreshing.refresh = true;
  EXPECT_THAT(test::violations(bench.trace(), refreshing), Contains(StartsWith("overdue refresh")));
}

}  // namespace
}  // namespace lpa::hw
